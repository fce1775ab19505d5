// Waiting for another side, for time, or for WasiContext::cancel.
#pragma once

#include <poll.h>

#include <cstdint>
#include <optional>
#include <span>

#include "wasi/context.h"

namespace wattle::wasi {

// A handler that may wait ends in an errno for the guest, or (cancelled, or proc_exit) in an error that ends the guest.
using Outcome = Result<Errno>;

Error interrupted();

enum class Ready : uint8_t { Yes, NotYet, Cancelled };

// Until one of `events` (or an error or hang-up) is there; NotYet at once if that takes waiting and `block` is false.
Ready waitFor(Context& context, int fd, short events, bool block);

// Sleeps until something in `fds` is ready, `nanoseconds` have passed or the context is cancelled; may come back early.
// No descriptor may appear twice.
void sleepFor(Context& context, std::span<const pollfd> fds, std::optional<uint64_t> nanoseconds);

}  // namespace wattle::wasi
