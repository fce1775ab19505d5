// Which code each vector instruction becomes: one line an instruction. Those that are one instruction of the processor
// are in simd.def.
//
// Relaxed instructions give what the processor gives:
//   swizzle      pshufb: 16..127 select by the low four bits, from 128 on zero
//   trunc        cvttps2dq, cvttpd2dq: NaN and out of range are 0x80000000; unsigned as trunc_sat
//   madd, nmadd  fused with FMA, else rounded twice
//   laneselect   with AVX by the top bit: of each byte for i8x16 and i16x8, of each lane otherwise; else bitselect
//   min, max     minps and so on: the second operand for zeros and NaN
//   q15mulr      pmulhrsw
//   dot          pmaddubsw: the second operand's bytes are unsigned, saturating to 16 bits; dot_add with AVX-VNNI
//   vpdpbusd: not saturating
#pragma once

#include "runtime/compile/baseline/compiler.h"
#include "runtime/compile/baseline/simd_forms.h"

namespace wattle::compile::baseline {

#define WATTLE_VECTOR(op, ...)             \
  template <>                              \
  inline void Compiler::simple<Op::op>() { \
    __VA_ARGS__;                           \
  }

#define BINARY(op, ...) WATTLE_VECTOR(op, binaryVector(VectorBinary::op))
#define WIDE(op, ...) WATTLE_VECTOR(op, compareWide(VectorBinary::op))
#define UNARY(op, ...) WATTLE_VECTOR(op, unaryVector(VectorUnary::op))
#define SHIFT(op, ...) WATTLE_VECTOR(op, shiftVector(VectorShift::op))
#include "runtime/compile/baseline/simd.def"

// --- bits and bytes ------------------------------------------------------------------------------------------------

WATTLE_VECTOR(V128Not, notVector())
WATTLE_VECTOR(V128Bitselect, bitselect())
WATTLE_VECTOR(V128AnyTrue, anyTrue())
WATTLE_VECTOR(I8x16Swizzle, swizzle())

#define WATTLE_VECTOR_LANES(shape)                                   \
  WATTLE_VECTOR(shape##Splat, splat(Shape::shape))                   \
  template <>                                                        \
  inline void Compiler::lane<Op::shape##ReplaceLane>(uint8_t lane) { \
    replaceLane(Shape::shape, lane);                                 \
  }
WATTLE_VECTOR_LANES(I8x16)
WATTLE_VECTOR_LANES(I16x8)
WATTLE_VECTOR_LANES(I32x4)
WATTLE_VECTOR_LANES(I64x2)
WATTLE_VECTOR_LANES(F32x4)
WATTLE_VECTOR_LANES(F64x2)
#undef WATTLE_VECTOR_LANES

#define WATTLE_VECTOR_EXTRACT(op, shape, isSigned)   \
  template <>                                        \
  inline void Compiler::lane<Op::op>(uint8_t lane) { \
    extractLane(Shape::shape, lane, isSigned);       \
  }
WATTLE_VECTOR_EXTRACT(I8x16ExtractLaneS, I8x16, true)
WATTLE_VECTOR_EXTRACT(I8x16ExtractLaneU, I8x16, false)
WATTLE_VECTOR_EXTRACT(I16x8ExtractLaneS, I16x8, true)
WATTLE_VECTOR_EXTRACT(I16x8ExtractLaneU, I16x8, false)
WATTLE_VECTOR_EXTRACT(I32x4ExtractLane, I32x4, false)
WATTLE_VECTOR_EXTRACT(I64x2ExtractLane, I64x2, false)
WATTLE_VECTOR_EXTRACT(F32x4ExtractLane, F32x4, false)
WATTLE_VECTOR_EXTRACT(F64x2ExtractLane, F64x2, false)
#undef WATTLE_VECTOR_EXTRACT

// --- integers ------------------------------------------------------------------------------------------------------

#define WATTLE_VECTOR_INTEGERS(shape)                               \
  WATTLE_VECTOR(shape##Neg, negateVector(VectorBinary::shape##Sub)) \
  WATTLE_VECTOR(shape##AllTrue, allTrue(VectorBinary::shape##Eq))   \
  WATTLE_VECTOR(shape##Bitmask, bitmask(Shape::shape))
WATTLE_VECTOR_INTEGERS(I8x16)
WATTLE_VECTOR_INTEGERS(I16x8)
WATTLE_VECTOR_INTEGERS(I32x4)
WATTLE_VECTOR_INTEGERS(I64x2)
#undef WATTLE_VECTOR_INTEGERS

#define WATTLE_VECTOR_ORDER(shape, signs)                                                       \
  WATTLE_VECTOR(shape##LeS, compareByBound(VectorBinary::shape##MaxS, VectorBinary::shape##Eq)) \
  WATTLE_VECTOR(shape##GeS, compareByBound(VectorBinary::shape##MinS, VectorBinary::shape##Eq)) \
  WATTLE_VECTOR(shape##LeU, compareByBound(VectorBinary::shape##MaxU, VectorBinary::shape##Eq)) \
  WATTLE_VECTOR(shape##GeU, compareByBound(VectorBinary::shape##MinU, VectorBinary::shape##Eq)) \
  WATTLE_VECTOR(shape##LtU, compareUnsigned(VectorBinary::shape##GtS, signs, true))             \
  WATTLE_VECTOR(shape##GtU, compareUnsigned(VectorBinary::shape##GtS, signs, false))
WATTLE_VECTOR_ORDER(I8x16, repeat8(0x80))
WATTLE_VECTOR_ORDER(I16x8, repeat16(0x8000))
WATTLE_VECTOR_ORDER(I32x4, repeat32(0x80000000))
#undef WATTLE_VECTOR_ORDER

#define WATTLE_VECTOR_WIDER(to, from, sign, isSigned)                                      \
  WATTLE_VECTOR(to##ExtendHigh##from##sign, extendHigh(Shape::from, isSigned))             \
  WATTLE_VECTOR(to##ExtmulLow##from##sign, extendedMultiply(Shape::from, false, isSigned)) \
  WATTLE_VECTOR(to##ExtmulHigh##from##sign, extendedMultiply(Shape::from, true, isSigned))
WATTLE_VECTOR_WIDER(I16x8, I8x16, S, true)
WATTLE_VECTOR_WIDER(I16x8, I8x16, U, false)
WATTLE_VECTOR_WIDER(I32x4, I16x8, S, true)
WATTLE_VECTOR_WIDER(I32x4, I16x8, U, false)
WATTLE_VECTOR_WIDER(I64x2, I32x4, S, true)
WATTLE_VECTOR_WIDER(I64x2, I32x4, U, false)
#undef WATTLE_VECTOR_WIDER

WATTLE_VECTOR(I16x8ExtaddPairwiseI8x16S, addPairs(Shape::I8x16, true))
WATTLE_VECTOR(I16x8ExtaddPairwiseI8x16U, addPairs(Shape::I8x16, false))
WATTLE_VECTOR(I32x4ExtaddPairwiseI16x8S, addPairs(Shape::I16x8, true))
WATTLE_VECTOR(I32x4ExtaddPairwiseI16x8U, addPairs(Shape::I16x8, false))
WATTLE_VECTOR(I8x16Shl, shiftBytes(x64::ShiftOp::shl))
WATTLE_VECTOR(I8x16ShrS, shiftBytes(x64::ShiftOp::sar))
WATTLE_VECTOR(I8x16ShrU, shiftBytes(x64::ShiftOp::shr))
WATTLE_VECTOR(I64x2ShrS, shiftRightI64x2())
WATTLE_VECTOR(I8x16Popcnt, popcountVector())
WATTLE_VECTOR(I16x8Q15mulrSatS, multiplyQ15())
WATTLE_VECTOR(I64x2Mul, multiplyI64x2())
WATTLE_VECTOR(I64x2Abs, absI64x2())

// --- floats --------------------------------------------------------------------------------------------------------

#define WATTLE_VECTOR_FLOATS(shape)                                   \
  WATTLE_VECTOR(shape##Eq, compareFloats(Shape::shape, 0, false))     \
  WATTLE_VECTOR(shape##Ne, compareFloats(Shape::shape, 4, false))     \
  WATTLE_VECTOR(shape##Lt, compareFloats(Shape::shape, 1, false))     \
  WATTLE_VECTOR(shape##Gt, compareFloats(Shape::shape, 1, true))      \
  WATTLE_VECTOR(shape##Le, compareFloats(Shape::shape, 2, false))     \
  WATTLE_VECTOR(shape##Ge, compareFloats(Shape::shape, 2, true))      \
  WATTLE_VECTOR(shape##Abs, absFloats(Shape::shape))                  \
  WATTLE_VECTOR(shape##Neg, negateFloats(Shape::shape))               \
  WATTLE_VECTOR(shape##Ceil, roundVector(Shape::shape, 10))           \
  WATTLE_VECTOR(shape##Floor, roundVector(Shape::shape, 9))           \
  WATTLE_VECTOR(shape##Trunc, roundVector(Shape::shape, 11))          \
  WATTLE_VECTOR(shape##Nearest, roundVector(Shape::shape, 8))         \
  WATTLE_VECTOR(shape##Min, minMaxFloats(Shape::shape, true))         \
  WATTLE_VECTOR(shape##Max, minMaxFloats(Shape::shape, false))        \
  WATTLE_VECTOR(shape##RelaxedMadd, relaxedMadd(Shape::shape, false)) \
  WATTLE_VECTOR(shape##RelaxedNmadd, relaxedMadd(Shape::shape, true))
WATTLE_VECTOR_FLOATS(F32x4)
WATTLE_VECTOR_FLOATS(F64x2)
#undef WATTLE_VECTOR_FLOATS

WATTLE_VECTOR(F32x4ConvertI32x4U, convertU32ToF32())
WATTLE_VECTOR(F64x2ConvertLowI32x4U, convertLowU32ToF64())
WATTLE_VECTOR(I32x4TruncSatF32x4S, truncateF32ToS32())
WATTLE_VECTOR(I32x4TruncSatF32x4U, truncateF32ToU32())
WATTLE_VECTOR(I32x4TruncSatF64x2SZero, truncateF64ToS32())
WATTLE_VECTOR(I32x4TruncSatF64x2UZero, truncateF64ToU32())

// --- relaxed -------------------------------------------------------------------------------------------------------

WATTLE_VECTOR(I32x4RelaxedTruncF32x4U, truncateF32ToU32())
WATTLE_VECTOR(I32x4RelaxedTruncF64x2UZero, truncateF64ToU32())
WATTLE_VECTOR(I8x16RelaxedLaneselect, relaxedLaneselect(Shape::I8x16))
WATTLE_VECTOR(I16x8RelaxedLaneselect, relaxedLaneselect(Shape::I16x8))
WATTLE_VECTOR(I32x4RelaxedLaneselect, relaxedLaneselect(Shape::I32x4))
WATTLE_VECTOR(I64x2RelaxedLaneselect, relaxedLaneselect(Shape::I64x2))
WATTLE_VECTOR(I32x4RelaxedDotI8x16I7x16AddS, relaxedDotAdd())

#undef WATTLE_VECTOR

// --- memory --------------------------------------------------------------------------------------------------------

#define WATTLE_VECTOR_MEMORY(op, ...)                       \
  template <>                                               \
  inline void Compiler::memory<Op::op>(const MemArg& arg) { \
    __VA_ARGS__;                                            \
  }
WATTLE_VECTOR_MEMORY(V128Load8x8S, loadExtended(arg, VectorUnary::I16x8ExtendLowI8x16S))
WATTLE_VECTOR_MEMORY(V128Load8x8U, loadExtended(arg, VectorUnary::I16x8ExtendLowI8x16U))
WATTLE_VECTOR_MEMORY(V128Load16x4S, loadExtended(arg, VectorUnary::I32x4ExtendLowI16x8S))
WATTLE_VECTOR_MEMORY(V128Load16x4U, loadExtended(arg, VectorUnary::I32x4ExtendLowI16x8U))
WATTLE_VECTOR_MEMORY(V128Load32x2S, loadExtended(arg, VectorUnary::I64x2ExtendLowI32x4S))
WATTLE_VECTOR_MEMORY(V128Load32x2U, loadExtended(arg, VectorUnary::I64x2ExtendLowI32x4U))
WATTLE_VECTOR_MEMORY(V128Load8Splat, loadSplat(arg, Shape::I8x16))
WATTLE_VECTOR_MEMORY(V128Load16Splat, loadSplat(arg, Shape::I16x8))
WATTLE_VECTOR_MEMORY(V128Load32Splat, loadSplat(arg, Shape::I32x4))
WATTLE_VECTOR_MEMORY(V128Load64Splat, loadSplat(arg, Shape::I64x2))
WATTLE_VECTOR_MEMORY(V128Load32Zero, loadZero(arg, Shape::I32x4))
WATTLE_VECTOR_MEMORY(V128Load64Zero, loadZero(arg, Shape::I64x2))
#undef WATTLE_VECTOR_MEMORY

#define WATTLE_VECTOR_MEMORY_LANE(bits, shape)                                                   \
  template <>                                                                                    \
  inline void Compiler::memoryLane<Op::V128Load##bits##Lane>(const MemArg& arg, uint8_t lane) {  \
    loadLane(arg, Shape::shape, lane);                                                           \
  }                                                                                              \
  template <>                                                                                    \
  inline void Compiler::memoryLane<Op::V128Store##bits##Lane>(const MemArg& arg, uint8_t lane) { \
    storeLane(arg, Shape::shape, lane);                                                          \
  }
WATTLE_VECTOR_MEMORY_LANE(8, I8x16)
WATTLE_VECTOR_MEMORY_LANE(16, I16x8)
WATTLE_VECTOR_MEMORY_LANE(32, I32x4)
WATTLE_VECTOR_MEMORY_LANE(64, I64x2)
#undef WATTLE_VECTOR_MEMORY_LANE

}  // namespace wattle::compile::baseline
