// Structures and arrays. Included by function_decoder.h.
#pragma once

#include "frontend/binary/limits.h"
#include "frontend/validate/function_decoder.h"

namespace wattle::frontend {

// (ref null $type): what accesses take.
template <class Sink>
ValType FunctionDecoder<Sink>::refTo(uint32_t type) const {
  return ValType::ref(HeapType::index(module_.types[type].representative), true);
}

// What an allocation gives: not null, and with custom descriptors known to be of exactly this type.
template <class Sink>
ValType FunctionDecoder<Sink>::newRef(uint32_t type) const {
  return ValType::ref(HeapType::index(module_.types[type].representative), false, module_.features.customDescriptors);
}

// --- structures ----------------------------------------------------------------------------------

template <class Sink>
bool FunctionDecoder<Sink>::execStructNew(Cursor& at, bool isDefault, bool withDescriptor) {
  uint32_t index;
  const SubType* type = readTypeAt(at, index, CompositeKind::Struct);
  if (!type) return false;
  if (withDescriptor != (type->descriptor != kNoIndex)) {
    return invalid(withDescriptor ? "type without descriptor requires non-descriptor allocation"
                                  : "type with descriptor requires descriptor allocation");
  }
  if (withDescriptor && !pop(at, ValType::ref(HeapType::index(type->descriptor), true, true))) return false;
  for (size_t i = type->fields.size(); i-- > 0;) {
    const ValType field = type->fields[i].type.unpacked();
    if (isDefault && !field.isDefaultable()) return typeMismatch("field type is not defaultable: " + toString(field));
    if (!isDefault && !pop(at, field)) return false;
  }
  push(at, newRef(index));
  emit(at, [&](Sink& sink) { sink.structNew(index, isDefault, withDescriptor); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::readField(Cursor& at, uint32_t& type, uint32_t& field, const FieldType*& found) {
  const SubType* structure = readTypeAt(at, type, CompositeKind::Struct);
  if (!structure) return false;
  field = readU32(at);
  if (field >= structure->fields.size()) return unknown("field", field);
  found = &structure->fields[field];
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::checkExtend(const FieldType& field, NullSink::Extend extend, const char* what) {
  if (field.type.isPacked() == (extend != NullSink::Extend::None)) return true;
  return typeMismatch(std::string(what) + (field.type.isPacked() ? " is packed in " : " is unpacked in ") +
                      instructionName());
}

template <class Sink>
bool FunctionDecoder<Sink>::execStructGet(Cursor& at, NullSink::Extend extend) {
  uint32_t type, field;
  const FieldType* found = nullptr;
  if (!readField(at, type, field, found) || !checkExtend(*found, extend, "field") || !pop(at, refTo(type)))
    return false;
  push(at, found->type.unpacked());
  emit(at, [&](Sink& sink) { sink.structGet(type, field, extend); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::StructSet>, Cursor& at) {
  uint32_t type, field;
  const FieldType* found = nullptr;
  if (!readField(at, type, field, found)) return false;
  if (!found->isMutable)
    return invalid("immutable field " + std::to_string(field) + " of type " + std::to_string(type));
  if (!popAll(at, {refTo(type), found->type.unpacked()})) return false;
  emit(at, [&](Sink& sink) { sink.structSet(type, field); });
  return true;
}

// --- arrays --------------------------------------------------------------------------------------

template <class Sink>
const FieldType* FunctionDecoder<Sink>::readArray(Cursor& at, uint32_t& type) {
  const SubType* array = readTypeAt(at, type, CompositeKind::Array);
  return array ? &array->fields[0] : nullptr;
}

template <class Sink>
const FieldType* FunctionDecoder<Sink>::readMutableArray(Cursor& at, uint32_t& type) {
  const FieldType* element = readArray(at, type);
  if (!element || element->isMutable) return element;
  invalid("immutable array " + std::to_string(type) + " in " + instructionName());
  return nullptr;
}

template <class Sink>
bool FunctionDecoder<Sink>::checkDataElement(const FieldType& field) {
  return !field.type.isRef() || invalid("array type is not numeric or vector in " + instructionName());
}

template <class Sink>
bool FunctionDecoder<Sink>::checkElemElement(const FieldType& field, uint32_t segment) {
  const ValType given = module_.elements[segment].type;
  return module_.isSubtype(given, field.type) ||
         typeMismatch("element segment of " + toString(given) + " for an array of " + toString(field.type));
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::ArrayNew>, Cursor& at) {
  uint32_t type;
  const FieldType* element = readArray(at, type);
  if (!element || !popAll(at, {element->type.unpacked(), kI32})) return false;
  push(at, newRef(type));
  emit(at, [&](Sink& sink) { sink.arrayNew(type, false); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::ArrayNewDefault>, Cursor& at) {
  uint32_t type;
  const FieldType* element = readArray(at, type);
  if (!element) return false;
  if (!element->type.isDefaultable()) return typeMismatch("array type is not defaultable: " + toString(element->type));
  if (!pop(at, kI32)) return false;
  push(at, newRef(type));
  emit(at, [&](Sink& sink) { sink.arrayNew(type, true); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::ArrayNewFixed>, Cursor& at) {
  uint32_t type;
  const FieldType* element = readArray(at, type);
  if (!element) return false;
  const uint32_t count = readU32(at);
  for (uint32_t i = 0; i < count; i++) {
    const ValType* before = at.top;
    if (!pop(at, element->type.unpacked())) return false;
    if (at.top == before) break;  // a polymorphic stack at its base has all the others too
  }
  push(at, newRef(type));
  emit(at, [&](Sink& sink) { sink.arrayNewFixed(type, count); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::ArrayNewData>, Cursor& at) {
  uint32_t type, segment;
  const FieldType* element = readArray(at, type);
  if (!element || !readDataAt(at, segment) || !checkDataElement(*element) || !popAll(at, {kI32, kI32})) return false;
  push(at, newRef(type));
  emit(at, [&](Sink& sink) { sink.arrayNewData(type, segment); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::ArrayNewElem>, Cursor& at) {
  uint32_t type, segment;
  const FieldType* element = readArray(at, type);
  if (!element || !readElemAt(at, segment) || !checkElemElement(*element, segment) || !popAll(at, {kI32, kI32})) {
    return false;
  }
  push(at, newRef(type));
  emit(at, [&](Sink& sink) { sink.arrayNewElem(type, segment); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::execArrayGet(Cursor& at, NullSink::Extend extend) {
  uint32_t type;
  const FieldType* element = readArray(at, type);
  if (!element || !checkExtend(*element, extend, "array") || !popAll(at, {refTo(type), kI32})) return false;
  push(at, element->type.unpacked());
  emit(at, [&](Sink& sink) { sink.arrayGet(type, extend); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::ArraySet>, Cursor& at) {
  uint32_t type;
  const FieldType* element = readMutableArray(at, type);
  if (!element || !popAll(at, {refTo(type), kI32, element->type.unpacked()})) return false;
  emit(at, [&](Sink& sink) { sink.arraySet(type); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::ArrayLen>, Cursor& at) {
  if (!pop(at, kArrayRef)) return false;
  push(at, kI32);
  emit(at, [](Sink& sink) { sink.arrayLen(); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::ArrayFill>, Cursor& at) {
  uint32_t type;
  const FieldType* element = readMutableArray(at, type);
  if (!element || !popAll(at, {refTo(type), kI32, element->type.unpacked(), kI32})) return false;
  emit(at, [&](Sink& sink) { sink.arrayFill(type); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::ArrayCopy>, Cursor& at) {
  uint32_t to, from;
  const FieldType* target = readMutableArray(at, to);
  if (!target) return false;
  const FieldType* source = readArray(at, from);
  if (!source) return false;
  if (!module_.isSubtype(source->type, target->type)) return invalid("array types do not match in array.copy");
  if (!popAll(at, {refTo(to), kI32, refTo(from), kI32, kI32})) return false;
  emit(at, [&](Sink& sink) { sink.arrayCopy(to, from); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::ArrayInitData>, Cursor& at) {
  uint32_t type, segment;
  const FieldType* element = readMutableArray(at, type);
  if (!element || !readDataAt(at, segment) || !checkDataElement(*element)) return false;
  if (!popAll(at, {refTo(type), kI32, kI32, kI32})) return false;
  emit(at, [&](Sink& sink) { sink.arrayInitData(type, segment); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::ArrayInitElem>, Cursor& at) {
  uint32_t type, segment;
  const FieldType* element = readMutableArray(at, type);
  if (!element || !readElemAt(at, segment) || !checkElemElement(*element, segment)) return false;
  if (!popAll(at, {refTo(type), kI32, kI32, kI32})) return false;
  emit(at, [&](Sink& sink) { sink.arrayInitElem(type, segment); });
  return true;
}

}  // namespace wattle::frontend
