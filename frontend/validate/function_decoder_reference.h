// References: null tests, casts, conversions, i31, custom descriptors. Included by function_decoder.h.
#pragma once

#include "frontend/validate/function_decoder.h"

namespace wattle::frontend {

// The top of a heap type's hierarchy: what a cast to it may start from.
inline HeapType hierarchyTop(const ModuleInfo& module, HeapType heap) {
  using enum AbstractHeap;
  if (heap.isIndex()) {
    return HeapType::abstract(module.types[heap.typeIndex()].kind == CompositeKind::Func ? Func : Any);
  }
  switch (heap.abstractKind()) {
    case Func:
    case NoFunc: return HeapType::abstract(Func);
    case Extern:
    case NoExtern: return HeapType::abstract(Extern);
    case Exn:
    case NoExn: return HeapType::abstract(Exn);
    default: return HeapType::abstract(Any);
  }
}

// --- plain references ----------------------------------------------------------------------------

template <class Sink>
bool FunctionDecoder<Sink>::readTargetType(Cursor& at, bool nullable, ValType& target) {
  HeapType heap;
  bool exact;
  if (!readHeapTypeAt(at, heap, exact)) return false;
  target = ValType::ref(heap, nullable, exact);
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::RefNull>, Cursor& at) {
  ValType type;
  if (!readTargetType(at, true, type)) return false;
  push(at, type);
  emit(at, [&](Sink& sink) { sink.refNull(type); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::RefIsNull>, Cursor& at) {
  ValType type;
  if (!popRef(at, type)) return false;
  push(at, kI32);
  emit(at, [&](Sink& sink) { sink.refIsNull(type); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::RefFunc>, Cursor& at) {
  const uint32_t index = readU32(at);
  if (index >= module_.functions.size()) return unknown("function", index);
  const Function& function = module_.functions[index];
  if constexpr (!ConstantSink<Sink>) {  // in a constant expression it is the declaration
    if (!function.isDeclared) return invalid("undeclared function reference " + std::to_string(index));
  }
  const HeapType heap = HeapType::index(module_.types[function.typeIndex].representative);
  push(at, ValType::ref(heap, false, module_.features.customDescriptors && function.isExact()));
  emit(at, [&](Sink& sink) { sink.refFunc(index); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::RefEq>, Cursor& at) {
  if (!popAll(at, {kEqRef, kEqRef})) return false;
  push(at, kI32);
  emit(at, [](Sink& sink) { sink.refEq(); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::RefAsNonNull>, Cursor& at) {
  ValType type;
  if (!popRef(at, type)) return false;
  push(at, type.asNonNull());
  emit(at, [&](Sink& sink) { sink.refAsNonNull(type); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::BrOnNull>, Cursor& at) {
  uint32_t depth;
  ValType type;
  Ctl* target = readLabel(at, depth);
  if (!target || !popRef(at, type)) return false;
  const std::span<const ValType> types = target->labelTypes();
  if (!popAll(at, types)) return false;
  pushAll(at, types);
  push(at, type.asNonNull());
  emit(at, [&](Sink& sink) { sink.brOnNull(depth, type); });
  target->branchedTo |= live_;
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::BrOnNonNull>, Cursor& at) {
  uint32_t depth;
  ValType type;
  Ctl* target = readLabel(at, depth);
  if (!target || !popRef(at, type)) return false;
  if (target->labelTypes().empty()) return typeMismatch("br_on_non_null needs a label that takes a reference");
  if (!branchWith(at, *target, type.asNonNull(), kBottom)) return false;
  emit(at, [&](Sink& sink) { sink.brOnNonNull(depth, type); });
  target->branchedTo |= live_;
  return true;
}

// --- casts ---------------------------------------------------------------------------------------

// A branch that takes `carried` beside the operands below it; when it is not taken, `kept` replaces it (nothing if
// kBottom).
template <class Sink>
bool FunctionDecoder<Sink>::branchWith(Cursor& at, Ctl& target, ValType carried, ValType kept) {
  const std::span<const ValType> types = target.labelTypes();
  if (types.empty() || !module_.isSubtype(carried, types.back())) {
    return typeMismatch("the label of " + instructionName() + " does not take " + toString(carried));
  }
  const std::span<const ValType> below = types.first(types.size() - 1);
  if (!popAll(at, below)) return false;
  pushAll(at, below);
  if (!kept.isBottom()) push(at, kept);
  return true;
}

// The operand of a cast to `target`: any reference of the same hierarchy.
template <class Sink>
bool FunctionDecoder<Sink>::castOperand(Cursor& at, ValType target, ValType& operand) {
  if (!popRef(at, operand)) return false;
  const ValType top = ValType::ref(hierarchyTop(module_, target.heap()), true);
  if (module_.isSubtype(operand, top)) return true;
  return typeMismatch("instruction requires [" + toString(top) + "] but stack has [" + toString(operand) + "] in " +
                      instructionName());
}

template <class Sink>
bool FunctionDecoder<Sink>::execRefTest(Cursor& at, bool nullable) {
  ValType target, operand;
  if (!readTargetType(at, nullable, target) || !castOperand(at, target, operand)) return false;
  push(at, kI32);
  emit(at, [&](Sink& sink) { sink.refTest(operand, target); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::execRefCast(Cursor& at, bool nullable) {
  ValType target, operand;
  if (!readTargetType(at, nullable, target) || !castOperand(at, target, operand)) return false;
  push(at, target);
  emit(at, [&](Sink& sink) { sink.refCast(operand, target); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::readBrCast(Cursor& at, BrCastUse& use) {
  const uint8_t flags = *at.pos++;
  if (flags > 3) return malformed("malformed br_on_cast flags");
  use.target = readLabel(at, use.depth);
  if (!use.target || !readTargetType(at, flags & 1, use.from) || !readTargetType(at, flags & 2, use.to)) return false;
  // Custom descriptors lift the rule that the target is a subtype: one hierarchy is enough.
  const bool related = module_.features.customDescriptors
                           ? hierarchyTop(module_, use.to.heap()) == hierarchyTop(module_, use.from.heap())
                           : module_.isSubtype(use.to, use.from);
  if (!related) return typeMismatch("cast from " + toString(use.from) + " to " + toString(use.to));
  use.rest = use.to.isNullable() ? use.from.asNonNull() : use.from;
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::execBrOnCast(Cursor& at, bool onFail) {
  BrCastUse use;
  if (!readBrCast(at, use)) return false;
  const ValType carried = onFail ? use.rest : use.to, kept = onFail ? use.to : use.rest;
  if (!pop(at, use.from) || !branchWith(at, *use.target, carried, kept)) return false;
  emit(at, [&](Sink& sink) { sink.brOnCast(use.depth, use.from, use.to, onFail); });
  use.target->branchedTo |= live_;
  return true;
}

// --- conversions and i31 -------------------------------------------------------------------------

template <class Sink>
bool FunctionDecoder<Sink>::execConvert(Cursor& at, AbstractHeap from, AbstractHeap to, ValType& operand) {
  if (!popRef(at, operand)) return false;
  if (!module_.isHeapSubtype(operand.heap(), HeapType::abstract(from))) {
    return typeMismatch(instructionName() + " of " + toString(operand));
  }
  push(at, ValType::ref(HeapType::abstract(to), operand.isNullable()));
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::AnyConvertExtern>, Cursor& at) {
  ValType operand;
  if (!execConvert(at, AbstractHeap::Extern, AbstractHeap::Any, operand)) return false;
  emit(at, [&](Sink& sink) { sink.anyConvertExtern(operand); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::ExternConvertAny>, Cursor& at) {
  ValType operand;
  if (!execConvert(at, AbstractHeap::Any, AbstractHeap::Extern, operand)) return false;
  emit(at, [&](Sink& sink) { sink.externConvertAny(operand); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::RefI31>, Cursor& at) {
  if (!pop(at, kI32)) return false;
  push(at, kI31Ref.asNonNull());
  emit(at, [](Sink& sink) { sink.refI31(); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::I31GetS>, Cursor& at) {
  if (!pop(at, kI31Ref)) return false;
  push(at, kI32);
  emit(at, [](Sink& sink) { sink.i31Get(true); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::I31GetU>, Cursor& at) {
  if (!pop(at, kI31Ref)) return false;
  push(at, kI32);
  emit(at, [](Sink& sink) { sink.i31Get(false); });
  return true;
}

// --- custom descriptors --------------------------------------------------------------------------

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::RefGetDesc>, Cursor& at) {
  const uint32_t type = readU32(at);
  if (type >= module_.types.size()) return unknown("type", type);
  if (module_.types[type].descriptor == kNoIndex) return invalid("type without descriptor: " + std::to_string(type));
  ValType operand;
  if (!popRef(at, operand)) return false;
  if (!module_.isSubtype(operand, refTo(type))) {
    return typeMismatch("instruction requires [" + toString(refTo(type)) + "] but stack has [" + toString(operand) +
                        "] in ref.get_desc");
  }
  const HeapType heap = HeapType::index(module_.types[type].representative);
  const bool exact = module_.isSubtype(operand, ValType::ref(heap, true, true));
  push(at, ValType::ref(HeapType::index(module_.types[type].descriptor), false, exact));
  emit(at, [&](Sink& sink) { sink.refGetDesc(type, exact); });
  return true;
}

// The descriptor operand for a cast to `target`; as exact as the target is.
template <class Sink>
bool FunctionDecoder<Sink>::descriptorOf(ValType target, ValType& descriptor) {
  const HeapType heap = target.heap();
  if (!heap.isIndex() || module_.types[heap.typeIndex()].descriptor == kNoIndex) {
    return invalid("type " + toString(heap) + " does not have a descriptor");
  }
  descriptor = ValType::ref(HeapType::index(module_.types[heap.typeIndex()].descriptor), true, target.isExact());
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::execRefCastDescEq(Cursor& at, bool nullable) {
  ValType target, operand, descriptor;
  if (!readTargetType(at, nullable, target) || !descriptorOf(target, descriptor)) return false;
  if (!pop(at, descriptor) || !castOperand(at, target, operand)) return false;
  push(at, target);
  emit(at, [&](Sink& sink) { sink.refCastDescEq(operand, target); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::execBrOnCastDescEq(Cursor& at, bool onFail) {
  BrCastUse use;
  ValType descriptor;
  if (!readBrCast(at, use) || !descriptorOf(use.to, descriptor)) return false;
  const ValType carried = onFail ? use.rest : use.to, kept = onFail ? use.to : use.rest;
  if (!pop(at, descriptor) || !pop(at, use.from) || !branchWith(at, *use.target, carried, kept)) return false;
  emit(at, [&](Sink& sink) { sink.brOnCastDescEq(use.depth, use.from, use.to, onFail); });
  use.target->branchedTo |= live_;
  return true;
}

}  // namespace wattle::frontend
