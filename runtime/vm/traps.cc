// From a processor fault in guest code to an error value.
//
// 1. Guest code traps by executing `ud2` followed by a byte, the TrapReason; or InRax, and then the reason is in eax
//    (that is how builtins, the safepoint stub and host stubs report failure). A load or store beyond a guarded memory
//    faults in its guard, and the load of a loop in an interrupted thread in its poll page (interrupt.cc). A division
//    that overflows raises SIGFPE. Nothing is looked up: no table of trap sites exists.
// 2. The kernel runs sandbox's handler, which asks faultHook() here. The hook says no (and the signal goes to whoever
//    stood there before) unless all of this holds: the pc lies in the code cache, this thread is in a call of ours, and
//    the fault is one of the above. Faults inside builtins or host functions are therefore never taken for traps.
// 3. The hook notes the guest's frames in the thread's state, because unwinding will make them unreachable: pairs of pc
//    and context, found by walking the frame pointers. Invariants that make the walk safe in any instruction that can
//    fault:
//      - rbp is set up by the first instructions of each function, before anything that can trap;
//      - [rbp - 8] is the function's context, so each frame names its instance;
//      - the return address tells the kind of the caller (CodeCache::lookup is lock-free): a function goes on the list,
//        an entry stub ends the activation, and the walk goes on at the frame where the guest had left the activation
//        before (VMActivation::exitFrame).
//    The walk stops after ThreadState::kMaxFrames. No lock, no allocation; the only memory written is the thread's own.
// 4. The hook sets rsp to what the entry code saved, rax to the reason, r13 to the activation and rip to the trap exit
//    (compile/entry_stubs.cc). When the handler returns, that unlinks the activation, restores the host's registers and
//    returns to who called, who finds the reason in the activation. Only generated code lies in between, so no
//    destructor is missed.
// 5. failure() (call.cc) turns reason and frames into an Error (backtrace.cc). The instances still live: nothing has
//    run since.
#include "runtime/vm/traps.h"

#include <atomic>
#include <csignal>
#include <mutex>

#include "runtime/codecache/code_cache.h"
#include "runtime/compile/abi/poll.h"
#include "runtime/compile/compile.h"
#include "runtime/vm/call.h"
#include "sandbox/linear_memory.h"
#include "sandbox/signals.h"

namespace wattle::vm {

namespace {

using abi::TrapReason;
using codecache::CodeCache;
using codecache::RangeKind;

std::atomic<const void*> gTrapExit{nullptr};

struct FrameWalk {
  ThreadState& thread;
  const CodeCache& cache = CodeCache::process();

  static uintptr_t load(uintptr_t at) { return *reinterpret_cast<const uintptr_t*>(at); }

  bool isFull() const { return thread.frameCount == ThreadState::kMaxFrames; }

  void note(uintptr_t pc, uintptr_t context) {
    thread.frames[thread.frameCount++] = {pc, reinterpret_cast<const abi::VMContext*>(context)};
  }

  // The callers of the frame at `frame`, up to the entry stub.
  void walkActivation(uintptr_t frame) {
    while (!isFull()) {
      uintptr_t returnAddress = load(frame + 8);
      uintptr_t caller = load(frame);
      auto hit = cache.lookup(returnAddress - 1);
      if (!hit || !hit.range || hit.range->kind == static_cast<unsigned>(RangeKind::EntryStub)) return;
      if (hit.range->kind == static_cast<unsigned>(RangeKind::Function)) note(returnAddress - 1, load(caller - 8));
      frame = caller;
    }
  }

  void walk(const sandbox::Fault& fault) {
    thread.frameCount = 0;
    auto hit = cache.lookup(fault.pc);
    if (hit && hit.range && hit.range->kind == static_cast<unsigned>(RangeKind::Function))
      note(fault.pc, fault.context);
    uintptr_t frame = fault.framePointer;
    for (const abi::VMActivation* a = thread.top; a && frame; a = a->previous) {
      walkActivation(frame);
      frame = a->previous ? a->previous->exitFrame : 0;
    }
  }
};

// None: not a trap.
TrapReason reasonOf(const sandbox::Fault& fault) {
  switch (fault.signal) {
    case SIGILL: {
      const auto* code = reinterpret_cast<const uint8_t*>(fault.pc);
      if (code[0] != 0x0f || code[1] != 0x0b) return TrapReason::None;
      auto reason = static_cast<TrapReason>(code[2]);
      return reason == TrapReason::InRax ? static_cast<TrapReason>(fault.rax) : reason;
    }
    case SIGFPE: return TrapReason::IntegerOverflow;
    case SIGSEGV:
    case SIGBUS: return sandbox::isGuardAddress(fault.address) ? TrapReason::MemoryOutOfBounds : TrapReason::None;
    default: return TrapReason::None;
  }
}

bool faultHook(sandbox::Fault& fault) {
  auto* thread = static_cast<ThreadState*>(currentThread);
  if (!thread || !thread->top || !CodeCache::process().contains(fault.pc)) return false;
  TrapReason reason = reasonOf(fault);
  if (reason == TrapReason::None && fault.signal == SIGSEGV && abi::isPoll(fault.pc)) {
    if (mayPass(*thread, *reinterpret_cast<abi::VMContext*>(fault.context))) {
      fault.pc += abi::kPoll.size();
      return true;
    }
    reason = TrapReason::Interrupted;
  }
  if (reason == TrapReason::None) return false;
  FrameWalk{*thread}.walk(fault);
  fault.stackPointer = thread->top->stackPointer;
  fault.context = reinterpret_cast<uint64_t>(thread->top);
  fault.rax = static_cast<uint64_t>(reason);
  fault.pc = reinterpret_cast<uintptr_t>(gTrapExit.load(std::memory_order_relaxed));
  return true;
}

}  // namespace

void installTrapHandler(bool withSignalHandlers) {
  // What the hook calls must be ready before it can run.
  CodeCache::process();
  static std::mutex mutex;
  std::lock_guard lock(mutex);
  if (!gTrapExit.load(std::memory_order_relaxed)) gTrapExit.store(compile::trapExit(entrySupport()));
  sandbox::installFaultHandlers(faultHook, withSignalHandlers);
}

}  // namespace wattle::vm
