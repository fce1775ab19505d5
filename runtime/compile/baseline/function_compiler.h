// One function at a time through decoder and baseline compiler; one of these per worker.
#pragma once

#include <memory>
#include <optional>

#include "runtime/compile/baseline/compiler.h"

namespace wattle::compile::baseline {

class FunctionCompiler {
 public:
  explicit FunctionCompiler(const ModuleContext& context);
  ~FunctionCompiler();
  // Validates and compiles. After success compiler() holds the code.
  std::optional<Error> compile(uint32_t functionIndex);
  Compiler& compiler() { return compiler_; }

 private:
  Compiler compiler_;
  Compiler::Decoder decoder_;
};

}  // namespace wattle::compile::baseline
