// Integer instructions. Operands are told apart by type: (Gpr, Gpr), (Gpr, Mem), (Mem, Gpr), (Gpr, int32), (Mem,
// int32); a Label as the last operand is a rip-relative one. The destination comes first.
#pragma once

#include "runtime/compile/x64/assembler_base.h"

namespace wattle::x64 {

enum class AluOp : uint8_t { add, or_, adc, sbb, and_, sub, xor_, cmp };
enum class ShiftOp : uint8_t { rol = 0, ror = 1, shl = 4, shr = 5, sar = 7 };

class AssemblerInt : public AssemblerBase {
 public:
  using AssemblerBase::AssemblerBase;

  // ---- arithmetic and logic, all widths ----
  WATTLE_X64_INLINE void alu(AluOp op, Width w, Gpr dst, Gpr src) {
    legacy(w, opcodeOf(op, 2, w), 1, num(dst), src, byteRex(w, dst) || byteRex(w, src));
  }
  WATTLE_X64_INLINE void alu(AluOp op, Width w, Gpr dst, const Mem& src) {
    legacy(w, opcodeOf(op, 2, w), 1, num(dst), src, byteRex(w, dst));
  }
  WATTLE_X64_INLINE void alu(AluOp op, Width w, Gpr dst, Label& src) {
    legacy(w, opcodeOf(op, 2, w), 1, num(dst), src, byteRex(w, dst));
  }
  WATTLE_X64_INLINE void alu(AluOp op, Width w, const Mem& dst, Gpr src) {
    legacy(w, opcodeOf(op, 0, w), 1, num(src), dst, byteRex(w, src));
  }
  WATTLE_X64_INLINE void alu(AluOp op, Width w, Gpr dst, int32_t imm) { aluImm(op, w, dst, imm, byteRex(w, dst)); }
  WATTLE_X64_INLINE void alu(AluOp op, Width w, const Mem& dst, int32_t imm) { aluImm(op, w, dst, imm, false); }

  // add(w, dst, src) and so on, with every operand combination of alu().
#define WATTLE_ALU(name, op)                                        \
  template <class Dst, class Src>                                   \
  WATTLE_X64_INLINE void name(Width w, const Dst& dst, Src&& src) { \
    alu(AluOp::op, w, dst, src);                                    \
  }
  WATTLE_ALU(add, add)
  WATTLE_ALU(or_, or_)
  WATTLE_ALU(adc, adc)
  WATTLE_ALU(sbb, sbb)
  WATTLE_ALU(and_, and_)
  WATTLE_ALU(sub, sub)
  WATTLE_ALU(xor_, xor_)
  WATTLE_ALU(cmp, cmp)
#undef WATTLE_ALU

  // dst = 0; changes the flags.
  WATTLE_X64_INLINE void zero(Gpr dst) { alu(AluOp::xor_, w32, dst, dst); }

  WATTLE_X64_INLINE void test(Width w, Gpr a, Gpr b) {
    legacy(w, w == w8 ? 0x84 : 0x85, 1, num(b), a, byteRex(w, a) || byteRex(w, b));
  }
  WATTLE_X64_INLINE void test(Width w, const Mem& a, Gpr b) {
    legacy(w, w == w8 ? 0x84 : 0x85, 1, num(b), a, byteRex(w, b));
  }
  void test(Width w, Gpr a, int32_t imm) {
    // A byte test sets the same zero flag when the mask is below 0x80; the sign flag is clear in both.
    if (w != w16 && imm >= 0 && imm < 0x80) w = w8;
    legacy(w, w == w8 ? 0xf6 : 0xf7, 1, 0, a, byteRex(w, a));
    putImm(w, imm);
  }
  void test(Width w, const Mem& a, int32_t imm) {
    legacy(w, w == w8 ? 0xf6 : 0xf7, 1, 0, a);
    putImm(w, imm);
  }

  // ---- moves ----
  // A w32 move of a register to itself is emitted: it clears the upper half.
  WATTLE_X64_INLINE void mov(Width w, Gpr dst, Gpr src) {
    legacy(w, w == w8 ? 0x8a : 0x8b, 1, num(dst), src, byteRex(w, dst) || byteRex(w, src));
  }
  WATTLE_X64_INLINE void mov(Width w, Gpr dst, const Mem& src) {
    legacy(w, w == w8 ? 0x8a : 0x8b, 1, num(dst), src, byteRex(w, dst));
  }
  WATTLE_X64_INLINE void mov(Width w, Gpr dst, Label& src) {
    legacy(w, w == w8 ? 0x8a : 0x8b, 1, num(dst), src, byteRex(w, dst));
  }
  WATTLE_X64_INLINE void mov(Width w, const Mem& dst, Gpr src) {
    legacy(w, w == w8 ? 0x88 : 0x89, 1, num(src), dst, byteRex(w, src));
  }
  // w64: the immediate is sign-extended.
  WATTLE_X64_INLINE void mov(Width w, const Mem& dst, int32_t imm) {
    legacy(w, w == w8 ? 0xc6 : 0xc7, 1, 0, dst);
    putImm(w, imm);
  }
  // The 64-bit register becomes the zero-extended 32-bit value. Flags are kept.
  WATTLE_X64_INLINE void movImm32(Gpr dst, uint32_t imm) {
    bool need = num(dst) >= 8;
    uint64_t head = (0xb8u | (num(dst) & 7)) | static_cast<uint64_t>(imm) << 8;
    put(need ? head << 8 | 0x41 : head, 5u + need);
  }
  // The shortest form. Flags are kept.
  void movImm64(Gpr dst, uint64_t imm) {
    if (imm == static_cast<uint32_t>(imm)) return movImm32(dst, static_cast<uint32_t>(imm));
    if (imm == static_cast<uint64_t>(static_cast<int64_t>(static_cast<int32_t>(imm)))) {
      legacy(w64, 0xc7, 1, 0, dst);
      emit32(static_cast<uint32_t>(imm));
      return;
    }
    put((0x48u | num(dst) >> 3) | (0xb8u | (num(dst) & 7)) << 8, 2);
    emit64(imm);
  }
  // Zero extension clears all of the upper part.
  WATTLE_X64_INLINE void movzx8(Gpr dst, Gpr src) { legacy(w32, 0xb60f, 2, num(dst), src, byteRex(w8, src)); }
  WATTLE_X64_INLINE void movzx8(Gpr dst, const Mem& src) { legacy(w32, 0xb60f, 2, num(dst), src); }
  WATTLE_X64_INLINE void movzx16(Gpr dst, Gpr src) { legacy(w32, 0xb70f, 2, num(dst), src); }
  WATTLE_X64_INLINE void movzx16(Gpr dst, const Mem& src) { legacy(w32, 0xb70f, 2, num(dst), src); }
  // Sign extension to w32 (the upper half is zero) or w64.
  WATTLE_X64_INLINE void movsx8(Width w, Gpr dst, Gpr src) { legacy(w, 0xbe0f, 2, num(dst), src, byteRex(w8, src)); }
  WATTLE_X64_INLINE void movsx8(Width w, Gpr dst, const Mem& src) { legacy(w, 0xbe0f, 2, num(dst), src); }
  WATTLE_X64_INLINE void movsx16(Width w, Gpr dst, Gpr src) { legacy(w, 0xbf0f, 2, num(dst), src); }
  WATTLE_X64_INLINE void movsx16(Width w, Gpr dst, const Mem& src) { legacy(w, 0xbf0f, 2, num(dst), src); }
  WATTLE_X64_INLINE void movsxd(Gpr dst, Gpr src) { legacy(w64, 0x63, 1, num(dst), src); }
  WATTLE_X64_INLINE void movsxd(Gpr dst, const Mem& src) { legacy(w64, 0x63, 1, num(dst), src); }

  WATTLE_X64_INLINE void lea(Width w, Gpr dst, const Mem& src) { legacy(w, 0x8d, 1, num(dst), src); }
  WATTLE_X64_INLINE void leaRip(Gpr dst, Label& l) { legacy(w64, 0x8d, 1, num(dst), l); }

  WATTLE_X64_INLINE void xchg(Width w, Gpr a, Gpr b) {
    legacy(w, w == w8 ? 0x86 : 0x87, 1, num(b), a, byteRex(w, a) || byteRex(w, b));
  }
  // Atomic without a lock prefix.
  WATTLE_X64_INLINE void xchg(Width w, const Mem& m, Gpr r) {
    legacy(w, w == w8 ? 0x86 : 0x87, 1, num(r), m, byteRex(w, r));
  }

  // ---- multiplication and division (w32, w64) ----
  WATTLE_X64_INLINE void imul(Width w, Gpr dst, Gpr src) { legacy(w, 0xaf0f, 2, num(dst), src); }
  WATTLE_X64_INLINE void imul(Width w, Gpr dst, const Mem& src) { legacy(w, 0xaf0f, 2, num(dst), src); }
  WATTLE_X64_INLINE void imul(Width w, Gpr dst, Gpr src, int32_t imm) { imulImm(w, dst, src, imm); }
  WATTLE_X64_INLINE void imul(Width w, Gpr dst, const Mem& src, int32_t imm) { imulImm(w, dst, src, imm); }

  // rdx:rax = rax * src; rax, rdx = rdx:rax / src
#define WATTLE_UNARY(name, ext)                                                             \
  void name(Width w, Gpr r) { legacy(w, w == w8 ? 0xf6 : 0xf7, 1, ext, r, byteRex(w, r)); } \
  void name(Width w, const Mem& m) { legacy(w, w == w8 ? 0xf6 : 0xf7, 1, ext, m); }
  WATTLE_UNARY(not_, 2)
  WATTLE_UNARY(neg, 3)
  WATTLE_UNARY(mul, 4)
  WATTLE_UNARY(imulWide, 5)
  WATTLE_UNARY(div, 6)
  WATTLE_UNARY(idiv, 7)
#undef WATTLE_UNARY
  void cdq() { emit8(0x99); }
  void cqo() { emit16(0x9948); }
  // cdq or cqo
  void signExtendAcc(Width w) { w == w64 ? cqo() : cdq(); }

  // ---- shifts and rotates ----
  WATTLE_X64_INLINE void shift(ShiftOp op, Width w, Gpr r, uint8_t imm) { shiftImm(op, w, r, imm, byteRex(w, r)); }
  WATTLE_X64_INLINE void shift(ShiftOp op, Width w, const Mem& m, uint8_t imm) { shiftImm(op, w, m, imm, false); }
  WATTLE_X64_INLINE void shiftCl(ShiftOp op, Width w, Gpr r) {
    legacy(w, w == w8 ? 0xd2 : 0xd3, 1, static_cast<unsigned>(op), r, byteRex(w, r));
  }
  WATTLE_X64_INLINE void shiftCl(ShiftOp op, Width w, const Mem& m) {
    legacy(w, w == w8 ? 0xd2 : 0xd3, 1, static_cast<unsigned>(op), m);
  }
#define WATTLE_SHIFT(name)                                                    \
  void name(Width w, Gpr r, uint8_t imm) { shift(ShiftOp::name, w, r, imm); } \
  void name##Cl(Width w, Gpr r) { shiftCl(ShiftOp::name, w, r); }
  WATTLE_SHIFT(rol)
  WATTLE_SHIFT(ror)
  WATTLE_SHIFT(shl)
  WATTLE_SHIFT(shr)
  WATTLE_SHIFT(sar)
#undef WATTLE_SHIFT
  void shld(Width w, Gpr dst, Gpr src, uint8_t imm) {
    legacy(w, 0xa40f, 2, num(src), dst);
    emit8(imm);
  }
  void shrd(Width w, Gpr dst, Gpr src, uint8_t imm) {
    legacy(w, 0xac0f, 2, num(src), dst);
    emit8(imm);
  }
  void shldCl(Width w, Gpr dst, Gpr src) { legacy(w, 0xa50f, 2, num(src), dst); }
  void shrdCl(Width w, Gpr dst, Gpr src) { legacy(w, 0xad0f, 2, num(src), dst); }

  // BMI2: no flags, any count register.
  void shlx(Width w, Gpr dst, Gpr src, Gpr count) { bmi(0xf7, Pp::p66, Map::m38, w, dst, count, src); }
  void shrx(Width w, Gpr dst, Gpr src, Gpr count) { bmi(0xf7, Pp::pf2, Map::m38, w, dst, count, src); }
  void sarx(Width w, Gpr dst, Gpr src, Gpr count) { bmi(0xf7, Pp::pf3, Map::m38, w, dst, count, src); }
  void shlx(Width w, Gpr dst, const Mem& src, Gpr count) { bmi(0xf7, Pp::p66, Map::m38, w, dst, count, src); }
  void shrx(Width w, Gpr dst, const Mem& src, Gpr count) { bmi(0xf7, Pp::pf2, Map::m38, w, dst, count, src); }
  void sarx(Width w, Gpr dst, const Mem& src, Gpr count) { bmi(0xf7, Pp::pf3, Map::m38, w, dst, count, src); }
  void rorx(Width w, Gpr dst, Gpr src, uint8_t imm) {
    bmi(0xf0, Pp::pf2, Map::m3a, w, dst, Gpr::rax, src);
    emit8(imm);
  }
  void rorx(Width w, Gpr dst, const Mem& src, uint8_t imm) {
    bmi(0xf0, Pp::pf2, Map::m3a, w, dst, Gpr::rax, src);
    emit8(imm);
  }
  // hi:lo = rdx * src, no flags
  void mulx(Width w, Gpr hi, Gpr lo, Gpr src) { bmi(0xf6, Pp::pf2, Map::m38, w, hi, lo, src); }
  void mulx(Width w, Gpr hi, Gpr lo, const Mem& src) { bmi(0xf6, Pp::pf2, Map::m38, w, hi, lo, src); }
  void bzhi(Width w, Gpr dst, Gpr src, Gpr index) { bmi(0xf5, Pp::np, Map::m38, w, dst, index, src); }
  void pdep(Width w, Gpr dst, Gpr src, Gpr mask) { bmi(0xf5, Pp::pf2, Map::m38, w, dst, src, mask); }
  void pext(Width w, Gpr dst, Gpr src, Gpr mask) { bmi(0xf5, Pp::pf3, Map::m38, w, dst, src, mask); }
  // BMI1
  // dst = ~a & b
  void andn(Width w, Gpr dst, Gpr a, Gpr b) { bmi(0xf2, Pp::np, Map::m38, w, dst, a, b); }
  void andn(Width w, Gpr dst, Gpr a, const Mem& b) { bmi(0xf2, Pp::np, Map::m38, w, dst, a, b); }
  void blsr(Width w, Gpr dst, Gpr src) { bmi(0xf3, Pp::np, Map::m38, w, Gpr{1}, dst, src); }
  void blsmsk(Width w, Gpr dst, Gpr src) { bmi(0xf3, Pp::np, Map::m38, w, Gpr{2}, dst, src); }
  void blsi(Width w, Gpr dst, Gpr src) { bmi(0xf3, Pp::np, Map::m38, w, Gpr{3}, dst, src); }

  // ---- bits ----
#define WATTLE_BITS(name, opcode, prefix)                                                      \
  void name(Width w, Gpr dst, Gpr src) { legacy(w, opcode, 2, num(dst), src, false, prefix); } \
  void name(Width w, Gpr dst, const Mem& src) { legacy(w, opcode, 2, num(dst), src, false, prefix); }
  WATTLE_BITS(lzcnt, 0xbd0f, 0xf3)
  WATTLE_BITS(tzcnt, 0xbc0f, 0xf3)
  WATTLE_BITS(popcnt, 0xb80f, 0xf3)
  WATTLE_BITS(bsr, 0xbd0f, 0)
  WATTLE_BITS(bsf, 0xbc0f, 0)
#undef WATTLE_BITS
  void bt(Width w, Gpr r, Gpr bit) { legacy(w, 0xa30f, 2, num(bit), r); }
  void bt(Width w, Gpr r, uint8_t bit) {
    legacy(w, 0xba0f, 2, 4, r);
    emit8(bit);
  }
  void btr(Width w, Gpr r, uint8_t bit) {
    legacy(w, 0xba0f, 2, 6, r);
    emit8(bit);
  }
  void bts(Width w, Gpr r, uint8_t bit) {
    legacy(w, 0xba0f, 2, 5, r);
    emit8(bit);
  }
  void btc(Width w, Gpr r, uint8_t bit) {
    legacy(w, 0xba0f, 2, 7, r);
    emit8(bit);
  }
  // w32, w64
  void bswap(Width w, Gpr r) {
    unsigned rex = (w == w64 ? 8u : 0u) | num(r) >> 3;
    unsigned op = 0x0fu | (0xc8u | (num(r) & 7)) << 8;
    put(rex ? op << 8 | 0x40 | rex : op, 2u + (rex != 0));
  }

  // ---- conditions ----
  // Writes the low byte only.
  WATTLE_X64_INLINE void setcc(Cond c, Gpr r) { legacy(w32, 0x900f | num(c) << 8, 2, 0, r, byteRex(w8, r)); }
  WATTLE_X64_INLINE void setcc(Cond c, const Mem& m) { legacy(w32, 0x900f | num(c) << 8, 2, 0, m); }
  WATTLE_X64_INLINE void cmov(Cond c, Width w, Gpr dst, Gpr src) { legacy(w, 0x400f | num(c) << 8, 2, num(dst), src); }
  WATTLE_X64_INLINE void cmov(Cond c, Width w, Gpr dst, const Mem& src) {
    legacy(w, 0x400f | num(c) << 8, 2, num(dst), src);
  }
  void clc() { emit8(0xf8); }
  void stc() { emit8(0xf9); }

  // ---- stack ----
  WATTLE_X64_INLINE void push(Gpr r) { plusReg(0x50, r); }
  WATTLE_X64_INLINE void pop(Gpr r) { plusReg(0x58, r); }
  void push(int32_t imm) {
    if (imm == static_cast<int8_t>(imm)) return put(0x6au | static_cast<uint64_t>(imm & 0xff) << 8, 2);
    put(0x68u | static_cast<uint64_t>(static_cast<uint32_t>(imm)) << 8, 5);
  }
  void push(const Mem& m) { legacy(w32, 0xff, 1, 6, m); }
  void pop(const Mem& m) { legacy(w32, 0x8f, 1, 0, m); }
  void leave() { emit8(0xc9); }

  // ---- control ----
  // Two bytes back to a near bound label, else a 32-bit displacement.
  WATTLE_X64_INLINE void jmp(Label& l) {
    if (l.bound() && l.pos - (pos() + 2) >= -128) return put(0xebu | shortDistance(l) << 8, 2);
    emit8(0xe9);
    rel32(l);
  }
  WATTLE_X64_INLINE void jcc(Cond c, Label& l) {
    if (l.bound() && l.pos - (pos() + 2) >= -128) return put(0x70u | num(c) | shortDistance(l) << 8, 2);
    put(0x800fu | num(c) << 8, 2);
    rel32(l);
  }
  void call(Label& l) {
    emit8(0xe8);
    rel32(l);
  }
  // Forward jumps to targets known to be within 127 bytes; bind() the result there.
  [[nodiscard]] WATTLE_X64_INLINE ShortJump jmpShort() {
    put(0xeb, 2);
    return {pos() - 1};
  }
  [[nodiscard]] WATTLE_X64_INLINE ShortJump jccShort(Cond c) {
    put(0x70u | num(c), 2);
    return {pos() - 1};
  }
  // Returns the position of the displacement, for patchRel32() or a list of the caller's.
  int32_t callRel32(int32_t displacement = 0) {
    put(0xe8u | static_cast<uint64_t>(static_cast<uint32_t>(displacement)) << 8, 5);
    return pos() - 4;
  }
  int32_t jmpRel32(int32_t displacement = 0) {
    put(0xe9u | static_cast<uint64_t>(static_cast<uint32_t>(displacement)) << 8, 5);
    return pos() - 4;
  }
  int32_t jccRel32(Cond c, int32_t displacement = 0) {
    put(0x800fu | num(c) << 8 | static_cast<uint64_t>(static_cast<uint32_t>(displacement)) << 16, 6);
    return pos() - 4;
  }
  void call(Gpr r) { legacy(w32, 0xff, 1, 2, r); }
  void call(const Mem& m) { legacy(w32, 0xff, 1, 2, m); }
  void jmp(Gpr r) { legacy(w32, 0xff, 1, 4, r); }
  void jmp(const Mem& m) { legacy(w32, 0xff, 1, 4, m); }
  void ret() { emit8(0xc3); }
  // Also pops n bytes of arguments.
  void ret(uint16_t n) { n ? put(0xc2u | static_cast<uint64_t>(n) << 8, 3) : ret(); }
  void ud2() { emit16(0x0b0f); }
  void int3() { emit8(0xcc); }

  // Dispatch through a table of rel32(label) entries at `table`. `index` (64-bit clean, in range) and `scratch` are
  // clobbered.
  void jumpTable(Gpr index, Gpr scratch, Label& table) {
    leaRip(scratch, table);
    lea(w64, scratch, Mem(scratch, index, 4, 4));  // end of the entry
    movsxd(index, Mem(scratch, -4));
    add(w64, scratch, index);
    jmp(scratch);
  }

  // n bytes of nothing, in the longest instructions that all processors decode well. Makes its own room.
  void nop(size_t n = 1) {
    static constexpr uint8_t kNops[9][9] = {{0x90},
                                            {0x66, 0x90},
                                            {0x0f, 0x1f, 0x00},
                                            {0x0f, 0x1f, 0x40, 0x00},
                                            {0x0f, 0x1f, 0x44, 0x00, 0x00},
                                            {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00},
                                            {0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00},
                                            {0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
                                            {0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00}};
    ensure(n);
    while (n) {
      size_t k = n < 9 ? n : 9;
      std::memcpy(cur, kNops[k - 1], k);
      cur += k;
      n -= k;
    }
  }
  // Alignment is relative to the start of the buffer. Code is padded with nop, data with int3.
  void alignCode(size_t a) { nop((a - size() % a) % a); }
  void alignData(size_t a) {
    size_t n = (a - size() % a) % a;
    ensure(n);
    std::memset(cur, 0xcc, n);
    cur += n;
  }

  // ---- atomics, all widths ----
  void lockAlu(AluOp op, Width w, const Mem& m, Gpr r) {
    emit8(0xf0);
    alu(op, w, m, r);
  }
  void lockAlu(AluOp op, Width w, const Mem& m, int32_t imm) {
    emit8(0xf0);
    alu(op, w, m, imm);
  }
  // if m == rax: m = r, ZF; else rax = m
  void lockCmpxchg(Width w, const Mem& m, Gpr r) {
    emit8(0xf0);
    legacy(w, w == w8 ? 0xb00f : 0xb10f, 2, num(r), m, byteRex(w, r));
  }
  // r, m = m, m + r
  void lockXadd(Width w, const Mem& m, Gpr r) {
    emit8(0xf0);
    legacy(w, w == w8 ? 0xc00f : 0xc10f, 2, num(r), m, byteRex(w, r));
  }
  // The pair is rdx:rax against m, the new value is rcx:rbx.
  void lockCmpxchg16b(const Mem& m) {
    emit8(0xf0);
    legacy(w64, 0xc70f, 2, 1, m);
  }
  void mfence() { put(0xf0ae0f, 3); }
  void pause() { emit16(0x90f3); }

  // [rdi] from [rsi], or from al; rcx bytes
  void repMovsb() { emit16(0xa4f3); }
  void repStosb() { emit16(0xaaf3); }

 private:
  // spl, bpl, sil and dil need a REX prefix. (r8 and up have one anyway.)
  WATTLE_X64_INLINE static bool byteRex(Width w, Gpr r) { return w == w8 && num(r) >= 4; }
  WATTLE_X64_INLINE static unsigned opcodeOf(AluOp op, unsigned form, Width w) {
    return static_cast<unsigned>(op) << 3 | form | (w != w8);
  }
  WATTLE_X64_INLINE void putImm(Width w, int32_t imm) {
    put(static_cast<uint32_t>(imm), w == w8 ? 1 : w == w16 ? 2 : 4);
  }
  template <class Rm>
  WATTLE_X64_INLINE void aluImm(AluOp op, Width w, const Rm& rm, int32_t imm, bool forceRex) {
    unsigned ext = static_cast<unsigned>(op);
    if (w == w8 || imm == static_cast<int8_t>(imm)) {
      legacy(w, w == w8 ? 0x80 : 0x83, 1, ext, rm, forceRex);
      emit8(static_cast<uint8_t>(imm));
    } else {
      legacy(w, 0x81, 1, ext, rm, forceRex);
      putImm(w, imm);
    }
  }
  template <class Rm>
  WATTLE_X64_INLINE void imulImm(Width w, Gpr dst, const Rm& src, int32_t imm) {
    if (imm == static_cast<int8_t>(imm)) {
      legacy(w, 0x6b, 1, num(dst), src);
      emit8(static_cast<uint8_t>(imm));
    } else {
      legacy(w, 0x69, 1, num(dst), src);
      putImm(w, imm);
    }
  }
  template <class Rm>
  WATTLE_X64_INLINE void shiftImm(ShiftOp op, Width w, const Rm& rm, uint8_t imm, bool forceRex) {
    unsigned ext = static_cast<unsigned>(op);
    if (imm == 1) return legacy(w, w == w8 ? 0xd0 : 0xd1, 1, ext, rm, forceRex);
    legacy(w, w == w8 ? 0xc0 : 0xc1, 1, ext, rm, forceRex);
    emit8(imm);
  }
  template <class Rm>
  WATTLE_X64_INLINE void bmi(uint8_t opcode, Pp pp, Map map, Width w, Gpr reg, Gpr v, const Rm& rm) {
    vex({opcode, pp, map, w == w64}, num(reg), num(v), rm);
  }
  WATTLE_X64_INLINE void plusReg(unsigned opcode, Gpr r) {
    bool high = num(r) >= 8;
    unsigned op = opcode | (num(r) & 7);
    put(high ? op << 8 | 0x41 : op, 1u + high);
  }
  WATTLE_X64_INLINE unsigned shortDistance(const Label& l) { return static_cast<unsigned>(l.pos - (pos() + 2)) & 0xff; }
};

}  // namespace wattle::x64
