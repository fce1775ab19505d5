#include "runtime/compile/baseline/function_compiler.h"

#include "runtime/compile/baseline/scalar.h"
#include "runtime/compile/baseline/simd.h"

namespace wattle::compile::baseline {

FunctionCompiler::FunctionCompiler(const ModuleContext& context)
    : compiler_(context), decoder_(*context.module, context.bytes, compiler_) {}

FunctionCompiler::~FunctionCompiler() = default;

std::optional<Error> FunctionCompiler::compile(uint32_t functionIndex) {
  for (bool forced : {false, true}) {
    compiler_.startFunction(functionIndex, forced);
    if (auto error = decoder_.run(functionIndex)) return Error{std::move(*error), false, compiler_.unsupported() != nullptr};
    if (!compiler_.needsStackCheck()) break;
  }
  return std::nullopt;
}

}  // namespace wattle::compile::baseline
