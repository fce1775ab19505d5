// A text module: its fields, in two passes (see module_context.h), and then its bytes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "frontend/text/module_context.h"
#include "frontend/text/types.h"
#include "frontend/text/wat.h"

namespace wattle::frontend::text {

class ModuleParser {
 public:
  ModuleParser(Cursor& cursor, const WatOptions& options) : cursor_(cursor), options_(options) {}

  // "(module $id? field*)" or bare fields, to the end of the cursor's range. A script's module may be a "definition".
  Result<std::vector<uint8_t>> parseModule(bool inScript = false);

 private:
  // First pass: names, and where each field starts (bind_fields.cc).
  void bindFields();
  void bindField();
  void bindImport();
  void bindGroup();
  void bindDefinition(ExternKind kind);
  void bindInlineSegment(std::string_view word, IndexSpace& segments);
  void bindFieldName(IndexSpace& space);
  void checkImportOrder(uint32_t begin);
  void takeCustoms();

  void parseTypes();
  void parseTypeField(uint32_t& index);

  // Second pass: bytes.
  void parseField();
  void parseImport();
  void parseDefinition(ExternKind kind);
  void parseFunction(uint32_t index);
  void parseLocals(IndexSpace& locals, ByteWriter& out);
  void parseTable(uint32_t index);
  void parseMemory(uint32_t index);
  void parseGlobal();
  void parseTag();
  void parseExport();
  void parseStart();

  void parseImportName();
  void writeExport(const std::string& name, ExternKind kind, uint32_t index);
  void parseImportType(ExternKind kind);
  void importFunction();
  void importTable();
  void importMemory();
  void importGlobal();
  void importTag();

  bool parseAddressType();
  Limits parseLimits();
  TableType parseTableType(bool is64);
  MemoryType parseMemoryType(bool is64, bool& hasPageSize);
  std::optional<uint8_t> parsePageSize();
  GlobalType parseGlobalType();
  void writeMemoryType(ByteWriter& out, const MemoryType& type, bool hasPageSize);

  // Segments (segments.cc)
  struct ElementList {
    ValType type;
    bool asIndices = true;  // every item is a ref.func and the type is that of functions
    uint32_t count = 0;
    ByteWriter indices;  // of functions
    ByteWriter expressions;
  };
  void parseElement();
  void parseData();
  void parseElementList(ElementList& list);
  void parseFunctionIndices(ElementList& list);
  void parseElementExpressions(ElementList& list);
  void parseInlineElements(uint32_t table, ValType type, bool is64);
  void parseInlineData(uint32_t memory, MemoryType& type, bool hasPageSize);
  void writeElement(const ElementList& list, SegmentMode mode, uint32_t table, const ByteWriter& offset);
  void writeData(std::string_view bytes, SegmentMode mode, uint32_t memory, const ByteWriter& offset);
  std::string parseStrings();
  void parseConstExpr(ByteWriter& out);  // instructions up to the ")"
  void parseOffset(ByteWriter& out);

  Cursor& cursor_;
  const WatOptions& options_;
  ModuleContext context_;
  std::vector<uint32_t> fields_;         // positions of their "("
  const char* defined_ = nullptr;        // the first definition that no import may follow
  std::array<uint32_t, 5> nextIndex_{};  // of the second pass, by ExternKind
};

}  // namespace wattle::frontend::text
