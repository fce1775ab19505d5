// Loads and stores.
//
// guarded   A 32-bit memory lies at the start of 4 GiB of reserved space with a guard behind it. An access at base +
//           index + offset with the offset below the guard's size needs no check: it either hits the memory or faults,
//           and the fault is the trap.
// checked   index + offset + size is compared with the memory's size. 64-bit memories always are.
#pragma once

#include "runtime/compile/baseline/compiler.h"

namespace wattle::compile::baseline {

using frontend::accessBytes;

inline constexpr uint64_t kUncheckedOffsets = (64ull << 20) - 64;  // sandbox::kGuardBytes less the widest access

constexpr Width widthOfBytes(uint32_t bytes) { return bytes == 1 ? w8 : bytes == 2 ? w16 : bytes == 4 ? w32 : w64; }

// In which kind of register the value of a load or store is; all integers are I64.
constexpr Type registerTypeOf(Op op) {
  switch (op) {
    case Op::F32Load:
    case Op::F32Store: return Type::F32;
    case Op::F64Load:
    case Op::F64Store: return Type::F64;
    case Op::V128Load:
    case Op::V128Store: return Type::V128;
    default: return Type::I64;
  }
}

// The base of a memory in a register: r14, or loaded to a temp which `a` then holds.
inline Gpr Compiler::memoryBaseFor(uint32_t memory, Address& a) {
  if (memory == 0) return memory0Base();
  if (a.extra == Gpr::rsp) a.extra = allocGpr();
  int32_t slot = static_cast<int32_t>(ctx_.layout->memory(memory));
  if (isGuarded(memory)) {
    as_.mov(w64, a.extra, Mem(kContext, slot + static_cast<int32_t>(offsetof(abi::VMMemorySlot, base))));
  } else {
    as_.mov(w64, a.extra, Mem(kContext, slot + static_cast<int32_t>(offsetof(abi::VMMemorySlot, memory))));
    as_.mov(w64, a.extra, Mem(a.extra, offsetof(abi::VMMemory, base)));
  }
  return a.extra;
}

inline Compiler::Address Compiler::nearAddress(const MemArg& arg, Operand index) {
  const Gpr r = use(index);
  if (r == Gpr::rsp) __builtin_unreachable();  // so the encoding of the address always has an index
  Address a;
  if (index.where() == Where::Gpr) a.held = r;
  a.mem = Mem(kMemoryBase, r, 1, static_cast<int32_t>(arg.offset));
  return a;
}

inline Compiler::Address Compiler::address(const MemArg& arg, uint32_t accessBytes) {
  const Operand index = pop();
  return isNear(arg, index) ? nearAddress(arg, index) : otherAddress(arg, accessBytes, index);
}

// The usual address has a way of its own, in which its form is known.
template <Op op>
void Compiler::loadOp(const MemArg& arg) {
  const Operand index = pop();
  isNear(arg, index) ? loadFrom<op>(nearAddress(arg, index)) : loadElsewhere<op>(arg, index);
}

template <Op op>
void Compiler::loadElsewhere(const MemArg& arg, Operand index) {
  constexpr uint32_t bytes = accessBytes(op);
  loadFrom<op>(otherAddress(arg, bytes, index));
}

template <Op op>
void Compiler::loadFrom(Address a) {
  constexpr Type type = registerTypeOf(op);
  if constexpr (isFloat(type)) {
    const Xmm dst = resultXmm(targetPin(true));
    loadXmm(as_, type, dst, a.mem);
    release(a);
    pushXmm(type, dst);
  } else {
    loadInteger<op>(a);
  }
}

template <Op op>
void Compiler::loadInteger(Address a) {
  const uint8_t target = targetPin(false);
  const Gpr dst = target != kNone ? static_cast<Gpr>(target) : a.held != Gpr::rsp ? a.held : allocGpr();
  using enum Op;
  if constexpr (op == I32Load || op == I64Load32U)
    as_.mov(w32, dst, a.mem);
  else if constexpr (op == I64Load)
    as_.mov(w64, dst, a.mem);
  else if constexpr (op == I32Load8U || op == I64Load8U)
    as_.movzx8(dst, a.mem);
  else if constexpr (op == I32Load16U || op == I64Load16U)
    as_.movzx16(dst, a.mem);
  else if constexpr (op == I32Load8S)
    as_.movsx8(w32, dst, a.mem);
  else if constexpr (op == I64Load8S)
    as_.movsx8(w64, dst, a.mem);
  else if constexpr (op == I32Load16S)
    as_.movsx16(w32, dst, a.mem);
  else if constexpr (op == I64Load16S)
    as_.movsx16(w64, dst, a.mem);
  else
    as_.movsxd(dst, a.mem);
  if (a.held == dst) a.held = Gpr::rsp;  // now the result
  release(a);
  constexpr bool is64 = frontend::info(op).signature.back() == 'I';
  pushGpr(is64 ? Type::I64 : Type::I32, dst);
}

template <Op op>
void Compiler::storeOp(const MemArg& arg) {
  constexpr uint32_t bytes = accessBytes(op);
  Operand value = pop();
  if (value.isConst()) {  // F32, F64: as an integer
    const Address a = address(arg, bytes);
    storeConstant(a.mem, widthOfBytes(bytes), static_cast<uint64_t>(value.value()));
    return release(a);
  }
  if constexpr (isFloat(registerTypeOf(op)))
    static_cast<void>(useXmm(value));
  else
    static_cast<void>(use(value));
  const Operand index = pop();
  isNear(arg, index) ? storeAt<op>(nearAddress(arg, index), value) : storeElsewhere<op>(arg, index, value);
}

template <Op op>
void Compiler::storeElsewhere(const MemArg& arg, Operand index, Operand value) {
  constexpr uint32_t bytes = accessBytes(op);
  storeAt<op>(otherAddress(arg, bytes, index), value);
}

template <Op op>
void Compiler::storeAt(Address a, Operand value) {
  constexpr uint32_t bytes = accessBytes(op);
  if constexpr (isFloat(registerTypeOf(op)))
    storeXmm(as_, registerTypeOf(op), a.mem, value.xmm());
  else
    as_.mov(widthOfBytes(bytes), a.mem, value.gpr());
  release(value);
  release(a);
}

inline void Compiler::storeConstant(const Mem& dst, Width w, uint64_t value) {
  if (w != w64 || value == static_cast<uint64_t>(static_cast<int64_t>(static_cast<int32_t>(value)))) {
    return as_.mov(w, dst, static_cast<int32_t>(value));
  }
  if (!dst.uses(kScratch)) {
    as_.movImm64(kScratch, value);
    return as_.mov(w64, dst, kScratch);
  }
  // The address has been checked, so two halves are both written or neither is.
  as_.mov(w32, dst, static_cast<int32_t>(value));
  as_.mov(w32, dst.at(4), static_cast<int32_t>(value >> 32));
}

}  // namespace wattle::compile::baseline
