// Three-operand instructions mean the same with SSE as with AVX, whichever of their operands are one register. Run on
// the processor, against the AVX form with three different registers.
#include <array>
#include <random>
#include <string_view>

#include "runtime/compile/x64/cpu_features.h"
#include "tests/unit/x64/disassembly.h"
#include "tests/unit/x64/executable.h"

namespace wattle::x64::test {
namespace {

using Register = std::array<uint32_t, 4>;
using File = std::array<Register, 16>;

// Random numbers; as floats or doubles none is a NaN, whose payload may come from either operand.
Register random(std::mt19937& g) {
  Register r;
  for (uint32_t& v : r) v = static_cast<uint32_t>(g()) & 0xbfff'ffff;
  if (g() % 4 == 0) r[0] %= 20, r[1] = 0;  // a shift count
  return r;
}

// The operands of a commutative scalar instruction may have been swapped, with the upper lanes.
unsigned specifiedWords(std::string_view name) { return name.ends_with("ss") ? 1 : name.ends_with("sd") ? 2 : 4; }

// Loads all registers, does `emit`, stores all registers.
template <class Emit>
File run(bool avx, const File& in, Emit emit) {
  Assembler a;
  a.avx = avx;
  a.ensure(1024);
  for (unsigned i = 0; i < 16; ++i) a.movups(static_cast<Xmm>(i), Mem(Gpr::rdi, static_cast<int32_t>(16 * i)));
  emit(a);
  for (unsigned i = 0; i < 16; ++i) a.movups(Mem(Gpr::rsi, static_cast<int32_t>(16 * i)), static_cast<Xmm>(i));
  a.ret();
  File out;
  Executable(a).as<void(const void*, void*)>()(in.data(), out.data());
  return out;
}

class X64Semantics : public testing::Test {
 protected:
  void SetUp() override {
    if (!cpuFeatures().has(CpuFeature::avx2)) GTEST_SKIP() << "needs AVX2";
  }

  // words: how many of the result are specified
  template <class Emit>
  void check(const char* name, Emit emit, unsigned words = 4) {
    constexpr unsigned kPatterns[][3] = {{1, 1, 2}, {1, 2, 1}, {1, 2, 3}, {1, 1, 1}, {1, 2, 2}, {9, 10, 9}, {0, 8, 0}};
    for (int round = 0; round < 4; ++round) {
      for (const auto& [d, a, b] : kPatterns) {
        File in;
        for (Register& r : in) r = random(generator_);
        auto x = [](unsigned i) { return static_cast<Xmm>(i); };
        File separate = run(true, in, [&](Assembler& as) { emit(as, Xmm::xmm4, x(a), x(b)); });
        for (bool avx : {false, true}) {
          File out = run(avx, in, [&](Assembler& as) { emit(as, x(d), x(a), x(b)); });
          for (unsigned i = words; i < 4; ++i) out[d][i] = separate[4][i];
          EXPECT_EQ(out[d], separate[4]) << name << " xmm" << d << ", xmm" << a << ", xmm" << b << (avx ? " AVX" : "");
          for (unsigned i = 0; i < 15; ++i) {
            if (i != d) {
              EXPECT_EQ(out[i], in[i]) << name << " changed xmm" << i;
            }
          }
          if (avx || d == a || d != b) {
            EXPECT_EQ(out[15], in[15]) << name << " changed the scratch register";
          }
        }
      }
    }
  }

  std::mt19937 generator_{42};
};

TEST_F(X64Semantics, ThreeOperands) {
#define X3(name, ...) check(#name, [](Assembler& s, Xmm d, Xmm a, Xmm b) { s.name(d, a, b); });
#define X3C(name, ...) \
  check(               \
      #name, [](Assembler& s, Xmm d, Xmm a, Xmm b) { s.name(d, a, b); }, specifiedWords(#name));
#define X3I(name, ...) check(#name, [](Assembler& s, Xmm d, Xmm a, Xmm b) { s.name(d, a, b, 5); });
#define XR3(name, ...) check(#name, [](Assembler& s, Xmm d, Xmm a, Xmm b) { s.name(d, a, b); });
#include "runtime/compile/x64/assembler_simd.def"
}

TEST_F(X64Semantics, Shifts) {
#define XSH(name, ...)                                                      \
  check(#name, [](Assembler& s, Xmm d, Xmm a, Xmm b) { s.name(d, a, b); }); \
  check(#name, [](Assembler& s, Xmm d, Xmm a, Xmm) { s.name(d, a, uint8_t{7}); });
#include "runtime/compile/x64/assembler_simd.def"
}

// In SSE mode: the mask in xmm0, which is not the destination.
TEST_F(X64Semantics, Blends) {
  for (unsigned d : {1u, 2u, 3u}) {
    for (unsigned a : {1u, 2u, 3u}) {
      for (unsigned b : {1u, 2u, 3u}) {
        File in;
        for (Register& r : in) r = random(generator_);
        auto blend = [&](Assembler& s) {
          s.pblendvb(static_cast<Xmm>(d), static_cast<Xmm>(a), static_cast<Xmm>(b), Xmm::xmm0);
        };
        EXPECT_EQ(run(false, in, blend)[d], run(true, in, blend)[d]) << d << a << b;
      }
    }
  }
}

}  // namespace
}  // namespace wattle::x64::test
