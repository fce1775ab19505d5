// Imports, tables, memories, tags, globals, exports and the start function.
#include <algorithm>
#include <bit>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/binary/const_expr.h"
#include "frontend/binary/limits.h"
#include "frontend/binary/module_decoder_impl.h"

namespace wattle::frontend {
namespace {

constexpr uint8_t kHasMax = 1, kShared = 2, kIs64 = 4, kPageSize = 8;
constexpr uint8_t kExactFunc = 0x20;
constexpr uint8_t kKinds = 5;  // of ExternKind

// The names seen so far: open addressing, since modules export tens of thousands.
class NameSet {
 public:
  explicit NameSet(size_t most) : slots_(std::bit_ceil(2 * most + 1)) {}
  // False if it was there already.
  bool insert(std::string_view name) {
    const size_t mask = slots_.size() - 1;
    for (size_t i = std::hash<std::string_view>()(name) & mask;; i = (i + 1) & mask) {
      if (!slots_[i].data()) {
        slots_[i] = name;
        return true;
      }
      if (slots_[i] == name) return false;
    }
  }

 private:
  std::vector<std::string_view> slots_;  // free where there is no data()
};

}  // namespace

bool ModuleDecoder::checkIndex(const char* what, uint32_t index, size_t count, uint64_t offset) {
  if (!reader_.ok()) return false;
  if (index < count) return true;
  return reader_.failAt(offset, ErrorKind::Invalid, "unknown " + std::string(what) + " " + std::to_string(index));
}

// --- types of entities ---------------------------------------------------------------------------

bool ModuleDecoder::readLimits(uint8_t allowedFlags, uint8_t& flags, Limits& limits) {
  const uint64_t offset = reader_.offset();
  flags = reader_.byte();
  if (!reader_.ok()) return false;
  if (flags & ~allowedFlags) return reader_.failAt(offset, ErrorKind::Malformed, "malformed limits flags");
  limits.min = reader_.u64();
  if (flags & kHasMax) limits.max = reader_.u64();
  return reader_.ok();
}

bool ModuleDecoder::checkLimits(const Limits& limits, uint64_t most, const char* message) {
  if (limits.min > most || limits.max.value_or(0) > most) return reader_.invalid(message);
  if (limits.max && *limits.max < limits.min) return reader_.invalid("size minimum must not be greater than maximum");
  return true;
}

bool ModuleDecoder::readTableType(TableType& type) {
  uint8_t flags;
  type.element = readRefType(reader_, scope());
  if (!reader_.ok() || !readLimits(kHasMax | kIs64, flags, type.limits)) return false;
  type.is64 = flags & kIs64;
  return type.is64 ? checkLimits(type.limits, UINT64_MAX, "table size must be at most 2^64-1")
                   : checkLimits(type.limits, UINT32_MAX, "table size must be at most 2^32-1");
}

bool ModuleDecoder::readMemoryType(MemoryType& type) {
  uint8_t flags;
  uint8_t allowed = kHasMax | kIs64;
  if (module_.features.threads) allowed |= kShared;
  if (module_.features.customPageSizes) allowed |= kPageSize;
  if (!readLimits(allowed, flags, type.limits)) return false;
  type.is64 = flags & kIs64;
  type.isShared = flags & kShared;
  if (flags & kPageSize) {
    const uint64_t offset = reader_.offset();
    const uint32_t log2 = reader_.u32();
    if (!reader_.ok()) return false;
    if (log2 != 0 && log2 != 16) {
      return reader_.failAt(offset, log2 >= 64 ? ErrorKind::Malformed : ErrorKind::Invalid,
                            "invalid custom page size: 2^" + std::to_string(log2));
    }
    type.pageSizeLog2 = static_cast<uint8_t>(log2);
  }
  if (type.isShared && !type.limits.max) return reader_.invalid("shared memory must have maximum");
  const bool bytePages = type.pageSizeLog2 == 0;
  const uint64_t most = type.is64 ? (bytePages ? UINT64_MAX : uint64_t{1} << 48) : (bytePages ? UINT32_MAX : 65536);
  const char* message = type.is64 ? (bytePages ? "memory size must be at most 2^64-1 bytes"
                                               : "memory size must be at most 2^48 pages (256 TiB)")
                                  : (bytePages ? "memory size must be at most 2^32-1 bytes"
                                               : "memory size must be at most 65536 pages (4GiB)");
  return checkLimits(type.limits, most, message);
}

bool ModuleDecoder::readGlobalType(GlobalType& type) {
  type.type = readValType(reader_, scope());
  const uint64_t offset = reader_.offset();
  const uint8_t mutability = reader_.byte();
  if (reader_.ok() && mutability > 1) return reader_.failAt(offset, ErrorKind::Malformed, "malformed mutability");
  type.isMutable = mutability == 1;
  return reader_.ok();
}

bool ModuleDecoder::readTagType(uint32_t& typeIndex) {
  const uint64_t offset = reader_.offset();
  if (reader_.byte() != 0 && reader_.ok())
    return reader_.failAt(offset, ErrorKind::Malformed, "malformed tag attribute");
  const FuncType* type = readFuncTypeIndex(reader_, scope(), typeIndex);
  if (!type) return false;
  return type->results.empty() || reader_.invalid("non-empty tag result type");
}

// --- imports -------------------------------------------------------------------------------------

bool ModuleDecoder::importSection() {
  const uint32_t count = reader_.count(kMaxImports, "imports");
  reader_.reserve(module_.imports, count);
  for (uint32_t i = 0; i < count && reader_.ok(); i++) {
    Import import;
    import.module = reader_.name();
    import.name = reader_.name();
    const uint64_t offset = reader_.offset();
    const uint8_t kind = reader_.byte();
    if (!reader_.ok()) return false;
    import.exactFunc = kind == kExactFunc && module_.features.customDescriptors;
    if (kind >= kKinds && !import.exactFunc)
      return reader_.failAt(offset, ErrorKind::Malformed, "malformed import kind");
    import.kind = import.exactFunc ? ExternKind::Func : static_cast<ExternKind>(kind);
    if (!importEntity(import)) return false;
    module_.imports.push_back(std::move(import));
  }
  module_.importedFunctions = static_cast<uint32_t>(module_.functions.size());
  module_.importedTables = static_cast<uint32_t>(module_.tables.size());
  module_.importedMemories = static_cast<uint32_t>(module_.memories.size());
  module_.importedGlobals = static_cast<uint32_t>(module_.globals.size());
  module_.importedTags = static_cast<uint32_t>(module_.tags.size());
  return reader_.ok();
}

bool ModuleDecoder::importEntity(Import& import) {
  const auto add = [&](auto& entities, auto entity) {
    import.index = static_cast<uint32_t>(entities.size());
    entity.isImport = true;
    entities.push_back(std::move(entity));
    return reader_.ok();
  };
  switch (import.kind) {
    case ExternKind::Func: {
      Function function;
      function.isImport = true;
      function.isExactImport = import.exactFunc;
      import.index = static_cast<uint32_t>(module_.functions.size());
      if (!readFuncTypeIndex(reader_, scope(), function.typeIndex)) return false;
      addFunction(function);
      return true;
    }
    case ExternKind::Table: {
      Table table;
      return readTableType(table.type) && add(module_.tables, std::move(table));
    }
    case ExternKind::Memory: {
      Memory memory;
      return readMemoryType(memory.type) && add(module_.memories, memory);
    }
    case ExternKind::Global: {
      Global global;
      return readGlobalType(global.type) && add(module_.globals, global);
    }
    case ExternKind::Tag: {
      Tag tag;
      return readTagType(tag.typeIndex) && add(module_.tags, tag);
    }
  }
  return false;
}

// --- definitions ---------------------------------------------------------------------------------

bool ModuleDecoder::tableSection() {
  constexpr uint8_t kWithInit = 0x40;
  const uint32_t count = reader_.count(kMaxTables, "tables");
  for (uint32_t i = 0; i < count && reader_.ok(); i++) {
    Table table;
    const bool hasInit = reader_.peek() == kWithInit;
    if (hasInit) {
      reader_.byte();
      if (reader_.byte() != 0 && reader_.ok()) return reader_.malformed("zero byte expected");
    }
    if (!readTableType(table.type)) return false;
    if (hasInit) {
      if (!constExpr(table.type.element, table.init.emplace())) return false;
    } else if (!table.type.element.isDefaultable()) {
      return reader_.invalid("type mismatch: a table of " + toString(table.type.element) + " needs an initializer");
    }
    module_.tables.push_back(std::move(table));
  }
  return reader_.ok();
}

bool ModuleDecoder::memorySection() {
  const uint32_t count = reader_.count(kMaxMemories, "memories");
  for (uint32_t i = 0; i < count && reader_.ok(); i++) {
    Memory memory;
    if (!readMemoryType(memory.type)) return false;
    module_.memories.push_back(memory);
  }
  return reader_.ok();
}

bool ModuleDecoder::tagSection() {
  const uint32_t count = reader_.count(kMaxTags, "tags");
  for (uint32_t i = 0; i < count && reader_.ok(); i++) {
    Tag tag;
    if (!readTagType(tag.typeIndex)) return false;
    module_.tags.push_back(tag);
  }
  return reader_.ok();
}

// An initializer may name the globals before it: exactly those that module_ has while it is read.
bool ModuleDecoder::globalSection() {
  const uint32_t count = reader_.count(kMaxGlobals, "globals");
  reader_.reserve(module_.globals, count);
  for (uint32_t i = 0; i < count && reader_.ok(); i++) {
    Global global;
    if (!readGlobalType(global.type) || !constExpr(global.type.type, global.init)) return false;
    module_.globals.push_back(global);
  }
  return reader_.ok();
}

bool ModuleDecoder::exportSection() {
  static constexpr const char* kNames[kKinds] = {"function", "table", "memory", "global", "tag"};
  const size_t counts[kKinds] = {module_.functions.size(), module_.tables.size(), module_.memories.size(),
                                 module_.globals.size(), module_.tags.size()};
  const uint32_t count = reader_.count(kMaxExports, "exports");
  reader_.reserve(module_.exports, count);
  NameSet names(std::min<uint64_t>(count, reader_.remaining()));
  for (uint32_t i = 0; i < count && reader_.ok(); i++) {
    const uint64_t start = reader_.offset();
    const std::string_view name = reader_.name();
    const uint64_t kindOffset = reader_.offset();
    const uint8_t kind = reader_.byte();
    if (!reader_.ok()) return false;
    if (kind >= kKinds) return reader_.failAt(kindOffset, ErrorKind::Malformed, "malformed export kind");
    const uint64_t indexOffset = reader_.offset();
    const uint32_t index = reader_.u32();
    if (!checkIndex(kNames[kind], index, counts[kind], indexOffset)) return false;
    if (!names.insert(name)) {
      return reader_.failAt(start, ErrorKind::Invalid, "duplicate export name \"" + std::string(name) + '"');
    }
    if (static_cast<ExternKind>(kind) == ExternKind::Func) module_.functions[index].isDeclared = true;
    module_.exports.push_back({std::string(name), static_cast<ExternKind>(kind), index});
  }
  return reader_.ok();
}

bool ModuleDecoder::startSection() {
  const uint64_t offset = reader_.offset();
  const uint32_t index = reader_.u32();
  if (!checkIndex("function", index, module_.functions.size(), offset)) return false;
  const FuncType& type = module_.funcType(index);
  if (!type.params.empty() || !type.results.empty()) {
    return reader_.failAt(offset, ErrorKind::Invalid, "start function must not have parameters or results");
  }
  module_.start = index;
  return true;
}

}  // namespace wattle::frontend
