// Structures and arrays: allocation and access (layout of objects: abi/gc.h; the heap: runtime/vm/gc_heap.h).
//
// Allocation bumps the store's cursor inline. When the span is used up, the way out of line calls a stub that keeps all
// registers (and so shows them to the collector in its frame): to the register allocator an allocation is no call. The
// memory is zero, so fields whose value is a constant zero are not written. Objects do not move, and there are no
// barriers.
#include "runtime/compile/abi/gc.h"

#include <bit>

#include "runtime/compile/baseline/compiler.h"

namespace wattle::compile::baseline {

using abi::BuiltinTable;
using abi::Storage;

namespace {
uint64_t pair(uint32_t low, uint32_t high) { return low | static_cast<uint64_t>(high) << 32; }

constexpr bool isFloatStorage(Storage s) { return s == Storage::F32 || s == Storage::F64 || s == Storage::V128; }
constexpr Type typeOfStorage(Storage s) {
  switch (s) {
    case Storage::I64:
    case Storage::Ref:
    case Storage::WideRef: return Type::I64;
    case Storage::F32: return Type::F32;
    case Storage::F64: return Type::F64;
    case Storage::V128: return Type::V128;
    default: return Type::I32;
  }
}
constexpr Width widthOfStorage(Storage s) {
  switch (abi::sizeOf(s)) {
    case 1: return w8;
    case 2: return w16;
    case 4: return w32;
    default: return w64;
  }
}
constexpr unsigned shiftOf(Storage s) { return static_cast<unsigned>(std::countr_zero(abi::sizeOf(s))); }

constexpr int32_t kCursor = offsetof(abi::VMStoreContext, gcCursor);
constexpr int32_t kLimit = offsetof(abi::VMStoreContext, gcLimit);
constexpr int32_t kRequest = offsetof(abi::VMStoreContext, gcRequest);
constexpr int32_t kElements = abi::kGcHeader;
}  // namespace

// --- types ---------------------------------------------------------------------------------------------------------

Storage Compiler::storageOf(ValType type) const {
  return abi::storageOf(type, [this](uint32_t i) { return module_.types[i].kind; });
}

const Compiler::StructLayout& Compiler::layoutOf(uint32_t type) {
  if (structs_.empty()) structs_.resize(module_.types.size());
  StructLayout& layout = structs_[type];
  if (layout.size != 0) return layout;
  auto kindOf = [this](uint32_t i) { return module_.types[i].kind; };
  layout.size = abi::layOutStruct(module_.types[type], kindOf, [&](uint32_t, Storage storage, uint32_t offset) {
    layout.fields.push_back({storage, static_cast<int32_t>(offset)});
  });
  return layout;
}

// --- allocation ----------------------------------------------------------------------------------------------------

void Compiler::addAllocation(Gpr dst, int32_t bytes) {
  allocations_.push_back({{}, {}, dst, bytes, recordPositions_ ? decoder_->instructionOffset() : 0, fuelMark()});
}

// The reference comes to `dst`, the object's address to `base`. All other registers are kept.
void Compiler::allocateFixed(Gpr dst, Gpr base, uint32_t type, uint64_t bytes) {
  const auto size = static_cast<int32_t>(bytes);  // types are limited far below that
  as_.mov(w64, kScratch, Mem(kContext, offsetof(abi::VMContext, storeContext)));
  as_.mov(w64, dst, Mem(kScratch, kCursor));
  as_.add(w64, dst, size);
  as_.cmp(w64, dst, Mem(kScratch, kLimit));
  addAllocation(dst, size);
  as_.jcc(Cond::a, allocations_.back().label);
  as_.mov(w64, Mem(kScratch, kCursor), dst);
  as_.bind(allocations_.back().back);
  as_.mov(w64, base, Mem(kContext, offsetof(abi::VMContext, gcHeap)));
  as_.sub(w64, dst, size);
  as_.add(w64, base, dst);
  writeTypeId(base, type);
}

// `length` is a clean 32-bit value in a register of its own.
void Compiler::allocateArray(Gpr dst, Gpr base, uint32_t type, Gpr length) {
  const unsigned shift = shiftOf(elementOf(type));
  constexpr int32_t kRounded = kElements + abi::kGcAlignment - 1;
  if (shift < 3) {
    as_.lea(w64, dst, Mem(length, kRounded));
    if (shift) as_.lea(w64, dst, Mem(length, length, 1, kRounded));
    if (shift == 2) as_.add(w64, dst, length), as_.add(w64, dst, length);
    as_.and_(w64, dst, -static_cast<int32_t>(abi::kGcAlignment));
  } else {
    as_.mov(w64, dst, length);
    as_.shl(w64, dst, static_cast<uint8_t>(shift));
    as_.add(w64, dst, kElements);
  }
  as_.mov(w64, kScratch, Mem(kContext, offsetof(abi::VMContext, storeContext)));
  as_.add(w64, dst, Mem(kScratch, kCursor));
  as_.cmp(w64, dst, Mem(kScratch, kLimit));
  addAllocation(dst, -1);
  as_.jcc(Cond::a, allocations_.back().label);
  as_.mov(w64, base, Mem(kScratch, kCursor));
  as_.mov(w64, Mem(kScratch, kCursor), dst);
  as_.mov(w64, dst, base);
  as_.bind(allocations_.back().back);
  as_.mov(w64, base, Mem(kContext, offsetof(abi::VMContext, gcHeap)));
  as_.add(w64, base, dst);
  writeTypeId(base, type);
  as_.mov(w32, Mem(base, abi::kGcLengthAt), length);
}

void Compiler::writeTypeId(Gpr base, uint32_t type) {
  as_.mov(w64, kScratch, Mem(kContext, offsetof(abi::VMContext, typeIds)));
  as_.mov(w32, kScratch, Mem(kScratch, static_cast<int32_t>(type * 4)));
  as_.mov(w32, Mem(base), kScratch);
}

void Compiler::emitAllocations() {
  for (OutOfLineAllocation& a : allocations_) {
    as_.ensure(96);
    if (recordPositions_) positions_.push_back({static_cast<uint32_t>(as_.pos()), a.position, a.fuel});
    as_.bind(a.label);
    if (a.bytes >= 0) {
      as_.mov(w64, Mem(kScratch, kRequest), a.bytes);
    } else {
      as_.sub(w64, a.dst, Mem(kScratch, kCursor));
      as_.mov(w64, Mem(kScratch, kRequest), a.dst);
    }
    as_.mov(w64, kScratch, Mem(kContext, offsetof(abi::VMContext, builtins)));
    as_.call(Mem(kScratch, offsetof(BuiltinTable, allocationStub)));
    if (a.bytes >= 0)
      as_.lea(w64, a.dst, Mem(kScratch, a.bytes));  // what the inline way subtracts
    else
      as_.mov(w64, a.dst, kScratch);
    as_.jmp(a.back);
  }
}

// --- fields --------------------------------------------------------------------------------------------------------

// An operand that is to be stored comes to a register, unless it is a constant.
void Compiler::holdValue(Operand& o) {
  if (o.isConst() && o.type() != Type::V128) return;
  if (isFloat(o.type()))
    static_cast<void>(useVector(o));
  else
    static_cast<void>(use(o));
}

// A constant, or in a register; else through the scratch registers, which `at` must not use then.
void Compiler::storeField(const Mem& at, Storage s, const Operand& o) {
  const Width w = widthOfStorage(s);
  if (o.isConst() && o.type() != Type::V128) {
    if (s == Storage::F32) return as_.mov(w32, at, o.imm32());
    return storeConstant(at, w, static_cast<uint64_t>(o.value()));
  }
  validate(o);
  if (!isFloatStorage(s)) {
    const Gpr r = o.inRegister() ? o.gpr() : kScratch;
    if (!o.inRegister()) load(r, o);
    return as_.mov(w, at, r);
  }
  const Xmm r = o.inRegister() ? o.xmm() : kFloatScratch;
  if (!o.inRegister()) load(r, o);
  storeXmm(as_, typeOfStorage(s), at, r);
}

// Pushes what lies at `at`. Registers that `at` uses may be given back already: the load reads them before it writes.
void Compiler::loadField(const Mem& at, Storage s, Extend extend) {
  uint8_t target = targetPin(isFloatStorage(s));
  const Type type = typeOfStorage(s);
  if (isFloatStorage(s)) {
    Xmm dst = resultXmm(target);
    loadXmm(as_, type, dst, at);
    return pushXmm(type, dst);
  }
  Gpr dst = resultGpr(target);
  const bool isSigned = extend == Extend::Signed;
  if (s == Storage::I8)
    isSigned ? as_.movsx8(w32, dst, at) : as_.movzx8(dst, at);
  else if (s == Storage::I16)
    isSigned ? as_.movsx16(w32, dst, at) : as_.movzx16(dst, at);
  else
    as_.mov(widthOfStorage(s), dst, at);
  pushGpr(type, dst);
}

bool Compiler::isZero(const Operand& o) const { return o.isConst() && o.type() != Type::V128 && o.value() == 0; }

void Compiler::nullCheck(Gpr r, TrapReason reason) {
  as_.test(w32, r, r);
  trapIf(Cond::e, reason);
}

// --- structures ----------------------------------------------------------------------------------------------------

void Compiler::structNew(uint32_t type, bool isDefault, bool withDescriptor) {
  const StructLayout& layout = layoutOf(type);
  Operand descriptor;
  if (withDescriptor) {
    descriptor = pop();
    nullCheck(use(descriptor), TrapReason::NullDescriptor);
  }
  const auto count = isDefault ? 0 : static_cast<uint32_t>(layout.fields.size());
  as_.ensure(kRoomPerInstruction + count * 40);
  Gpr dst = allocGpr(), base = allocGpr();
  allocateFixed(dst, base, type, layout.size);
  if (withDescriptor) as_.mov(w32, Mem(base, abi::kGcDescriptorAt), use(descriptor));
  const uint32_t from = height() - count;
  for (uint32_t i = 0; i < count; ++i) {
    const Operand& value = stack_[from + i];
    if (!isZero(value)) storeField(Mem(base, layout.fields[i].offset), layout.fields[i].storage, value);
  }
  truncate(from);
  release(descriptor);
  freeReg(base);
  pushGpr(Type::I64, dst);
}

void Compiler::structGet(uint32_t type, uint32_t field, Extend extend) {
  const FieldPlace place = layoutOf(type).fields[field];
  Operand object = pop();
  Gpr r = use(object);
  nullCheck(r, TrapReason::NullStructReference);
  as_.mov(w64, kScratch, Mem(kContext, offsetof(abi::VMContext, gcHeap)));
  release(object);
  loadField(Mem(kScratch, r, 1, place.offset), place.storage, extend);
}

void Compiler::structSet(uint32_t type, uint32_t field) {
  const FieldPlace place = layoutOf(type).fields[field];
  Operand value = pop(), object = pop();
  holdValue(value);
  Gpr r = use(object);
  nullCheck(r, TrapReason::NullStructReference);
  as_.mov(w64, kScratch, Mem(kContext, offsetof(abi::VMContext, gcHeap)));
  storeField(Mem(kScratch, r, 1, place.offset), place.storage, value);
  release(value);
  release(object);
}

// --- arrays: allocation --------------------------------------------------------------------------------------------

void Compiler::arrayNew(uint32_t type, bool isDefault) {
  Operand length = pop();
  Gpr n = toTemp(length);
  as_.mov(w32, n, n);
  Gpr dst = allocGpr(), base = allocGpr();
  if (ctx_.settings.fuel) chargeLength(n, shiftOf(elementOf(type)), base, kScratch);
  allocateArray(dst, base, type, n);
  if (!isDefault) {
    Operand value = pop();
    if (!isZero(value)) {
      holdValue(value);
      fillElements(base, n, elementOf(type), value);
    }
    release(value);
  }
  release(length);
  freeReg(base);
  pushGpr(Type::I64, dst);
}

// `x` becomes as many copies of a value that is held as there is room for.
void Compiler::repeatValue(Xmm x, Storage s, Operand& value) {
  static constexpr Shape kShapes[] = {Shape::I8x16, Shape::I16x8, Shape::I32x4, Shape::I64x2};
  if (value.isConst()) {
    uint64_t v = static_cast<uint64_t>(value.value());
    for (unsigned bits = 8 * abi::sizeOf(s); bits < 64; bits *= 2) v = (v & ((uint64_t{1} << bits) - 1)) | v << bits;
    as_.movImm64(kScratch, v);
    as_.movq(x, kScratch);
    return as_.punpcklqdq(x, x, x);
  }
  if (isFloatStorage(s))
    as_.movaps(x, useXmm(value));
  else
    as_.mov(shiftOf(s) == 3 ? w64 : w32, x, use(value));
  splatLow(kShapes[shiftOf(s)], x);
}

// Fills `n` elements, the first of which lies at base + kElements, with a value that is held. `n` is used up. Nothing
// is written behind them: memory that is not allocated yet is zero.
void Compiler::fillElements(Gpr base, Gpr n, Storage s, Operand& value) {
  constexpr int32_t kStep = 16;
  constexpr int32_t kLast = kElements - kStep;
  if (shiftOf(s)) as_.shl(w64, n, static_cast<uint8_t>(shiftOf(s)));
  x64::Label few, again, one, done;
  Xmm x = s == Storage::V128 ? useVector(value) : allocXmm();
  if (s == Storage::V128) {
    as_.test(w64, n, n);
    as_.jcc(Cond::e, done);
  } else {
    repeatValue(x, s, value);
    as_.cmp(w64, n, kStep);
    as_.jcc(Cond::b, few);
    as_.movups(Mem(base, n, 1, kLast), x);  // the rest of the division, and a part of what follows once more
    as_.and_(w64, n, -kStep);
  }
  as_.bind(again);
  as_.movups(Mem(base, n, 1, kLast), x);
  as_.sub(w64, n, kStep);
  as_.jcc(Cond::ne, again);
  if (s != Storage::V128) {
    const auto size = static_cast<int32_t>(abi::sizeOf(s));
    as_.jmp(done);
    as_.bind(few);
    as_.test(w64, n, n);
    as_.jcc(Cond::e, done);
    as_.bind(one);
    storeField(Mem(base, n, 1, kElements - size), s, value);
    as_.sub(w64, n, size);
    as_.jcc(Cond::ne, one);
    freeReg(x);
  }
  as_.bind(done);
}

void Compiler::arrayNewFixed(uint32_t type, uint32_t count) {
  const Storage s = elementOf(type);
  const uint32_t size = abi::sizeOf(s);
  as_.ensure(kRoomPerInstruction + size_t{count} * 40);
  Gpr dst = allocGpr(), base = allocGpr();
  allocateFixed(dst, base, type, abi::gcAligned(kElements + uint64_t{count} * size));
  as_.mov(w32, Mem(base, abi::kGcLengthAt), static_cast<int32_t>(count));
  const uint32_t from = height() - count;
  for (uint32_t i = 0; i < count; ++i) {
    if (!isZero(stack_[from + i]))
      storeField(Mem(base, kElements + static_cast<int32_t>(i * size)), s, stack_[from + i]);
  }
  truncate(from);
  freeReg(base);
  pushGpr(Type::I64, dst);
}

// The reference that a builtin has left.
void Compiler::pushNewArray() {
  trapOnStatus();
  as_.mov(w64, Gpr::rax, Mem(kContext, offsetof(abi::VMContext, storeContext)));
  as_.mov(w64, Gpr::rax, Mem(Gpr::rax, kRequest));
  freeGpr_ &= ~bit(Gpr::rax);
  pushGpr(Type::I64, Gpr::rax);
}

void Compiler::arrayNewData(uint32_t type, uint32_t segment) {
  callBuiltin(offsetof(BuiltinTable, ArrayNewData), pair(type, segment), 2);
  pushNewArray();
}

void Compiler::arrayNewElem(uint32_t type, uint32_t segment) {
  callBuiltin(offsetof(BuiltinTable, ArrayNewElem), pair(type, segment), 2);
  pushNewArray();
}

// --- arrays: access ------------------------------------------------------------------------------------------------

// The place of an element, its bounds checked; based on the scratch register, which has the array's address. `index`
// may end in a register of the instruction's own.
Mem Compiler::elementAt(Operand& array, Operand& index, Storage s) {
  const auto size = static_cast<int32_t>(abi::sizeOf(s));
  Gpr r = use(array);
  const bool isNear = index.isConst() && static_cast<uint32_t>(index.value()) < (1u << 26);
  Gpr i = Gpr::rsp;
  if (!isNear) i = s == Storage::V128 ? toTemp(index) : use(index);
  nullCheck(r, TrapReason::NullArrayReference);
  as_.mov(w64, kScratch, Mem(kContext, offsetof(abi::VMContext, gcHeap)));
  as_.add(w64, kScratch, r);
  if (isNear) {
    as_.cmp(w32, Mem(kScratch, abi::kGcLengthAt), index.imm32());
    trapIf(Cond::be, TrapReason::ArrayOutOfBounds);
    return Mem(kScratch, kElements + index.imm32() * size);
  }
  as_.cmp(w32, i, Mem(kScratch, abi::kGcLengthAt));
  trapIf(Cond::ae, TrapReason::ArrayOutOfBounds);
  if (s != Storage::V128) return Mem(kScratch, i, static_cast<unsigned>(size), kElements);
  as_.shl(w64, i, 4);
  return Mem(kScratch, i, 1, kElements);
}

void Compiler::arrayGet(uint32_t type, Extend extend) {
  const Storage s = elementOf(type);
  Operand index = pop(), array = pop();
  Mem at = elementAt(array, index, s);
  release(index);
  release(array);
  loadField(at, s, extend);
}

void Compiler::arraySet(uint32_t type) {
  const Storage s = elementOf(type);
  Operand value = pop(), index = pop(), array = pop();
  holdValue(value);
  Mem at = elementAt(array, index, s);
  storeField(at, s, value);
  release(value);
  release(index);
  release(array);
}

void Compiler::arrayLen() {
  Operand array = pop();
  Gpr r = use(array);
  nullCheck(r, TrapReason::NullArrayReference);
  as_.mov(w64, kScratch, Mem(kContext, offsetof(abi::VMContext, gcHeap)));
  release(array);
  loadField(Mem(kScratch, r, 1, abi::kGcLengthAt), Storage::I32, Extend::None);
}

void Compiler::arrayFill(uint32_t type) {
  const Storage s = elementOf(type);
  Operand count = pop(), value = pop(), first = pop(), array = pop();
  Gpr end = toTemp(count);
  holdValue(value);
  Gpr begin = toTemp(first);
  Gpr r = use(array);
  nullCheck(r, TrapReason::NullArrayReference);
  as_.mov(w64, kScratch, Mem(kContext, offsetof(abi::VMContext, gcHeap)));
  as_.add(w64, kScratch, r);
  release(array);
  Gpr length = allocGpr();
  as_.mov(w32, end, end);
  as_.mov(w32, begin, begin);
  as_.add(w64, end, begin);
  as_.mov(w32, length, Mem(kScratch, abi::kGcLengthAt));
  as_.cmp(w64, end, length);
  trapIf(Cond::a, TrapReason::ArrayOutOfBounds);
  if (ctx_.settings.fuel) {
    as_.mov(w64, length, end);
    as_.sub(w64, length, begin);
    as_.push(kScratch);  // value, begin, end and length may have all temps
    chargeLength(length, shiftOf(s), length, kScratch);
    as_.pop(kScratch);
  }
  as_.sub(w64, end, begin);
  as_.shl(w64, begin, static_cast<uint8_t>(shiftOf(s)));
  as_.lea(w64, length, Mem(kScratch, begin, 1, 0));
  fillElements(length, end, s, value);
  freeReg(length);
  release(value);
  release(count);
  release(first);
}

void Compiler::arrayCopy(uint32_t, uint32_t) {
  callBuiltin(offsetof(BuiltinTable, ArrayCopy), nullptr, 5);
  trapOnStatus();
}

void Compiler::arrayInitData(uint32_t, uint32_t segment) {
  callBuiltin(offsetof(BuiltinTable, ArrayInitData), segment, 4);
  trapOnStatus();
}

void Compiler::arrayInitElem(uint32_t, uint32_t segment) {
  callBuiltin(offsetof(BuiltinTable, ArrayInitElem), segment, 4);
  trapOnStatus();
}

}  // namespace wattle::compile::baseline
