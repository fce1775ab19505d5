// Which code each scalar instruction becomes: one line an instruction.
#pragma once

#include "runtime/compile/baseline/atomics.h"
#include "runtime/compile/baseline/float.h"
#include "runtime/compile/baseline/integer.h"
#include "runtime/compile/baseline/memory.h"

namespace wattle::compile::baseline {

// clang-format off
#define WATTLE_LOWER(op, ...) \
  template <>                 \
  inline void Compiler::simple<Op::op>() { __VA_ARGS__; }
// clang-format on

#define WATTLE_LOWER_INTEGER(P, T)                              \
  WATTLE_LOWER(P##Add, binaryAlu<AluOp::add, Type::T, true>())  \
  WATTLE_LOWER(P##Sub, binaryAlu<AluOp::sub, Type::T, false>()) \
  WATTLE_LOWER(P##And, binaryAlu<AluOp::and_, Type::T, true>()) \
  WATTLE_LOWER(P##Or, binaryAlu<AluOp::or_, Type::T, true>())   \
  WATTLE_LOWER(P##Xor, binaryAlu<AluOp::xor_, Type::T, true>()) \
  WATTLE_LOWER(P##Mul, multiply<Type::T>())                     \
  WATTLE_LOWER(P##DivS, divide<Type::T, true, false>())         \
  WATTLE_LOWER(P##DivU, divide<Type::T, false, false>())        \
  WATTLE_LOWER(P##RemS, divide<Type::T, true, true>())          \
  WATTLE_LOWER(P##RemU, divide<Type::T, false, true>())         \
  WATTLE_LOWER(P##Shl, shift<x64::ShiftOp::shl, Type::T>())     \
  WATTLE_LOWER(P##ShrS, shift<x64::ShiftOp::sar, Type::T>())    \
  WATTLE_LOWER(P##ShrU, shift<x64::ShiftOp::shr, Type::T>())    \
  WATTLE_LOWER(P##Rotl, shift<x64::ShiftOp::rol, Type::T>())    \
  WATTLE_LOWER(P##Rotr, shift<x64::ShiftOp::ror, Type::T>())    \
  WATTLE_LOWER(P##Clz, countLeading<Type::T>())                 \
  WATTLE_LOWER(P##Ctz, countTrailing<Type::T>())                \
  WATTLE_LOWER(P##Popcnt, popcount<Type::T>())                  \
  WATTLE_LOWER(P##Eqz, eqz<Type::T>())                          \
  WATTLE_LOWER(P##Eq, compare<Type::T>(Cond::e))                \
  WATTLE_LOWER(P##Ne, compare<Type::T>(Cond::ne))               \
  WATTLE_LOWER(P##LtS, compare<Type::T>(Cond::l))               \
  WATTLE_LOWER(P##LtU, compare<Type::T>(Cond::b))               \
  WATTLE_LOWER(P##GtS, compare<Type::T>(Cond::g))               \
  WATTLE_LOWER(P##GtU, compare<Type::T>(Cond::a))               \
  WATTLE_LOWER(P##LeS, compare<Type::T>(Cond::le))              \
  WATTLE_LOWER(P##LeU, compare<Type::T>(Cond::be))              \
  WATTLE_LOWER(P##GeS, compare<Type::T>(Cond::ge))              \
  WATTLE_LOWER(P##GeU, compare<Type::T>(Cond::ae))
WATTLE_LOWER_INTEGER(I32, I32)
WATTLE_LOWER_INTEGER(I64, I64)
#undef WATTLE_LOWER_INTEGER

WATTLE_LOWER(I32WrapI64, unaryInteger<Type::I32>([&](Gpr d, Gpr s) { as_.mov(w32, d, s); }))
WATTLE_LOWER(I64ExtendI32S, unaryInteger<Type::I64>([&](Gpr d, Gpr s) { as_.movsxd(d, s); }))
WATTLE_LOWER(I64ExtendI32U, extendUnsigned())
WATTLE_LOWER(I32Extend8S, unaryInteger<Type::I32>([&](Gpr d, Gpr s) { as_.movsx8(w32, d, s); }))
WATTLE_LOWER(I32Extend16S, unaryInteger<Type::I32>([&](Gpr d, Gpr s) { as_.movsx16(w32, d, s); }))
WATTLE_LOWER(I64Extend8S, unaryInteger<Type::I64>([&](Gpr d, Gpr s) { as_.movsx8(w64, d, s); }))
WATTLE_LOWER(I64Extend16S, unaryInteger<Type::I64>([&](Gpr d, Gpr s) { as_.movsx16(w64, d, s); }))
WATTLE_LOWER(I64Extend32S, unaryInteger<Type::I64>([&](Gpr d, Gpr s) { as_.movsxd(d, s); }))

// clang-format off
#define WATTLE_LOWER_FLOAT(P, T, s, SignMask)                                                                          \
  WATTLE_LOWER(P##Add, binaryFloat(Type::T, true, [&](Xmm d, Xmm a, auto&& b) { as_.add##s(d, a, b); }))               \
  WATTLE_LOWER(P##Sub, binaryFloat(Type::T, false, [&](Xmm d, Xmm a, auto&& b) { as_.sub##s(d, a, b); }))              \
  WATTLE_LOWER(P##Mul, binaryFloat(Type::T, true, [&](Xmm d, Xmm a, auto&& b) { as_.mul##s(d, a, b); }))               \
  WATTLE_LOWER(P##Div, binaryFloat(Type::T, false, [&](Xmm d, Xmm a, auto&& b) { as_.div##s(d, a, b); }))              \
  WATTLE_LOWER(P##Min, minMax<true>(Type::T))                                                                          \
  WATTLE_LOWER(P##Max, minMax<false>(Type::T))                                                                         \
  WATTLE_LOWER(P##Copysign, copysign(Type::T))                                                                         \
  WATTLE_LOWER(P##Sqrt, unaryFloat(Type::T, Type::T, [&](Xmm d, Xmm a) { as_.sqrt##s(d, a); }))                        \
  WATTLE_LOWER(P##Ceil, unaryFloat(Type::T, Type::T, [&](Xmm d, Xmm a) { as_.round##s(d, a, 10); }))                   \
  WATTLE_LOWER(P##Floor, unaryFloat(Type::T, Type::T, [&](Xmm d, Xmm a) { as_.round##s(d, a, 9); }))                   \
  WATTLE_LOWER(P##Trunc, unaryFloat(Type::T, Type::T, [&](Xmm d, Xmm a) { as_.round##s(d, a, 11); }))                  \
  WATTLE_LOWER(P##Nearest, unaryFloat(Type::T, Type::T, [&](Xmm d, Xmm a) { as_.round##s(d, a, 8); }))                 \
  WATTLE_LOWER(P##Abs, unaryFloat(Type::T, Type::T, [&](Xmm d, Xmm a) { as_.andps(d, a, pooled(~SignMask, ~SignMask, true)); })) \
  WATTLE_LOWER(P##Neg, unaryFloat(Type::T, Type::T, [&](Xmm d, Xmm a) { as_.xorps(d, a, pooled(SignMask, SignMask, true)); }))   \
  WATTLE_LOWER(P##Eq, compareFloatEquality(Type::T, false))                                                            \
  WATTLE_LOWER(P##Ne, compareFloatEquality(Type::T, true))                                                             \
  WATTLE_LOWER(P##Lt, compareFloat(Type::T, Cond::a, true))                                                            \
  WATTLE_LOWER(P##Gt, compareFloat(Type::T, Cond::a, false))                                                           \
  WATTLE_LOWER(P##Le, compareFloat(Type::T, Cond::ae, true))                                                           \
  WATTLE_LOWER(P##Ge, compareFloat(Type::T, Cond::ae, false))                                                          \
  WATTLE_LOWER(P##ConvertI32S, convertToFloat(Type::I32, Type::T, true))                                               \
  WATTLE_LOWER(P##ConvertI32U, convertToFloat(Type::I32, Type::T, false))                                              \
  WATTLE_LOWER(P##ConvertI64S, convertToFloat(Type::I64, Type::T, true))                                               \
  WATTLE_LOWER(P##ConvertI64U, convertToFloat(Type::I64, Type::T, false))                                              \
  WATTLE_LOWER(I32Trunc##P##S, truncate(Type::T, Type::I32, true, false))                                              \
  WATTLE_LOWER(I32Trunc##P##U, truncate(Type::T, Type::I32, false, false))                                             \
  WATTLE_LOWER(I64Trunc##P##S, truncate(Type::T, Type::I64, true, false))                                              \
  WATTLE_LOWER(I64Trunc##P##U, truncate(Type::T, Type::I64, false, false))                                             \
  WATTLE_LOWER(I32TruncSat##P##S, truncate(Type::T, Type::I32, true, true))                                            \
  WATTLE_LOWER(I32TruncSat##P##U, truncate(Type::T, Type::I32, false, true))                                           \
  WATTLE_LOWER(I64TruncSat##P##S, truncate(Type::T, Type::I64, true, true))                                            \
  WATTLE_LOWER(I64TruncSat##P##U, truncate(Type::T, Type::I64, false, true))
// clang-format on
WATTLE_LOWER_FLOAT(F32, F32, ss, 0x8000000080000000ull)
WATTLE_LOWER_FLOAT(F64, F64, sd, 0x8000000000000000ull)
#undef WATTLE_LOWER_FLOAT

WATTLE_LOWER(F32DemoteF64, unaryFloat(Type::F64, Type::F32, [&](Xmm d, Xmm a) { as_.cvtsd2ss(d, a); }))
WATTLE_LOWER(F64PromoteF32, unaryFloat(Type::F32, Type::F64, [&](Xmm d, Xmm a) { as_.cvtss2sd(d, a); }))
WATTLE_LOWER(I32ReinterpretF32, moveToInteger(Type::F32))
WATTLE_LOWER(I64ReinterpretF64, moveToInteger(Type::F64))
WATTLE_LOWER(F32ReinterpretI32, moveToFloat(Type::F32))
WATTLE_LOWER(F64ReinterpretI64, moveToFloat(Type::F64))

WATTLE_LOWER(I64Add128, wideAdd(false))
WATTLE_LOWER(I64Sub128, wideAdd(true))
WATTLE_LOWER(I64MulWideS, wideMultiply(true))
WATTLE_LOWER(I64MulWideU, wideMultiply(false))

// clang-format off
#define WATTLE_LOWER_MEMORY(op, kind) \
  template <>                         \
  inline void Compiler::memory<Op::op>(const MemArg& arg) { kind<Op::op>(arg); }
#define WATTLE_LOWER_LOADS(X) \
  X(I32Load) X(I64Load) X(F32Load) X(F64Load) X(V128Load) \
  X(I32Load8S) X(I32Load8U) X(I32Load16S) X(I32Load16U) \
  X(I64Load8S) X(I64Load8U) X(I64Load16S) X(I64Load16U) X(I64Load32S) X(I64Load32U)
// clang-format off
#define WATTLE_LOWER_STORES(X) \
  X(I32Store) X(I64Store) X(F32Store) X(F64Store) X(I32Store8) X(I32Store16) X(I64Store8) X(I64Store16) X(I64Store32) X(V128Store)
// clang-format on
// clang-format on
#define WATTLE_LOAD(op) WATTLE_LOWER_MEMORY(op, loadOp)
#define WATTLE_STORE(op) WATTLE_LOWER_MEMORY(op, storeOp)
WATTLE_LOWER_LOADS(WATTLE_LOAD)
WATTLE_LOWER_STORES(WATTLE_STORE)
#undef WATTLE_LOAD
#undef WATTLE_STORE
#undef WATTLE_LOWER_LOADS
#undef WATTLE_LOWER_STORES

// What is not listed has no code yet.
template <Op op>
void Compiler::simple() {
  refuse(frontend::name(op).data());
}
template <Op op>
void Compiler::lane(uint8_t) {
  refuse(frontend::name(op).data());
}
template <Op op>
void Compiler::memory([[maybe_unused]] const MemArg& arg) {
  if constexpr (frontend::isAtomic(op))
    atomicOp<op>(arg);
  else
    refuse(frontend::name(op).data());
}
template <Op op>
void Compiler::memoryLane(const MemArg&, uint8_t) {
  refuse(frontend::name(op).data());
}

}  // namespace wattle::compile::baseline
