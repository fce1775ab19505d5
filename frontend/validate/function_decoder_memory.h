// Parametric instructions, variables, tables and bulk memory. Included by function_decoder.h.
#pragma once

#include "frontend/validate/function_decoder.h"

namespace wattle::frontend {

// --- parametric ----------------------------------------------------------------------------------

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::Drop>, Cursor& at) {
  const ValType type = at.top[-1];
  if (!popped(at, type.isBottom() ? popBottom(at.top) : at.top - 1)) return false;
  emit(at, [&](Sink& sink) { sink.drop(type); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::Select>, Cursor& at) {
  ValType type = at.top[-2];
  if (at.top[-1] == kI32 && at.top[-3] == type && !type.isRef() && !type.isBottom()) [[likely]] {
    at.top -= 2;
  } else {
    if (!popped(at, selectSlow(at.top))) return false;
    type = at.top[-1];
  }
  emit(at, [&](Sink& sink) { sink.select(type); });
  return true;
}

// On a polymorphic stack, and to say what is wrong.
template <class Sink>
ValType* FunctionDecoder<Sink>::selectSlow(ValType* top) {
  Cursor at{nullptr, top};
  ValType type, first;
  if (!pop(at, kI32) || !popAny(at, type) || !popAny(at, first)) return nullptr;
  if (type.isRef() || first.isRef()) {
    typeMismatch("select without a type needs numeric or vector operands");
    return nullptr;
  }
  if (type.isBottom()) type = first;
  if (!first.isBottom() && first != type) {
    typeMismatch("select has operands " + toString(first) + " and " + toString(type));
    return nullptr;
  }
  push(at, type);
  return at.top;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::SelectT>, Cursor& at) {
  const uint32_t count = readU32(at);
  if (count != 1) return invalid("invalid result arity: select needs one type, not " + std::to_string(count));
  ValType type;
  if (!readValTypeAt(at, type) || !popAll(at, {type, type, kI32})) return false;
  push(at, type);
  emit(at, [&](Sink& sink) { sink.select(type); });
  return true;
}

// --- variables -----------------------------------------------------------------------------------

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::LocalGet>, Cursor& at) {
  const uint32_t local = readU32(at);
  if (local >= localCount_) [[unlikely]]
    return unknown("local", local);
  const ValType type = readable_[local];
  if (type.isBottom()) [[unlikely]]
    return invalid("uninitialized local " + std::to_string(local));
  push(at, type);
  emitQuietly([&](Sink& sink) { sink.localGet(local, type); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::LocalSet>, Cursor& at) {
  const uint32_t local = readU32(at);
  if (local >= localCount_) [[unlikely]]
    return unknown("local", local);
  const ValType type = locals_[local];
  if (!pop(at, type)) return false;
  if (!type.isDefaultable()) [[unlikely]]
    initialise(local);
  emit(at, [&](Sink& sink) { sink.localSet(local, type); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::LocalTee>, Cursor& at) {
  const uint32_t local = readU32(at);
  if (local >= localCount_) [[unlikely]]
    return unknown("local", local);
  const ValType type = locals_[local];
  if (!pop(at, type)) return false;
  if (!type.isDefaultable()) [[unlikely]]
    initialise(local);
  push(at, type);
  emit(at, [&](Sink& sink) { sink.localTee(local, type); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::GlobalGet>, Cursor& at) {
  const uint32_t index = readU32(at);
  if (index >= module_.globals.size()) [[unlikely]]
    return unknown("global", index);
  const GlobalType& global = module_.globals[index].type;
  if constexpr (ConstantSink<Sink>) {
    if (global.isMutable)
      return invalid("constant expression required: global " + std::to_string(index) + " is mutable");
  }
  push(at, global.type);
  emit(at, [&](Sink& sink) { sink.globalGet(index); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::GlobalSet>, Cursor& at) {
  const uint32_t index = readU32(at);
  if (index >= module_.globals.size()) [[unlikely]]
    return unknown("global", index);
  const GlobalType& global = module_.globals[index].type;
  if (!global.isMutable) return invalid("immutable global " + std::to_string(index));
  if (!pop(at, global.type)) return false;
  emit(at, [&](Sink& sink) { sink.globalSet(index); });
  return true;
}

// --- tables --------------------------------------------------------------------------------------

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::TableGet>, Cursor& at) {
  uint32_t index;
  const Table* table = readTableAt(at, index);
  if (!table || !pop(at, addressType(table->type.is64))) return false;
  push(at, table->type.element);
  emit(at, [&](Sink& sink) { sink.tableGet(index); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::TableSet>, Cursor& at) {
  uint32_t index;
  const Table* table = readTableAt(at, index);
  if (!table || !popAll(at, {addressType(table->type.is64), table->type.element})) return false;
  emit(at, [&](Sink& sink) { sink.tableSet(index); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::TableSize>, Cursor& at) {
  uint32_t index;
  const Table* table = readTableAt(at, index);
  if (!table) return false;
  push(at, addressType(table->type.is64));
  emit(at, [&](Sink& sink) { sink.tableSize(index); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::TableGrow>, Cursor& at) {
  uint32_t index;
  const Table* table = readTableAt(at, index);
  if (!table) return false;
  const ValType address = addressType(table->type.is64);
  if (!popAll(at, {table->type.element, address})) return false;
  push(at, address);
  emit(at, [&](Sink& sink) { sink.tableGrow(index); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::TableFill>, Cursor& at) {
  uint32_t index;
  const Table* table = readTableAt(at, index);
  if (!table) return false;
  const ValType address = addressType(table->type.is64);
  if (!popAll(at, {address, table->type.element, address})) return false;
  emit(at, [&](Sink& sink) { sink.tableFill(index); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::TableCopy>, Cursor& at) {
  uint32_t to, from;
  const Table* target = readTableAt(at, to);
  if (!target) return false;
  const Table* source = readTableAt(at, from);
  if (!source) return false;
  if (!module_.isSubtype(source->type.element, target->type.element)) {
    return typeMismatch("table.copy from " + toString(source->type.element) + " to " + toString(target->type.element));
  }
  const bool both64 = target->type.is64 && source->type.is64;
  if (!popAll(at, {addressType(target->type.is64), addressType(source->type.is64), addressType(both64)})) return false;
  emit(at, [&](Sink& sink) { sink.tableCopy(to, from); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::TableInit>, Cursor& at) {
  uint32_t segment, index;
  segment = readU32(at);
  const Table* table = readTableAt(at, index);
  if (!table) return false;
  if (segment >= module_.elements.size()) return unknown("elem segment", segment);
  if (!module_.isSubtype(module_.elements[segment].type, table->type.element)) {
    return typeMismatch("table.init from " + toString(module_.elements[segment].type) + " to " +
                        toString(table->type.element));
  }
  if (!popAll(at, {addressType(table->type.is64), kI32, kI32})) return false;
  emit(at, [&](Sink& sink) { sink.tableInit(index, segment); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::ElemDrop>, Cursor& at) {
  uint32_t segment;
  if (!readElemAt(at, segment)) return false;
  emit(at, [&](Sink& sink) { sink.elemDrop(segment); });
  return true;
}

// --- memories ------------------------------------------------------------------------------------

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::MemorySize>, Cursor& at) {
  uint32_t index;
  const Memory* memory = readMemoryAt(at, index);
  if (!memory) return false;
  push(at, addressType(memory->type.is64));
  emit(at, [&](Sink& sink) { sink.memorySize(index); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::MemoryGrow>, Cursor& at) {
  uint32_t index;
  const Memory* memory = readMemoryAt(at, index);
  if (!memory) return false;
  const ValType address = addressType(memory->type.is64);
  if (!pop(at, address)) return false;
  push(at, address);
  emit(at, [&](Sink& sink) { sink.memoryGrow(index); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::MemoryFill>, Cursor& at) {
  uint32_t index;
  const Memory* memory = readMemoryAt(at, index);
  if (!memory) return false;
  const ValType address = addressType(memory->type.is64);
  if (!popAll(at, {address, kI32, address})) return false;
  emit(at, [&](Sink& sink) { sink.memoryFill(index); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::MemoryCopy>, Cursor& at) {
  uint32_t to, from;
  const Memory* target = readMemoryAt(at, to);
  if (!target) return false;
  const Memory* source = readMemoryAt(at, from);
  if (!source) return false;
  const bool both64 = target->type.is64 && source->type.is64;
  if (!popAll(at, {addressType(target->type.is64), addressType(source->type.is64), addressType(both64)})) return false;
  emit(at, [&](Sink& sink) { sink.memoryCopy(to, from); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::MemoryInit>, Cursor& at) {
  uint32_t segment, index;
  Cursor segmentAt = at;
  readU32(at);
  const Memory* memory = readMemoryAt(at, index);  // an unknown memory is reported before an unknown segment
  if (!memory || !readDataAt(segmentAt, segment)) return false;
  if (!popAll(at, {addressType(memory->type.is64), kI32, kI32})) return false;
  emit(at, [&](Sink& sink) { sink.memoryInit(index, segment); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::DataDrop>, Cursor& at) {
  uint32_t segment;
  if (!readDataAt(at, segment)) return false;
  emit(at, [&](Sink& sink) { sink.dataDrop(segment); });
  return true;
}

}  // namespace wattle::frontend
