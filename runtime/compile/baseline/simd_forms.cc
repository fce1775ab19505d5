#include "runtime/compile/baseline/simd_forms.h"

namespace wattle::compile::baseline {

namespace {

using A = x64::Assembler;
constexpr uint8_t None = VectorBinaryForm::None, Commutes = VectorBinaryForm::Commutes,
                  Swapped = VectorBinaryForm::Swapped, Negated = VectorBinaryForm::Negated;

constexpr VectorBinaryForm kBinary[] = {
#define BINARY(op, ins, flags) {&A::ins, &A::ins, &A::ins, flags},
#define WIDE(op, ins, flags) {&A::ins, &A::ins, &A::ins, flags},
#include "runtime/compile/baseline/simd.def"
};
constexpr VectorUnaryForm kUnary[] = {
#define UNARY(op, ins) {&A::ins, &A::ins},
#include "runtime/compile/baseline/simd.def"
};
constexpr VectorShiftForm kShift[] = {
#define SHIFT(op, ins, mask) {&A::ins, &A::ins, mask},
#include "runtime/compile/baseline/simd.def"
};

}  // namespace

const VectorBinaryForm& form(VectorBinary op) { return kBinary[static_cast<unsigned>(op)]; }
const VectorUnaryForm& form(VectorUnary op) { return kUnary[static_cast<unsigned>(op)]; }
const VectorShiftForm& form(VectorShift op) { return kShift[static_cast<unsigned>(op)]; }

}  // namespace wattle::compile::baseline
