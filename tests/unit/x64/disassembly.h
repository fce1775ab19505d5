// The oracle of the assembler's tests: Zydis reads what was emitted, in a plain spelling that expectations can be built
// in.
//
//   "add eax, ecx"   "mov rax, m64[rbp+rcx*4-8]"   "vpshufd xmm1, m[rax+16], 27"   "jz 42" (the target's position)
#pragma once

#include <Zydis/Zydis.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "runtime/compile/x64/assembler.h"

namespace wattle::x64::test {

inline constexpr int32_t kDisplacements[] = {0, 1, -1, 127, -128, 128, -129, 0x12345678, INT32_MIN, INT32_MAX};

inline std::vector<Gpr> allGprs() {
  std::vector<Gpr> all;
  for (unsigned i = 0; i < 16; ++i) all.push_back(static_cast<Gpr>(i));
  return all;
}
inline std::vector<Xmm> allXmms() {
  std::vector<Xmm> all;
  for (unsigned i = 0; i < 16; ++i) all.push_back(static_cast<Xmm>(i));
  return all;
}
// Those whose encodings differ in kind: low, spl and its like, SIB and disp8 special cases, REX.B, and both.
inline std::vector<Gpr> someGprs() {
  return {Gpr::rax, Gpr::rbx, Gpr::rsp, Gpr::rbp, Gpr::rdi, Gpr::r8, Gpr::r12, Gpr::r13, Gpr::r15};
}
inline std::vector<Xmm> someXmms() { return {Xmm::xmm0, Xmm::xmm3, Xmm::xmm7, Xmm::xmm8, Xmm::xmm14}; }

// Every base with every index (and none), every displacement class, every scale.
inline std::vector<Mem> allMems() {
  std::vector<Mem> all;
  for (Gpr base : allGprs()) {
    for (int32_t disp : kDisplacements) {
      all.emplace_back(base, disp);
      unsigned scale = 1;
      for (Gpr index : allGprs()) {
        if (index != Gpr::rsp) all.emplace_back(base, index, scale, disp);
        scale = scale == 8 ? 1 : scale * 2;
      }
    }
  }
  return all;
}
inline std::vector<Mem> someMems() {
  return {Mem(Gpr::rax),
          Mem(Gpr::rsp, 8),
          Mem(Gpr::rbp),
          Mem(Gpr::r12),
          Mem(Gpr::r13, 300),
          Mem(Gpr::r14, Gpr::rcx, 1),
          Mem(Gpr::rbp, Gpr::r12, 8),
          Mem(Gpr::r13, Gpr::r13, 2, -4),
          Mem(Gpr::rsp, Gpr::rbp, 4, 0x1000)};
}

// ---- spelling ----

inline std::string str(Gpr r, Width w) {
  static const char* const kNames[4][16] = {
      {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil", "r8b", "r9b", "r10b", "r11b", "r12b", "r13b", "r14b",
       "r15b"},
      {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "r8w", "r9w", "r10w", "r11w", "r12w", "r13w", "r14w", "r15w"},
      {"eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "r8d", "r9d", "r10d", "r11d", "r12d", "r13d", "r14d",
       "r15d"},
      {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"}};
  return kNames[static_cast<unsigned>(w)][num(r)];
}
inline std::string str(Xmm r) { return "xmm" + std::to_string(num(r)); }
// bits 0: of no interest
inline std::string str(const Mem& m, unsigned bits = 0) {
  std::string s = bits ? "m" + std::to_string(bits) : "m";
  s += '[' + str(m.base, w64);
  if (m.hasIndex()) s += '+' + str(m.index, w64) + '*' + std::to_string(1 << m.scaleLog2);
  if (m.disp > 0) s += '+';
  if (m.disp) s += std::to_string(m.disp);
  return s + ']';
}
inline std::string str(const Mem& m, Width w) { return str(m, 8u << static_cast<unsigned>(w)); }
// rip-relative, by the position that it leads to
inline std::string strRip(int32_t target, unsigned bits = 0) {
  return (bits ? "m" + std::to_string(bits) : "m") + "[" + std::to_string(target) + ']';
}
inline std::string join(std::initializer_list<std::string> parts) {
  std::string s;
  for (const std::string& p : parts) {
    if (p.empty()) continue;
    if (!s.empty()) s += s.find(' ') == std::string::npos ? " " : ", ";
    s += p;
  }
  return s;
}
inline std::string conditionName(Cond c) {
  static const char* const kNames[] = {"o", "no", "b", "nb", "z", "nz", "be", "nbe",
                                       "s", "ns", "p", "np", "l", "nl", "le", "nle"};
  return kNames[num(c)];
}

// ---- reading ----

struct Decoded {
  std::string text;
  int32_t position;
  int32_t length;
};

// sizes: whether memory operands are spelled with their size.
class Disassembler {
 public:
  Disassembler() { ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64); }

  // "?" and an end at the first byte that is not an instruction.
  std::vector<Decoded> read(const AssemblerBase& a, bool sizes) const {
    std::vector<Decoded> all;
    for (int32_t at = 0; at < a.pos();) {
      ZydisDecodedInstruction in;
      ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
      if (!ZYAN_SUCCESS(
              ZydisDecoderDecodeFull(&decoder_, a.data() + at, static_cast<size_t>(a.pos() - at), &in, operands))) {
        all.push_back({"?", at, 0});
        break;
      }
      all.push_back({spell(in, operands, at, sizes), at, in.length});
      at += in.length;
    }
    return all;
  }

 private:
  static std::string spell(const ZydisDecodedInstruction& in, const ZydisDecodedOperand* operands, int32_t at,
                           bool sizes) {
    std::string s;
    if (in.attributes & ZYDIS_ATTRIB_HAS_LOCK) s += "lock_";
    if (in.attributes & ZYDIS_ATTRIB_HAS_REP) s += "rep_";
    s += ZydisMnemonicGetString(in.mnemonic);
    for (unsigned i = 0; i < in.operand_count_visible; ++i) {
      const ZydisDecodedOperand& o = operands[i];
      s += i ? ", " : " ";
      switch (o.type) {
        case ZYDIS_OPERAND_TYPE_REGISTER: s += ZydisRegisterGetString(o.reg.value); break;
        case ZYDIS_OPERAND_TYPE_MEMORY: {
          s += sizes && o.size ? "m" + std::to_string(o.size) : "m";
          s += '[';
          int64_t disp = o.mem.disp.has_displacement ? o.mem.disp.value : 0;
          if (o.mem.base == ZYDIS_REGISTER_RIP) {
            s += std::to_string(at + in.length + disp);
          } else {
            s += ZydisRegisterGetString(o.mem.base);
            if (o.mem.index != ZYDIS_REGISTER_NONE) {
              s += std::string("+") + ZydisRegisterGetString(o.mem.index) + '*' + std::to_string(o.mem.scale);
            }
            if (disp > 0) s += '+';
            if (disp) s += std::to_string(disp);
          }
          s += ']';
          break;
        }
        case ZYDIS_OPERAND_TYPE_IMMEDIATE:
          if (o.imm.is_relative) {
            s += std::to_string(at + in.length + o.imm.value.s);
          } else if (o.imm.is_signed) {
            s += std::to_string(o.imm.value.s);
          } else {
            s += std::to_string(o.imm.value.u);
          }
          break;
        default: s += '?';
      }
    }
    return s;
  }

  ZydisDecoder decoder_;
};

// Collects instructions with their expectations and checks them in one go.
class Checker {
 public:
  explicit Checker(bool avx = false, bool sizes = true) : sizes_(sizes) { a.avx = avx; }
  ~Checker() { check(); }

  Assembler a;

  // What was emitted since the last call must read like this, one string an instruction.
  void expect(std::initializer_list<std::string> lines) {
    for (const std::string& l : lines) expected_.push_back(l);
    if (expected_.size() > 10000) check();
    a.ensure(256);
  }
  void expect(std::string line) { expect({std::move(line)}); }

  void check() {
    std::vector<Decoded> got = disassembler_.read(a, sizes_);
    size_t wrong = 0;
    for (size_t i = 0; i < std::max(got.size(), expected_.size()) && wrong < 5; ++i) {
      std::string is = i < got.size() ? got[i].text : "(nothing)";
      std::string should = i < expected_.size() ? expected_[i] : "(nothing)";
      if (is == should) continue;
      ++wrong;
      ADD_FAILURE() << "instruction " << i << (a.avx ? " (AVX)" : "") << ": expected " << should << ", got " << is
                    << bytes(got, i);
    }
    instructions += expected_.size();
    expected_.clear();
    a.reset();
    a.ensure(256);
  }

  size_t instructions = 0;

 private:
  std::string bytes(const std::vector<Decoded>& got, size_t i) const {
    if (i >= got.size()) return "";
    std::string s = "  [";
    for (int32_t k = 0; k < std::max(got[i].length, 8) && got[i].position + k < a.pos(); ++k) {
      char hex[4];
      std::snprintf(hex, sizeof hex, "%02x ", a.data()[got[i].position + k]);
      s += hex;
    }
    return s + "]";
  }

  Disassembler disassembler_;
  std::vector<std::string> expected_;
  bool sizes_;
};

}  // namespace wattle::x64::test
