// i8x16.shuffle and i8x16.swizzle: the patterns that one or two instructions make, then any.
//
// A pattern has a number for each byte of the result: 0..15 a byte of the first operand, 16..31 of the second, kZero a
// zero.
#include <algorithm>
#include <cstring>

#include "runtime/compile/baseline/compiler.h"
#include "runtime/compile/baseline/simd_forms.h"

namespace wattle::compile::baseline {

namespace {
constexpr Xmm kT = kFloatScratch2;  // the assembler never uses this one by itself
constexpr uint8_t kZero = 0x80;     // also what pshufb makes zero of

VectorConstant constantOf(const Pattern& p) {
  VectorConstant c;
  std::memcpy(&c, p.data(), sizeof c);
  return c;
}
}  // namespace

// --- recognising -------------------------------------------------------------------------------------------------

namespace {

bool equals(const Pattern& p, auto&& expected) {
  for (unsigned i = 0; i < 16; ++i) {
    if (p[i] != expected(i)) return false;
  }
  return true;
}

// The pattern as one of groups of `bytes` bytes, each moved as a whole; false if it is none. Zeros are none.
bool grouped(const Pattern& p, unsigned bytes, uint8_t* groups) {
  for (unsigned g = 0; g < 16 / bytes; ++g) {
    const unsigned first = p[g * bytes];
    if (first % bytes != 0 || first >= 32) return false;
    for (unsigned i = 1; i < bytes; ++i) {
      if (p[g * bytes + i] != first + i) return false;
    }
    groups[g] = static_cast<uint8_t>(first / bytes);
  }
  return true;
}

uint8_t immediate(const uint8_t* groups) {
  return static_cast<uint8_t>((groups[0] & 3) | (groups[1] & 3) << 2 | (groups[2] & 3) << 4 | (groups[3] & 3) << 6);
}

// Of the `width`-byte units from `from` on, those of the first and second operand in turn.
bool interleaves(const Pattern& p, unsigned width, unsigned from, unsigned second) {
  return equals(p, [&](unsigned i) {
    const unsigned unit = i / width;
    return unit / 2 * width + i % width + from + (unit & 1 ? second : 0);
  });
}

}  // namespace

// --- one source --------------------------------------------------------------------------------------------------

// True if some instruction without a constant does it.
bool Compiler::shuffleOne(Xmm dst, Xmm src, const Pattern& p) {
  uint8_t g[8];
  if (grouped(p, 4, g)) {
    if (g[0] == 0 && g[1] == 0 && g[2] == 2 && g[3] == 2)
      as_.movsldup(dst, src);
    else if (g[0] == 1 && g[1] == 1 && g[2] == 3 && g[3] == 3)
      as_.movshdup(dst, src);
    else
      as_.pshufd(dst, src, immediate(g));
    return true;
  }
  if (grouped(p, 2, g)) {
    const bool lowStays = g[0] == 0 && g[1] == 1 && g[2] == 2 && g[3] == 3;
    const bool highStays = g[4] == 4 && g[5] == 5 && g[6] == 6 && g[7] == 7;
    if (highStays && std::all_of(g, g + 4, [](uint8_t x) { return x < 4; }))
      return as_.pshuflw(dst, src, immediate(g)), true;
    if (lowStays && std::all_of(g + 4, g + 8, [](uint8_t x) { return x >= 4; })) {
      return as_.pshufhw(dst, src, immediate(g + 4)), true;
    }
    if (as_.avx && equals(p, [](unsigned i) { return i & 1; })) return as_.vpbroadcastw(dst, src), true;
  }
  if (as_.avx && equals(p, [](unsigned) { return 0u; })) return as_.vpbroadcastb(dst, src), true;
  if (interleaves(p, 1, 0, 0)) return as_.punpcklbw(dst, src, src), true;
  if (interleaves(p, 1, 8, 0)) return as_.punpckhbw(dst, src, src), true;
  if (interleaves(p, 2, 0, 0)) return as_.punpcklwd(dst, src, src), true;
  if (interleaves(p, 2, 8, 0)) return as_.punpckhwd(dst, src, src), true;
  const unsigned turn = p[0];
  if (equals(p, [&](unsigned i) { return (i + turn) % 16; })) {
    return as_.palignr(dst, src, src, static_cast<uint8_t>(turn)), true;
  }
  return shuffleWithZeros(dst, src, p);
}

bool Compiler::shuffleWithZeros(Xmm dst, Xmm src, const Pattern& p) {
  auto extends = [&](unsigned from, unsigned to) {
    return equals(p, [&](unsigned i) { return i % to < from ? i / to * from + i % to : kZero; });
  };
  if (extends(1, 2)) return as_.pmovzxbw(dst, src), true;
  if (extends(1, 4)) return as_.pmovzxbd(dst, src), true;
  if (extends(1, 8)) return as_.pmovzxbq(dst, src), true;
  if (extends(2, 4)) return as_.pmovzxwd(dst, src), true;
  if (extends(2, 8)) return as_.pmovzxwq(dst, src), true;
  if (extends(4, 8)) return as_.pmovzxdq(dst, src), true;
  if (extends(8, 16)) return as_.movq(dst, src), true;
  const unsigned zeros =
      static_cast<unsigned>(std::find_if(p.begin(), p.end(), [](uint8_t x) { return x != kZero; }) - p.begin());
  if (zeros == 16) return as_.zero(dst), true;
  if (zeros > 0 && equals(p, [&](unsigned i) { return i < zeros ? kZero : i - zeros; })) {
    return as_.pslldq(dst, src, static_cast<uint8_t>(zeros)), true;
  }
  const unsigned down = p[0];
  if (down < 16 && equals(p, [&](unsigned i) { return i + down < 16 ? i + down : kZero; })) {
    return as_.psrldq(dst, src, static_cast<uint8_t>(down)), true;
  }
  return false;
}

void Compiler::shuffleOne(Operand a, const Pattern& p) {
  if (equals(p, [](unsigned i) { return i; })) return pushBack(a);
  Vectors v = holdVectors(a, {}, {}, 1);
  if (!shuffleOne(v.dst, v.ra, p)) {
    const auto [low, high] = constantOf(p);
    as_.pshufb(v.dst, v.ra, pooled(low, high, true));
  }
  give(v);
}

// --- two sources -------------------------------------------------------------------------------------------------

namespace {

Pattern exchanged(const Pattern& p) {
  Pattern q;
  for (unsigned i = 0; i < 16; ++i) q[i] = p[i] ^ 16;
  return q;
}

// The part of a pattern that is of one operand, zeros elsewhere.
Pattern part(const Pattern& p, bool second) {
  Pattern q;
  for (unsigned i = 0; i < 16; ++i) q[i] = (p[i] >= 16) == second ? p[i] & 15 : kZero;
  return q;
}

Pattern maskOf(const Pattern& p, bool second) {
  Pattern q;
  for (unsigned i = 0; i < 16; ++i) q[i] = (p[i] >= 16) == second ? 0xff : 0;
  return q;
}

// Whether all bytes of one operand stay where they are.
bool stays(const Pattern& p, bool second) {
  for (unsigned i = 0; i < 16; ++i) {
    if ((p[i] >= 16) == second && (p[i] & 15) != i) return false;
  }
  return true;
}

// The mask of pblendw, if both bytes of each word are of the same operand.
bool blendsWords(const Pattern& p, uint8_t& mask) {
  mask = 0;
  for (unsigned i = 0; i < 8; ++i) {
    if ((p[2 * i] ^ p[2 * i + 1]) & 16) return false;
    if (p[2 * i] & 16) mask |= static_cast<uint8_t>(1u << i);
  }
  return true;
}

}  // namespace

// One instruction of two registers, in this order of them; any aliasing.
bool Compiler::shuffleTwo(Xmm dst, Xmm a, Xmm b, const Pattern& p) {
  if (interleaves(p, 1, 0, 16)) return as_.punpcklbw(dst, a, b), true;
  if (interleaves(p, 1, 8, 16)) return as_.punpckhbw(dst, a, b), true;
  if (interleaves(p, 2, 0, 16)) return as_.punpcklwd(dst, a, b), true;
  if (interleaves(p, 2, 8, 16)) return as_.punpckhwd(dst, a, b), true;
  if (interleaves(p, 4, 0, 16)) return as_.punpckldq(dst, a, b), true;
  if (interleaves(p, 4, 8, 16)) return as_.punpckhdq(dst, a, b), true;
  if (interleaves(p, 8, 0, 16)) return as_.punpcklqdq(dst, a, b), true;
  if (interleaves(p, 8, 8, 16)) return as_.punpckhqdq(dst, a, b), true;
  const unsigned from = p[0];
  if (from < 16 && equals(p, [&](unsigned i) { return i + from; })) {
    return as_.palignr(dst, b, a, static_cast<uint8_t>(from)), true;  // the low part is the second operand
  }
  uint8_t mask, g[4];
  if (stays(p, false) && stays(p, true) && blendsWords(p, mask)) {
    return as_.pblendw(dst, a, b, mask), true;
  }
  if (grouped(p, 4, g) && g[0] < 4 && g[1] < 4 && g[2] >= 4 && g[3] >= 4)
    return as_.shufps(dst, a, b, immediate(g)), true;
  return false;
}

// The low or the high bytes of all words, and of double words their high words.
bool Compiler::shufflePacking(const Vectors& v, const Pattern& p) {
  if (equals(p, [](unsigned i) { return 2 * i; })) {
    constexpr uint64_t kLowBytes = repeat16(0xff);
    as_.pand(kT, v.rb, pooled(kLowBytes, kLowBytes, true));
    as_.pand(v.dst, v.ra, pooled(kLowBytes, kLowBytes, true));
    return as_.packuswb(v.dst, v.dst, kT), true;
  }
  if (equals(p, [](unsigned i) { return 2 * i + 1; })) {
    as_.psrlw(kT, v.rb, 8);
    as_.psrlw(v.dst, v.ra, 8);
    return as_.packuswb(v.dst, v.dst, kT), true;
  }
  if (equals(p, [](unsigned i) { return i / 2 * 4 + i % 2 + 2; })) {
    as_.psrad(kT, v.rb, 16);
    as_.psrad(v.dst, v.ra, 16);
    return as_.packssdw(v.dst, v.dst, kT), true;
  }
  return false;
}

// dst is ra or neither of them.
void Compiler::shuffleAny(const Vectors& v, const Pattern& p) {
  if (shufflePacking(v, p)) return;
  uint8_t mask;
  const Pattern ofA = part(p, false), ofB = part(p, true);
  const bool aStays = stays(p, false), bStays = stays(p, true);
  if (aStays && bStays) {
    const auto a = constantOf(maskOf(p, false)), b = constantOf(maskOf(p, true));
    as_.pand(kT, v.rb, pooled(b.low, b.high, true));
    as_.pand(v.dst, v.ra, pooled(a.low, a.high, true));
    return as_.por(v.dst, v.dst, kT);
  }
  auto move = [&](Xmm dst, Xmm src, const Pattern& own) {
    uint8_t g[8];
    Pattern whole = own;  // what is not wanted may be anything: what keeps double words together
    for (unsigned d = 0; d < 16; d += 4) {
      if (std::all_of(&own[d], &own[d] + 4, [](uint8_t x) { return x == kZero; })) {
        for (unsigned i = 0; i < 4; ++i) whole[d + i] = static_cast<uint8_t>(d + i);
      }
    }
    if (grouped(whole, 4, g)) return as_.pshufd(dst, src, immediate(g));
    const auto [low, high] = constantOf(own);
    as_.pshufb(dst, src, pooled(low, high, true));
  };
  if (blendsWords(p, mask)) {
    uint8_t g[4];
    if (aStays || bStays || grouped(p, 4, g)) {
      if (!bStays) move(kT, v.rb, ofB);
      if (!aStays) move(v.dst, v.ra, ofA);
      return as_.pblendw(v.dst, aStays ? v.ra : v.dst, bStays ? v.rb : kT, mask);
    }
  }
  if (ctx_.cpu.has(x64::CpuFeature::avx512Vbmi)) {
    const bool inPlace = v.dst == v.ra;
    loadVector(inPlace ? kT : v.dst, constantOf(p));
    return inPlace ? evex(kVpermt2b, v.dst, kT, v.rb) : evex(kVpermi2b, v.dst, v.ra, v.rb);
  }
  const auto a = constantOf(ofA), b = constantOf(ofB);
  as_.pshufb(kT, v.rb, pooled(b.low, b.high, true));
  as_.pshufb(v.dst, v.ra, pooled(a.low, a.high, true));
  as_.por(v.dst, v.dst, kT);
}

void Compiler::shuffle(const std::array<uint8_t, 16>& lanes) {
  Operand b = pop(), a = pop();
  Pattern p = lanes;
  const bool sameLocal = a.isLocal() && b.isLocal() && a.index() == b.index();
  const bool zero = b.isConst() && (vectorConstant_.low | vectorConstant_.high) == 0;
  bool usesA = false, usesB = false;
  for (uint8_t& lane : p) {
    if (sameLocal) lane &= 15;
    if (zero && lane >= 16) lane = kZero;
    usesA |= lane < 16;
    usesB |= lane >= 16 && lane != kZero;
  }
  if (!usesB) {
    release(b);
    return shuffleOne(a, p);
  }
  if (!usesA) {
    release(a);
    if (b.isConst()) useVector(b);
    return shuffleOne(b, part(p, true));
  }
  Vectors v = holdVectors(a, b, {}, 2);
  if (!shuffleTwo(v.dst, v.ra, v.rb, p) && !shuffleTwo(v.dst, v.rb, v.ra, exchanged(p))) shuffleAny(v, p);
  give(v);
}

// --- swizzle -----------------------------------------------------------------------------------------------------

// pshufb takes the low bits of numbers below 128; adding 0x70 with saturation makes all from 16 up too large.
void Compiler::swizzle() {
  if (top_[-1].isConst()) {
    pop();
    Pattern p;
    std::memcpy(p.data(), &vectorConstant_, 16);
    for (uint8_t& lane : p) lane = lane < 16 ? lane : kZero;
    return shuffleOne(pop(), p);
  }
  constexpr uint64_t kAdd = repeat8(0x70);
  Vectors v = takeVectors(2);
  as_.paddusb(kT, v.rb, pooled(kAdd, kAdd, true));
  as_.pshufb(v.dst, v.ra, kT);
  give(v);
}

}  // namespace wattle::compile::baseline
