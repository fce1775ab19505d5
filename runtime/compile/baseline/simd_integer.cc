// Vectors of integers: what takes more than one instruction.
//
// In takeVectors .. give, dst may be the first operand's register and no other's.
#include "runtime/compile/baseline/compiler.h"
#include "runtime/compile/baseline/simd_forms.h"

namespace wattle::compile::baseline {

namespace {
constexpr Xmm kT = kFloatScratch2;  // the assembler never uses this one by itself
constexpr Xmm kU = kFloatScratch;
using x64::CpuFeature;
}  // namespace

// --- comparisons -------------------------------------------------------------------------------------------------

// a >= b as min(a, b) == b, and so on.
void Compiler::compareByBound(VectorBinary bound, VectorBinary equal) {
  Operand b = pop(), a = pop();
  uint8_t target = targetPin(true);
  Xmm ra = useVector(a);
  validate(b);
  if (b.where() == Where::Pin && b.reg() == target) target = kNone;  // b is read once more
  Xmm dst = vectorResult(target, a);
  applyVector(form(bound), dst, ra, b);
  applyVector(form(equal), dst, dst, b);
  release(b);
  giveVector(dst, a);
}

// Signed comparison of operands with their signs flipped.
void Compiler::compareUnsigned(VectorBinary greater, uint64_t signs, bool swapped) {
  Operand b = pop(), a = pop();
  const bool constant = b.isConst();
  if (constant) vectorConstant_ = {vectorConstant_.low ^ signs, vectorConstant_.high ^ signs};
  if (swapped) std::swap(a, b);
  Vectors v = holdVectors(a, b, {}, 2);
  Xmm ra = v.ra, rb = v.rb;
  if (!constant || swapped) as_.pxor(rb = kT, v.rb, pooled(signs, signs, true));
  if (!constant || !swapped) as_.pxor(ra = v.dst, v.ra, pooled(signs, signs, true));
  (as_.*form(greater).reg)(v.dst, ra, rb);
  give(v);
}

// Of 64 bits. Without pcmpgtq: the upper halves decide; where they are equal, a borrow of b - a.
void Compiler::compareWide(VectorBinary op) {
  if (ctx_.cpu.has(CpuFeature::sse42)) return binaryVector(op);
  const VectorBinaryForm& f = form(op);
  Vectors v = takeVectors(2, f.is(f.Swapped));
  as_.psubq(kT, v.rb, v.ra);
  as_.pcmpeqd(kU, v.ra, v.rb);
  as_.pand(kT, kT, kU);
  as_.pcmpgtd(v.dst, v.ra, v.rb);
  as_.por(v.dst, v.dst, kT);
  as_.pshufd(v.dst, v.dst, 0xf5);
  if (f.is(f.Negated)) complement(v.dst, v.dst);
  give(v);
}

// --- unary -------------------------------------------------------------------------------------------------------

void Compiler::negateVector(VectorBinary subtract) {
  Vectors v = takeVectors(1);
  as_.zero(kT);
  (as_.*form(subtract).reg)(v.dst, kT, v.ra);
  give(v);
}

void Compiler::notVector() {
  Vectors v = takeVectors(1);
  complement(v.dst, v.ra);
  give(v);
}

void Compiler::absI64x2() {
  Vectors v = takeVectors(1);
  if (ctx_.cpu.has(CpuFeature::avx512)) {
    evex(kVpabsq, v.dst, Xmm::xmm0, v.ra);
    return give(v);
  }
  as_.psrad(kT, v.ra, 31);
  as_.pshufd(kT, kT, 0xf5);
  as_.pxor(v.dst, v.ra, kT);
  as_.psubq(v.dst, v.dst, kT);
  give(v);
}

// By halves of bytes, through a table.
void Compiler::popcountVector() {
  Vectors v = takeVectors(1);
  if (ctx_.cpu.has(CpuFeature::avx512Bitalg)) {
    evex(kVpopcntb, v.dst, Xmm::xmm0, v.ra);
    return give(v);
  }
  constexpr uint64_t kLowNibbles = repeat8(0x0f);
  constexpr VectorConstant kCounts{0x0302020102010100, 0x0403030203020201};
  as_.psrlw(kT, v.ra, 4);
  as_.pand(kT, kT, pooled(kLowNibbles, kLowNibbles, true));
  as_.pand(kU, v.ra, pooled(kLowNibbles, kLowNibbles, true));
  loadVector(v.dst, kCounts);
  if (as_.avx) {
    as_.pshufb(kT, v.dst, kT);
    as_.pshufb(kU, v.dst, kU);
    as_.paddb(v.dst, kT, kU);
  } else {
    as_.pshufb(v.dst, v.dst, kT);
    loadVector(kT, kCounts);
    as_.pshufb(kT, kT, kU);
    as_.paddb(v.dst, v.dst, kT);
  }
  give(v);
}

// The upper half, extended.
void Compiler::extendHigh(Shape from, bool isSigned) {
  Vectors v = takeVectors(1);
  if (!isSigned) as_.zero(kT);
  Xmm with = isSigned ? v.ra : kT;
  switch (from) {
    case Shape::I8x16:
      as_.punpckhbw(v.dst, v.ra, with);
      if (isSigned) as_.psraw(v.dst, v.dst, 8);
      break;
    case Shape::I16x8:
      as_.punpckhwd(v.dst, v.ra, with);
      if (isSigned) as_.psrad(v.dst, v.dst, 16);
      break;
    default:
      if (isSigned) {
        as_.pshufd(v.dst, v.ra, 0xee);
        as_.pmovsxdq(v.dst, v.dst);
      } else {
        as_.punpckhdq(v.dst, v.ra, with);
      }
      break;
  }
  give(v);
}

void Compiler::addPairs(Shape from, bool isSigned) {
  Vectors v = takeVectors(1);
  constexpr uint64_t kBytes = repeat8(1), kWords = repeat16(1), kLowWords = repeat32(0xffff);
  if (from == Shape::I8x16 && isSigned) {
    loadVector(kT, {kBytes, kBytes});
    as_.pmaddubsw(v.dst, kT, v.ra);
  } else if (from == Shape::I8x16) {
    as_.pmaddubsw(v.dst, v.ra, pooled(kBytes, kBytes, true));
  } else if (isSigned) {
    as_.pmaddwd(v.dst, v.ra, pooled(kWords, kWords, true));
  } else {
    as_.psrld(kT, v.ra, 16);
    as_.pand(v.dst, v.ra, pooled(kLowWords, kLowWords, true));
    as_.paddd(v.dst, v.dst, kT);
  }
  give(v);
}

// --- products ----------------------------------------------------------------------------------------------------

// Three products of 32 bits; the processor's own instruction is no faster everywhere, but never slower.
void Compiler::multiplyI64x2() {
  Vectors v = takeVectors(2);
  if (ctx_.cpu.has(CpuFeature::avx512)) {
    evex(kVpmullq, v.dst, v.ra, v.rb);
    return give(v);
  }
  as_.psrlq(kT, v.ra, 32);
  as_.pmuludq(kT, kT, v.rb);
  as_.psrlq(kU, v.rb, 32);
  as_.pmuludq(kU, kU, v.ra);
  as_.paddq(kT, kT, kU);
  as_.psllq(kT, kT, 32);
  as_.pmuludq(v.dst, v.ra, v.rb);
  as_.paddq(v.dst, v.dst, kT);
  give(v);
}

// The only product that overflows is 0x8000 * 0x8000, and pmulhrsw makes 0x8000 of it and of nothing else.
void Compiler::multiplyQ15() {
  Vectors v = takeVectors(2);
  constexpr uint64_t kMinimum = repeat16(0x8000);
  as_.pmulhrsw(v.dst, v.ra, v.rb);
  as_.pcmpeqw(kT, v.dst, pooled(kMinimum, kMinimum, true));
  as_.pxor(v.dst, v.dst, kT);
  give(v);
}

void Compiler::extendedMultiply(Shape from, bool high, bool isSigned) {
  Vectors v = takeVectors(2);
  switch (from) {
    case Shape::I8x16: {
      auto extend = [&](Xmm dst, Xmm src) {
        if (!high) return isSigned ? as_.pmovsxbw(dst, src) : as_.pmovzxbw(dst, src);
        as_.punpckhbw(dst, src, isSigned ? src : kU);
        if (isSigned) as_.psraw(dst, dst, 8);
      };
      if (high && !isSigned) as_.zero(kU);
      extend(kT, v.rb);
      extend(v.dst, v.ra);
      as_.pmullw(v.dst, v.dst, kT);
      break;
    }
    case Shape::I16x8:
      isSigned ? as_.pmulhw(kT, v.ra, v.rb) : as_.pmulhuw(kT, v.ra, v.rb);
      as_.pmullw(v.dst, v.ra, v.rb);
      high ? as_.punpckhwd(v.dst, v.dst, kT) : as_.punpcklwd(v.dst, v.dst, kT);
      break;
    default:
      as_.pshufd(kT, v.rb, high ? 0xfa : 0x50);
      as_.pshufd(v.dst, v.ra, high ? 0xfa : 0x50);
      isSigned ? as_.pmuldq(v.dst, v.dst, kT) : as_.pmuludq(v.dst, v.dst, kT);
      break;
  }
  give(v);
}

// --- shifts ------------------------------------------------------------------------------------------------------

// The processor has none of bytes: words are shifted, and what crosses from byte to byte is masked off.
void Compiler::shiftBytes(x64::ShiftOp op) {
  Operand count = pop();
  if (count.isConst()) {
    uint8_t n = static_cast<uint8_t>(count.value()) & 7;
    if (n == 0) return;
    Vectors v = takeVectors(1);
    shiftBytesBy(op, v.dst, v.ra, n);
    return give(v);
  }
  Vectors v = takeVectors(1);
  if (op == x64::ShiftOp::sar) {  // as the upper halves of words
    holdShiftCount(count, 7, 8);
    as_.punpckhbw(kT, v.ra, v.ra);
    as_.punpcklbw(v.dst, v.ra, v.ra);
    as_.psraw(kT, kT, kU);
    as_.psraw(v.dst, v.dst, kU);
    as_.packsswb(v.dst, v.dst, kT);
    return give(v);
  }
  // In each byte of kT, the bits from `count` on: words of -(1 << count) fit bytes.
  holdShiftCount(count, 7, 0);
  as_.ones(kT);
  as_.psllw(kT, kT, kU);
  as_.packsswb(kT, kT, kT);
  if (op == x64::ShiftOp::shl) {
    as_.psllw(v.dst, v.ra, kU);
    as_.pand(v.dst, v.dst, kT);
  } else {
    as_.pand(v.dst, v.ra, kT);
    as_.psrlw(v.dst, v.dst, kU);
  }
  give(v);
}

void Compiler::shiftBytesBy(x64::ShiftOp op, Xmm dst, Xmm src, uint8_t n) {
  if (op == x64::ShiftOp::shl) {
    if (n == 1) return as_.paddb(dst, src, src);
    const uint64_t kept = repeat8(0xffu << n);
    as_.psllw(dst, src, n);
    return as_.pand(dst, dst, pooled(kept, kept, true));
  }
  if (op == x64::ShiftOp::sar && n == 7) {
    as_.zero(kT);
    return as_.pcmpgtb(dst, kT, src);
  }
  const uint64_t kept = repeat8(0xffu >> n), sign = repeat8(0x80u >> n);
  as_.psrlw(dst, src, n);
  as_.pand(dst, dst, pooled(kept, kept, true));
  if (op == x64::ShiftOp::shr) return;
  as_.pxor(dst, dst, pooled(sign, sign, true));
  as_.psubb(dst, dst, pooled(sign, sign, true));
}

void Compiler::shiftRightI64x2() {
  Operand count = pop();
  if (count.isConst()) {
    uint8_t n = static_cast<uint8_t>(count.value()) & 63;
    if (n == 0) return;
    Vectors v = takeVectors(1);
    shiftRightI64x2By(v.dst, v.ra, n);
    return give(v);
  }
  Vectors v = takeVectors(1);
  holdShiftCount(count, 63, 0);
  if (ctx_.cpu.has(CpuFeature::avx512)) {
    evex(kVpsraq, v.dst, v.ra, kU);
    return give(v);
  }
  constexpr uint64_t kSign = 1ull << 63;
  loadVector(kT, {kSign, kSign});
  as_.psrlq(kT, kT, kU);
  as_.psrlq(v.dst, v.ra, kU);
  as_.pxor(v.dst, v.dst, kT);
  as_.psubq(v.dst, v.dst, kT);
  give(v);
}

// The upper halves by an arithmetic shift of double words, the lower ones by a logical one.
void Compiler::shiftRightI64x2By(Xmm dst, Xmm src, uint8_t n) {
  if (ctx_.cpu.has(CpuFeature::avx512)) {
    evex(kVpsraqImmediate, Xmm::xmm4, dst, src);  // the opcode's extension is 4
    return as_.emit8(n);
  }
  if (n == 63) {
    as_.psrad(dst, src, 31);
    return as_.pshufd(dst, dst, 0xf5);
  }
  as_.psrad(kT, src, n < 32 ? n : 31);
  if (n <= 32) {
    as_.psrlq(dst, src, n);
  } else {
    as_.psrad(dst, src, static_cast<uint8_t>(n - 32));
    as_.pshufd(dst, dst, 0xf5);
  }
  as_.pblendw(dst, dst, kT, 0xcc);
}

// --- selection and relaxed products --------------------------------------------------------------------------------

void Compiler::bitselect() {
  Operand c = pop(), b = pop(), a = pop();
  if (c.isConst()) {
    const auto [low, high] = vectorConstant_;
    Vectors v = holdVectors(a, b, {}, 2);
    as_.pand(kT, v.rb, pooled(~low, ~high, true));
    as_.pand(v.dst, v.ra, pooled(low, high, true));
    as_.por(v.dst, v.dst, kT);
    return give(v);
  }
  bitselect(holdVectors(a, b, c, 3));
}

void Compiler::bitselect(const Vectors& v) {
  if (ctx_.cpu.has(CpuFeature::avx512)) {
    as_.mov(v.dst, v.ra);
    evex(kVpternlogd, v.dst, v.rb, v.rc);
    as_.emit8(0xe4);  // by the third, first or second
    return give(v);
  }
  as_.pandn(kT, v.rc, v.rb);
  as_.pand(v.dst, v.ra, v.rc);
  as_.por(v.dst, v.dst, kT);
  give(v);
}

// By the top bit of each byte, or (of double words and quad words) of each lane, where that is one instruction.
void Compiler::relaxedLaneselect(Shape shape) {
  Vectors v = takeVectors(3);
  if (!as_.avx) return bitselect(v);
  switch (laneBytes(shape)) {
    case 4: as_.blendvps(v.dst, v.rb, v.ra, v.rc); break;
    case 8: as_.blendvpd(v.dst, v.rb, v.ra, v.rc); break;
    default: as_.pblendvb(v.dst, v.rb, v.ra, v.rc); break;
  }
  give(v);
}

// c + a . b
void Compiler::relaxedDotAdd() {
  if (as_.avx && ctx_.cpu.has(CpuFeature::avxVnni)) {
    Vectors v = takeAccumulator();
    as_.vpdpbusd(v.dst, v.rb, v.ra);
    return give(v);
  }
  constexpr uint64_t kOnes = repeat16(1);
  Vectors v = takeVectors(3);
  as_.pmaddubsw(kT, v.rb, v.ra);
  as_.pmaddwd(kT, kT, pooled(kOnes, kOnes, true));
  as_.paddd(v.dst, kT, v.rc);
  give(v);
}

// Three operands, the last one's value in dst, which is neither of the others. (It is `a` of the result.)
Compiler::Vectors Compiler::takeAccumulator() {
  Operand c = pop(), b = pop(), a = pop();
  Vectors v = holdVectors(c, a, b, 3);
  std::swap(v.rb, v.rc);  // now c, b, a
  std::swap(v.ra, v.rc);  // now a, b, c
  as_.mov(v.dst, v.rc);
  return v;
}

// An instruction of AVX-512VL among vector registers.
void Compiler::evex(const Evex& e, Xmm reg, Xmm v, Xmm rm) {
  const unsigned r = x64::num(reg), b = x64::num(rm);
  as_.emit8(0x62);
  as_.emit8(static_cast<uint8_t>((r < 8 ? 0x80 : 0) | 0x40 | (b < 8 ? 0x20 : 0) | 0x10 | static_cast<unsigned>(e.map)));
  as_.emit8(static_cast<uint8_t>(e.wide << 7 | (x64::num(v) ^ 15) << 3 | 4 | static_cast<unsigned>(e.pp)));
  as_.emit8(0x08);
  as_.emit8(e.opcode);
  as_.emit8(static_cast<uint8_t>(0xc0 | (r & 7) << 3 | (b & 7)));
}

}  // namespace wattle::compile::baseline
