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

// The order is used: registers come first, locals are neighbours.
enum class Where : uint8_t {
  Gpr,    // in a general register that this entry owns
  Xmm,    // in a vector register that this entry owns
  Pin,    // the current value of a local, in its pinned register; local.set materializes such entries first
  Local,  // the same of a local without one: in its frame slot
  Slot,   // in the entry's own frame slot
  Const,  // a constant not yet in any register; `value` (never V128)
  Flags,  // i32: a comparison just made, condition `reg`; only on top, only until the next instruction
};

// An entry of the operand stack. All but a constant's value stands in one word, which is made and taken apart in
// registers: entries are read soon after they are written, and the processor waits where it has to put together what it
// reads from several stores.
class Operand {
 public:
  // Bits of the word: where, type, register or condition, a pin's fact and flags (eight each); local or slot (32).
  static constexpr uint32_t kVolatile = 1u << 29, kUnused = 1u << 30;
  static constexpr uint32_t head(Where where, Type type, uint8_t reg) {
    return static_cast<uint32_t>(where) | static_cast<uint32_t>(type) << 8 | uint32_t{reg} << 16;
  }

  constexpr Operand() : Operand(head(Where::Const, Type::I32, 0)) {}
  // i32 zero-extended, f32 bits zero-extended
  static constexpr Operand constant(Type type, int64_t value) { return {head(Where::Const, type, 0), value}; }
  static constexpr Operand in(Type type, Gpr r) { return {head(Where::Gpr, type, static_cast<uint8_t>(r))}; }
  static constexpr Operand in(Type type, Xmm r) { return {head(Where::Xmm, type, static_cast<uint8_t>(r))}; }
  static constexpr Operand slot(Type type, uint32_t position) { return {at(head(Where::Slot, type, 0), position)}; }
  static constexpr Operand flags(x64::Cond cond) { return {head(Where::Flags, Type::I32, static_cast<uint8_t>(cond))}; }
  static constexpr Operand local(uint32_t home, uint32_t index) { return {at(home, index)}; }  // LocalHome::head()

  constexpr Where where() const { return static_cast<Where>(head_ & 0xff); }
  constexpr Type type() const { return static_cast<Type>(head_ >> 8 & 0xff); }
  constexpr uint8_t reg() const { return static_cast<uint8_t>(head_ >> 16); }
  constexpr uint32_t index() const { return static_cast<uint32_t>(head_ >> 32); }  // of a local or a slot
  constexpr int64_t value() const { return value_; }
  constexpr Gpr gpr() const { return static_cast<Gpr>(reg()); }
  constexpr Xmm xmm() const { return static_cast<Xmm>(reg()); }
  constexpr x64::Cond cond() const { return static_cast<x64::Cond>(reg()); }
  constexpr bool isConst() const { return where() == Where::Const; }
  constexpr bool isLocal() const { return (head_ & 0xfe) == static_cast<uint64_t>(Where::Pin); }
  constexpr bool isIn(Gpr r) const { return where() == Where::Gpr && gpr() == r; }
  constexpr bool inRegister() const { return where() <= Where::Pin; }
  constexpr bool inMemory() const { return where() == Where::Local || where() == Where::Slot; }
  // A pin that does not survive calls; its bit in PinFacts.
  constexpr bool isVolatile() const { return (head_ & kVolatile) != 0; }
  constexpr uint32_t factBit() const { return 1u << (head_ >> 24 & 31); }
  constexpr bool fitsImm32() const {
    return isConst() && (type() == Type::I32 || value_ == static_cast<int32_t>(value_));
  }
  constexpr int32_t imm32() const { return static_cast<int32_t>(value_); }

  void comesTo(Gpr r) { head_ = head(Where::Gpr, type(), static_cast<uint8_t>(r)); }
  void comesTo(Xmm r) { head_ = head(Where::Xmm, type(), static_cast<uint8_t>(r)); }
  void comesToSlot(uint32_t position) { head_ = at(head(Where::Slot, type(), 0), position); }

 private:
  constexpr Operand(uint64_t head, int64_t value = 0) : head_(head), value_(value) {}
  static constexpr uint64_t at(uint32_t head, uint32_t index) { return head | uint64_t{index} << 32; }
  uint64_t head_;
  int64_t value_;
};
static_assert(sizeof(Operand) == 16 && Where::Pin < Where::Local && !(static_cast<int>(Where::Pin) & 1));

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
