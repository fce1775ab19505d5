// From a processor fault in guest code to a trap, and everything else to whoever stood there before (DESIGN section 4).
#pragma once

#include <csignal>
#include <cstdint>

namespace wattle::sandbox {

// The interrupted machine state; writable: the guest resumes with what is left here.
struct Fault {
  int signal = 0;              // SIGSEGV, SIGBUS, SIGILL or SIGFPE
  uintptr_t address = 0;       // si_addr
  uintptr_t pc = 0;            // rip
  uintptr_t stackPointer = 0;  // rsp
  uintptr_t framePointer = 0;  // rbp
  uint64_t rax = 0;
  uint64_t context = 0;  // r13, see runtime/compile/abi/registers.h
};

// Decides about a fault. Runs in the signal handler: no lock, no allocation. Returns true when it has changed the state
// so that execution may resume; false hands the signal to the handler that was installed before ours.
using FaultHook = bool (*)(Fault&);

// Installs the handlers once per process; later calls only replace the hook. With `install` false only the hook is set,
// and the host has to call handleSignal from its own handlers.
void installFaultHandlers(FaultHook hook, bool install = true);
// For hosts that keep their own handlers: true when the signal was ours and has been dealt with.
bool handleSignal(int signal, siginfo_t* info, void* ucontext);
// Are our handlers still the ones in place? (A host may have replaced them.)
bool handlersInstalled();

}  // namespace wattle::sandbox
