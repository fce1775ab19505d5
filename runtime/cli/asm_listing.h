// Native code with the wasm it comes from.
#pragma once

#include <cstdint>
#include <span>

#include "wattle/inspect.hpp"

namespace wattle::cli {

// Prints the listing of one function. `module` is the whole binary module.
Result<void> printAsmListing(const FunctionInfo& function, std::span<const uint8_t> module,
                             const CompiledFunction& compiled);

}  // namespace wattle::cli
