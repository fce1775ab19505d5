// One function at a time through decoder and baseline compiler; one of these per worker.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "runtime/compile/baseline/compiler.h"

namespace wattle::compile::baseline {

class FunctionCompiler {
 public:
  explicit FunctionCompiler(const ModuleContext& context);
  ~FunctionCompiler();
  // Validates and compiles. After success compiler() holds the code.
  std::optional<Error> compile(uint32_t functionIndex);
  // These functions are compiled next: looks them over together.
  void scanAhead(uint32_t first, uint32_t end);
  Compiler& compiler() { return compiler_; }

 private:
  const ModuleContext& context_;
  std::vector<Prescan::Body> bodies_;  // that were looked over
  std::vector<Prescan> scans_;         // as many, or more
  uint32_t firstScan_ = 0;
  Compiler compiler_;
  Compiler::Decoder decoder_;
};

}  // namespace wattle::compile::baseline
