// Floating-point and SIMD instructions under their SSE names. With avx set (AVX and AVX2 present) the VEX form is
// emitted; without, dst = a is moved first where it must be, so both modes take three operands and any aliasing of
// them. Operands: Xmm, Mem, or a Label for a constant near the code (not with an immediate).
//
// Without AVX, memory operands of packed instructions other than movups/movdqu/movupd must be aligned to their size.
#pragma once

#include "runtime/compile/x64/assembler_int.h"

namespace wattle::x64 {

class AssemblerSimd : public AssemblerInt {
 public:
  using AssemblerInt::AssemblerInt;

  // Set once for the life of the assembler's output.
  bool avx = false;

  // In SSE mode this register is clobbered by `op(x, a, x)` when a != x and the operands cannot be swapped.
  static constexpr Xmm kSseScratch = Xmm::xmm15;

#define WATTLE_SPEC(pp, map, opcode) \
  OpSpec { opcode, Pp::pp, Map::map }
#define X3(name, pp, map, opcode)                                                                \
  void name(Xmm dst, Xmm a, Xmm b) { three<false>(WATTLE_SPEC(pp, map, opcode), dst, a, b); }    \
  void name(Xmm dst, Xmm a, const Mem& b) { threeMem(WATTLE_SPEC(pp, map, opcode), dst, a, b); } \
  void name(Xmm dst, Xmm a, Label& b) { threeMem(WATTLE_SPEC(pp, map, opcode), dst, a, b); }
#define X3C(name, pp, map, opcode)                                                               \
  void name(Xmm dst, Xmm a, Xmm b) { three<true>(WATTLE_SPEC(pp, map, opcode), dst, a, b); }     \
  void name(Xmm dst, Xmm a, const Mem& b) { threeMem(WATTLE_SPEC(pp, map, opcode), dst, a, b); } \
  void name(Xmm dst, Xmm a, Label& b) { threeMem(WATTLE_SPEC(pp, map, opcode), dst, a, b); }
#define X3I(name, pp, map, opcode)                         \
  void name(Xmm dst, Xmm a, Xmm b, uint8_t imm) {          \
    three<false>(WATTLE_SPEC(pp, map, opcode), dst, a, b); \
    emit8(imm);                                            \
  }                                                        \
  void name(Xmm dst, Xmm a, const Mem& b, uint8_t imm) {   \
    threeMem(WATTLE_SPEC(pp, map, opcode), dst, a, b);     \
    emit8(imm);                                            \
  }
#define X2(name, pp, map, opcode)                                                          \
  void name(Xmm dst, Xmm src) { two(WATTLE_SPEC(pp, map, opcode), num(dst), src); }        \
  void name(Xmm dst, const Mem& src) { two(WATTLE_SPEC(pp, map, opcode), num(dst), src); } \
  void name(Xmm dst, Label& src) { two(WATTLE_SPEC(pp, map, opcode), num(dst), src); }
#define X2I(name, pp, map, opcode)                    \
  void name(Xmm dst, Xmm src, uint8_t imm) {          \
    two(WATTLE_SPEC(pp, map, opcode), num(dst), src); \
    emit8(imm);                                       \
  }                                                   \
  void name(Xmm dst, const Mem& src, uint8_t imm) {   \
    two(WATTLE_SPEC(pp, map, opcode), num(dst), src); \
    emit8(imm);                                       \
  }
#define XS(name, pp, map, opcode)                                                        \
  void name(Xmm dst, Xmm src) { scalar(WATTLE_SPEC(pp, map, opcode), dst, src); }        \
  void name(Xmm dst, const Mem& src) { scalar(WATTLE_SPEC(pp, map, opcode), dst, src); } \
  void name(Xmm dst, Label& src) { scalar(WATTLE_SPEC(pp, map, opcode), dst, src); }
#define XSI(name, pp, map, opcode)                  \
  void name(Xmm dst, Xmm src, uint8_t imm) {        \
    scalar(WATTLE_SPEC(pp, map, opcode), dst, src); \
    emit8(imm);                                     \
  }                                                 \
  void name(Xmm dst, const Mem& src, uint8_t imm) { \
    scalar(WATTLE_SPEC(pp, map, opcode), dst, src); \
    emit8(imm);                                     \
  }
#define XSH(name, opcode, ext, immediateOpcode)                                                                        \
  void name(Xmm dst, Xmm a, uint8_t imm) { shiftImmediate(WATTLE_SPEC(p66, m0f, immediateOpcode), ext, dst, a, imm); } \
  void name(Xmm dst, Xmm a, Xmm count) { three<false>(WATTLE_SPEC(p66, m0f, opcode), dst, a, count); }                 \
  void name(Xmm dst, Xmm a, const Mem& count) { threeMem(WATTLE_SPEC(p66, m0f, opcode), dst, a, count); }
#define XLD(name, pp, map, opcode)                                                         \
  void name(Xmm dst, const Mem& src) { two(WATTLE_SPEC(pp, map, opcode), num(dst), src); } \
  void name(Xmm dst, Label& src) { two(WATTLE_SPEC(pp, map, opcode), num(dst), src); }
#define XST(name, pp, map, opcode) \
  void name(const Mem& dst, Xmm src) { two(WATTLE_SPEC(pp, map, opcode), num(src), dst); }
#define XR3(name, pp, map, opcode) \
  void name(Xmm dst, Xmm a, Xmm b) { three<false>(WATTLE_SPEC(pp, map, opcode), dst, a, b); }
#define XHL(name, pp, map, opcode) \
  void name(Xmm dst, Xmm a, const Mem& b) { threeMem(WATTLE_SPEC(pp, map, opcode), dst, a, b); }
#define V3(name, w, opcode)                                                                                  \
  void name(Xmm dst, Xmm a, Xmm b) { vexOnly(OpSpec{opcode, Pp::p66, Map::m38, w}, dst, num(a), b); }        \
  void name(Xmm dst, Xmm a, const Mem& b) { vexOnly(OpSpec{opcode, Pp::p66, Map::m38, w}, dst, num(a), b); } \
  void name(Xmm dst, Xmm a, Label& b) { vexOnly(OpSpec{opcode, Pp::p66, Map::m38, w}, dst, num(a), b); }
#define V2(name, opcode)                                                                      \
  void name(Xmm dst, Xmm src) { vexOnly(WATTLE_SPEC(p66, m38, opcode), dst, 0, src); }        \
  void name(Xmm dst, const Mem& src) { vexOnly(WATTLE_SPEC(p66, m38, opcode), dst, 0, src); } \
  void name(Xmm dst, Label& src) { vexOnly(WATTLE_SPEC(p66, m38, opcode), dst, 0, src); }
#include "runtime/compile/x64/assembler_simd.def"

  // A register move, if the registers differ.
  WATTLE_X64_INLINE void mov(Xmm dst, Xmm src) {
    if (dst != src) movaps(dst, src);
  }
  using AssemblerInt::mov;
  using AssemblerInt::zero;
  void zero(Xmm dst) { xorps(dst, dst, dst); }
  void ones(Xmm dst) { pcmpeqd(dst, dst, dst); }

  // Whole-register byte shifts.
  void pslldq(Xmm dst, Xmm a, uint8_t imm) { shiftImmediate(WATTLE_SPEC(p66, m0f, 0x73), 7, dst, a, imm); }
  void psrldq(Xmm dst, Xmm a, uint8_t imm) { shiftImmediate(WATTLE_SPEC(p66, m0f, 0x73), 3, dst, a, imm); }

  // ---- between register files ----
  void movd(Xmm dst, Gpr src) { two(WATTLE_SPEC(p66, m0f, 0x6e), num(dst), src); }
  void movd(Gpr dst, Xmm src) { two(WATTLE_SPEC(p66, m0f, 0x7e), num(src), dst); }
  void movd(Xmm dst, const Mem& src) { two(WATTLE_SPEC(p66, m0f, 0x6e), num(dst), src); }
  void movd(const Mem& dst, Xmm src) { two(WATTLE_SPEC(p66, m0f, 0x7e), num(src), dst); }
  void movq(Xmm dst, Gpr src) { two(wide(WATTLE_SPEC(p66, m0f, 0x6e), w64), num(dst), src); }
  void movq(Gpr dst, Xmm src) { two(wide(WATTLE_SPEC(p66, m0f, 0x7e), w64), num(src), dst); }
  // movd or movq
  void mov(Width w, Xmm dst, Gpr src) { two(wide(WATTLE_SPEC(p66, m0f, 0x6e), w), num(dst), src); }
  void mov(Width w, Gpr dst, Xmm src) { two(wide(WATTLE_SPEC(p66, m0f, 0x7e), w), num(src), dst); }

  void movmskps(Gpr dst, Xmm src) { two(WATTLE_SPEC(np, m0f, 0x50), num(dst), src); }
  void movmskpd(Gpr dst, Xmm src) { two(WATTLE_SPEC(p66, m0f, 0x50), num(dst), src); }
  void pmovmskb(Gpr dst, Xmm src) { two(WATTLE_SPEC(p66, m0f, 0xd7), num(dst), src); }

  // Integer to float. The rest of dst is kept, and with it a dependency: zero(dst) beforehand is worth its while.
#define WATTLE_FROM_INT(name, pp)                                                                     \
  void name(Width w, Xmm dst, Gpr src) { merge(wide(WATTLE_SPEC(pp, m0f, 0x2a), w), dst, dst, src); } \
  void name(Width w, Xmm dst, const Mem& src) { merge(wide(WATTLE_SPEC(pp, m0f, 0x2a), w), dst, dst, src); }
  WATTLE_FROM_INT(cvtsi2ss, pf3)
  WATTLE_FROM_INT(cvtsi2sd, pf2)
#undef WATTLE_FROM_INT
  // Float to integer; w is the width of the result.
#define WATTLE_TO_INT(name, pp, opcode)                                                               \
  void name(Width w, Gpr dst, Xmm src) { two(wide(WATTLE_SPEC(pp, m0f, opcode), w), num(dst), src); } \
  void name(Width w, Gpr dst, const Mem& src) { two(wide(WATTLE_SPEC(pp, m0f, opcode), w), num(dst), src); }
  WATTLE_TO_INT(cvttss2si, pf3, 0x2c)
  WATTLE_TO_INT(cvttsd2si, pf2, 0x2c)
  WATTLE_TO_INT(cvtss2si, pf3, 0x2d)
  WATTLE_TO_INT(cvtsd2si, pf2, 0x2d)
#undef WATTLE_TO_INT

  // ---- lanes ----
#define WATTLE_INSERT(name, map, opcode, w)                          \
  void name(Xmm dst, Xmm a, Gpr src, uint8_t lane) {                 \
    insert(OpSpec{opcode, Pp::p66, Map::map, w}, dst, a, src, lane); \
  }                                                                  \
  void name(Xmm dst, Xmm a, const Mem& src, uint8_t lane) {          \
    insert(OpSpec{opcode, Pp::p66, Map::map, w}, dst, a, src, lane); \
  }
  WATTLE_INSERT(pinsrb, m3a, 0x20, 0)
  WATTLE_INSERT(pinsrw, m0f, 0xc4, 0)
  WATTLE_INSERT(pinsrd, m3a, 0x22, 0)
  WATTLE_INSERT(pinsrq, m3a, 0x22, 1)
#undef WATTLE_INSERT
#define WATTLE_EXTRACT(name, opcode, w)                                                                        \
  void name(Gpr dst, Xmm src, uint8_t lane) { extract(OpSpec{opcode, Pp::p66, Map::m3a, w}, dst, src, lane); } \
  void name(const Mem& dst, Xmm src, uint8_t lane) { extract(OpSpec{opcode, Pp::p66, Map::m3a, w}, dst, src, lane); }
  WATTLE_EXTRACT(pextrb, 0x14, 0)
  WATTLE_EXTRACT(pextrd, 0x16, 0)
  WATTLE_EXTRACT(pextrq, 0x16, 1)
  WATTLE_EXTRACT(extractps, 0x17, 0)
#undef WATTLE_EXTRACT
  void pextrw(Gpr dst, Xmm src, uint8_t lane) {
    two(WATTLE_SPEC(p66, m0f, 0xc5), num(dst), src);
    emit8(lane);
  }
  void pextrw(const Mem& dst, Xmm src, uint8_t lane) { extract(WATTLE_SPEC(p66, m3a, 0x15), dst, src, lane); }

  // ---- blends: dst = mask ? b : a, by the top bit of each byte, float or double of the mask ----
  // In SSE mode the mask must be xmm0, and dst neither the mask nor (unless a is, too) b.
  void pblendvb(Xmm dst, Xmm a, Xmm b, Xmm mask) { blend(0x4c, 0x10, dst, a, b, mask); }
  void blendvps(Xmm dst, Xmm a, Xmm b, Xmm mask) { blend(0x4a, 0x14, dst, a, b, mask); }
  void blendvpd(Xmm dst, Xmm a, Xmm b, Xmm mask) { blend(0x4b, 0x15, dst, a, b, mask); }

  void vzeroupper() { put(0x77f8c5, 3); }

 private:
  static constexpr OpSpec wide(OpSpec s, Width w) {
    s.w = w == w64;
    return s;
  }

  template <class Rm>
  void two(OpSpec s, unsigned reg, Rm&& rm) {
    if (avx) {
      vex(s, reg, 0, rm);
    } else {
      sse(s, reg, rm);
    }
  }
  template <bool kCommutative>
  void three(OpSpec s, Xmm dst, Xmm a, Xmm b) {
    if (avx) return vex(s, num(dst), num(a), b);
    if (dst != a) {
      if (dst != b) {
        movapsSse(dst, a);
      } else if constexpr (kCommutative) {
        b = a;
      } else {
        assert(a != kSseScratch && dst != kSseScratch);
        movapsSse(kSseScratch, b);
        movapsSse(dst, a);
        b = kSseScratch;
      }
    }
    sse(s, num(dst), b);
  }
  template <class Rm>
  void threeMem(OpSpec s, Xmm dst, Xmm a, Rm&& b) {
    if (avx) return vex(s, num(dst), num(a), b);
    if (dst != a) movapsSse(dst, a);
    sse(s, num(dst), b);
  }
  // A scalar result from src alone: VEX takes the rest from src, which is known to be ready.
  void scalar(OpSpec s, Xmm dst, Xmm src) { merge(s, dst, src, src); }
  template <class Rm>
  void scalar(OpSpec s, Xmm dst, Rm&& src) {
    merge(s, dst, dst, src);
  }
  template <class Rm>
  void merge(OpSpec s, Xmm dst, Xmm rest, Rm&& src) {
    if (avx) {
      vex(s, num(dst), num(rest), src);
    } else {
      sse(s, num(dst), src);
    }
  }
  template <class Rm>
  void vexOnly(OpSpec s, Xmm dst, unsigned v, Rm&& rm) {
    assert(avx);
    vex(s, num(dst), v, rm);
  }
  void shiftImmediate(OpSpec s, unsigned ext, Xmm dst, Xmm a, uint8_t imm) {
    if (avx) {
      vex(s, ext, num(dst), a);
    } else {
      if (dst != a) movapsSse(dst, a);
      sse(s, ext, dst);
    }
    emit8(imm);
  }
  template <class Rm>
  void insert(OpSpec s, Xmm dst, Xmm a, Rm&& src, uint8_t lane) {
    threeMem(s, dst, a, src);
    emit8(lane);
  }
  template <class Rm>
  void extract(OpSpec s, Rm&& dst, Xmm src, uint8_t lane) {
    two(s, num(src), dst);
    emit8(lane);
  }
  void blend(uint8_t vexOpcode, uint8_t sseOpcode, Xmm dst, Xmm a, Xmm b, Xmm mask) {
    if (avx) {
      vex(OpSpec{vexOpcode, Pp::p66, Map::m3a}, num(dst), num(a), b);
      emit8(static_cast<uint8_t>(num(mask) << 4));
    } else {
      assert(mask == Xmm::xmm0 && dst != mask);
      three<false>(OpSpec{sseOpcode, Pp::p66, Map::m38}, dst, a, b);
    }
  }
  WATTLE_X64_INLINE void movapsSse(Xmm dst, Xmm src) { sse(WATTLE_SPEC(np, m0f, 0x28), num(dst), src); }
#undef WATTLE_SPEC
};

}  // namespace wattle::x64
