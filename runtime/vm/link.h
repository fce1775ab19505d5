// Matching of imports (spec "Execution / Modules", "Validation / Matching").
#pragma once

#include <optional>
#include <span>
#include <string>

#include "runtime/vm/module.h"
#include "wattle/wattle.hpp"

namespace wattle::vm {

// Checks every import, in the module's order; the error names all that do not fit. Kind Link with a message that begins
// as the conformance suite wants ("unknown import", "incompatible import type"), or Argument for externs of another
// store.
Result<void> checkImports(Store& store, const Module& module, std::span<const std::optional<Extern>> imports);
Result<void> checkImports(Store& store, const Module& module, std::span<const Extern> imports);

}  // namespace wattle::vm
