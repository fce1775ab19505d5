// Arguments, environment, and the ends of a guest.
#include <sched.h>
#include <signal.h>

#include <algorithm>

#include "wasi/handlers.h"

namespace wattle::wasi {
namespace {

Errno sizesGet(const Call& call, const std::vector<std::string>& strings, Ptr<uint32_t> count, Ptr<uint32_t> bytes) {
  uint64_t total = 0;
  for (const std::string& text : strings) total += text.size() + 1;
  if (total > UINT32_MAX) return Errno::Overflow;
  bool written = call.memory.write(count, static_cast<uint32_t>(strings.size())) &&
                 call.memory.write(bytes, static_cast<uint32_t>(total));
  return written ? Errno::Success : Errno::Fault;
}

Errno stringsGet(const Call& call, const std::vector<std::string>& strings, Ptr<uint32_t> pointers,
                 Ptr<uint8_t> buffer) {
  uint32_t at = buffer.address;
  for (uint32_t i = 0; i < strings.size(); ++i) {
    auto length = static_cast<uint32_t>(strings[i].size() + 1);
    auto bytes = call.memory.slice(at, length);
    if (!bytes || !call.memory.contains(pointers, i + 1) || !call.memory.write(pointers + i, at)) return Errno::Fault;
    std::copy_n(strings[i].c_str(), length, bytes->begin());
    at += length;
  }
  return Errno::Success;
}

// Linux's number of a signal of preview 1, by that one's.
constexpr int kSignals[] = {0,       SIGHUP,    SIGINT,  SIGQUIT,  SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
                            SIGFPE,  SIGKILL,   SIGUSR1, SIGSEGV,  SIGUSR2, SIGPIPE, SIGALRM, SIGTERM,
                            SIGCHLD, SIGCONT,   SIGSTOP, SIGTSTP,  SIGTTIN, SIGTTOU, SIGURG,  SIGXCPU,
                            SIGXFSZ, SIGVTALRM, SIGPROF, SIGWINCH, SIGPOLL, SIGPWR,  SIGSYS};
static_assert(std::size(kSignals) == 31);

Error exitWith(int code) {
  Error error = Error::make(ErrorKind::Exit, "the program ended itself");
  error.exitCode = code;
  return error;
}

}  // namespace

Errno argsSizesGet(const Call& call, Ptr<uint32_t> count, Ptr<uint32_t> bytes) {
  return sizesGet(call, call.context.config().args, count, bytes);
}

Errno argsGet(const Call& call, Ptr<uint32_t> argv, Ptr<uint8_t> buffer) {
  return stringsGet(call, call.context.config().args, argv, buffer);
}

Errno environSizesGet(const Call& call, Ptr<uint32_t> count, Ptr<uint32_t> bytes) {
  return sizesGet(call, call.context.config().env, count, bytes);
}

Errno environGet(const Call& call, Ptr<uint32_t> environ, Ptr<uint8_t> buffer) {
  return stringsGet(call, call.context.config().env, environ, buffer);
}

Error procExit(const Call&, uint32_t code) { return exitWith(static_cast<int>(code)); }

// A guest has no signal handlers, so the default action it is: that of the witx file. The host process gets no signal;
// a guest that dies of one leaves the exit code a shell would show.
Outcome procRaise(const Call&, uint32_t signal) {
  if (signal == 0 || signal >= std::size(kSignals)) return Errno::Inval;
  switch (kSignals[signal]) {
    case SIGCHLD:
    case SIGPIPE:
    case SIGURG:
    case SIGWINCH:
    case SIGCONT: return Errno::Success;
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU: return Errno::NotSup;  // nobody could make it go on
    default: return std::unexpected(exitWith(128 + kSignals[signal]));
  }
}

Errno schedYield(const Call&) {
  ::sched_yield();
  return Errno::Success;
}

}  // namespace wattle::wasi
