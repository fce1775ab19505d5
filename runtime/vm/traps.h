// Traps of guest code, from the fault to the error; the essay is in traps.cc.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/compile/abi/trap_reason.h"
#include "runtime/compile/abi/vmcontext.h"
#include "wattle/error.hpp"

namespace wattle::vm {

struct ThreadState;

// One guest frame: an address within the instruction that traps or calls, and the instance's context.
struct RawFrame {
  uintptr_t pc;
  const abi::VMContext* context;
};

// Sets the fault hook; once per process, with handlers unless the host keeps its own.
void installTrapHandler(bool withSignalHandlers);

// interrupt.cc, for the fault hook: the poll of a loop (abi/poll.h) has faulted. False: its store is interrupted.
bool mayPass(ThreadState& thread, abi::VMContext& context);

// backtrace.cc: names and module offsets for frames, whose instances must still live.
std::vector<Frame> symbolize(const RawFrame* frames, uint32_t count);
// The error for a trap without frames, as of an active segment out of bounds.
Error trapError(abi::TrapReason reason);

}  // namespace wattle::vm
