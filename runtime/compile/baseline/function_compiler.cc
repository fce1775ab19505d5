#include "runtime/compile/baseline/function_compiler.h"

#include "runtime/compile/baseline/scalar.h"

namespace wattle::compile::baseline {

FunctionCompiler::FunctionCompiler(const ModuleContext& context)
    : compiler_(context), decoder_(*context.module, context.bytes, compiler_) {}

FunctionCompiler::~FunctionCompiler() = default;

std::optional<Error> FunctionCompiler::compile(uint32_t functionIndex) {
  for (bool forced : {false, true}) {
    compiler_.startFunction(functionIndex, forced);
    if (auto error = decoder_.run(functionIndex)) return Error{std::move(*error), false, false};
    if (const char* feature = compiler_.unsupported()) {
      frontend::Error error{frontend::ErrorKind::Limit, std::string("this build cannot compile: ") + feature, 0, functionIndex};
      return Error{std::move(error), false, true};
    }
    if (!compiler_.needsStackCheck()) break;
  }
  return std::nullopt;
}

}  // namespace wattle::compile::baseline
