#include "frontend/binary/type_reader.h"

#include <optional>

namespace wattle::frontend {
namespace {

constexpr uint8_t kRefNull = 0x63, kRef = 0x64, kExact = 0x62;

std::optional<AbstractHeap> abstractHeap(uint8_t byte) {
  switch (byte) {
    case 0x74: return AbstractHeap::NoExn;
    case 0x73: return AbstractHeap::NoFunc;
    case 0x72: return AbstractHeap::NoExtern;
    case 0x71: return AbstractHeap::None;
    case 0x70: return AbstractHeap::Func;
    case 0x6f: return AbstractHeap::Extern;
    case 0x6e: return AbstractHeap::Any;
    case 0x6d: return AbstractHeap::Eq;
    case 0x6c: return AbstractHeap::I31;
    case 0x6b: return AbstractHeap::Struct;
    case 0x6a: return AbstractHeap::Array;
    case 0x69: return AbstractHeap::Exn;
    default: return std::nullopt;
  }
}

bool checkTypeIndex(Reader& reader, const TypeScope& scope, uint64_t index, uint64_t offset) {
  if (index < scope.limit) return true;
  return reader.failAt(offset, ErrorKind::Invalid, "unknown type " + std::to_string(index));
}

HeapType heapOf(const TypeScope& scope, uint32_t index) {
  return HeapType::index(index < scope.types.size() ? scope.types[index].representative : index);
}

// A reference type, or nothing (and nothing consumed) when the next byte starts none.
std::optional<ValType> tryReadRefType(Reader& reader, const TypeScope& scope) {
  const uint8_t lead = reader.peek();
  if (lead == kRefNull || lead == kRef) {
    reader.byte();
    const HeapTypeUse use = readHeapType(reader, scope);
    return ValType::ref(use.heap, lead == kRefNull, use.exact);
  }
  if (const auto heap = abstractHeap(lead)) {
    reader.byte();
    return ValType::ref(HeapType::abstract(*heap), true);
  }
  return std::nullopt;
}

std::optional<ValType> tryReadValType(Reader& reader, const TypeScope& scope) {
  const uint8_t lead = reader.peek();
  if (lead <= 0x7f && lead >= 0x7b) {
    static constexpr ValType kNumeric[] = {kV128, kF64, kF32, kI64, kI32};
    reader.byte();
    return kNumeric[lead - 0x7b];
  }
  return tryReadRefType(reader, scope);
}

ValType orMalformed(Reader& reader, std::optional<ValType> type, const char* what) {
  if (type) return *type;
  if (reader.atEnd()) {
    reader.byte();  // unexpected end
  } else {
    reader.malformed(what);
  }
  return {};
}

}  // namespace

uint32_t readTypeIndex(Reader& reader, const TypeScope& scope) {
  const uint64_t offset = reader.offset();
  const uint32_t index = reader.u32();
  return checkTypeIndex(reader, scope, index, offset) ? index : 0;
}

HeapTypeUse readHeapType(Reader& reader, const TypeScope& scope) {
  const uint64_t offset = reader.offset();
  const uint8_t lead = reader.peek();
  if (lead == kExact && scope.exactTypes) {
    reader.byte();
    if (reader.peek() == kExact && kExact >= scope.limit) reader.malformed("malformed storage type: exact twice");
    const uint32_t index = readTypeIndex(reader, scope);
    return {reader.ok() ? heapOf(scope, index) : HeapType(), true};
  }
  if (const auto heap = abstractHeap(lead)) {
    reader.byte();
    return {HeapType::abstract(*heap), false};
  }
  const int64_t index = reader.s33();
  if (index < 0) {
    reader.failAt(offset, ErrorKind::Malformed, "malformed heap type");
    return {};
  }
  if (!checkTypeIndex(reader, scope, static_cast<uint64_t>(index), offset) || !reader.ok()) return {};
  return {heapOf(scope, static_cast<uint32_t>(index)), false};
}

ValType readRefType(Reader& reader, const TypeScope& scope) {
  return orMalformed(reader, tryReadRefType(reader, scope), "malformed reference type");
}

ValType readValType(Reader& reader, const TypeScope& scope) {
  return orMalformed(reader, tryReadValType(reader, scope), "malformed value type");
}

ValType readStorageType(Reader& reader, const TypeScope& scope) {
  const uint8_t lead = reader.peek();
  if (lead == 0x78 || lead == 0x77) {
    reader.byte();
    return ValType(lead == 0x78 ? ValKind::I8 : ValKind::I16);
  }
  return orMalformed(reader, tryReadValType(reader, scope), "malformed storage type");
}

const FuncType* readFuncTypeIndex(Reader& reader, const TypeScope& scope, uint32_t& index) {
  const uint64_t offset = reader.offset();
  index = readTypeIndex(reader, scope);
  if (!reader.ok()) return nullptr;
  const SubType& type = scope.types[index];
  if (type.kind == CompositeKind::Func) return &type.func;
  reader.failAt(offset, ErrorKind::Invalid, "non-function type " + std::to_string(index));
  return nullptr;
}

}  // namespace wattle::frontend
