#include "runtime/compile/baseline/function_compiler.h"

#include "runtime/compile/baseline/scalar.h"
#include "runtime/compile/baseline/simd.h"

namespace wattle::compile::baseline {

FunctionCompiler::FunctionCompiler(const ModuleContext& context)
    : context_(context), compiler_(context), decoder_(*context.module, context.bytes, compiler_) {}

FunctionCompiler::~FunctionCompiler() = default;

void FunctionCompiler::scanAhead(uint32_t first, uint32_t end) {
  const frontend::ModuleInfo& module = *context_.module;
  bodies_.clear();
  for (uint32_t i = first; i < end; ++i) {
    const frontend::Range& body = module.functions[i].body;
    bodies_.push_back(
        {context_.bytes.subspan(body.offset, body.size), static_cast<uint32_t>(module.funcType(i).params.size())});
  }
  if (scans_.size() < bodies_.size()) scans_.resize(bodies_.size());
  Prescan::runAll(bodies_, scans_.data());
  firstScan_ = first;
}

std::optional<Error> FunctionCompiler::compile(uint32_t functionIndex) {
  if (functionIndex < firstScan_ || functionIndex - firstScan_ >= bodies_.size())
    scanAhead(functionIndex, functionIndex + 1);
  Prescan& scan = scans_[functionIndex - firstScan_];
  bool forceStackCheck = false;
  for (;;) {
    compiler_.startFunction(functionIndex, forceStackCheck, scan);
    auto error = decoder_.run(functionIndex);
    const bool again = compiler_.scanMissed() || (!error && compiler_.needsStackCheck());
    if (!again) {
      if (error) return Error{std::move(*error), false, compiler_.unsupported() != nullptr};
      return std::nullopt;
    }
    if (compiler_.scanMissed()) scan.disbelieve();
    forceStackCheck |= compiler_.needsStackCheck();
  }
}

}  // namespace wattle::compile::baseline
