// The one instantiation of FunctionDecoder that only validates.
#include "frontend/binary/module_decoder.h"
#include "frontend/validate/function_decoder.h"

namespace wattle::frontend {

Result<void> validateFunctions(const ModuleInfo& module, std::span<const uint8_t> bytes, uint32_t first,
                               uint32_t last) {
  NullSink sink;
  FunctionDecoder<NullSink> decoder(module, bytes, sink);
  for (uint32_t i = first; i < last; i++) {
    if (module.functions[i].isImport) continue;
    if (std::optional<Error> error = decoder.run(i)) return std::unexpected(std::move(*error));
  }
  return {};
}

}  // namespace wattle::frontend
