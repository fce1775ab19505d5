// Ctrl-C and --timeout.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "wattle/wasi.hpp"

namespace wattle::cli {

// What has to be told.
struct Interruptible {
  InterruptHandle guest;              // while it computes
  std::shared_ptr<WasiContext> wasi;  // while it waits
  void interrupt() const {
    guest.interrupt();
    wasi->cancel();
  }
};

// From here on the first Ctrl-C asks the guest to stop. A guest that cannot hear it, because it waits in a host call,
// or a second Ctrl-C, ends the process at once. Exit code kInterrupted.
void interruptOnCtrlC(const Interruptible& target);

// Asks the guest to stop when `duration` has passed, and ends the process shortly after if it does not. Exit code
// kTimeout.
Result<void> interruptAfter(const Interruptible& target, std::chrono::nanoseconds duration);

// Why the guest was interrupted: the exit code, once something did.
std::optional<int> interruptionCode();

}  // namespace wattle::cli
