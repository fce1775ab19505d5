// Calls across the border, in both directions.
//
// Each call from the host into the guest is an activation (abi/entry.h) on the host's stack; they form a chain per
// thread, across stores, and one per store:
//
//     host │ activation 1 │ entry stub │ guest frames │ host stub │ hostEntry, callback │ activation 2 │ entry stub │
//     guest …
//          ◀── previous ───────────────────────────────────────────────────────────────── previous
//                         ▲ stackPointer               ▲ exitFrame: where a backtrace of activation 2 goes on
//
// Entry code (compile/entry_stubs.cc) links and unlinks it. A trap unwinds exactly one activation: the fault handler
// resumes at the trap exit (traps.cc), which leaves the reason in the activation. Between the entry stub and the trap
// there are only frames of generated code, so no destructor is ever skipped. An error of a callback is kept aside in
// the thread's state while the host stub traps with HostError.
//
// Stack. One limit serves the guest of a store: the lower of what the stack leaves (less a reserve for the host code
// that the guest calls) and the store's maxStackBytes below the outermost call. It is kept from call to call while it
// is good enough, so that the usual call writes nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "runtime/compile/abi/entry.h"
#include "runtime/compile/compile.h"
#include "runtime/vm/function.h"
#include "runtime/vm/traps.h"
#include "sandbox/poll_page.h"
#include "wattle/wattle.hpp"

namespace wattle::vm {

class Fiber;

// The fault handler writes the frames; they are read right after the entry stub has returned.
struct ThreadState : abi::VMThread {
  static constexpr uint32_t kMaxFrames = 96;
  Fiber* fiber = nullptr;  // innermost that runs (fiber.h)
  uint32_t frameCount = 0;
  RawFrame frames[kMaxFrames];
  std::unique_ptr<Error> hostError;
  sandbox::PollPage* poll = nullptr;  // of the thread that it runs on, once a store with LoopCheck::Segment was entered
};

// Stack that host functions may count on, whatever the guest has used.
inline constexpr uintptr_t kHostReserve = 128 << 10;

ThreadState& makeThreadState();
// A plain pointer in static storage of the thread, so that a signal handler may read it in any thread. Entry code does.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local abi::VMThread* currentThread;
inline ThreadState& threadState() {
  auto* state = static_cast<ThreadState*>(currentThread);
  return state ? *state : makeThreadState();
}

// What entry code needs of this file.
const compile::EntrySupport& entrySupport();
// The error of an activation that has ended with a reason.
Error failure(const abi::VMActivation& activation);

// Host to guest, for code that need not belong to a function reference (the start function). Arguments in `values` and
// results left there, 16 bytes each; types have been checked.
Result<void> callCode(Store& store, uint32_t typeId, const void* code, abi::VMContext* context, abi::RawValue* values);

// The API's call: checks and converts.
Result<std::vector<Val>> callChecked(Function& function, std::span<const Val> arguments);
Result<void> callRaw(Function& function, std::span<RawVal> values);

// Code for a host function; nullptr when the code cache is full.
const void* hostStubFor(const HostDefinition& definition);

// Keeps the error of a host function until the guest's call has ended with the reason that is returned.
abi::TrapReason holdHostError(Store& store, Error&& error);
// As the error of the host function that threw. `what` may be null.
Error hostException(const char* what) noexcept;

}  // namespace wattle::vm
