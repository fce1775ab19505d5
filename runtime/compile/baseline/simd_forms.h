// Vector instructions that are one instruction of the processor, as data (simd.def). Compiling one is a lookup and an
// indirect call, so that the two hundred of them do not each instantiate the handling of operands.
#pragma once

#include <array>
#include <cstdint>

#include "runtime/compile/baseline/operand.h"
#include "runtime/compile/x64/assembler.h"

namespace wattle::compile::baseline {

enum class Shape : uint8_t { I8x16, I16x8, I32x4, I64x2, F32x4, F64x2 };
constexpr unsigned laneBytes(Shape s) {
  constexpr uint8_t kBytes[] = {1, 2, 4, 8, 4, 8};
  return kBytes[static_cast<unsigned>(s)];
}

struct VectorConstant {
  uint64_t low = 0, high = 0;
};
using Pattern = std::array<uint8_t, 16>;  // which byte goes where; see simd_shuffle.cc

struct VectorBinaryForm {
  void (x64::Assembler::*reg)(Xmm dst, Xmm a, Xmm b);
  void (x64::Assembler::*mem)(Xmm dst, Xmm a, const x64::Mem& b);
  void (x64::Assembler::*label)(Xmm dst, Xmm a, x64::Label& b);
  uint8_t flags;

  static constexpr uint8_t None = 0, Commutes = 1, Swapped = 2, Negated = 4;
  bool is(uint8_t flag) const { return flags & flag; }
};

struct VectorUnaryForm {
  void (x64::Assembler::*reg)(Xmm dst, Xmm src);
  void (x64::Assembler::*mem)(Xmm dst, const x64::Mem& src);
};

struct VectorShiftForm {
  void (x64::Assembler::*immediate)(Xmm dst, Xmm src, uint8_t count);
  void (x64::Assembler::*reg)(Xmm dst, Xmm src, Xmm count);
  uint8_t mask;
};

#define WATTLE_NAME(op, ...) op,
enum class VectorBinary : uint8_t {
#define BINARY WATTLE_NAME
#define WIDE WATTLE_NAME
#include "runtime/compile/baseline/simd.def"
};
enum class VectorUnary : uint8_t {
#define UNARY WATTLE_NAME
#include "runtime/compile/baseline/simd.def"
};
enum class VectorShift : uint8_t {
#define SHIFT WATTLE_NAME
#include "runtime/compile/baseline/simd.def"
};
#undef WATTLE_NAME

const VectorBinaryForm& form(VectorBinary op);
const VectorUnaryForm& form(VectorUnary op);
const VectorShiftForm& form(VectorShift op);

// An instruction of AVX-512VL.
struct Evex {
  uint8_t opcode;
  x64::Pp pp;
  x64::Map map;
  uint8_t wide;
};
inline constexpr Evex kVpabsq{0x1f, x64::Pp::p66, x64::Map::m38, 1};
inline constexpr Evex kVpmullq{0x40, x64::Pp::p66, x64::Map::m38, 1};
inline constexpr Evex kVpopcntb{0x54, x64::Pp::p66, x64::Map::m38, 0};  // with BITALG
inline constexpr Evex kVpsraq{0xe2, x64::Pp::p66, x64::Map::m0f, 1};
inline constexpr Evex kVpsraqImmediate{0x72, x64::Pp::p66, x64::Map::m0f, 1};  // /4 ib
inline constexpr Evex kVpternlogd{0x25, x64::Pp::p66, x64::Map::m3a, 0};       // ib
inline constexpr Evex kVpermi2b{0x75, x64::Pp::p66, x64::Map::m38, 0};         // with VBMI: dst's bytes select
inline constexpr Evex kVpermt2b{0x7d, x64::Pp::p66, x64::Map::m38, 0};  // with VBMI: the second operand's bytes select
inline constexpr Evex kVcvttps2udq{0x78, x64::Pp::np, x64::Map::m0f, 0};
inline constexpr Evex kVcvttpd2udq{0x78, x64::Pp::np, x64::Map::m0f, 1};
inline constexpr Evex kVcvtudq2ps{0x7a, x64::Pp::pf2, x64::Map::m0f, 0};
inline constexpr Evex kVcvtudq2pd{0x7a, x64::Pp::pf3, x64::Map::m0f, 0};

// A byte, word, double word in all lanes of 64 bits.
constexpr uint64_t repeat8(uint64_t v) { return (v & 0xff) * 0x0101010101010101; }
constexpr uint64_t repeat16(uint64_t v) { return (v & 0xffff) * 0x0001000100010001; }
constexpr uint64_t repeat32(uint64_t v) { return (v & 0xffffffff) * 0x0000000100000001; }

}  // namespace wattle::compile::baseline
