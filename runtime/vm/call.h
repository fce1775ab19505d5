// Calls across the border, in both directions.
//
// Each call from the host into the guest is an Activation on the host's stack; they form a chain per thread, across
// stores:
//
//     host │ Activation 1 │ entry stub │ guest frames │ host stub │ hostEntry, callback │ Activation 2 │ entry stub │
//     guest …
//          ◀── previous ───────────────────────────────────────────────────────────────── previous
//                         ▲ savedStackPointer          ▲ exitFrame: where a backtrace of activation 2 goes on
//
// A trap unwinds exactly one activation: the fault handler resumes at the entry stub (traps.cc), which returns the
// reason. Between the entry stub and the trap there are only frames of generated code, so no destructor is ever
// skipped. An error of a callback is kept aside in the thread's state while the host stub traps with HostError.
//
// Stack. One limit serves the guest of a store: the lower of what the thread's stack leaves (less a reserve for the
// host code that the guest calls) and Config::maxStackBytes below the outermost call. It is kept from call to call
// while it is good enough, so that the usual call writes nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "runtime/compile/abi/vmcontext.h"
#include "runtime/compile/compile.h"
#include "runtime/vm/function.h"
#include "runtime/vm/traps.h"
#include "wattle/wattle.hpp"

namespace wattle {

struct Caller::State {
  vm::Store& store;
  vm::Instance* instance;  // nullptr when the host calls its own function
};

}  // namespace wattle

namespace wattle::vm {

struct Activation {
  Activation* previous;
  Store* store;
  uintptr_t savedStackPointer = 0;  // written by the entry stub
  uintptr_t outerExitFrame;         // frame of the host stub under `previous`, or 0
};

// Per thread. The fault handler writes the frames; they are read right after the entry stub has returned.
struct ThreadState {
  static constexpr uint32_t kMaxFrames = 96;
  Activation* top = nullptr;
  uintptr_t stackFloor = 0;  // below it is the host's reserve
  uint32_t frameCount = 0;
  RawFrame frames[kMaxFrames];
  std::unique_ptr<Error> hostError;
};

ThreadState& makeThreadState();
// A plain pointer in static storage of the thread, so that a signal handler may read it in any thread.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local ThreadState* currentThreadState;
inline ThreadState& threadState() {
  ThreadState* state = currentThreadState;
  return state ? *state : makeThreadState();
}

// Host to guest, for code that need not belong to a function reference (the start function). Arguments in `values` and
// results left there, 16 bytes each; types have been checked.
Result<void> callCode(Store& store, uint32_t typeId, const void* code, abi::VMContext* context, abi::RawValue* values);

// The API's call: checks and converts.
Result<std::vector<Val>> callChecked(Function& function, std::span<const Val> arguments);
Result<void> callRaw(Function& function, std::span<RawVal> values);

// Code for host functions of the type; nullptr when the code cache is full.
const void* hostStubFor(uint32_t typeId);

}  // namespace wattle::vm
