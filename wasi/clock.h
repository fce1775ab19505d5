#pragma once

#include <cstdint>

#include "wasi/context.h"

namespace wattle::wasi {

// Nanoseconds, by the embedder's clock if there is one.
uint64_t now(const Context& context, ClockId clock);

}  // namespace wattle::wasi
