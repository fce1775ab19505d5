// Atomic accesses (threads proposal): the prefix 0xfe.
//
// x86-64 orders plain loads as sequential consistency wants when stores are exchanges. An address that is not a
// multiple of the access' size traps; memories begin on pages, so the address in the host tells. What the processor has
// no read-modify-write for (and, or, xor with a result) is a loop around cmpxchg.
#pragma once

#include <string_view>

#include "runtime/compile/baseline/memory.h"

namespace wattle::compile::baseline {

enum class AtomicKind : uint8_t { Load, Store, Add, Sub, And, Or, Xor, Exchange, CompareExchange, Wait, Notify };

constexpr AtomicKind atomicKind(Op op) {
  const std::string_view name = frontend::name(op);
  auto has = [&](std::string_view word) { return name.find(word) != std::string_view::npos; };
  if (has(".load")) return AtomicKind::Load;
  if (has(".store")) return AtomicKind::Store;
  if (has(".wait")) return AtomicKind::Wait;
  if (has(".notify")) return AtomicKind::Notify;
  if (has(".cmpxchg")) return AtomicKind::CompareExchange;
  if (has(".xchg")) return AtomicKind::Exchange;
  if (has(".add")) return AtomicKind::Add;
  if (has(".sub")) return AtomicKind::Sub;
  if (has(".and")) return AtomicKind::And;
  if (has(".or")) return AtomicKind::Or;
  return AtomicKind::Xor;
}

inline Compiler::Address Compiler::atomicAddress(const MemArg& arg, uint32_t bytes) {
  Address a = address(arg, bytes);
  if (bytes == 1) return a;
  const int32_t mask = static_cast<int32_t>(bytes) - 1;
  if (a.mem.hasIndex() && (a.mem.disp & mask) == 0) {
    as_.test(w32, a.mem.index, mask);  // the base is a memory's
  } else if (a.mem.base == kMemoryBase && !a.mem.hasIndex()) {
    if ((a.mem.disp & mask) == 0) return a;
    as_.test(w64, Gpr::rsp, Gpr::rsp);  // never zero
  } else if (a.mem.base == kScratch) {
    as_.lea(w64, kScratch, a.mem);
    a.mem = Mem(kScratch);
    as_.test(w32, kScratch, mask);
  } else {
    as_.lea(w64, kScratch, a.mem);
    as_.test(w32, kScratch, mask);
  }
  trapIf(Cond::ne, TrapReason::UnalignedAtomic);
  return a;
}

// Clears what lies above a value of `bytes` in a register.
inline void Compiler::zeroExtend(uint32_t bytes, Gpr r) {
  if (bytes == 1)
    as_.movzx8(r, r);
  else if (bytes == 2)
    as_.movzx16(r, r);
  else if (bytes == 4)
    as_.mov(w32, r, r);
}

template <Op op>
void Compiler::atomicOp(const MemArg& arg) {
  constexpr AtomicKind kind = atomicKind(op);
  constexpr uint32_t bytes = accessBytes(op);
  constexpr Width w = bytes == 1 ? w8 : bytes == 2 ? w16 : bytes == 4 ? w32 : w64;
  constexpr Type type = frontend::info(op).signature.back() == 'I' ? Type::I64 : Type::I32;

  if constexpr (kind == AtomicKind::Wait || kind == AtomicKind::Notify) {
    push({Where::Const, Type::I64, 0, 0, static_cast<int64_t>(arg.offset)});
    const size_t builtin = kind == AtomicKind::Notify ? offsetof(abi::BuiltinTable, AtomicNotify)
                           : bytes == 4               ? offsetof(abi::BuiltinTable, AtomicWait32)
                                                      : offsetof(abi::BuiltinTable, AtomicWait64);
    callBuiltin(builtin, arg.memory, kind == AtomicKind::Notify ? 3 : 4);
    trapOnStatus();
    as_.shr(w64, Gpr::rax, 32);
    freeGpr_ &= ~bit(Gpr::rax);
    pushGpr(Type::I32, Gpr::rax);
  } else if constexpr (kind == AtomicKind::Load) {
    Address a = atomicAddress(arg, bytes);
    Gpr dst = resultGpr(targetPin(false));
    if constexpr (bytes == 1)
      as_.movzx8(dst, a.mem);
    else if constexpr (bytes == 2)
      as_.movzx16(dst, a.mem);
    else
      as_.mov(w, dst, a.mem);
    release(a);
    pushGpr(type, dst);
  } else if constexpr (kind == AtomicKind::CompareExchange) {
    Operand replacement = pop(), expected = pop();
    Address a = atomicAddress(arg, bytes);
    as_.lea(w64, kScratch, a.mem);  // nothing below uses the scratch register
    release(a);
    Gpr v = use(replacement);
    if (v == Gpr::rax) {
      v = allocGpr();
      as_.mov(w64, v, Gpr::rax);
      replacement.reg = static_cast<uint8_t>(v);
    } else if (expected.where != Where::Gpr || expected.gpr() != Gpr::rax) {
      claim(Gpr::rax);
    }
    if (expected.where != Where::Gpr || expected.gpr() != Gpr::rax) {
      load(Gpr::rax, expected);
      release(expected);
    }
    as_.lockCmpxchg(w, Mem(kScratch), v);
    zeroExtend(bytes, Gpr::rax);
    release(replacement);
    pushGpr(type, Gpr::rax);
  } else if constexpr (kind == AtomicKind::And || kind == AtomicKind::Or || kind == AtomicKind::Xor) {
    constexpr AluOp alu = kind == AtomicKind::And ? AluOp::and_ : kind == AtomicKind::Or ? AluOp::or_ : AluOp::xor_;
    Operand value = pop();
    Address a = atomicAddress(arg, bytes);
    as_.lea(w64, kScratch, a.mem);
    release(a);
    Gpr v = use(value);
    if (v == Gpr::rax) {
      v = allocGpr();
      as_.mov(w64, v, Gpr::rax);
      value.reg = static_cast<uint8_t>(v);
    } else {
      claim(Gpr::rax);
    }
    Gpr next = allocGpr();
    if constexpr (bytes == 1)
      as_.movzx8(Gpr::rax, Mem(kScratch));
    else if constexpr (bytes == 2)
      as_.movzx16(Gpr::rax, Mem(kScratch));
    else
      as_.mov(w, Gpr::rax, Mem(kScratch));
    x64::Label again;
    as_.bind(again);
    as_.mov(w64, next, Gpr::rax);
    as_.alu(alu, w64, next, v);
    as_.lockCmpxchg(w, Mem(kScratch), next);
    as_.jcc(Cond::ne, again);
    freeReg(next);
    release(value);
    pushGpr(type, Gpr::rax);
  } else {
    Operand value = pop();
    Gpr v = toTemp(value);
    Address a = atomicAddress(arg, bytes);
    if constexpr (kind == AtomicKind::Sub) as_.neg(w64, v);
    if constexpr (kind == AtomicKind::Add || kind == AtomicKind::Sub)
      as_.lockXadd(w, a.mem, v);
    else
      as_.xchg(w, a.mem, v);
    release(a);
    if constexpr (kind == AtomicKind::Store) {
      release(value);
    } else {
      zeroExtend(bytes, v);
      pushGpr(type, v);
    }
  }
}

}  // namespace wattle::compile::baseline
