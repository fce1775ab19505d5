// Every integer instruction, read back by Zydis.
#include "tests/unit/x64/disassembly.h"

namespace wattle::x64::test {
namespace {

constexpr Width kWidths[] = {w8, w16, w32, w64};
constexpr Width kWide[] = {w16, w32, w64};
constexpr Width kLarge[] = {w32, w64};
constexpr int32_t kImmediates[] = {0,    1,   -1,  5,      127,        -128,      128,
                                   -129, 255, 256, 0x7fff, 0x12345678, INT32_MIN, INT32_MAX};

// The operand as far as the width has room for it, sign-extended.
std::string imm(int32_t v, Width w) {
  if (w == w8) v = static_cast<int8_t>(v);
  if (w == w16) v = static_cast<int16_t>(v);
  return std::to_string(v);
}

TEST(X64Integer, AluRegisters) {
  static const char* const kNames[] = {"add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"};
  Checker c;
  Assembler& a = c.a;
  for (unsigned op = 0; op < 8; ++op) {
    for (Width w : kWidths) {
      for (Gpr d : allGprs()) {
        for (Gpr s : allGprs()) {
          a.alu(static_cast<AluOp>(op), w, d, s);
          c.expect(join({kNames[op], str(d, w), str(s, w)}));
        }
        for (int32_t i : kImmediates) {
          a.alu(static_cast<AluOp>(op), w, d, i);
          c.expect(join({kNames[op], str(d, w), imm(i, w)}));
        }
      }
    }
  }
}

TEST(X64Integer, AluMemory) {
  static const char* const kNames[] = {"add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"};
  Checker c;
  Assembler& a = c.a;
  for (unsigned op = 0; op < 8; ++op) {
    auto o = static_cast<AluOp>(op);
    for (Width w : kWidths) {
      for (const Mem& m : someMems()) {
        for (Gpr r : allGprs()) {
          a.alu(o, w, r, m);
          a.alu(o, w, m, r);
          c.expect({join({kNames[op], str(r, w), str(m, w)}), join({kNames[op], str(m, w), str(r, w)})});
          if (o == AluOp::cmp) continue;
          a.lockAlu(o, w, m, r);
          c.expect(join({std::string("lock_") + kNames[op], str(m, w), str(r, w)}));
        }
        for (int32_t i : kImmediates) {
          a.alu(o, w, m, i);
          c.expect(join({kNames[op], str(m, w), imm(i, w)}));
          if (o == AluOp::cmp) continue;
          a.lockAlu(o, w, m, i);
          c.expect(join({std::string("lock_") + kNames[op], str(m, w), imm(i, w)}));
        }
      }
    }
  }
}

TEST(X64Integer, AluNames) {
  Checker c;
  Assembler& a = c.a;
  Mem m(Gpr::r12, 8);
#define CHECK_ALU(method, mnemonic)                                                                            \
  a.method(w32, Gpr::rcx, Gpr::r9);                                                                            \
  a.method(w64, Gpr::rcx, m);                                                                                  \
  a.method(w16, m, Gpr::rcx);                                                                                  \
  a.method(w64, Gpr::r8, -5);                                                                                  \
  a.method(w8, m, 7);                                                                                          \
  c.expect({mnemonic " ecx, r9d", mnemonic " rcx, m64[r12+8]", mnemonic " m16[r12+8], cx", mnemonic " r8, -5", \
            mnemonic " m8[r12+8], 7"});
  CHECK_ALU(add, "add")
  CHECK_ALU(or_, "or")
  CHECK_ALU(adc, "adc")
  CHECK_ALU(sbb, "sbb")
  CHECK_ALU(and_, "and")
  CHECK_ALU(sub, "sub")
  CHECK_ALU(xor_, "xor")
  CHECK_ALU(cmp, "cmp")
#undef CHECK_ALU
  a.zero(Gpr::r10);
  c.expect("xor r10d, r10d");
}

// Every base, index, scale and displacement; with the encoding as short as it can be.
TEST(X64Integer, Addresses) {
  Checker c;
  for (const Mem& m : allMems()) {
    for (Gpr r : {Gpr::rax, Gpr::rsp, Gpr::r13}) {
      int32_t before = c.a.pos();
      c.a.mov(w32, r, m);
      bool sib = m.hasIndex() || m.base == Gpr::rsp || m.base == Gpr::r12;
      bool rex = num(r) >= 8 || num(m.base) >= 8 || (m.hasIndex() && num(m.index) >= 8);
      int disp = m.disp == 0 && m.base != Gpr::rbp && m.base != Gpr::r13 ? 0 : m.disp >= -128 && m.disp <= 127 ? 1 : 4;
      EXPECT_EQ(c.a.pos() - before, 2 + sib + rex + disp) << str(m);
      c.expect(join({"mov", str(r, w32), str(m, w32)}));
    }
    c.a.lea(w64, Gpr::r9, m);
    c.expect(join({"lea", "r9", str(m, w64)}));
  }
}

TEST(X64Integer, Moves) {
  Checker c;
  Assembler& a = c.a;
  for (Width w : kWidths) {
    for (Gpr d : allGprs()) {
      for (Gpr s : allGprs()) {
        a.mov(w, d, s);
        a.test(w, d, s);
        c.expect({join({"mov", str(d, w), str(s, w)}), join({"test", str(d, w), str(s, w)})});
        a.xchg(w, d, s);  // never the one-byte form: that of eax with itself would be a nop
        c.expect(join({"xchg", str(d, w), str(s, w)}));
      }
      for (const Mem& m : someMems()) {
        a.mov(w, d, m);
        a.mov(w, m, d);
        a.test(w, m, d);
        a.xchg(w, m, d);
        a.lockXadd(w, m, d);
        a.lockCmpxchg(w, m, d);
        c.expect({join({"mov", str(d, w), str(m, w)}), join({"mov", str(m, w), str(d, w)}),
                  join({"test", str(m, w), str(d, w)}), join({"xchg", str(m, w), str(d, w)}),
                  join({"lock_xadd", str(m, w), str(d, w)}), join({"lock_cmpxchg", str(m, w), str(d, w)})});
      }
    }
    for (const Mem& m : someMems()) {
      for (int32_t i : kImmediates) {
        a.mov(w, m, i);
        a.test(w, m, i);
        c.expect({join({"mov", str(m, w), imm(i, w)}), join({"test", str(m, w), imm(i, w)})});
      }
    }
  }
}

TEST(X64Integer, TestImmediate) {
  Checker c;
  for (Width w : kWidths) {
    for (Gpr r : allGprs()) {
      for (int32_t i : kImmediates) {
        c.a.test(w, r, i);
        Width as = w != w16 && i >= 0 && i < 128 ? w8 : w;
        c.expect(join({"test", str(r, as), imm(i, as)}));
      }
    }
  }
}

TEST(X64Integer, MoveImmediates) {
  Checker c;
  for (Gpr r : allGprs()) {
    for (uint32_t v : {0u, 1u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
      c.a.movImm32(r, v);
      c.expect(join({"mov", str(r, w32), std::to_string(static_cast<int32_t>(v))}));
      c.a.movImm64(r, v);
      c.expect(join({"mov", str(r, w32), std::to_string(static_cast<int32_t>(v))}));
    }
    for (int64_t v : {int64_t{-1}, int64_t{INT32_MIN}}) {
      int32_t before = c.a.pos();
      c.a.movImm64(r, static_cast<uint64_t>(v));
      EXPECT_EQ(c.a.pos() - before, 7);
      c.expect(join({"mov", str(r, w64), std::to_string(v)}));
    }
    for (uint64_t v : {uint64_t{1} << 32, uint64_t{0x123456789abcdef0}, uint64_t{1} << 63, ~(uint64_t{1} << 31)}) {
      c.a.movImm64(r, v);
      c.expect(join({"mov", str(r, w64), std::to_string(static_cast<int64_t>(v))}));
    }
  }
}

TEST(X64Integer, Extensions) {
  Checker c;
  Assembler& a = c.a;
  for (Gpr d : allGprs()) {
    for (Gpr s : allGprs()) {
      a.movzx8(d, s);
      a.movzx16(d, s);
      a.movsxd(d, s);
      c.expect({join({"movzx", str(d, w32), str(s, w8)}), join({"movzx", str(d, w32), str(s, w16)}),
                join({"movsxd", str(d, w64), str(s, w32)})});
      for (Width w : kLarge) {
        a.movsx8(w, d, s);
        a.movsx16(w, d, s);
        c.expect({join({"movsx", str(d, w), str(s, w8)}), join({"movsx", str(d, w), str(s, w16)})});
      }
    }
    for (const Mem& m : someMems()) {
      a.movzx8(d, m);
      a.movzx16(d, m);
      a.movsxd(d, m);
      c.expect({join({"movzx", str(d, w32), str(m, w8)}), join({"movzx", str(d, w32), str(m, w16)}),
                join({"movsxd", str(d, w64), str(m, w32)})});
      for (Width w : kLarge) {
        a.movsx8(w, d, m);
        a.movsx16(w, d, m);
        c.expect({join({"movsx", str(d, w), str(m, w8)}), join({"movsx", str(d, w), str(m, w16)})});
      }
    }
  }
}

TEST(X64Integer, MultiplyAndDivide) {
  Checker c;
  Assembler& a = c.a;
  for (Width w : kWide) {
    for (Gpr d : allGprs()) {
      for (Gpr s : someGprs()) {
        a.imul(w, d, s);
        c.expect(join({"imul", str(d, w), str(s, w)}));
        for (int32_t i : kImmediates) {
          a.imul(w, d, s, i);
          c.expect(join({"imul", str(d, w), str(s, w), imm(i, w)}));
        }
      }
      for (const Mem& m : someMems()) {
        a.imul(w, d, m);
        a.imul(w, d, m, 100);
        a.imul(w, d, m, 1000);
        c.expect({join({"imul", str(d, w), str(m, w)}), join({"imul", str(d, w), str(m, w), "100"}),
                  join({"imul", str(d, w), str(m, w), "1000"})});
      }
    }
  }
  for (Width w : kWidths) {
    for (Gpr r : allGprs()) {
      a.not_(w, r);
      a.neg(w, r);
      a.mul(w, r);
      a.imulWide(w, r);
      a.div(w, r);
      a.idiv(w, r);
      for (const char* n : {"not", "neg", "mul", "imul", "div", "idiv"}) c.expect(join({n, str(r, w)}));
    }
    for (const Mem& m : someMems()) {
      a.not_(w, m);
      a.neg(w, m);
      a.mul(w, m);
      a.imulWide(w, m);
      a.div(w, m);
      a.idiv(w, m);
      for (const char* n : {"not", "neg", "mul", "imul", "div", "idiv"}) c.expect(join({n, str(m, w)}));
    }
  }
  a.cdq();
  a.cqo();
  a.signExtendAcc(w32);
  a.signExtendAcc(w64);
  c.expect({"cdq", "cqo", "cdq", "cqo"});
}

TEST(X64Integer, Shifts) {
  struct {
    const char* name;
    ShiftOp op;
    void (Assembler::*byImm)(Width, Gpr, uint8_t);
    void (Assembler::*byCl)(Width, Gpr);
  } const kOps[] = {{"rol", ShiftOp::rol, &Assembler::rol, &Assembler::rolCl},
                    {"ror", ShiftOp::ror, &Assembler::ror, &Assembler::rorCl},
                    {"shl", ShiftOp::shl, &Assembler::shl, &Assembler::shlCl},
                    {"shr", ShiftOp::shr, &Assembler::shr, &Assembler::shrCl},
                    {"sar", ShiftOp::sar, &Assembler::sar, &Assembler::sarCl}};
  Checker c;
  Assembler& a = c.a;
  for (const auto& op : kOps) {
    for (Width w : kWidths) {
      for (Gpr r : allGprs()) {
        for (uint8_t i : {0, 1, 2, 31, 63}) {
          a.shift(op.op, w, r, i);
          (a.*op.byImm)(w, r, i);
          std::string text = join({op.name, str(r, w), std::to_string(i)});
          c.expect({text, text});
        }
        a.shiftCl(op.op, w, r);
        (a.*op.byCl)(w, r);
        std::string text = join({op.name, str(r, w), "cl"});
        c.expect({text, text});
      }
      for (const Mem& m : someMems()) {
        a.shift(op.op, w, m, 1);
        a.shift(op.op, w, m, 7);
        a.shiftCl(op.op, w, m);
        c.expect({join({op.name, str(m, w), "1"}), join({op.name, str(m, w), "7"}), join({op.name, str(m, w), "cl"})});
      }
    }
  }
  for (Width w : kWide) {
    for (Gpr d : allGprs()) {
      for (Gpr s : someGprs()) {
        a.shld(w, d, s, 9);
        a.shrd(w, d, s, 9);
        a.shldCl(w, d, s);
        a.shrdCl(w, d, s);
        c.expect({join({"shld", str(d, w), str(s, w), "9"}), join({"shrd", str(d, w), str(s, w), "9"}),
                  join({"shld", str(d, w), str(s, w), "cl"}), join({"shrd", str(d, w), str(s, w), "cl"})});
      }
    }
  }
}

TEST(X64Integer, Bmi) {
  Checker c;
  Assembler& a = c.a;
  for (Width w : kLarge) {
    for (Gpr d : allGprs()) {
      std::string D = str(d, w);
      for (Gpr s : someGprs()) {
        std::string S = str(s, w);
        for (Gpr n : someGprs()) {
          std::string N = str(n, w);
          a.shlx(w, d, s, n);
          a.shrx(w, d, s, n);
          a.sarx(w, d, s, n);
          a.bzhi(w, d, s, n);
          a.pdep(w, d, s, n);
          a.pext(w, d, s, n);
          a.andn(w, d, s, n);
          a.mulx(w, d, s, n);
          for (const char* name : {"shlx", "shrx", "sarx", "bzhi", "pdep", "pext", "andn", "mulx"}) {
            c.expect(join({name, D, S, N}));
          }
        }
        a.rorx(w, d, s, 13);
        a.blsr(w, d, s);
        a.blsi(w, d, s);
        a.blsmsk(w, d, s);
        c.expect({join({"rorx", D, S, "13"}), join({"blsr", D, S}), join({"blsi", D, S}), join({"blsmsk", D, S})});
        for (const Mem& m : someMems()) {
          std::string M = str(m, w);
          a.shlx(w, d, m, s);
          a.shrx(w, d, m, s);
          a.sarx(w, d, m, s);
          a.andn(w, d, s, m);
          a.mulx(w, d, s, m);
          a.rorx(w, d, m, 13);
          c.expect({join({"shlx", D, M, S}), join({"shrx", D, M, S}), join({"sarx", D, M, S}), join({"andn", D, S, M}),
                    join({"mulx", D, S, M}), join({"rorx", D, M, "13"})});
        }
      }
    }
  }
}

TEST(X64Integer, Bits) {
  Checker c;
  Assembler& a = c.a;
  for (Width w : kWide) {
    for (Gpr d : allGprs()) {
      for (Gpr s : allGprs()) {
        a.lzcnt(w, d, s);
        a.tzcnt(w, d, s);
        a.popcnt(w, d, s);
        a.bsr(w, d, s);
        a.bsf(w, d, s);
        a.bt(w, d, s);
        for (const char* n : {"lzcnt", "tzcnt", "popcnt", "bsr", "bsf", "bt"}) {
          c.expect(join({n, str(d, w), str(s, w)}));
        }
      }
      for (const Mem& m : someMems()) {
        a.lzcnt(w, d, m);
        a.tzcnt(w, d, m);
        a.popcnt(w, d, m);
        a.bsr(w, d, m);
        a.bsf(w, d, m);
        for (const char* n : {"lzcnt", "tzcnt", "popcnt", "bsr", "bsf"}) c.expect(join({n, str(d, w), str(m, w)}));
      }
      a.bt(w, d, uint8_t{11});
      a.bts(w, d, 11);
      a.btr(w, d, 11);
      a.btc(w, d, 11);
      for (const char* n : {"bt", "bts", "btr", "btc"}) c.expect(join({n, str(d, w), "11"}));
      if (w == w16) continue;
      a.bswap(w, d);
      c.expect(join({"bswap", str(d, w)}));
    }
  }
}

TEST(X64Integer, Conditions) {
  Checker c;
  Assembler& a = c.a;
  for (unsigned i = 0; i < 16; ++i) {
    auto cond = static_cast<Cond>(i);
    EXPECT_NE(negate(cond), cond);
    EXPECT_EQ(negate(negate(cond)), cond);
    std::string n = conditionName(cond);
    for (Gpr d : allGprs()) {
      a.setcc(cond, d);
      c.expect(join({"set" + n, str(d, w8)}));
      for (Width w : kWide) {
        for (Gpr s : someGprs()) {
          a.cmov(cond, w, d, s);
          c.expect(join({"cmov" + n, str(d, w), str(s, w)}));
        }
        for (const Mem& m : someMems()) {
          a.cmov(cond, w, d, m);
          c.expect(join({"cmov" + n, str(d, w), str(m, w)}));
        }
      }
    }
    for (const Mem& m : someMems()) {
      a.setcc(cond, m);
      c.expect(join({"set" + n, str(m, w8)}));
    }
  }
  a.clc();
  a.stc();
  c.expect({"clc", "stc"});
  EXPECT_EQ(swapOperands(Cond::l), Cond::g);
  EXPECT_EQ(swapOperands(Cond::be), Cond::ae);
  EXPECT_EQ(swapOperands(Cond::e), Cond::e);
}

TEST(X64Integer, StackAndControl) {
  Checker c;
  Assembler& a = c.a;
  for (Gpr r : allGprs()) {
    a.push(r);
    a.pop(r);
    a.call(r);
    a.jmp(r);
    for (const char* n : {"push", "pop", "call", "jmp"}) c.expect(join({n, str(r, w64)}));
  }
  for (const Mem& m : someMems()) {
    a.push(m);
    a.pop(m);
    a.call(m);
    a.jmp(m);
    for (const char* n : {"push", "pop", "call", "jmp"}) c.expect(join({n, str(m, w64)}));
  }
  for (int32_t i : kImmediates) {
    a.push(i);
    c.expect(join({"push", std::to_string(i)}));
  }
  a.leave();
  a.ret();
  a.ret(0);
  a.ret(16);
  a.ret(0xfff0);
  a.ud2();
  a.int3();
  a.mfence();
  a.pause();
  a.repMovsb();
  a.repStosb();
  c.expect({"leave", "ret", "ret", "ret 16", "ret 65520", "ud2", "int3", "mfence", "pause"});
  c.expect({"rep_movsb", "rep_stosb"});
  for (const Mem& m : someMems()) {
    a.lockCmpxchg16b(m);
    c.expect(join({"lock_cmpxchg16b", str(m, 128)}));
  }
}

TEST(X64Integer, Nops) {
  for (size_t n = 0; n <= 40; ++n) {
    Checker c;
    c.a.nop(n);
    EXPECT_EQ(c.a.size(), n);
    for (size_t k = 0; k < (n + 8) / 9; ++k) {
      Disassembler d;
      EXPECT_EQ(d.read(c.a, false)[k].text.substr(0, 3), "nop");
    }
    EXPECT_EQ(Disassembler().read(c.a, false).size(), (n + 8) / 9);
    c.a.alignCode(16);
    EXPECT_EQ(c.a.size() % 16, 0u);
    c.a.emit8(1);
    c.a.alignData(8);
    EXPECT_EQ(c.a.size() % 8, 0u);
    c.a.reset();
  }
}

}  // namespace
}  // namespace wattle::x64::test
