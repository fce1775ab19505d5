// Evaluation of constant expressions (spec "Validation / Instructions / Constant Expressions").
#pragma once

#include "frontend/module.h"
#include "runtime/compile/abi/vmcontext.h"
#include "runtime/vm/instance.h"

namespace wattle::vm {

// In an instance whose functions, imports and globals so far are in place.
Result<abi::RawValue> evaluate(Instance& instance, const frontend::ConstExpr& expr);
// Of an offset: 32-bit ones zero-extended.
Result<uint64_t> evaluateAddress(Instance& instance, const frontend::ConstExpr& expr);

}  // namespace wattle::vm
