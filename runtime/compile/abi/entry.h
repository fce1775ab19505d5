// What the entry code (compile/entry_stubs.cc), the fault hook and vm/call.cc share: a call from the host into the
// guest.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/compile/abi/vmcontext.h"

namespace wattle::abi {

struct VMActivation;

// Per thread that has ever entered a guest; the head of vm::ThreadState.
struct VMThread {
  VMActivation* top = nullptr;  // innermost, of any store
  uintptr_t stackFloor = 0;     // of the stack it runs on: below it is the host's reserve
};

// On the host's stack while the call lasts; wattle::detail::Activation is its public face.
struct VMActivation {
  // Set by who calls.
  const void* code;
  VMContext* context;
  VMStoreContext* store;
  RawValue* values;  // of calls with values in memory
  uint64_t reason;   // 0; the TrapReason when the call has ended in one
  VMThread* lender;  // 0; whose stack the store's limit was of, when the store was lent to this thread
  // Set by the entry code.
  VMActivation* previous;  // of the thread
  VMActivation* outer;     // of the store
  uintptr_t stackPointer;  // what a trap leaves through
  uintptr_t exitFrame;     // rbp of the host stub that has last left the guest (0: none): where a backtrace goes on
  uintptr_t lenderLimit;
  uint64_t unused;
};
static_assert(sizeof(VMActivation) == 96);

// The saved registers of entry code lie between an activation's stackPointer and the frame of who called.
inline constexpr uintptr_t kEntryFrameBytes = 64;

// The context of a host function. What typed host stubs call: `thunk`, in the System V convention with the guest's
// arguments and, last, a HostFrame*.
struct VMHostContext {
  VMContext head;
  const void* thunk;
  void* callable;
};

// In the frame of a typed host stub, below rbp.
struct HostFrame {
  uint64_t status;      // 0; the TrapReason if the host function failed
  VMContext* caller;    // nullptr: the host
  VMHostContext* host;  // where each frame has its context
};

}  // namespace wattle::abi
