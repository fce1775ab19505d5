// Vectors of floats: what takes more than one instruction; conversions.
//
// In takeVectors .. give, dst may be the first operand's register and no other's.
#include "runtime/compile/baseline/compiler.h"
#include "runtime/compile/baseline/simd_forms.h"

namespace wattle::compile::baseline {

namespace {
constexpr Xmm kT = kFloatScratch2;  // the assembler never uses this one by itself
constexpr Xmm kU = kFloatScratch;
using x64::CpuFeature;

// Bits of floats, in all lanes.
constexpr uint64_t kSigns32 = repeat32(0x80000000), kSigns64 = 0x8000000000000000;
constexpr uint64_t kTwoTo31 = repeat32(0x4f000000);
constexpr uint64_t kTwoTo52 = 0x4330000000000000;

// Predicates of cmpps.
constexpr uint8_t kEqual = 0, kLessOrEqual = 2, kUnordered = 3;
}  // namespace

void Compiler::compareFloats(Shape shape, uint8_t predicate, bool swapped) {
  Operand b = pop(), a = pop();
  if (swapped) std::swap(a, b);
  uint8_t target = targetPin(true);
  Xmm ra = useVector(a);
  const bool fromMemory = b.inMemory();
  Xmm rb = fromMemory ? ra : useVector(b);
  Xmm dst = vectorResult(target, a);
  if (shape == Shape::F64x2)
    fromMemory ? as_.cmppd(dst, ra, memOf(b), predicate) : as_.cmppd(dst, ra, rb, predicate);
  else
    fromMemory ? as_.cmpps(dst, ra, memOf(b), predicate) : as_.cmpps(dst, ra, rb, predicate);
  release(b);
  giveVector(dst, a);
}

void Compiler::absFloats(Shape shape) {
  Vectors v = takeVectors(1);
  const uint64_t mask = shape == Shape::F64x2 ? ~kSigns64 : ~kSigns32;
  as_.andps(v.dst, v.ra, pooled(mask, mask, true));
  give(v);
}

void Compiler::negateFloats(Shape shape) {
  Vectors v = takeVectors(1);
  const uint64_t mask = shape == Shape::F64x2 ? kSigns64 : kSigns32;
  as_.xorps(v.dst, v.ra, pooled(mask, mask, true));
  give(v);
}

// min and max of the processor give the second operand for a NaN and for zeros. So both orders are taken. For min,
// their union has the sign of either zero; for max, adding the difference of zeros to one of them clears the sign.
// Lanes with a NaN then hold some NaN; what is below the quiet bit is cleared.
void Compiler::minMaxFloats(Shape shape, bool isMin) {
  Vectors v = takeVectors(2);
  const bool wide = shape == Shape::F64x2;
  if (isMin) {
    wide ? as_.minpd(kT, v.rb, v.ra) : as_.minps(kT, v.rb, v.ra);
    wide ? as_.minpd(v.dst, v.ra, v.rb) : as_.minps(v.dst, v.ra, v.rb);
    as_.orps(v.dst, v.dst, kT);
    wide ? as_.cmppd(kT, kT, v.dst, kUnordered) : as_.cmpps(kT, kT, v.dst, kUnordered);
    as_.orps(v.dst, v.dst, kT);
  } else {
    wide ? as_.maxpd(kT, v.rb, v.ra) : as_.maxps(kT, v.rb, v.ra);
    wide ? as_.maxpd(v.dst, v.ra, v.rb) : as_.maxps(v.dst, v.ra, v.rb);
    as_.xorps(kT, kT, v.dst);
    as_.orps(v.dst, v.dst, kT);
    wide ? as_.subpd(v.dst, v.dst, kT) : as_.subps(v.dst, v.dst, kT);
    wide ? as_.cmppd(kT, kT, v.dst, kUnordered) : as_.cmpps(kT, kT, v.dst, kUnordered);
  }
  wide ? as_.psrlq(kT, kT, 13) : as_.psrld(kT, kT, 10);
  if (as_.avx) {
    as_.andnps(v.dst, kT, v.dst);
  } else {
    as_.andnps(kT, kT, v.dst);
    as_.movaps(v.dst, kT);
  }
  give(v);
}

// c + a * b or c - a * b, fused where the processor can.
void Compiler::relaxedMadd(Shape shape, bool negated) {
  const bool wide = shape == Shape::F64x2;
  if (as_.avx && ctx_.cpu.has(CpuFeature::fma)) {
    Vectors v = takeAccumulator();
    if (negated)
      wide ? as_.vfnmadd231pd(v.dst, v.ra, v.rb) : as_.vfnmadd231ps(v.dst, v.ra, v.rb);
    else
      wide ? as_.vfmadd231pd(v.dst, v.ra, v.rb) : as_.vfmadd231ps(v.dst, v.ra, v.rb);
    return give(v);
  }
  Vectors v = takeVectors(3);
  wide ? as_.mulpd(kT, v.ra, v.rb) : as_.mulps(kT, v.ra, v.rb);
  if (negated) {
    wide ? as_.subpd(v.dst, v.rc, kT) : as_.subps(v.dst, v.rc, kT);
  } else {
    wide ? as_.addpd(v.dst, v.rc, kT) : as_.addps(v.dst, v.rc, kT);
  }
  give(v);
}

// --- conversions -------------------------------------------------------------------------------------------------

// The two halves of a number, as mantissas of floats whose lowest bits have their weight.
void Compiler::convertU32ToF32() {
  Vectors v = takeVectors(1);
  if (ctx_.cpu.has(CpuFeature::avx512)) {
    evex(kVcvtudq2ps, v.dst, Xmm::xmm0, v.ra);
    return give(v);
  }
  constexpr uint64_t kTwoTo39 = repeat32(0x53000000), kTwoTo23 = repeat32(0x4b000000);
  constexpr uint64_t kBoth = repeat32(0x53000080);  // their sum
  as_.psrld(kT, v.ra, 16);
  as_.por(kT, kT, pooled(kTwoTo39, kTwoTo39, true));
  as_.subps(kT, kT, pooled(kBoth, kBoth, true));
  loadVector(kU, {kTwoTo23, kTwoTo23});
  as_.pblendw(kU, kU, v.ra, 0x55);
  as_.addps(v.dst, kT, kU);
  give(v);
}

void Compiler::convertLowU32ToF64() {
  Vectors v = takeVectors(1);
  if (ctx_.cpu.has(CpuFeature::avx512)) {
    evex(kVcvtudq2pd, v.dst, Xmm::xmm0, v.ra);
    return give(v);
  }
  constexpr uint64_t kUpperHalf = repeat32(kTwoTo52 >> 32);
  as_.punpckldq(v.dst, v.ra, pooled(kUpperHalf, kUpperHalf, true));
  as_.subpd(v.dst, v.dst, pooled(kTwoTo52, kTwoTo52, true));
  give(v);
}

// Saturating. The processor gives 0x80000000 for what it cannot convert, which is right for negative numbers; for
// large ones all bits are to be flipped, for NaN cleared.
void Compiler::truncateF32ToS32() {
  Vectors v = takeVectors(1);
  as_.cvttps2dq(kT, v.ra);
  loadVector(kU, {kTwoTo31, kTwoTo31});
  as_.cmpps(kU, kU, v.ra, kLessOrEqual);
  as_.pxor(kT, kT, kU);
  as_.cmpps(kU, v.ra, v.ra, kEqual);
  as_.pand(v.dst, kT, kU);
  give(v);
}

// x and x - 2^31 are converted. Below 2^31 the second counts for nothing; from there on the first is 2^31.
void Compiler::truncateF32ToU32() {
  Vectors v = takeVectors(1);
  as_.zero(kU);
  if (ctx_.cpu.has(CpuFeature::avx512)) {
    as_.maxps(v.dst, v.ra, kU);
    evex(kVcvttps2udq, v.dst, Xmm::xmm0, v.dst);
    return give(v);
  }
  Xmm above = allocXmm();
  as_.maxps(kT, v.ra, kU);  // a NaN becomes the second operand
  loadVector(kU, {kTwoTo31, kTwoTo31});
  as_.subps(above, kT, kU);
  as_.cmpps(kU, kU, above, kLessOrEqual);
  as_.cvttps2dq(above, above);
  as_.pxor(above, above, kU);
  as_.zero(kU);
  as_.pmaxsd(above, above, kU);
  as_.cvttps2dq(v.dst, kT);
  as_.paddd(v.dst, v.dst, above);
  freeReg(above);
  give(v);
}

void Compiler::truncateF64ToS32() {
  Vectors v = takeVectors(1);
  constexpr uint64_t kMaximum = 0x41dfffffffc00000;  // 2^31 - 1
  as_.cmppd(kU, v.ra, v.ra, kEqual);
  as_.andps(kU, kU, pooled(kMaximum, kMaximum, true));
  as_.minpd(v.dst, v.ra, kU);  // a NaN becomes the second operand, zero
  as_.cvttpd2dq(v.dst, v.dst);
  give(v);
}

// In range and whole, the number is the low half of its sum with 2^52.
void Compiler::truncateF64ToU32() {
  Vectors v = takeVectors(1);
  constexpr uint64_t kMaximum = 0x41efffffffe00000;  // 2^32 - 1
  as_.zero(kU);
  as_.maxpd(v.dst, v.ra, kU);
  if (ctx_.cpu.has(CpuFeature::avx512)) {
    evex(kVcvttpd2udq, v.dst, Xmm::xmm0, v.dst);
    return give(v);
  }
  as_.minpd(v.dst, v.dst, pooled(kMaximum, kMaximum, true));
  as_.roundpd(v.dst, v.dst, 11);
  as_.addpd(v.dst, v.dst, pooled(kTwoTo52, kTwoTo52, true));
  as_.shufps(v.dst, v.dst, kU, 0x88);
  give(v);
}

}  // namespace wattle::compile::baseline
