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

template <Op op>
struct Atomic {
  static constexpr AtomicKind kKind = atomicKind(op);
  static constexpr uint32_t kBytes = accessBytes(op);
  static constexpr Width kWidth = widthOfBytes(kBytes);
  static constexpr Type kType = frontend::info(op).signature.back() == 'I' ? Type::I64 : Type::I32;
};

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

// dst = what is in memory, zero-extended.
inline void Compiler::atomicRead(uint32_t bytes, Gpr dst, const Mem& m) {
  if (bytes == 1)
    as_.movzx8(dst, m);
  else if (bytes == 2)
    as_.movzx16(dst, m);
  else
    as_.mov(widthOfBytes(bytes), dst, m);
}

// The address in the scratch register, which nothing that follows may use.
inline void Compiler::atomicAddressInScratch(const MemArg& arg, uint32_t bytes) {
  Address a = atomicAddress(arg, bytes);
  as_.lea(w64, kScratch, a.mem);
  release(a);
}

// The operand in another register than rax, which becomes the instruction's own unless it `holdsRax` already.
inline Gpr Compiler::useBesideRax(Operand& o, bool holdsRax) {
  Gpr r = use(o);
  if (r != Gpr::rax) {
    if (!holdsRax) claim(Gpr::rax);
    return r;
  }
  r = allocGpr();
  as_.mov(w64, r, Gpr::rax);
  o.comesTo(r);
  return r;
}

// wait, notify: a builtin's arguments and result, with the offset behind the former.
template <Op op>
void Compiler::atomicWaitNotify(const MemArg& arg) {
  constexpr bool isNotify = Atomic<op>::kKind == AtomicKind::Notify;
  constexpr size_t kBuiltin = isNotify                  ? offsetof(abi::BuiltinTable, AtomicNotify)
                              : Atomic<op>::kBytes == 4 ? offsetof(abi::BuiltinTable, AtomicWait32)
                                                        : offsetof(abi::BuiltinTable, AtomicWait64);
  push(Operand::constant(Type::I64, static_cast<int64_t>(arg.offset)));
  callBuiltin(kBuiltin, arg.memory, isNotify ? 3 : 4);
  trapOnStatus();
  as_.shr(w64, Gpr::rax, 32);
  freeGpr_ &= ~bit(Gpr::rax);
  pushGpr(Type::I32, Gpr::rax);
}

template <Op op>
void Compiler::atomicLoad(const MemArg& arg) {
  Address a = atomicAddress(arg, Atomic<op>::kBytes);
  Gpr dst = resultGpr(targetPin(false));
  atomicRead(Atomic<op>::kBytes, dst, a.mem);
  release(a);
  pushGpr(Atomic<op>::kType, dst);
}

template <Op op>
void Compiler::atomicCompareExchange(const MemArg& arg) {
  Operand replacement = pop(), expected = pop();
  atomicAddressInScratch(arg, Atomic<op>::kBytes);
  const bool isInRax = expected.isIn(Gpr::rax);
  Gpr v = useBesideRax(replacement, isInRax);
  if (!isInRax) {
    load(Gpr::rax, expected);
    release(expected);
  }
  as_.lockCmpxchg(Atomic<op>::kWidth, Mem(kScratch), v);
  zeroExtend(Atomic<op>::kBytes, Gpr::rax);
  release(replacement);
  pushGpr(Atomic<op>::kType, Gpr::rax);
}

template <Op op>
void Compiler::atomicLogic(const MemArg& arg) {
  constexpr AtomicKind kind = Atomic<op>::kKind;
  constexpr AluOp alu = kind == AtomicKind::And ? AluOp::and_ : kind == AtomicKind::Or ? AluOp::or_ : AluOp::xor_;
  Operand value = pop();
  atomicAddressInScratch(arg, Atomic<op>::kBytes);
  Gpr v = useBesideRax(value, false);
  Gpr next = allocGpr();
  atomicRead(Atomic<op>::kBytes, Gpr::rax, Mem(kScratch));
  x64::Label again;
  as_.bind(again);
  as_.mov(w64, next, Gpr::rax);
  as_.alu(alu, w64, next, v);
  as_.lockCmpxchg(Atomic<op>::kWidth, Mem(kScratch), next);
  as_.jcc(Cond::ne, again);
  freeReg(next);
  release(value);
  pushGpr(Atomic<op>::kType, Gpr::rax);
}

// Store, add, sub, exchange: what one instruction does.
template <Op op>
void Compiler::atomicExchange(const MemArg& arg) {
  constexpr AtomicKind kind = Atomic<op>::kKind;
  Operand value = pop();
  Gpr v = toTemp(value);
  Address a = atomicAddress(arg, Atomic<op>::kBytes);
  if constexpr (kind == AtomicKind::Sub) as_.neg(w64, v);
  if constexpr (kind == AtomicKind::Add || kind == AtomicKind::Sub)
    as_.lockXadd(Atomic<op>::kWidth, a.mem, v);
  else
    as_.xchg(Atomic<op>::kWidth, a.mem, v);
  release(a);
  if constexpr (kind == AtomicKind::Store) return release(value);
  zeroExtend(Atomic<op>::kBytes, v);
  pushGpr(Atomic<op>::kType, v);
}

template <Op op>
void Compiler::atomicOp(const MemArg& arg) {
  switch (Atomic<op>::kKind) {
    case AtomicKind::Wait:
    case AtomicKind::Notify: return atomicWaitNotify<op>(arg);
    case AtomicKind::Load: return atomicLoad<op>(arg);
    case AtomicKind::CompareExchange: return atomicCompareExchange<op>(arg);
    case AtomicKind::And:
    case AtomicKind::Or:
    case AtomicKind::Xor: return atomicLogic<op>(arg);
    default: return atomicExchange<op>(arg);
  }
}

}  // namespace wattle::compile::baseline
