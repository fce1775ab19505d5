// Any bytes through decoder, validator and compiler. What may not happen: a crash, a sanitizer report, disagreement
// between the validation-only sink and the compiling one, or code that differs from one compilation to the next.
#include <cstdint>
#include <cstdlib>
#include <span>

#include "frontend/binary/module_decoder.h"
#include "runtime/compile/compile.h"
#include "runtime/compile/worker_pool.h"

using namespace wattle;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static compile::WorkerPool pool(1);
  std::span<const uint8_t> bytes(data, size);
  auto module = frontend::decodeModule(bytes);
  if (!module) return 0;
  frontend::decodeNames(*module, bytes);
  auto valid = frontend::validateFunctions(*module, bytes, module->importedFunctions,
                                           static_cast<uint32_t>(module->functions.size()));
  for (bool guarded : {true, false}) {
    compile::Settings settings;
    settings.guarded = guarded;
    auto code = compile::compileModule(*module, bytes, settings, pool);
    if (!code && (code.error().cacheFull || code.error().unsupported)) continue;
    require(code.has_value() == valid.has_value());
    if (!code) require(code.error().error.message == valid.error().message);
  }
  return 0;
}
