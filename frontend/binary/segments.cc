// Element and data segments (spec "Binary Format / Modules").
#include <string>
#include <utility>

#include "frontend/binary/const_expr.h"
#include "frontend/binary/limits.h"
#include "frontend/binary/module_decoder_impl.h"

namespace wattle::frontend {
namespace {

// Bits of an element segment's leading number.
constexpr uint32_t kNotActive = 1, kExplicit = 2,
                   kExpressions = 4;  // kExplicit: a table index, or (not active) declarative

constexpr ValType kFunctionItem = ValType::ref(HeapType::abstract(AbstractHeap::Func), false);

}  // namespace

bool ModuleDecoder::elementSection() {
  const uint32_t count = reader_.count(kMaxElementSegments, "element segments");
  reader_.reserve(module_.elements, count);
  for (uint32_t i = 0; i < count && reader_.ok(); i++) {
    ElementSegment segment;
    if (!elementSegment(segment)) return false;
    module_.elements.push_back(std::move(segment));
  }
  return reader_.ok();
}

bool ModuleDecoder::elementSegment(ElementSegment& segment) {
  const uint64_t offset = reader_.offset();
  const uint32_t flags = reader_.u32();
  if (!reader_.ok()) return false;
  if (flags > 7) return reader_.failAt(offset, ErrorKind::Malformed, "malformed elements segment kind");
  const bool active = !(flags & kNotActive);
  if (active) {
    const uint64_t tableOffset = reader_.offset();
    if (flags & kExplicit) segment.table = reader_.u32();
    if (!checkIndex("table", segment.table, module_.tables.size(), tableOffset)) return false;
    if (!constExpr(module_.tables[segment.table].type.is64 ? kI64 : kI32, segment.offset)) return false;
  } else {
    segment.mode = flags & kExplicit ? SegmentMode::Declarative : SegmentMode::Passive;
  }
  const bool hasType = flags & (kNotActive | kExplicit);
  const uint64_t typeOffset = reader_.offset();
  if (flags & kExpressions) {
    segment.type = hasType ? readRefType(reader_, scope()) : kFuncRef;
  } else {
    if (hasType && reader_.byte() != 0 && reader_.ok()) {
      return reader_.failAt(typeOffset, ErrorKind::Malformed, "malformed element kind");
    }
    segment.type = kFunctionItem;
  }
  if (!reader_.ok() || !(flags & kExpressions ? elementExpressions(segment) : elementFunctions(segment))) return false;
  return !active || checkElementTable(segment, typeOffset);
}

bool ModuleDecoder::checkElementTable(const ElementSegment& segment, uint64_t offset) {
  const ValType element = module_.tables[segment.table].type.element;
  if (module_.isSubtype(segment.type, element)) return true;
  return reader_.failAt(
      offset, ErrorKind::Invalid,
      "type mismatch: element segment of " + toString(segment.type) + " for a table of " + toString(element));
}

bool ModuleDecoder::elementFunctions(ElementSegment& segment) {
  const uint32_t count = reader_.u32();
  reader_.reserve(segment.functions, count);
  for (uint32_t i = 0; i < count && reader_.ok(); i++) {
    const uint64_t offset = reader_.offset();
    const uint32_t index = reader_.u32();
    if (!checkIndex("function", index, module_.functions.size(), offset)) return false;
    module_.functions[index].isDeclared = true;
    segment.functions.push_back(index);
  }
  return reader_.ok();
}

// Kept as function indices for as long as each item is a ref.func.
bool ModuleDecoder::elementExpressions(ElementSegment& segment) {
  const uint32_t count = reader_.u32();
  for (uint32_t i = 0; i < count && reader_.ok(); i++) {
    ConstExpr item;
    if (!constExpr(segment.type, item)) return false;
    if (item.kind == ConstExpr::Kind::RefFunc && segment.items.empty()) {
      if (segment.functions.empty()) reader_.reserve(segment.functions, count);
      segment.functions.push_back(item.index);
      continue;
    }
    for (const uint32_t function : std::exchange(segment.functions, {})) {
      ConstExpr earlier;
      earlier.kind = ConstExpr::Kind::RefFunc;
      earlier.type = refFuncType(module_, function);
      earlier.index = function;
      segment.items.push_back(earlier);
    }
    segment.items.push_back(item);
  }
  return reader_.ok();
}

bool ModuleDecoder::dataSection() {
  const uint32_t count = reader_.count(kMaxDataSegments, "data segments");
  reader_.reserve(module_.data, count);
  for (uint32_t i = 0; i < count && reader_.ok(); i++) {
    DataSegment segment;
    if (!dataSegment(segment)) return false;
    module_.data.push_back(segment);
  }
  return reader_.ok();
}

bool ModuleDecoder::dataSegment(DataSegment& segment) {
  enum : uint32_t { kActive, kPassive, kActiveExplicit };
  const uint64_t offset = reader_.offset();
  const uint32_t flags = reader_.u32();
  if (!reader_.ok()) return false;
  if (flags > kActiveExplicit) return reader_.failAt(offset, ErrorKind::Malformed, "malformed data segment kind");
  if (flags == kPassive) {
    segment.mode = SegmentMode::Passive;
  } else {
    const uint64_t memoryOffset = reader_.offset();
    if (flags == kActiveExplicit) segment.memory = reader_.u32();
    if (!checkIndex("memory", segment.memory, module_.memories.size(), memoryOffset)) return false;
    if (!constExpr(module_.memories[segment.memory].type.is64 ? kI64 : kI32, segment.offset)) return false;
  }
  const uint32_t size = reader_.u32();
  segment.bytes = {reader_.offset(), size};
  reader_.skip(size);
  return reader_.ok();
}

}  // namespace wattle::frontend
