// Labels, jumps, tables, constants and the growing buffer.
#include "tests/unit/x64/disassembly.h"
#include "tests/unit/x64/executable.h"

namespace wattle::x64::test {
namespace {

using enum Gpr;

std::vector<std::string> texts(const Assembler& a) {
  std::vector<std::string> all;
  for (const Decoded& d : Disassembler().read(a, false)) all.push_back(d.text);
  return all;
}

TEST(X64Label, BackwardJumpsAreShortWhenTheyReach) {
  for (int distance : {0, 100, 126, 127, 1000}) {
    Assembler a;
    a.ensure(8192);
    Label l;
    a.bind(l);
    for (int i = 0; i < distance; ++i) a.emit8(0x90);
    int32_t before = a.pos();
    a.jmp(l);
    EXPECT_EQ(a.pos() - before, distance <= 126 ? 2 : 5) << distance;
    EXPECT_EQ(texts(a).back(), "jmp 0");
  }
  for (int distance : {0, 126, 127}) {
    for (unsigned c = 0; c < 16; ++c) {
      Assembler a;
      a.ensure(8192);
      Label l;
      a.emit8(0x90);
      a.bind(l);
      for (int i = 0; i < distance; ++i) a.emit8(0x90);
      int32_t before = a.pos();
      a.jcc(static_cast<Cond>(c), l);
      EXPECT_EQ(a.pos() - before, distance <= 126 ? 2 : 6) << distance;
      EXPECT_EQ(texts(a).back(), "j" + conditionName(static_cast<Cond>(c)) + " 1");
    }
  }
}

TEST(X64Label, ForwardUsesAreAllPatched) {
  Assembler a;
  a.ensure(8192);
  Label l, other;
  EXPECT_FALSE(l.used());
  a.jmp(l);
  EXPECT_TRUE(l.used());
  a.jcc(Cond::l, l);
  a.jmp(other);
  a.leaRip(r9, l);
  a.call(l);
  a.mov(w64, rcx, l);
  a.addsd(Xmm::xmm1, Xmm::xmm1, l);
  a.bind(other);
  a.ret();
  a.bind(l);
  EXPECT_TRUE(l.bound());
  EXPECT_FALSE(l.used());
  std::string at = std::to_string(l.pos);
  std::string o = std::to_string(other.pos);
  EXPECT_EQ(texts(a),
            (std::vector<std::string>{"jmp " + at, "jl " + at, "jmp " + o, "lea r9, m[" + at + "]", "call " + at,
                                      "mov rcx, m[" + at + "]", "addsd xmm1, m[" + at + "]", "ret"}));
}

TEST(X64Label, ShortJumps) {
  for (int distance : {0, 1, 127}) {
    Assembler a;
    a.ensure(1024);
    ShortJump j = a.jccShort(Cond::ne);
    for (int i = 0; i < distance; ++i) a.emit8(0x90);
    a.bind(j);
    EXPECT_EQ(texts(a).front(), "jnz " + std::to_string(2 + distance));
    a.reset();
    ShortJump k = a.jmpShort();
    for (int i = 0; i < distance; ++i) a.emit8(0x90);
    a.bind(k);
    EXPECT_EQ(texts(a).front(), "jmp " + std::to_string(2 + distance));
  }
}

TEST(X64Label, RecordedDisplacements) {
  Assembler a;
  a.ensure(256);
  int32_t call = a.callRel32();
  int32_t jump = a.jmpRel32();
  int32_t branch = a.jccRel32(Cond::a);
  int32_t target = a.pos();
  a.ret();
  a.patchRel32(call, target);
  a.patchRel32(jump, 0);
  a.patchRel32(branch, target);
  std::string t = std::to_string(target);
  EXPECT_EQ(texts(a), (std::vector<std::string>{"call " + t, "jmp 0", "jnbe " + t, "ret"}));
}

TEST(X64Label, GrowthKeepsContentsAndChains) {
  Assembler a(64);
  Label end;
  constexpr int kCount = 200'000;
  for (int i = 0; i < kCount; ++i) {
    a.ensure(32);
    a.add(w32, rax, 1);
    a.jcc(Cond::o, end);
  }
  a.ensure(32);
  a.bind(end);
  a.ret();
  EXPECT_EQ(a.size(), kCount * 9u + 1);
  Executable code(a);
  EXPECT_EQ(a.read32(5), kCount * 9 - 9);
  for (int i = 0; i < kCount; ++i) ASSERT_EQ(a.read32(9 * i + 5), end.pos - (9 * i + 9)) << i;

  size_t grown = a.capacity();
  EXPECT_GE(grown, a.size());
  a.reset();
  EXPECT_EQ(a.size(), 0u);
  EXPECT_EQ(a.capacity(), grown);
  a.shrink(4096);
  EXPECT_EQ(a.capacity(), 4096u);
}

TEST(X64Label, Loop) {
  Assembler a;
  a.ensure(256);
  Label top, out;
  a.zero(rax);
  a.bind(top);
  a.test(w32, rdi, rdi);
  a.jcc(Cond::e, out);
  a.add(w64, rax, rdi);
  a.sub(w32, rdi, 1);
  a.jmp(top);
  a.bind(out);
  a.ret();
  Executable code(a);
  EXPECT_EQ(code.as<uint64_t(uint32_t)>()(100'000), 5'000'050'000u);
}

TEST(X64Label, JumpTable) {
  Assembler a;
  a.ensure(512);
  Label table, cases[5];
  a.mov(w32, rax, rdi);
  a.jumpTable(rax, rcx, table);
  a.bind(cases[3]);  // a target before the table
  a.movImm32(rax, 103);
  a.ret();
  a.alignData(4);
  a.bind(table);
  for (Label& l : cases) a.rel32(l);
  for (uint32_t i : {4u, 0u, 2u, 1u}) {
    a.bind(cases[i]);
    a.movImm32(rax, 100 + i);
    a.ret();
  }
  Executable code(a);
  for (uint32_t i = 0; i < 5; ++i) EXPECT_EQ(code.as<uint32_t(uint32_t)>()(i), 100 + i);
}

TEST(X64Label, ConstantsAndCalls) {
  for (bool avx : {false, true}) {
    if (avx && !__builtin_cpu_supports("avx")) continue;
    Assembler a;
    a.avx = avx;
    a.ensure(512);
    Label twice, constant;
    a.push(rbx);
    a.call(twice);
    a.call(twice);
    a.mulsd(Xmm::xmm0, Xmm::xmm0, constant);
    a.pop(rbx);
    a.ret();
    a.bind(twice);
    a.addsd(Xmm::xmm0, Xmm::xmm0, Xmm::xmm0);
    a.ret();
    a.alignData(8);
    a.bind(constant);
    a.emit64(std::bit_cast<uint64_t>(2.5));
    Executable code(a);
    EXPECT_EQ(code.as<double(double)>()(1.25), 12.5);
  }
}

TEST(X64Label, MemHelpers) {
  Mem m(rbp, rcx, 4, 8);
  EXPECT_TRUE(m.hasIndex());
  EXPECT_TRUE(m.uses(rbp));
  EXPECT_TRUE(m.uses(rcx));
  EXPECT_FALSE(m.uses(rsp));
  EXPECT_FALSE(Mem(rbp).uses(rsp));
  EXPECT_EQ(m.at(4), Mem(rbp, rcx, 4, 12));
}

}  // namespace
}  // namespace wattle::x64::test
