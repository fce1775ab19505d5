// Every SSE, AVX and FMA instruction, read back by Zydis in both modes.
#include "tests/unit/x64/disassembly.h"

namespace wattle::x64::test {
namespace {

// The register moves that the three-operand methods put before an SSE instruction.
std::string movaps(Xmm dst, Xmm src) { return join({"movaps", str(dst), str(src)}); }

template <class F>
void bothModes(F f) {
  for (bool avx : {false, true}) {
    Checker c(avx, /*sizes=*/false);
    f(c);
  }
}

// ---- dst, a, b ----

void expectThree(Checker& c, const std::string& name, Xmm d, Xmm x, Xmm y, bool commutative, std::string imm = "") {
  if (c.a.avx) return c.expect(join({"v" + name, str(d), str(x), str(y), imm}));
  if (d == x) return c.expect(join({name, str(d), str(y), imm}));
  if (d != y) return c.expect({movaps(d, x), join({name, str(d), str(y), imm})});
  if (commutative) return c.expect(join({name, str(d), str(x), imm}));
  Xmm scratch = Assembler::kSseScratch;
  c.expect({movaps(scratch, y), movaps(d, x), join({name, str(d), str(scratch), imm})});
}

void expectThreeMem(Checker& c, const std::string& name, Xmm d, Xmm x, const std::string& rm, std::string imm = "") {
  if (c.a.avx) return c.expect(join({"v" + name, str(d), str(x), rm, imm}));
  if (d == x) return c.expect(join({name, str(d), rm, imm}));
  c.expect({movaps(d, x), join({name, str(d), rm, imm})});
}

template <class Emit>
void checkThree(const char* name, bool commutative, Emit emit) {
  bothModes([&](Checker& c) {
    Label here;
    c.a.bind(here);
    for (Xmm d : allXmms()) {
      for (Xmm x : someXmms()) {
        for (Xmm y : someXmms()) {
          emit(c.a, d, x, y);
          expectThree(c, name, d, x, y, commutative);
        }
      }
      for (const Mem& m : someMems()) {
        emit(c.a, d, d, m);
        expectThreeMem(c, name, d, d, str(m));
        emit(c.a, d, Xmm::xmm9, m);
        expectThreeMem(c, name, d, Xmm::xmm9, str(m));
      }
      emit(c.a, d, Xmm::xmm2, here);
      expectThreeMem(c, name, d, Xmm::xmm2, strRip(0));
    }
  });
}

template <class Emit>
void checkThreeImm(const char* name, Emit emit) {
  bothModes([&](Checker& c) {
    uint8_t imm = 1;
    for (Xmm d : allXmms()) {
      for (Xmm x : someXmms()) {
        for (Xmm y : someXmms()) {
          emit(c.a, d, x, y, imm);
          expectThree(c, name, d, x, y, false, std::to_string(imm));
        }
        for (const Mem& m : someMems()) {
          emit(c.a, d, x, m, imm);
          expectThreeMem(c, name, d, x, str(m), std::to_string(imm));
        }
        imm = static_cast<uint8_t>(imm * 3);
      }
    }
  });
}

TEST(X64Simd, ThreeOperands) {
#define X3(name, ...) checkThree(#name, false, [](Assembler& a, Xmm d, Xmm x, auto& b) { a.name(d, x, b); });
#define X3C(name, ...) checkThree(#name, true, [](Assembler& a, Xmm d, Xmm x, auto& b) { a.name(d, x, b); });
#include "runtime/compile/x64/assembler_simd.def"
}

TEST(X64Simd, ThreeOperandsAndImmediate) {
#define X3I(name, ...) checkThreeImm(#name, [](Assembler& a, Xmm d, Xmm x, auto& b, uint8_t i) { a.name(d, x, b, i); });
#include "runtime/compile/x64/assembler_simd.def"
}

TEST(X64Simd, RegistersOnly) {
  auto check = [](const char* name, auto emit) {
    bothModes([&](Checker& c) {
      for (Xmm d : allXmms()) {
        for (Xmm x : someXmms()) {
          for (Xmm y : someXmms()) {
            emit(c.a, d, x, y);
            expectThree(c, name, d, x, y, false);
          }
        }
      }
    });
  };
#define XR3(name, ...) check(#name, [](Assembler& a, Xmm d, Xmm x, Xmm b) { a.name(d, x, b); });
#include "runtime/compile/x64/assembler_simd.def"
}

TEST(X64Simd, Halves) {
  auto check = [](const char* name, auto emit) {
    bothModes([&](Checker& c) {
      for (Xmm d : allXmms()) {
        for (Xmm x : someXmms()) {
          for (const Mem& m : someMems()) {
            emit(c.a, d, x, m);
            expectThreeMem(c, name, d, x, str(m));
          }
        }
      }
    });
  };
#define XHL(name, ...) check(#name, [](Assembler& a, Xmm d, Xmm x, const Mem& m) { a.name(d, x, m); });
#include "runtime/compile/x64/assembler_simd.def"
}

// ---- dst, src ----

// merged: VEX has a third operand, the source register or the destination.
template <class Emit>
void checkTwo(const char* name, bool merged, std::string imm, Emit emit) {
  bothModes([&](Checker& c) {
    std::string n = (c.a.avx ? "v" : "") + std::string(name);
    for (Xmm d : allXmms()) {
      for (Xmm s : allXmms()) {
        emit(c.a, d, s);
        c.expect(join({n, str(d), merged && c.a.avx ? str(s) : "", str(s), imm}));
      }
      for (const Mem& m : someMems()) {
        emit(c.a, d, m);
        c.expect(join({n, str(d), merged && c.a.avx ? str(d) : "", str(m), imm}));
      }
    }
  });
}
template <class Emit>
void checkTwoRip(const char* name, bool merged, Emit emit) {
  bothModes([&](Checker& c) {
    std::string n = (c.a.avx ? "v" : "") + std::string(name);
    Label here;
    c.a.bind(here);
    for (Xmm d : allXmms()) {
      emit(c.a, d, here);
      c.expect(join({n, str(d), merged && c.a.avx ? str(d) : "", strRip(0)}));
    }
  });
}

TEST(X64Simd, TwoOperands) {
#define X2(name, ...)                                                             \
  checkTwo(#name, false, "", [](Assembler& a, Xmm d, auto& s) { a.name(d, s); }); \
  checkTwoRip(#name, false, [](Assembler& a, Xmm d, Label& l) { a.name(d, l); });
#define X2I(name, ...) checkTwo(#name, false, "27", [](Assembler& a, Xmm d, auto& s) { a.name(d, s, 27); });
#include "runtime/compile/x64/assembler_simd.def"
}

TEST(X64Simd, Scalars) {
#define XS(name, ...)                                                            \
  checkTwo(#name, true, "", [](Assembler& a, Xmm d, auto& s) { a.name(d, s); }); \
  checkTwoRip(#name, true, [](Assembler& a, Xmm d, Label& l) { a.name(d, l); });
#define XSI(name, ...) checkTwo(#name, true, "11", [](Assembler& a, Xmm d, auto& s) { a.name(d, s, 11); });
#include "runtime/compile/x64/assembler_simd.def"
}

TEST(X64Simd, LoadsAndStores) {
  auto load = [](const char* name, auto emit) {
    bothModes([&](Checker& c) {
      Label here;
      c.a.bind(here);
      for (Xmm r : allXmms()) {
        for (const Mem& m : someMems()) {
          emit(c.a, r, m);
          c.expect(join({(c.a.avx ? "v" : "") + std::string(name), str(r), str(m)}));
        }
        emit(c.a, r, here);
        c.expect(join({(c.a.avx ? "v" : "") + std::string(name), str(r), strRip(0)}));
      }
    });
  };
  auto store = [](const char* name, auto emit) {
    bothModes([&](Checker& c) {
      for (Xmm r : allXmms()) {
        for (const Mem& m : someMems()) {
          emit(c.a, r, m);
          c.expect(join({(c.a.avx ? "v" : "") + std::string(name), str(m), str(r)}));
        }
      }
    });
  };
#define XLD(name, ...) load(#name, [](Assembler& a, Xmm r, auto& m) { a.name(r, m); });
#define XST(name, ...) store(#name, [](Assembler& a, Xmm r, const Mem& m) { a.name(m, r); });
#include "runtime/compile/x64/assembler_simd.def"
}

TEST(X64Simd, EveryAddress) {
  bothModes([](Checker& c) {
    for (const Mem& m : allMems()) {
      c.a.movups(Xmm::xmm9, m);
      c.a.addsd(Xmm::xmm1, Xmm::xmm1, m);
      c.a.pshufb(Xmm::xmm1, Xmm::xmm1, m);
      c.a.pextrb(m, Xmm::xmm12, 5);
      if (c.a.avx) {
        c.expect({join({"vmovups", "xmm9", str(m)}), join({"vaddsd", "xmm1", "xmm1", str(m)}),
                  join({"vpshufb", "xmm1", "xmm1", str(m)}), join({"vpextrb", str(m), "xmm12", "5"})});
      } else {
        c.expect({join({"movups", "xmm9", str(m)}), join({"addsd", "xmm1", str(m)}), join({"pshufb", "xmm1", str(m)}),
                  join({"pextrb", str(m), "xmm12", "5"})});
      }
    }
  });
}

TEST(X64Simd, Shifts) {
  auto immediate = [](const char* name, auto emit) {
    bothModes([&](Checker& c) {
      for (Xmm d : allXmms()) {
        for (Xmm x : allXmms()) {
          emit(c.a, d, x, 5);
          if (c.a.avx) {
            c.expect(join({std::string("v") + name, str(d), str(x), "5"}));
          } else {
            if (d != x) c.expect(movaps(d, x));
            c.expect(join({name, str(d), "5"}));
          }
        }
      }
    });
  };
  auto variable = [](const char* name, auto emit) {
    bothModes([&](Checker& c) {
      for (Xmm d : allXmms()) {
        for (Xmm x : someXmms()) {
          for (Xmm n : someXmms()) {
            emit(c.a, d, x, n);
            expectThree(c, name, d, x, n, false);
          }
          for (const Mem& m : someMems()) {
            emit(c.a, d, x, m);
            expectThreeMem(c, name, d, x, str(m));
          }
        }
      }
    });
  };
#define XSH(name, ...)                                                              \
  immediate(#name, [](Assembler& a, Xmm d, Xmm x, uint8_t i) { a.name(d, x, i); }); \
  variable(#name, [](Assembler& a, Xmm d, Xmm x, auto& n) { a.name(d, x, n); });
#include "runtime/compile/x64/assembler_simd.def"
  immediate("pslldq", [](Assembler& a, Xmm d, Xmm x, uint8_t i) { a.pslldq(d, x, i); });
  immediate("psrldq", [](Assembler& a, Xmm d, Xmm x, uint8_t i) { a.psrldq(d, x, i); });
}

TEST(X64Simd, VexOnly) {
  auto three = [&](const char* name, auto emit) {
    Checker c(true, false);
    Label here;
    c.a.bind(here);
    for (Xmm d : allXmms()) {
      for (Xmm x : someXmms()) {
        for (Xmm y : someXmms()) {
          emit(c.a, d, x, y);
          c.expect(join({name, str(d), str(x), str(y)}));
        }
        for (const Mem& m : someMems()) {
          emit(c.a, d, x, m);
          c.expect(join({name, str(d), str(x), str(m)}));
        }
      }
      emit(c.a, d, d, here);
      c.expect(join({name, str(d), str(d), strRip(0)}));
    }
  };
  auto two = [&](const char* name, auto emit) {
    Checker c(true, false);
    Label here;
    c.a.bind(here);
    for (Xmm d : allXmms()) {
      for (Xmm x : allXmms()) {
        emit(c.a, d, x);
        c.expect(join({name, str(d), str(x)}));
      }
      for (const Mem& m : someMems()) {
        emit(c.a, d, m);
        c.expect(join({name, str(d), str(m)}));
      }
      emit(c.a, d, here);
      c.expect(join({name, str(d), strRip(0)}));
    }
  };
#define V3(name, ...) three(#name, [](Assembler& a, Xmm d, Xmm x, auto& y) { a.name(d, x, y); });
#define V2(name, ...) two(#name, [](Assembler& a, Xmm d, auto& x) { a.name(d, x); });
#include "runtime/compile/x64/assembler_simd.def"
  Checker c(true, false);
  c.a.vzeroupper();
  c.expect("vzeroupper");
}

TEST(X64Simd, BetweenRegisterFiles) {
  bothModes([](Checker& c) {
    Assembler& a = c.a;
    std::string v = a.avx ? "v" : "";
    for (Xmm x : allXmms()) {
      for (Gpr r : allGprs()) {
        a.movd(x, r);
        a.movd(r, x);
        a.movq(x, r);
        a.movq(r, x);
        a.mov(w32, x, r);
        a.mov(w64, x, r);
        a.mov(w32, r, x);
        a.mov(w64, r, x);
        c.expect({join({v + "movd", str(x), str(r, w32)}), join({v + "movd", str(r, w32), str(x)}),
                  join({v + "movq", str(x), str(r, w64)}), join({v + "movq", str(r, w64), str(x)}),
                  join({v + "movd", str(x), str(r, w32)}), join({v + "movq", str(x), str(r, w64)}),
                  join({v + "movd", str(r, w32), str(x)}), join({v + "movq", str(r, w64), str(x)})});
        a.movmskps(r, x);
        a.movmskpd(r, x);
        a.pmovmskb(r, x);
        c.expect({join({v + "movmskps", str(r, w32), str(x)}), join({v + "movmskpd", str(r, w32), str(x)}),
                  join({v + "pmovmskb", str(r, w32), str(x)})});
        for (Width w : {w32, w64}) {
          a.cvtsi2ss(w, x, r);
          a.cvtsi2sd(w, x, r);
          a.cvttss2si(w, r, x);
          a.cvttsd2si(w, r, x);
          a.cvtss2si(w, r, x);
          a.cvtsd2si(w, r, x);
          std::string rest = a.avx ? str(x) : "";
          c.expect({join({v + "cvtsi2ss", str(x), rest, str(r, w)}), join({v + "cvtsi2sd", str(x), rest, str(r, w)}),
                    join({v + "cvttss2si", str(r, w), str(x)}), join({v + "cvttsd2si", str(r, w), str(x)}),
                    join({v + "cvtss2si", str(r, w), str(x)}), join({v + "cvtsd2si", str(r, w), str(x)})});
        }
      }
      for (const Mem& m : someMems()) {
        a.movd(x, m);
        a.movd(m, x);
        c.expect({join({v + "movd", str(x), str(m)}), join({v + "movd", str(m), str(x)})});
        for (Width w : {w32, w64}) {
          a.cvtsi2ss(w, x, m);
          a.cvtsi2sd(w, x, m);
          a.cvttss2si(w, Gpr::r9, m);
          a.cvttsd2si(w, Gpr::r9, m);
          a.cvtss2si(w, Gpr::r9, m);
          a.cvtsd2si(w, Gpr::r9, m);
          std::string rest = a.avx ? str(x) : "";
          std::string r = str(Gpr::r9, w);
          c.expect({join({v + "cvtsi2ss", str(x), rest, str(m)}), join({v + "cvtsi2sd", str(x), rest, str(m)}),
                    join({v + "cvttss2si", r, str(m)}), join({v + "cvttsd2si", r, str(m)}),
                    join({v + "cvtss2si", r, str(m)}), join({v + "cvtsd2si", r, str(m)})});
        }
      }
    }
  });
}

TEST(X64Simd, Lanes) {
  bothModes([](Checker& c) {
    Assembler& a = c.a;
    std::string v = a.avx ? "v" : "";
    auto inserted = [&](const char* name, Xmm d, Xmm x, std::string src) {
      if (!a.avx && d != x) c.expect(movaps(d, x));
      c.expect(join({v + name, str(d), a.avx ? str(x) : "", src, "1"}));
    };
    for (Xmm d : allXmms()) {
      for (Gpr r : allGprs()) {
        for (Xmm x : {d, Xmm::xmm6, Xmm::xmm11}) {
          a.pinsrb(d, x, r, 1);
          inserted("pinsrb", d, x, str(r, w32));
          a.pinsrw(d, x, r, 1);
          inserted("pinsrw", d, x, str(r, w32));
          a.pinsrd(d, x, r, 1);
          inserted("pinsrd", d, x, str(r, w32));
          a.pinsrq(d, x, r, 1);
          inserted("pinsrq", d, x, str(r, w64));
        }
        a.pextrb(r, d, 3);
        a.pextrw(r, d, 3);
        a.pextrd(r, d, 3);
        a.pextrq(r, d, 1);
        a.extractps(r, d, 2);
        c.expect({join({v + "pextrb", str(r, w32), str(d), "3"}), join({v + "pextrw", str(r, w32), str(d), "3"}),
                  join({v + "pextrd", str(r, w32), str(d), "3"}), join({v + "pextrq", str(r, w64), str(d), "1"}),
                  join({v + "extractps", str(r, w32), str(d), "2"})});
      }
      for (const Mem& m : someMems()) {
        for (Xmm x : {d, Xmm::xmm6, Xmm::xmm11}) {
          a.pinsrb(d, x, m, 1);
          inserted("pinsrb", d, x, str(m));
          a.pinsrw(d, x, m, 1);
          inserted("pinsrw", d, x, str(m));
          a.pinsrd(d, x, m, 1);
          inserted("pinsrd", d, x, str(m));
          a.pinsrq(d, x, m, 1);
          inserted("pinsrq", d, x, str(m));
        }
        a.pextrb(m, d, 3);
        a.pextrw(m, d, 3);
        a.pextrd(m, d, 3);
        a.pextrq(m, d, 1);
        a.extractps(m, d, 2);
        c.expect({join({v + "pextrb", str(m), str(d), "3"}), join({v + "pextrw", str(m), str(d), "3"}),
                  join({v + "pextrd", str(m), str(d), "3"}), join({v + "pextrq", str(m), str(d), "1"}),
                  join({v + "extractps", str(m), str(d), "2"})});
      }
    }
  });
}

TEST(X64Simd, Blends) {
  Checker vex(true, false);
  for (Xmm d : allXmms()) {
    for (Xmm x : someXmms()) {
      for (Xmm y : someXmms()) {
        for (Xmm m : someXmms()) {
          vex.a.pblendvb(d, x, y, m);
          vex.a.blendvps(d, x, y, m);
          vex.a.blendvpd(d, x, y, m);
          for (const char* n : {"vpblendvb", "vblendvps", "vblendvpd"}) {
            vex.expect(join({n, str(d), str(x), str(y), str(m)}));
          }
        }
      }
    }
  }
  Checker sse(false, false);
  for (Xmm d : someXmms()) {
    for (Xmm y : someXmms()) {
      if (d == Xmm::xmm0) continue;
      sse.a.pblendvb(d, d, y, Xmm::xmm0);
      sse.a.blendvps(d, d, y, Xmm::xmm0);
      sse.a.blendvpd(d, Xmm::xmm5, y, Xmm::xmm0);
      sse.expect({join({"pblendvb", str(d), str(y)}), join({"blendvps", str(d), str(y)})});
      expectThree(sse, "blendvpd", d, Xmm::xmm5, y, false);
    }
  }
}

TEST(X64Simd, MovesAndIdioms) {
  bothModes([](Checker& c) {
    for (Xmm d : allXmms()) {
      c.a.zero(d);
      c.a.ones(d);
      if (c.a.avx) {
        c.expect({join({"vxorps", str(d), str(d), str(d)}), join({"vpcmpeqd", str(d), str(d), str(d)})});
      } else {
        c.expect({join({"xorps", str(d), str(d)}), join({"pcmpeqd", str(d), str(d)})});
      }
      for (Xmm s : allXmms()) {
        c.a.mov(d, s);
        if (d != s) c.expect(join({c.a.avx ? "vmovaps" : "movaps", str(d), str(s)}));
      }
    }
  });
}

}  // namespace
}  // namespace wattle::x64::test
