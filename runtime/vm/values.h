// Values between the API and the guest.
#pragma once

#include <optional>

#include "frontend/types.h"
#include "runtime/compile/abi/vmcontext.h"
#include "runtime/vm/store.h"
#include "runtime/vm/types.h"
#include "wattle/wattle.hpp"

namespace wattle::vm {

// Checks the value against the canonical type and stores it; an error if it does not fit or belongs to another store.
std::optional<Error> toRaw(Store& store, const Val& value, frontend::ValType type, abi::RawValue& out);
// Is the word a reference of the type in this store? Only what can be told: the word must come from the API or the
// guest.
std::optional<Error> checkReference(Store& store, uint64_t word, frontend::ValType type);
// The reference as the host may see it (function.h).
uint64_t canonicalReference(uint64_t word, frontend::ValType type);
// As an argument of a callback: valid while the guest's frame holds it.
Val fromRaw(const abi::RawValue& raw, frontend::ValType type);
// As a result for the host: pinned (Store::pin).
Val handOut(Store& store, const abi::RawValue& raw, frontend::ValType type);

}  // namespace wattle::vm
