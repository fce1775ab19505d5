// Scalar floating point. NaN results of arithmetic are whatever the processor gives, which the specification allows.
#pragma once

#include "runtime/compile/baseline/compiler.h"

namespace wattle::compile::baseline {

// emit(dst, a, b) with b a register, memory or a pooled constant.
template <class F>
void Compiler::binaryFloat(Type type, bool commutative, F&& emit) {
  Operand b = pop(), a = pop();
  if (commutative && a.where() != Where::Xmm && (b.where() == Where::Xmm || a.isConst())) std::swap(a, b);
  uint8_t target = targetPin(true);
  Xmm ra = useXmm(a);
  Xmm rb = kFloatScratch;
  const bool fromPool = b.isConst() && b.value() != 0;
  const bool fromMemory = b.inMemory() && type != Type::V128;  // packed operands would have to be aligned
  if (!fromPool && !fromMemory) rb = useXmm(b);
  Xmm dst = target != kNone ? static_cast<Xmm>(target) : a.where() == Where::Xmm ? ra : allocXmm();
  if (fromPool)
    emit(dst, ra, pooled(static_cast<uint64_t>(b.value()), 0, false));
  else if (fromMemory)
    emit(dst, ra, memOf(b));
  else
    emit(dst, ra, rb);
  if (dst != ra) release(a);
  release(b);
  pushXmm(type, dst);
}

template <class F>
void Compiler::unaryFloat(Type, Type to, F&& emit) {
  Operand a = pop();
  uint8_t target = targetPin(true);
  Xmm ra = useXmm(a);
  Xmm dst = target != kNone ? static_cast<Xmm>(target) : a.where() == Where::Xmm ? ra : allocXmm();
  emit(dst, ra);
  if (dst != ra) release(a);
  pushXmm(to, dst);
}

// Equal operands may be zeros of both signs; a NaN makes a (quiet) NaN.
template <bool isMin>
void Compiler::minMax(Type type) {
  const bool wide = type == Type::F64;
  Operand b = pop(), a = pop();
  Xmm rb = useXmm(b);
  Xmm dst = toTempXmm(a);
  wide ? as_.ucomisd(dst, rb) : as_.ucomiss(dst, rb);
  x64::ShortJump different = as_.jccShort(Cond::ne);
  x64::ShortJump unordered = as_.jccShort(Cond::p);
  isMin ? as_.orps(dst, dst, rb) : as_.andps(dst, dst, rb);
  x64::ShortJump done1 = as_.jmpShort();
  as_.bind(unordered);
  wide ? as_.addsd(dst, dst, rb) : as_.addss(dst, dst, rb);
  x64::ShortJump done2 = as_.jmpShort();
  as_.bind(different);
  if (isMin)
    wide ? as_.minsd(dst, dst, rb) : as_.minss(dst, dst, rb);
  else
    wide ? as_.maxsd(dst, dst, rb) : as_.maxss(dst, dst, rb);
  as_.bind(done1);
  as_.bind(done2);
  release(b);
  pushXmm(type, dst);
}

// Conditions that are false when unordered: above and above-or-equal, after ucomis of the right order.
inline void Compiler::compareFloat(Type type, Cond cond, bool swap) {
  Operand b = pop(), a = pop();
  if (swap) std::swap(a, b);
  Xmm ra = useXmm(a);
  const bool wide = type == Type::F64;
  auto emit = [&](auto&& rhs) { wide ? as_.ucomisd(ra, rhs) : as_.ucomiss(ra, rhs); };
  if (b.isConst() && b.value() != 0)
    emit(pooled(static_cast<uint64_t>(b.value()), 0, false));
  else if (b.inMemory())
    emit(memOf(b));
  else
    emit(useXmm(b));
  release(a);
  release(b);
  pushCondition(cond);
}

inline void Compiler::compareFloatEquality(Type type, bool negated) {
  Operand b = pop(), a = pop();
  Xmm rb = useXmm(b), ra = useXmm(a);
  uint8_t predicate = negated ? 4 : 0;
  if (type == Type::F64)
    as_.cmpsd(kFloatScratch, ra, rb, predicate);
  else
    as_.cmpss(kFloatScratch, ra, rb, predicate);
  release(a);
  release(b);
  Gpr dst = resultGpr(targetPin(false));
  as_.movd(dst, kFloatScratch);
  as_.and_(w32, dst, 1);
  pushGpr(Type::I32, dst);
}

inline void Compiler::copysign(Type type) {
  const bool wide = type == Type::F64;
  uint64_t sign = wide ? 0x8000000000000000 : 0x8000000080000000;
  Operand b = pop(), a = pop();
  Xmm dst = toTempXmm(a);
  as_.movups(kFloatScratch, pooled(sign, sign, true));
  Xmm rb = useXmm(b);
  as_.andnps(kFloatScratch2, kFloatScratch, dst);
  as_.andps(kFloatScratch, kFloatScratch, rb);
  as_.orps(dst, kFloatScratch, kFloatScratch2);
  release(b);
  pushXmm(type, dst);
}

inline void Compiler::moveToFloat(Type to) {
  Operand a = pop();
  Xmm dst = resultXmm(targetPin(true));
  as_.mov(to == Type::F32 ? w32 : w64, dst, use(a));
  release(a);
  pushXmm(to, dst);
}

inline void Compiler::moveToInteger(Type from) {
  Operand a = pop();
  Gpr dst = resultGpr(targetPin(false));
  as_.mov(from == Type::F32 ? w32 : w64, dst, useXmm(a));
  release(a);
  pushGpr(from == Type::F32 ? Type::I32 : Type::I64, dst);
}

// --- conversions ---------------------------------------------------------------------------------------------------

inline void Compiler::convertToFloat(Type from, Type to, bool isSigned) {
  Operand a = pop();
  const bool wide = to == Type::F64;
  if (from == Type::I64 && !isSigned) {
    // Of a number with the top bit set: half of it, the lost bit kept sticky, then doubled.
    Gpr src = toTemp(a);
    Xmm dst = allocXmm();
    auto convert = [&] { wide ? as_.cvtsi2sd(w64, dst, src) : as_.cvtsi2ss(w64, dst, src); };
    as_.zero(dst);
    as_.test(w64, src, src);
    x64::ShortJump large = as_.jccShort(Cond::s);
    convert();
    x64::ShortJump done = as_.jmpShort();
    as_.bind(large);
    as_.mov(w64, kScratch, src);
    as_.shr(w64, src, 1);
    as_.and_(w32, kScratch, 1);
    as_.or_(w64, src, kScratch);
    convert();
    wide ? as_.addsd(dst, dst, dst) : as_.addss(dst, dst, dst);
    as_.bind(done);
    freeReg(src);
    return pushXmm(to, dst);
  }
  // i32 values are zero-extended in registers, so an unsigned one is a positive 64-bit number.
  Width w = from == Type::I64 || !isSigned ? w64 : w32;
  Gpr src = use(a);
  Xmm dst = resultXmm(targetPin(true));
  as_.zero(dst);
  wide ? as_.cvtsi2sd(w, dst, src) : as_.cvtsi2ss(w, dst, src);
  release(a);
  pushXmm(to, dst);
}

// Truncation towards zero; out of range it traps or saturates. The processor's 64-bit conversion gives INT64_MIN for
// what it cannot do.
struct Compiler::Truncation {
  Type from, to;
  bool isSigned, saturating;
  Xmm src;
  Gpr dst;
  x64::ShortJump good[3] = {};  // over what deals with operands out of range
  int goods = 0;

  bool isWide() const { return from == Type::F64; }
  uint64_t twoTo63() const { return isWide() ? 0x43e0000000000000 : 0x5f000000; }
  void convert(x64::Assembler& as, Xmm x) const { isWide() ? as.cvttsd2si(w64, dst, x) : as.cvttss2si(w64, dst, x); }
  void compare(x64::Assembler& as, Xmm x, Xmm y) const { isWide() ? as.ucomisd(x, y) : as.ucomiss(x, y); }
};

inline void Compiler::convertTruncatedUnsigned64(Truncation& t) {
  loadFloatBits(kFloatScratch, t.from, t.twoTo63());
  t.compare(as_, t.src, kFloatScratch);
  x64::ShortJump large = as_.jccShort(Cond::ae);  // not when unordered, which sets the carry
  t.convert(as_, t.src);
  as_.test(w64, t.dst, t.dst);
  t.good[t.goods++] = as_.jccShort(Cond::ns);
  x64::ShortJump bad = as_.jmpShort();
  as_.bind(large);
  t.isWide() ? as_.subsd(kFloatScratch, t.src, kFloatScratch) : as_.subss(kFloatScratch, t.src, kFloatScratch);
  t.convert(as_, kFloatScratch);
  as_.movImm64(kScratch, 1ull << 63);
  as_.test(w64, t.dst, t.dst);
  x64::ShortJump tooLarge = as_.jccShort(Cond::s);
  as_.xor_(w64, t.dst, kScratch);
  t.good[t.goods++] = as_.jmpShort();
  as_.bind(tooLarge);
  as_.bind(bad);
}

inline void Compiler::convertTruncated(Truncation& t) {
  if (t.to == Type::I64 && !t.isSigned) return convertTruncatedUnsigned64(t);
  t.convert(as_, t.src);
  if (t.to == Type::I32) {
    if (t.isSigned)
      as_.movsxd(kScratch, t.dst);
    else
      as_.mov(w32, kScratch, t.dst);
    as_.cmp(w64, kScratch, t.dst);
    t.good[t.goods++] = as_.jccShort(Cond::e);
    return;
  }
  as_.cmp(w64, t.dst, 1);  // overflows for INT64_MIN only
  t.good[t.goods++] = as_.jccShort(Cond::no);
  if (t.saturating) return;
  // Which is right for -2^63 itself.
  loadFloatBits(kFloatScratch, t.from, t.twoTo63() | (t.isWide() ? 1ull << 63 : 1ull << 31));
  t.compare(as_, t.src, kFloatScratch);
  x64::ShortJump nan = as_.jccShort(Cond::p);
  t.good[t.goods++] = as_.jccShort(Cond::e);
  as_.bind(nan);
}

// After a comparison of the operand with itself.
inline void Compiler::saturate(const Truncation& t) {
  const bool is32 = t.to == Type::I32;
  const uint64_t maximum = is32 ? (t.isSigned ? INT32_MAX : UINT32_MAX) : (t.isSigned ? INT64_MAX : UINT64_MAX);
  const uint64_t minimum = !t.isSigned ? 0 : is32 ? 0x80000000ull : 1ull << 63;
  as_.movImm32(t.dst, 0);
  x64::ShortJump nan = as_.jccShort(Cond::p);
  as_.movImm64(t.dst, minimum);
  t.isWide() ? as_.movq(kScratch, t.src) : as_.movd(kScratch, t.src);
  as_.test(t.isWide() ? w64 : w32, kScratch, kScratch);
  x64::ShortJump negative = as_.jccShort(Cond::s);
  as_.movImm64(t.dst, maximum);
  as_.bind(nan);
  as_.bind(negative);
}

inline void Compiler::truncate(Type from, Type to, bool isSigned, bool saturating) {
  Operand a = pop();
  Xmm src = useXmm(a);
  Truncation t{.from = from, .to = to, .isSigned = isSigned, .saturating = saturating, .src = src, .dst = allocGpr()};
  convertTruncated(t);
  t.compare(as_, t.src, t.src);
  if (saturating) {
    saturate(t);
  } else {
    trapIf(Cond::p, TrapReason::InvalidConversion);
    trapHere(TrapReason::IntegerOverflow);
  }
  for (int i = 0; i < t.goods; ++i) as_.bind(t.good[i]);
  if (to == Type::I32) as_.mov(w32, t.dst, t.dst);  // the upper half is clear again
  release(a);
  pushGpr(to, t.dst);
}

}  // namespace wattle::compile::baseline
