#include "frontend/module.h"

namespace wattle::frontend {
namespace {

using enum AbstractHeap;

AbstractHeap abstractOf(CompositeKind kind) {
  switch (kind) {
    case CompositeKind::Func: return Func;
    case CompositeKind::Struct: return Struct;
    case CompositeKind::Array: return Array;
  }
  return Any;
}

// Strict subtyping between abstract heap types.
bool isAbstractSubtype(AbstractHeap sub, AbstractHeap super) {
  switch (super) {
    case Any: return sub == Eq || sub == I31 || sub == Struct || sub == Array || sub == None;
    case Eq: return sub == I31 || sub == Struct || sub == Array || sub == None;
    case I31:
    case Struct:
    case Array: return sub == None;
    case Func: return sub == NoFunc;
    case Extern: return sub == NoExtern;
    case Exn: return sub == NoExn;
    default: return false;
  }
}

}  // namespace

bool ModuleInfo::isHeapSubtype(HeapType sub, HeapType super) const {
  if (sub == super || sub == kBottomHeap) return true;
  if (super == kBottomHeap) return false;
  if (sub.isAbstract() && super.isAbstract()) return isAbstractSubtype(sub.abstractKind(), super.abstractKind());
  if (sub.isAbstract()) {  // only the bottom of a hierarchy is below a concrete type
    const AbstractHeap bottom = types[super.typeIndex()].kind == CompositeKind::Func ? NoFunc : None;
    return sub.abstractKind() == bottom;
  }
  const SubType* type = &types[sub.typeIndex()];
  if (super.isAbstract()) {
    const AbstractHeap kind = abstractOf(type->kind);
    return kind == super.abstractKind() || isAbstractSubtype(kind, super.abstractKind());
  }
  const SubType& target = types[super.typeIndex()];
  while (type->depth > target.depth) type = &types[type->supertype];
  return type->representative == target.representative;
}

bool ModuleInfo::isSubtypeSlow(ValType sub, ValType super) const {
  if (sub == super || sub.isBottom()) return true;
  if (!sub.isRef() || !super.isRef()) return false;
  if (sub.isNullable() && !super.isNullable()) return false;
  if (!super.isExact()) return isHeapSubtype(sub.heap(), super.heap());
  if (sub.heap().isAbstract()) return isHeapSubtype(sub.heap(), super.heap());
  return sub.isExact() &&
         types[sub.heap().typeIndex()].representative == types[super.heap().typeIndex()].representative;
}

}  // namespace wattle::frontend
