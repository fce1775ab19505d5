// ModuleInfo: what a binary module says, decoded and validated except for function bodies.
//
// A ModuleInfo owns no copy of the module's bytes: bodies, data and custom sections are ranges into the bytes handed to
// decodeModule, which the owner keeps (runtime's Module does). Everything here is immutable after decoding, so any
// number of threads may read it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "frontend/types.h"

namespace wattle::frontend {

// Proposals beyond Wasm 3.0 (3.0 itself is always on). A bit each; the feature column of opcodes.def names them.
struct Features {
  bool threads = true;
  bool legacyExceptions = true;
  bool wideArithmetic = true;
  bool customPageSizes = true;
  bool customDescriptors = true;
};

enum class ExternKind : uint8_t { Func, Table, Memory, Global, Tag };  // the binary encoding's numbers

struct Limits {
  uint64_t min = 0;
  std::optional<uint64_t> max;
  bool operator==(const Limits&) const = default;
};

struct MemoryType {
  Limits limits;  // in pages of 1 << pageSizeLog2 bytes
  bool is64 = false;
  bool isShared = false;
  uint8_t pageSizeLog2 = 16;  // custom page sizes: 0 or 16
  bool operator==(const MemoryType&) const = default;
};

struct TableType {
  ValType element;
  Limits limits;
  bool is64 = false;
  bool operator==(const TableType&) const = default;
};

struct GlobalType {
  ValType type;
  bool isMutable = false;
  bool operator==(const GlobalType&) const = default;
};

// A range of the module's bytes.
struct Range {
  uint64_t offset = 0;
  uint64_t size = 0;
};

// A constant expression, checked but not evaluated: its instruction bytes without the final `end`, and a shortcut for
// the common forms.
struct ConstExpr {
  enum class Kind : uint8_t { Value, GlobalGet, RefNull, RefFunc, Bytecode };
  Kind kind = Kind::Value;
  ValType type;                // static type of the expression
  uint64_t value[2] = {0, 0};  // Kind::Value: little-endian bits (i32, i64, f32, f64, v128)
  uint32_t index = 0;          // GlobalGet, RefFunc
  Range bytes;                 // Kind::Bytecode: the instructions, including the final `end`; evaluated by runtime/vm
};

struct Import {
  std::string module;
  std::string name;
  ExternKind kind = ExternKind::Func;
  bool exactFunc = false;  // custom descriptors: (func (exact (type ..)))
  uint32_t index = 0;      // in the index space of its kind
};

struct Export {
  std::string name;
  ExternKind kind = ExternKind::Func;
  uint32_t index = 0;
};

struct Function {
  uint32_t typeIndex = 0;  // as written; see SubType::representative
  Range body;  // code section entry without its size: local declarations and instructions; empty for an import
  bool isImport = false;
  bool isDeclared = false;     // may be named by ref.func (occurs in exports, elements, globals, ...): needs a funcref
  bool isExactImport = false;  // custom descriptors: an import that is of exactly its type
  // Whether a reference to it is known to be of exactly its type.
  bool isExact() const { return !isImport || isExactImport; }
};

struct Table {
  TableType type;
  std::optional<ConstExpr> init;
  bool isImport = false;
};

struct Memory {
  MemoryType type;
  bool isImport = false;
};

struct Global {
  GlobalType type;
  ConstExpr init;  // unused for an import
  bool isImport = false;
};

struct Tag {
  uint32_t typeIndex = 0;
  bool isImport = false;
};

enum class SegmentMode : uint8_t { Active, Passive, Declarative };

struct ElementSegment {
  SegmentMode mode = SegmentMode::Active;
  ValType type;
  uint32_t table = 0;
  ConstExpr offset;                 // Active
  std::vector<uint32_t> functions;  // when every item is ref.func: their indices, and `items` is empty
  std::vector<ConstExpr> items;
  size_t count() const { return items.empty() ? functions.size() : items.size(); }
};

struct DataSegment {
  SegmentMode mode = SegmentMode::Active;
  uint32_t memory = 0;
  ConstExpr offset;  // Active
  Range bytes;
};

struct CustomSection {
  std::string name;
  Range bytes;  // contents after the name
};

// Sizes for `wattle inspect`: one entry per section in file order.
struct SectionInfo {
  uint8_t id = 0;
  Range bytes;
};

struct ModuleInfo {
  std::vector<SubType> types;
  std::vector<Import> imports;
  std::vector<Export> exports;
  std::vector<Function> functions;      // imports first, as in each index space below
  std::vector<uint32_t> functionTypes;  // Function::typeIndex once more, packed: calls in bodies go through here
  std::vector<Table> tables;
  std::vector<Memory> memories;
  std::vector<Global> globals;
  std::vector<Tag> tags;
  std::vector<ElementSegment> elements;
  std::vector<DataSegment> data;
  std::vector<CustomSection> customSections;
  std::vector<SectionInfo> sections;
  std::optional<uint32_t> start;
  std::optional<uint32_t> dataCount;
  uint32_t importedFunctions = 0;
  uint32_t importedTables = 0;
  uint32_t importedMemories = 0;
  uint32_t importedGlobals = 0;
  uint32_t importedTags = 0;
  uint64_t codeBytes = 0;  // sum of all body sizes
  Features features;

  const FuncType& funcType(uint32_t functionIndex) const { return types[functions[functionIndex].typeIndex].func; }
  const FuncType& tagType(uint32_t tagIndex) const { return types[tags[tagIndex].typeIndex].func; }
  // True when `sub` <: `super` (spec "Validation / Matching"); both in this module's terms.
  bool isSubtype(ValType sub, ValType super) const { return sub == super || isSubtypeSlow(sub, super); }
  bool isSubtypeSlow(ValType sub, ValType super) const;
  bool isHeapSubtype(HeapType sub, HeapType super) const;
};

}  // namespace wattle::frontend
