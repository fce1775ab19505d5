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

inline Compiler::Address Compiler::address(const MemArg& arg, uint32_t accessBytes) {
  Operand index = pop();
  if (index.isConst() || arg.memory != 0 || !memory0Guarded_ || arg.offset >= kUncheckedOffsets) [[unlikely]] {
    return otherAddress(arg, accessBytes, index);
  }
  const Gpr r = use(index);
  Address a;
  if (index.where() == Where::Gpr) a.held = r;
  a.mem = Mem(memory0Base(), r, 1, static_cast<int32_t>(arg.offset));
  return a;
}

template <Op op>
void Compiler::loadOp(const MemArg& arg) {
  constexpr uint32_t bytes = accessBytes(op);
  Address a = address(arg, bytes);
  constexpr bool toFloat = op == Op::F32Load || op == Op::F64Load || op == Op::V128Load;
  if constexpr (toFloat) {
    Xmm dst = resultXmm(targetPin(true));
    if constexpr (op == Op::F32Load)
      as_.movss(dst, a.mem);
    else if constexpr (op == Op::F64Load)
      as_.movsd(dst, a.mem);
    else
      as_.movups(dst, a.mem);
    release(a);
    return pushXmm(op == Op::F32Load ? Type::F32 : op == Op::F64Load ? Type::F64 : Type::V128, dst);
  } else {
    uint8_t target = targetPin(false);
    Gpr dst = target != kNone ? static_cast<Gpr>(target) : a.held != Gpr::rsp ? a.held : allocGpr();
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
}

template <Op op>
void Compiler::storeOp(const MemArg& arg) {
  constexpr uint32_t bytes = accessBytes(op);
  Operand value = pop();
  if constexpr (op == Op::F32Store || op == Op::F64Store || op == Op::V128Store) {
    if (value.isConst()) {  // F32, F64: as an integer
      Address a = address(arg, bytes);
      storeConstant(a.mem, op == Op::F32Store ? w32 : w64, static_cast<uint64_t>(value.value()));
      return release(a);
    }
    Xmm v = useXmm(value);
    Address a = address(arg, bytes);
    if constexpr (op == Op::F32Store)
      as_.movss(a.mem, v);
    else if constexpr (op == Op::F64Store)
      as_.movsd(a.mem, v);
    else
      as_.movups(a.mem, v);
    release(value);
    release(a);
  } else {
    constexpr Width w = widthOfBytes(bytes);
    if (value.isConst()) {
      Address a = address(arg, bytes);
      storeConstant(a.mem, w, static_cast<uint64_t>(value.value()));
      return release(a);
    }
    Gpr v = use(value);
    Address a = address(arg, bytes);
    as_.mov(w, a.mem, v);
    release(value);
    release(a);
  }
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
