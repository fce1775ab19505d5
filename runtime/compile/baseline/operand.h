// The abstract operand stack's entries and the register sets of the baseline compiler.
#pragma once

#include <bit>
#include <cstdint>

#include "frontend/types.h"
#include "runtime/compile/x64/assembler.h"

namespace wattle::compile::baseline {

using x64::Gpr;
using x64::Xmm;

// Values as registers see them. References are I64 words.
enum class Type : uint8_t { I32, I64, F32, F64, V128 };

constexpr bool isFloat(Type t) { return t >= Type::F32; }
constexpr Type typeOf(frontend::ValType t) {
  switch (t.kind()) {
    case frontend::ValKind::I32: return Type::I32;
    case frontend::ValKind::F32: return Type::F32;
    case frontend::ValKind::F64: return Type::F64;
    case frontend::ValKind::V128: return Type::V128;
    default: return Type::I64;
  }
}

// Between memory and a vector register, as wide as the type.
inline void loadXmm(x64::Assembler& as, Type type, Xmm dst, const x64::Mem& src) {
  if (type == Type::F32)
    as.movss(dst, src);
  else if (type == Type::F64)
    as.movsd(dst, src);
  else
    as.movups(dst, src);
}
inline void storeXmm(x64::Assembler& as, Type type, const x64::Mem& dst, Xmm src) {
  if (type == Type::F32)
    as.movss(dst, src);
  else if (type == Type::F64)
    as.movsd(dst, src);
  else
    as.movups(dst, src);
}

enum class Where : uint8_t {
  Gpr,    // in a general register that this entry owns
  Xmm,    // in a vector register that this entry owns
  Const,  // a constant not yet in any register; `value` (never V128)
  Local,  // the current value of local `index`; local.set materializes such entries first
  Slot,   // in the entry's own frame slot
  Flags,  // i32: a comparison just made, condition `reg`; only on top, only until the next instruction
};

struct Operand {
  Where where = Where::Const;
  Type type = Type::I32;
  uint8_t reg = 0;     // register number, or condition
  uint32_t index = 0;  // local
  int64_t value = 0;   // constant: i32 zero-extended, f32 bits zero-extended

  Gpr gpr() const { return static_cast<Gpr>(reg); }
  Xmm xmm() const { return static_cast<Xmm>(reg); }
  x64::Cond cond() const { return static_cast<x64::Cond>(reg); }
  bool isConst() const { return where == Where::Const; }
  bool fitsImm32() const {
    return where == Where::Const && (type == Type::I32 || value == static_cast<int32_t>(value));
  }
  int32_t imm32() const { return static_cast<int32_t>(value); }
};
static_assert(sizeof(Operand) == 16);

using RegSet = uint32_t;  // a bit per register number
constexpr RegSet bit(Gpr r) { return 1u << static_cast<unsigned>(r); }
constexpr RegSet bit(Xmm r) { return 1u << static_cast<unsigned>(r); }
template <class... R>
constexpr RegSet regs(R... r) {
  return (0u | ... | bit(r));
}
inline unsigned lowest(RegSet set) { return static_cast<unsigned>(std::countr_zero(set)); }

// --- register roles (see abi/registers.h for the convention) ----------------------------------------------------
inline constexpr Gpr kContext = Gpr::r13;
inline constexpr Gpr kMemoryBase = Gpr::r14;
inline constexpr Gpr kScratch = Gpr::r11;  // never holds a value across an emitting call
inline constexpr Xmm kFloatScratch = Xmm::xmm15;
inline constexpr Xmm kFloatScratch2 = Xmm::xmm14;
inline constexpr RegSet kTemps = regs(Gpr::rax, Gpr::rcx, Gpr::rdx, Gpr::rsi);
inline constexpr Gpr kCalleeSavedPins[] = {Gpr::rbx, Gpr::r12, Gpr::r15};
inline constexpr Gpr kCallerSavedPins[] = {Gpr::rdi, Gpr::r8, Gpr::r9, Gpr::r10};
inline constexpr RegSet kFloatTemps = 0x003f;  // xmm0..xmm5
inline constexpr RegSet kFloatPins = 0x3fc0;   // xmm6..xmm13

inline constexpr Gpr kIntegerArgumentRegs[] = {Gpr::rdi, Gpr::rsi, Gpr::rdx, Gpr::rcx, Gpr::r8, Gpr::r9};

}  // namespace wattle::compile::baseline
