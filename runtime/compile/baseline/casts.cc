// i31, equality, conversions, type tests and casts, descriptors.
//
// A test leaves its answer in the flags, so that ref.test, ref.cast and the branches are all a few instructions in a
// row. The type of an object is found through its canonical id: equal to the wanted one when that is final or exact,
// else the id at the wanted type's depth among the ancestors (abi::VMTypeRow). Null needs no test of its own where it
// fails the test anyway: it reads as an object of no type (abi::VMContext::gcHeap).
#include "runtime/compile/abi/gc.h"
#include "runtime/compile/baseline/compiler.h"

namespace wattle::compile::baseline {

using abi::VMTypeRow;
using frontend::AbstractHeap;
using frontend::CompositeKind;
using frontend::HeapType;

namespace {
constexpr int32_t kObjectTag = abi::kGcAlignment - 1;  // bits that are 0 in the reference of an object
constexpr int32_t kHostTag = 2;
}  // namespace

// --- i31, equality, conversions ------------------------------------------------------------------------------------

void Compiler::refEq() {
  Operand b = pop(), a = pop();
  if (a.isConst()) std::swap(a, b);
  Gpr r = use(a);
  if (b.isConst() && b.value() == 0)
    as_.test(w64, r, r);
  else
    as_.cmp(w64, r, use(b));
  release(a);
  release(b);
  pushCondition(Cond::e);
}

void Compiler::refI31() {
  Operand o = pop();
  uint8_t target = targetPin(false);
  Gpr src = use(o);
  Gpr dst = target != kNone ? static_cast<Gpr>(target) : o.where() == Where::Gpr ? src : allocGpr();
  as_.lea(w32, dst, Mem(src, src, 1, 1));
  if (dst != src) release(o);
  pushGpr(Type::I64, dst);
}

void Compiler::i31Get(bool isSigned) {
  Operand o = pop();
  Gpr r = toTemp(o);
  nullCheck(r, TrapReason::NullI31Reference);
  isSigned ? as_.sar(w32, r, 1) : as_.shr(w32, r, 1);
  pushGpr(Type::I32, r);
}

// The words of both hierarchies are the same (abi/gc.h).
void Compiler::anyConvertExtern(ValType) {}
void Compiler::externConvertAny(ValType) {}

// --- tests ---------------------------------------------------------------------------------------------------------

bool Compiler::isStructure(HeapType heap) const {
  if (heap.isIndex()) return module_.types[heap.typeIndex()].kind == CompositeKind::Struct;
  return heap.abstractKind() == AbstractHeap::Struct;
}

// Neither an i31 nor a host value.
bool Compiler::isObjectType(HeapType heap) const {
  if (heap.isIndex()) return module_.types[heap.typeIndex()].kind != CompositeKind::Func;
  return heap.abstractKind() == AbstractHeap::Struct || heap.abstractKind() == AbstractHeap::Array;
}

namespace {
bool isBottom(HeapType heap) {
  if (heap.isIndex()) return false;
  switch (heap.abstractKind()) {
    case AbstractHeap::None:
    case AbstractHeap::NoFunc:
    case AbstractHeap::NoExtern:
    case AbstractHeap::NoExn: return true;
    default: return false;
  }
}
}  // namespace

// Is the reference in `r` of type `to`? The answer is in the flags, the condition for yes is returned.
Cond Compiler::testType(Gpr r, ValType from, ValType to) {
  const bool mayBeNull = from.isNullable();
  if (module_.isSubtype(from.asNonNull(), to.asNonNull())) {  // nothing but null can fail
    if (to.isNullable() || !mayBeNull) return testConstant(true);
    as_.test(w64, r, r);
    return Cond::ne;
  }
  if (isBottom(to.heap())) {
    if (!to.isNullable() || !mayBeNull) return testConstant(false);
    as_.test(w64, r, r);
    return Cond::e;
  }
  const HeapType heap = to.heap();
  if (heap.isAbstract() && heap.abstractKind() == AbstractHeap::Eq) return testEq(r, to.isNullable(), mayBeNull);
  if (heap.isAbstract() && heap.abstractKind() == AbstractHeap::I31) return testI31(r, to.isNullable(), mayBeNull);
  const Gpr id = allocGpr();  // before the first jump: what makes room for it must happen on all ways
  x64::Label done;
  const bool isFunction = heap.isIndex() && module_.types[heap.typeIndex()].kind == CompositeKind::Func;
  if (mayBeNull && to.isNullable()) {
    as_.test(w64, r, r);
    as_.jcc(Cond::e, done);
  } else if (mayBeNull && isFunction) {
    as_.cmp(w64, r, 1);  // unequal
    as_.jcc(Cond::b, done);
  }
  if (isFunction) {
    as_.mov(w32, kScratch, Mem(r, offsetof(abi::VMFuncRef, typeId)));
    testTypeId(heap.typeIndex(), to.isExact(), id);
  } else {
    if (!isObjectType(from.heap())) {
      as_.test(w32, r, kObjectTag);
      as_.jcc(Cond::ne, done);
    }
    as_.mov(w64, kScratch, Mem(kContext, offsetof(abi::VMContext, gcHeap)));
    as_.mov(w32, kScratch, Mem(kScratch, r, 1));
    if (heap.isIndex())
      testTypeId(heap.typeIndex(), to.isExact(), id);
    else
      testKind(heap.abstractKind() == AbstractHeap::Struct ? CompositeKind::Struct : CompositeKind::Array);
  }
  as_.bind(done);
  freeReg(id);
  return Cond::e;
}

Cond Compiler::testConstant(bool yes) {
  as_.cmp(w64, Gpr::rsp, Gpr::rsp);
  return yes ? Cond::e : Cond::ne;
}

// Anything but a host value.
Cond Compiler::testEq(Gpr r, bool nullable, bool mayBeNull) {
  x64::Label done;
  if (mayBeNull && !nullable) {
    as_.test(w64, r, r);
    as_.jcc(Cond::e, done);
  }
  as_.mov(w32, kScratch, r);
  as_.and_(w32, kScratch, kObjectTag);
  as_.cmp(w32, kScratch, kHostTag);
  as_.bind(done);
  return Cond::ne;
}

Cond Compiler::testI31(Gpr r, bool nullable, bool mayBeNull) {
  if (!mayBeNull || !nullable) {
    as_.test(w32, r, 1);
    return Cond::ne;
  }
  x64::Label done;
  as_.test(w64, r, r);
  as_.jcc(Cond::e, done);
  as_.mov(w32, kScratch, r);
  as_.and_(w32, kScratch, 1);
  as_.cmp(w32, kScratch, 1);
  as_.bind(done);
  return Cond::e;
}

// The row of the type whose id is in the scratch register.
void Compiler::loadTypeRow() {
  as_.shl(w64, kScratch, abi::kTypeRowShift);
  as_.add(w64, kScratch, Mem(kContext, offsetof(abi::VMContext, typeRows)));
}

void Compiler::testKind(CompositeKind kind) {
  loadTypeRow();
  as_.cmp(w8, Mem(kScratch, offsetof(VMTypeRow, kind)), abi::rowKind(kind));
}

// Of the id in the scratch register: equal if the type is, or comes after, the module's `type`. `id` is overwritten.
void Compiler::testTypeId(uint32_t type, bool exact, Gpr id) {
  const frontend::SubType& wanted = module_.types[type];
  as_.mov(w64, id, Mem(kContext, offsetof(abi::VMContext, typeIds)));
  if (exact || wanted.isFinal) {
    as_.cmp(w32, kScratch, Mem(id, static_cast<int32_t>(type * 4)));
    return;
  }
  as_.mov(w32, id, Mem(id, static_cast<int32_t>(type * 4)));
  loadTypeRow();
  const auto depth = static_cast<int32_t>(wanted.depth);
  if (wanted.depth < VMTypeRow::kAncestors) {
    as_.cmp(w32, id, Mem(kScratch, static_cast<int32_t>(offsetof(VMTypeRow, ancestors)) + 4 * depth));
    return;
  }
  x64::Label done;
  as_.cmp(w32, Mem(kScratch, offsetof(VMTypeRow, depth)), depth);
  as_.jcc(Cond::b, done);  // unequal
  as_.mov(w64, kScratch, Mem(kScratch, offsetof(VMTypeRow, display)));
  as_.cmp(w32, id, Mem(kScratch, 4 * depth));
  as_.bind(done);
}

void Compiler::refTest(ValType from, ValType to) {
  Operand o = pop();
  Gpr r = use(o);
  Cond yes = testType(r, from, to);
  release(o);
  pushCondition(yes);
}

void Compiler::refCast(ValType from, ValType to) {
  Operand o = pop();
  Gpr r = use(o);
  trapIf(negate(testType(r, from, to)), TrapReason::CastFailure);
  pushBack(o);
}

// The operand goes with the branch and stays without it.
void Compiler::brOnCast(uint32_t depth, ValType from, ValType to, bool onFail) {
  Operand o = pop();
  Gpr r = use(o);
  branchOnTest(depth, o, testType(r, from, to), onFail);
}

void Compiler::branchOnTest(uint32_t depth, const Operand& o, Cond yes, bool onFail) {
  endFuelBlock();
  pushBack(o);
  push(Operand::flags(onFail ? negate(yes) : yes));
  brIf(depth);
}

// --- custom descriptors --------------------------------------------------------------------------------------------

void Compiler::refGetDesc(uint32_t, bool) {
  Operand o = pop();
  Gpr r = use(o);
  nullCheck(r, TrapReason::NullReference);
  as_.mov(w64, kScratch, Mem(kContext, offsetof(abi::VMContext, gcHeap)));
  release(o);
  Gpr dst = resultGpr(targetPin(false));
  as_.mov(w32, dst, Mem(kScratch, r, 1, abi::kGcDescriptorAt));
  pushGpr(Type::I64, dst);
}

// Pops the descriptor and tests whether it is that of the reference in `r`. Equal means yes.
void Compiler::testDescriptor(Gpr r, Operand& descriptor, ValType from, ValType to) {
  Gpr d = use(descriptor);
  nullCheck(d, TrapReason::NullDescriptor);
  x64::Label done;
  if (from.isNullable() && to.isNullable()) {
    as_.test(w64, r, r);
    as_.jcc(Cond::e, done);
  }
  if (!isObjectType(from.heap())) {
    as_.test(w32, r, kObjectTag);
    as_.jcc(Cond::ne, done);
  }
  if (!isStructure(from.heap())) {  // an array's length stands where a structure has its descriptor
    as_.mov(w64, kScratch, Mem(kContext, offsetof(abi::VMContext, gcHeap)));
    as_.mov(w32, kScratch, Mem(kScratch, r, 1));
    testKind(CompositeKind::Struct);
    as_.jcc(Cond::ne, done);
  }
  as_.mov(w64, kScratch, Mem(kContext, offsetof(abi::VMContext, gcHeap)));
  as_.cmp(w32, d, Mem(kScratch, r, 1, abi::kGcDescriptorAt));
  as_.bind(done);
  release(descriptor);
}

void Compiler::refCastDescEq(ValType from, ValType to) {
  Operand descriptor = pop(), o = pop();
  Gpr r = use(o);
  testDescriptor(r, descriptor, from, to);
  trapIf(Cond::ne, TrapReason::DescriptorCastFailure);
  pushBack(o);
}

void Compiler::brOnCastDescEq(uint32_t depth, ValType from, ValType to, bool onFail) {
  Operand descriptor = pop(), o = pop();
  Gpr r = use(o);
  testDescriptor(r, descriptor, from, to);
  branchOnTest(depth, o, Cond::e, onFail);
}

}  // namespace wattle::compile::baseline
