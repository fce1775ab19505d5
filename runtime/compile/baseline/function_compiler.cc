#include "runtime/compile/baseline/function_compiler.h"

#include "runtime/compile/baseline/scalar.h"
#include "runtime/compile/baseline/simd.h"

namespace wattle::compile::baseline {

FunctionCompiler::FunctionCompiler(const ModuleContext& context)
    : compiler_(context), decoder_(*context.module, context.bytes, compiler_) {}

FunctionCompiler::~FunctionCompiler() = default;

std::optional<Error> FunctionCompiler::compile(uint32_t functionIndex) {
  bool forceStackCheck = false, believeScan = true;
  for (;;) {
    compiler_.startFunction(functionIndex, forceStackCheck, believeScan);
    auto error = decoder_.run(functionIndex);
    const bool again = compiler_.scanMissed() || (!error && compiler_.needsStackCheck());
    if (!again) {
      if (error) return Error{std::move(*error), false, compiler_.unsupported() != nullptr};
      return std::nullopt;
    }
    believeScan &= !compiler_.scanMissed();
    forceStackCheck |= compiler_.needsStackCheck();
  }
}

}  // namespace wattle::compile::baseline
