// Faults: ours become traps, the others go where they would have gone without us.
//
//   kernel ──▶ onSignal ──▶ handleSignal: a fault of the processor?  ──no──▶ chain
//                               │ yes                                          ▲
//                               └─▶ hook(Fault&): guest code and a known guard? ─no
//                                        │ yes: registers edited
//                                        └─▶ return: the kernel resumes at the new rip, the old signal mask
//
// How the handler is installed, and why.
//
// SA_SIGINFO: for the address and the registers.
//
// SA_ONSTACK: a fault may strike with little stack left, and a host (Go, Java, the sanitizers) may rely on its
// alternate stack. We install none ourselves: guest code checks its stack against a limit that leaves room for a signal
// frame.
//
// No SA_NODEFER, and an empty mask: we leave the handler only by returning, so the mask is restored by the kernel and
// the signal need not be open while we run. And it should not be: a fault inside the hook would then recurse until the
// stack ends, while a blocked synchronous signal ends the process at once, at the place of the bug.
//
// The chain. The handler that stood there before is called as the kernel would have called it: with its own mask
// blocked (and its own signal open if it said SA_NODEFER), with three arguments or one, once if it said SA_RESETHAND.
// Where none stood:
//
// SIG_DFL: the default action is restored and we return. A fault of the processor strikes again at the same
// instruction, so the core dump shows it as it happened; a signal that somebody sent is sent to ourselves once more,
// and is delivered when we return.
//
// SIG_IGN: a sent signal is ignored. A fault of the processor cannot be ignored: the kernel would kill the process, and
// so do we, as for SIG_DFL.
//
// A sent signal (kill, raise, sigqueue: si_code <= 0) is never a trap, even when it arrives while the guest runs.
#include "sandbox/signals.h"

#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>

namespace wattle::sandbox {

namespace {

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
constexpr int kMost = 32;

std::atomic<FaultHook> gHook{nullptr};
std::atomic<bool> gInstalled{false};
struct sigaction gPrevious[kMost];  // by signal number; written before our handler can run
std::atomic<bool> gUsedUp[kMost];   // the previous handler was for one time only (SA_RESETHAND), and has been called

void onSignal(int signal, siginfo_t* info, void* context);

bool isOurs(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == onSignal;
}

bool raisedByProcessor(const siginfo_t* info) { return info->si_code > 0; }

void fallToDefault(int signal, const siginfo_t* info) {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, nullptr);
  // A processor's fault comes again by itself.
  if (!raisedByProcessor(info)) syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), signal);
}

void callPrevious(const struct sigaction& previous, int signal, siginfo_t* info, void* context) {
  const bool open = (previous.sa_flags & SA_NODEFER) != 0;
  sigset_t own;
  sigemptyset(&own);
  sigaddset(&own, signal);
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &previous.sa_mask, &before);
  if (open) pthread_sigmask(SIG_UNBLOCK, &own, nullptr);  // else it is blocked already: we are its handler
  if ((previous.sa_flags & SA_SIGINFO) != 0) {
    previous.sa_sigaction(signal, info, context);
  } else {
    previous.sa_handler(signal);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void chain(int signal, siginfo_t* info, void* context) {
  const struct sigaction& previous = gPrevious[signal];
  const bool plain = (previous.sa_flags & SA_SIGINFO) == 0;
  if (plain && previous.sa_handler == SIG_IGN && !raisedByProcessor(info)) return;
  if ((plain && (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN)) || gUsedUp[signal].load()) {
    fallToDefault(signal, info);
    return;
  }
  if ((previous.sa_flags & SA_RESETHAND) != 0) gUsedUp[signal].store(true);
  callPrevious(previous, signal, info, context);
}

void onSignal(int signal, siginfo_t* info, void* context) {
  const int saved = errno;
  if (!handleSignal(signal, info, context)) chain(signal, info, context);
  errno = saved;
}

}  // namespace

bool handleSignal(int signal, siginfo_t* info, void* context) {
  const FaultHook hook = gHook.load(std::memory_order_acquire);
  if (hook == nullptr || !raisedByProcessor(info)) return false;
  greg_t* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
  Fault fault;
  fault.signal = signal;
  fault.address = reinterpret_cast<uintptr_t>(info->si_addr);
  fault.pc = static_cast<uintptr_t>(registers[REG_RIP]);
  fault.stackPointer = static_cast<uintptr_t>(registers[REG_RSP]);
  fault.framePointer = static_cast<uintptr_t>(registers[REG_RBP]);
  fault.rax = static_cast<uint64_t>(registers[REG_RAX]);
  fault.context = static_cast<uint64_t>(registers[REG_R13]);
  if (!hook(fault)) return false;
  registers[REG_RIP] = static_cast<greg_t>(fault.pc);
  registers[REG_RSP] = static_cast<greg_t>(fault.stackPointer);
  registers[REG_RBP] = static_cast<greg_t>(fault.framePointer);
  registers[REG_RAX] = static_cast<greg_t>(fault.rax);
  registers[REG_R13] = static_cast<greg_t>(fault.context);
  return true;
}

void installFaultHandlers(FaultHook hook, bool install) {
  gHook.store(hook, std::memory_order_release);
  if (!install) return;
  static std::mutex lock;
  const std::lock_guard hold(lock);
  if (gInstalled.load(std::memory_order_relaxed)) return;
  for (const int signal : kSignals) {
    // Known before our handler can be called for it.
    sigaction(signal, nullptr, &gPrevious[signal]);
    struct sigaction action {};
    action.sa_sigaction = onSignal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, nullptr);
  }
  gInstalled.store(true, std::memory_order_release);
}

bool handlersInstalled() {
  for (const int signal : kSignals) {
    struct sigaction action {};
    if (sigaction(signal, nullptr, &action) != 0 || !isOurs(action)) return false;
  }
  return true;
}

}  // namespace wattle::sandbox
