// Vectors: operands and results, instructions that are one of the processor's (simd_forms.h), constants, lanes, tests.
//
// Sequences (takeVectors .. give) may write dst before they have read the second and third operand, but only after the
// last use of the first. In SSE mode `op(x, a, x)` clobbers kFloatScratch where op does not commute (see the
// assembler).
#include <cstring>

#include "runtime/compile/baseline/integer.h"
#include "runtime/compile/baseline/simd_forms.h"

namespace wattle::compile::baseline {

using frontend::Imm;
using frontend::kOpInfo;

// --- operands ----------------------------------------------------------------------------------------------------

namespace {

// Instructions that take a constant as their last operand (see constV128): vectors only, the last one a vector.
struct TakesConstant {
  bool bits[0x120] = {};
  constexpr TakesConstant() {
    for (const auto& entry : kOpInfo) {
      if (entry.prefix != 0xfd || (entry.imm != Imm::None && entry.imm != Imm::Shuffle)) continue;
      bits[entry.code] = entry.signature == "vv:v" || entry.signature == "vvv:v";
    }
  }
};
constexpr TakesConstant kTakesConstant;

}  // namespace

void Compiler::loadVector(Xmm dst, VectorConstant c) {
  if ((c.low | c.high) == 0) return as_.zero(dst);
  if ((c.low & c.high) == ~uint64_t{0}) return as_.ones(dst);
  as_.movaps(dst, pooled(c.low, c.high, true));
}

// A constant that the next instruction takes as its last operand stays a constant, for this one instruction.
void Compiler::constV128(const std::array<uint8_t, 16>& bytes) {
  VectorConstant c;
  std::memcpy(&c, bytes.data(), sizeof c);
  pushVectorConstant(c);
}

void Compiler::pushVectorConstant(VectorConstant c) {
  const uint8_t* next = decoder_->nextBytes();
  if (next[0] == 0xfd) {
    unsigned code = next[1] < 0x80 ? next[1] : (next[1] & 0x7fu) | static_cast<unsigned>(next[2]) << 7;
    if (code < std::size(kTakesConstant.bits) && kTakesConstant.bits[code]) {
      vectorConstant_ = c;
      return push(Operand::constant(Type::V128, 0));
    }
  }
  Xmm dst = resultXmm(targetPin(true));
  loadVector(dst, c);
  pushXmm(Type::V128, dst);
}

Xmm Compiler::useVector(Operand& o) {
  if (!o.isConst()) return useXmm(o);
  Xmm r = allocXmm();
  loadVector(r, vectorConstant_);
  o.comesTo(r);
  return r;
}

// dst = a op b. Frame slots of vectors are aligned, so b may be in memory also without AVX.
void Compiler::applyVector(const VectorBinaryForm& f, Xmm dst, Xmm a, Operand& b) {
  if (b.isConst()) {
    const auto [low, high] = vectorConstant_;
    if ((low | high) != 0) return (as_.*f.label)(dst, a, pooled(low, high, true));
    as_.zero(kFloatScratch);
    (as_.*f.reg)(dst, a, kFloatScratch);
  } else if (b.inMemory()) {
    (as_.*f.mem)(dst, a, memOf(b));
  } else {
    (as_.*f.reg)(dst, a, useXmm(b));
  }
}

// Where the result goes: to the target, in the place of a when that is a temp, to a new one.
Xmm Compiler::vectorResult(uint8_t target, const Operand& a) {
  if (target != kNone) return static_cast<Xmm>(target);
  return a.where() == Where::Xmm ? a.xmm() : allocXmm();
}

void Compiler::giveVector(Xmm dst, const Operand& a) {
  if (a.where() == Where::Xmm && a.xmm() != dst) freeReg(a.xmm());
  pushXmm(Type::V128, dst);
}

Compiler::Vectors Compiler::holdVectors(Operand a, Operand b, Operand c, unsigned count) {
  Vectors v{a, b, c, {}, {}, {}, {}};
  uint8_t target = targetPin(true);
  v.ra = v.rb = v.rc = useVector(v.a);
  if (count > 1) v.rb = v.rc = useVector(v.b);
  if (count > 2) v.rc = useVector(v.c);
  if (target != kNone && count > 1) {
    Xmm t = static_cast<Xmm>(target);
    if (t == v.rb || (count > 2 && t == v.rc)) target = kNone;
  }
  v.dst = vectorResult(target, v.a);
  return v;
}

Compiler::Vectors Compiler::takeVectors(unsigned count, bool swapped) {
  Operand c, b, a;
  if (count > 2) c = pop();
  if (count > 1) b = pop();
  a = pop();
  if (swapped) std::swap(a, b);
  return holdVectors(a, b, c, count);
}

void Compiler::give(const Vectors& v) {
  if (v.b.where() == Where::Xmm) freeReg(v.b.xmm());
  if (v.c.where() == Where::Xmm) freeReg(v.c.xmm());
  giveVector(v.dst, v.a);
}

// --- one instruction ---------------------------------------------------------------------------------------------

void Compiler::binaryVector(VectorBinary op) {
  const VectorBinaryForm& f = form(op);
  Operand b = pop(), a = pop();
  if (f.is(f.Swapped)) std::swap(a, b);
  if (f.is(f.Commutes)) {
    // The better first operand: a temp, then a pin.
    auto rank = [&](const Operand& o) { return o.where() == Where::Xmm ? 0 : o.isConst() || o.inMemory() ? 2 : 1; };
    if (rank(b) < rank(a)) std::swap(a, b);
  }
  uint8_t target = targetPin(true);
  Xmm ra = useVector(a);
  validate(b);  // before a result goes to a target
  Xmm dst = vectorResult(target, a);
  applyVector(f, dst, ra, b);
  if (f.is(f.Negated)) complement(dst, dst);
  release(b);
  giveVector(dst, a);
}

// dst = ~src
void Compiler::complement(Xmm dst, Xmm src) {
  if (dst == src && ctx_.cpu.has(x64::CpuFeature::avx512)) {
    evex(kVpternlogd, dst, dst, dst);
    return as_.emit8(0x55);
  }
  as_.ones(kFloatScratch);
  as_.pxor(dst, src, kFloatScratch);
}

void Compiler::unaryVector(VectorUnary op) {
  const VectorUnaryForm& f = form(op);
  Operand a = pop();
  uint8_t target = targetPin(true);
  if (a.inMemory()) {
    Xmm dst = resultXmm(target);
    (as_.*f.mem)(dst, memOf(a));
    return pushXmm(Type::V128, dst);
  }
  Xmm src = useXmm(a);
  Xmm dst = vectorResult(target, a);
  (as_.*f.reg)(dst, src);
  giveVector(dst, a);
}

void Compiler::roundVector(Shape shape, uint8_t mode) {
  Operand a = pop();
  uint8_t target = targetPin(true);
  Xmm src = useXmm(a);
  Xmm dst = vectorResult(target, a);
  shape == Shape::F64x2 ? as_.roundpd(dst, src, mode) : as_.roundps(dst, src, mode);
  giveVector(dst, a);
}

// --- shifts ------------------------------------------------------------------------------------------------------

// The count, reduced and with `add` in it, goes to kFloatScratch. Clobbers kScratch and the flags.
void Compiler::holdShiftCount(Operand& count, uint8_t mask, uint8_t add) {
  load(kScratch, count);
  release(count);
  as_.and_(w32, kScratch, mask);
  if (add) as_.or_(w32, kScratch, add);
  as_.movd(kFloatScratch, kScratch);
}

void Compiler::shiftVector(VectorShift op) {
  const VectorShiftForm& f = form(op);
  Operand count = pop();
  if (count.isConst()) {
    uint8_t n = static_cast<uint8_t>(count.value()) & f.mask;
    if (n == 0) return;
    Vectors v = takeVectors(1);
    (as_.*f.immediate)(v.dst, v.ra, n);
    return give(v);
  }
  Vectors v = takeVectors(1);
  holdShiftCount(count, f.mask, 0);
  (as_.*f.reg)(v.dst, v.ra, kFloatScratch);
  give(v);
}

// --- splat, extract, replace -------------------------------------------------------------------------------------

void Compiler::splat(Shape shape) {
  Operand a = pop();
  if (a.isConst()) {
    uint64_t v = static_cast<uint64_t>(a.value());
    switch (laneBytes(shape)) {
      case 1: v = repeat8(v); break;
      case 2: v = repeat16(v); break;
      case 4: v = repeat32(v); break;
    }
    return pushVectorConstant({v, v});
  }
  uint8_t target = targetPin(true);
  if (a.inMemory()) {
    Xmm dst = resultXmm(target);
    splatFromMemory(shape, dst, memOf(a));
    return pushXmm(Type::V128, dst);
  }
  if (shape == Shape::F32x4 || shape == Shape::F64x2) {
    Xmm src = useXmm(a);
    Xmm dst = vectorResult(target, a);
    if (shape == Shape::F64x2)
      as_.movddup(dst, src);
    else if (as_.avx)
      as_.vbroadcastss(dst, src);
    else
      as_.pshufd(dst, src, 0);
    return giveVector(dst, a);
  }
  Gpr src = use(a);
  Xmm dst = resultXmm(target);
  as_.mov(shape == Shape::I64x2 ? w64 : w32, dst, src);
  release(a);
  splatLow(shape, dst);
  pushXmm(Type::V128, dst);
}

// The lowest lane to all.
void Compiler::splatLow(Shape shape, Xmm x) {
  switch (laneBytes(shape)) {
    case 1:
      if (as_.avx) return as_.vpbroadcastb(x, x);
      as_.zero(kFloatScratch);
      return as_.pshufb(x, x, kFloatScratch);
    case 2:
      if (as_.avx) return as_.vpbroadcastw(x, x);
      as_.pshuflw(x, x, 0);
      return as_.pshufd(x, x, 0);
    case 4: return as_.pshufd(x, x, 0);
    default: return as_.punpcklqdq(x, x, x);
  }
}

void Compiler::splatFromMemory(Shape shape, Xmm dst, const Mem& m) {
  switch (laneBytes(shape)) {
    case 1:
      if (as_.avx) return as_.vpbroadcastb(dst, m);
      as_.zero(dst);
      as_.pinsrb(dst, dst, m, 0);
      break;
    case 2:
      if (as_.avx) return as_.vpbroadcastw(dst, m);
      as_.zero(dst);
      as_.pinsrw(dst, dst, m, 0);
      break;
    case 4:
      if (as_.avx) return as_.vbroadcastss(dst, m);
      as_.movss(dst, m);
      break;
    default: return as_.movddup(dst, m);
  }
  splatLow(shape, dst);
}

void Compiler::extractLane(Shape shape, uint8_t lane, bool isSigned) {
  Operand a = pop();
  if (shape == Shape::F32x4 || shape == Shape::F64x2) return extractFloatLane(shape, lane, a);
  const Type type = shape == Shape::I64x2 ? Type::I64 : Type::I32;
  if (a.inMemory()) {
    Gpr dst = resultGpr(targetPin(false));
    Mem m = memOf(a).at(static_cast<int32_t>(lane * laneBytes(shape)));
    switch (shape) {
      case Shape::I8x16: isSigned ? as_.movsx8(w32, dst, m) : as_.movzx8(dst, m); break;
      case Shape::I16x8: isSigned ? as_.movsx16(w32, dst, m) : as_.movzx16(dst, m); break;
      default: as_.mov(widthOf(type), dst, m); break;
    }
    return pushGpr(type, dst);
  }
  Xmm src = useXmm(a);
  Gpr dst = resultGpr(targetPin(false));
  switch (shape) {
    case Shape::I8x16:
      as_.pextrb(dst, src, lane);
      if (isSigned) as_.movsx8(w32, dst, dst);
      break;
    case Shape::I16x8:
      as_.pextrw(dst, src, lane);
      if (isSigned) as_.movsx16(w32, dst, dst);
      break;
    case Shape::I32x4: lane ? as_.pextrd(dst, src, lane) : as_.movd(dst, src); break;
    default: lane ? as_.pextrq(dst, src, lane) : as_.movq(dst, src); break;
  }
  release(a);
  pushGpr(type, dst);
}

// The lanes above the result are of no account.
void Compiler::extractFloatLane(Shape shape, uint8_t lane, Operand a) {
  const bool wide = shape == Shape::F64x2;
  const Type type = wide ? Type::F64 : Type::F32;
  uint8_t target = targetPin(true);
  if (a.inMemory()) {
    Xmm dst = resultXmm(target);
    Mem m = memOf(a).at(static_cast<int32_t>(lane * laneBytes(shape)));
    wide ? as_.movsd(dst, m) : as_.movss(dst, m);
    return pushXmm(type, dst);
  }
  Xmm src = useXmm(a);
  Xmm dst = vectorResult(target, a);
  if (lane == 0)
    as_.mov(dst, src);
  else if (wide)
    as_.avx ? as_.unpckhpd(dst, src, src) : as_.pshufd(dst, src, 0xee);
  else if (lane == 1)
    as_.movshdup(dst, src);
  else if (as_.avx)
    as_.shufps(dst, src, src, lane);
  else
    as_.pshufd(dst, src, lane);
  if (a.where() == Where::Xmm && src != dst) freeReg(src);
  pushXmm(type, dst);
}

void Compiler::replaceLane(Shape shape, uint8_t lane) {
  Operand value = pop(), a = pop();
  uint8_t target = targetPin(true);
  Xmm ra = useXmm(a);
  if (shape == Shape::F32x4 || shape == Shape::F64x2) {
    const bool fromMemory = value.inMemory();
    Xmm rv = fromMemory ? ra : useXmm(value);
    Xmm dst = vectorResult(target, a);
    if (shape == Shape::F32x4) {
      uint8_t where = static_cast<uint8_t>(lane << 4);
      fromMemory ? as_.insertps(dst, ra, memOf(value), where) : as_.insertps(dst, ra, rv, where);
    } else if (fromMemory) {
      lane ? as_.movhps(dst, ra, memOf(value)) : as_.movlps(dst, ra, memOf(value));
    } else {
      lane ? as_.movlhps(dst, ra, rv) : as_.movsd(dst, ra, rv);
    }
    release(value);
    return giveVector(dst, a);
  }
  Xmm dst = vectorResult(target, a);
  auto insert = [&](const auto& src) {
    switch (shape) {
      case Shape::I8x16: return as_.pinsrb(dst, ra, src, lane);
      case Shape::I16x8: return as_.pinsrw(dst, ra, src, lane);
      case Shape::I32x4: return as_.pinsrd(dst, ra, src, lane);
      default: return as_.pinsrq(dst, ra, src, lane);
    }
  };
  if (value.inMemory()) {
    insert(memOf(value));
  } else {
    insert(use(value));
    release(value);
  }
  giveVector(dst, a);
}

// --- tests -------------------------------------------------------------------------------------------------------

void Compiler::anyTrue() {
  Operand a = pop();
  Xmm ra = useXmm(a);
  as_.ptest(ra, ra);
  release(a);
  pushCondition(Cond::ne);
}

// No lane equals zero.
void Compiler::allTrue(VectorBinary equal) {
  Operand a = pop();
  as_.zero(kFloatScratch);
  applyVector(form(equal), kFloatScratch, kFloatScratch, a);
  as_.ptest(kFloatScratch, kFloatScratch);
  release(a);
  pushCondition(Cond::e);
}

void Compiler::bitmask(Shape shape) {
  Operand a = pop();
  Xmm src = useXmm(a);
  Gpr dst = resultGpr(targetPin(false));
  switch (shape) {
    case Shape::I8x16: as_.pmovmskb(dst, src); break;
    case Shape::I16x8:
      as_.packsswb(kFloatScratch, src, src);
      as_.pmovmskb(dst, kFloatScratch);
      as_.movzx8(dst, dst);
      break;
    case Shape::I32x4: as_.movmskps(dst, src); break;
    default: as_.movmskpd(dst, src); break;
  }
  release(a);
  pushGpr(Type::I32, dst);
}

}  // namespace wattle::compile::baseline
