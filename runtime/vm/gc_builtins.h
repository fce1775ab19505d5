// The builtins that allocate and fill GC objects.
#pragma once

#include "runtime/compile/abi/vmcontext.h"

namespace wattle::vm {

void addGcBuiltins(abi::BuiltinTable& table);

}  // namespace wattle::vm
