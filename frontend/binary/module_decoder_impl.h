// The state of one decodeModule call. Its methods lie in module_decoder.cc (sections and their order), sections.cc
// (entities), segments.cc (elements and data), type_section.cc (types) and const_expr.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "frontend/binary/module_decoder.h"
#include "frontend/binary/reader.h"
#include "frontend/binary/type_reader.h"
#include "frontend/module.h"

namespace wattle::frontend {

class ConstExprDecoder;

class ModuleDecoder {
 public:
  ModuleDecoder(std::span<const uint8_t> bytes, const Features& features, std::span<const BodyRange> bodies);
  ~ModuleDecoder();
  Result<ModuleInfo> run();

 private:
  // module_decoder.cc
  bool decode();
  bool header();
  bool section();
  bool sectionBody(uint8_t id);
  bool customSection(uint64_t end);
  bool functionSection();
  void addFunction(const Function& function);
  bool codeSection();
  bool knownBodies();
  bool dataCountSection();
  bool finish();
  std::optional<Error> malformedBody();
  void assignBodies();

  // sections.cc
  bool importSection();
  bool importEntity(Import& import);
  bool tableSection();
  bool memorySection();
  bool tagSection();
  bool globalSection();
  bool exportSection();
  bool startSection();
  bool readLimits(uint8_t allowedFlags, uint8_t& flags, Limits& limits);
  bool checkLimits(const Limits& limits, uint64_t most, const char* message);
  bool readTableType(TableType& type);
  bool readMemoryType(MemoryType& type);
  bool readGlobalType(GlobalType& type);
  bool readTagType(uint32_t& typeIndex);
  bool checkIndex(const char* what, uint32_t index, size_t count, uint64_t offset);

  // segments.cc
  bool elementSection();
  bool elementSegment(ElementSegment& segment);
  bool elementFunctions(ElementSegment& segment);
  bool elementExpressions(ElementSegment& segment);
  bool checkElementTable(const ElementSegment& segment, uint64_t offset);
  bool dataSection();
  bool dataSegment(DataSegment& segment);

  // const_expr.cc
  bool constExpr(ValType expected, ConstExpr& expr);

  TypeScope scope() const { return TypeScope::of(module_); }

  std::span<const uint8_t> bytes_;
  std::span<const BodyRange> known_;
  Reader reader_;
  ModuleInfo module_;
  std::vector<Range> bodies_;
  int lastOrder_ = 0;  // rank of the last section that was not custom
  uint64_t sectionEnd_ = 0;
  std::unique_ptr<ConstExprDecoder> constants_;
};

// Decodes the type section's contents into module.types (type_section.cc).
bool decodeTypes(Reader& reader, ModuleInfo& module);

}  // namespace wattle::frontend
