#include "runtime/cli/interruption.h"

#include <unistd.h>
#include <csignal>
#include <ctime>
#include <new>
#include <string_view>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "runtime/cli/exit_codes.h"

namespace wattle::cli {

namespace {

using namespace std::chrono_literals;

// How long a guest has to hear that it should stop.
constexpr auto kGrace = 300ms;

std::atomic<int> ctrlCCount{0};
std::atomic<int> reason{0};  // exit code
timer_t timer;
bool timerExists = false;

// Never destroyed: a signal may come until the very end.
const Interruptible* target = nullptr;

void arm(std::chrono::nanoseconds duration) {
  if (!timerExists) return;
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(duration / 1s);
  when.it_value.tv_nsec = static_cast<long>((duration % 1s).count());
  timer_settime(timer, 0, &when, nullptr);
}

[[noreturn]] void endNow(int code) {
  std::string_view line = code == kTimeout ? "wattle: error: timed out\n" : "wattle: error: interrupted\n";
  [[maybe_unused]] ssize_t ignored = write(2, line.data(), line.size());
  _exit(code);
}

void onCtrlC(int) {
  int savedErrno = errno;
  if (ctrlCCount.fetch_add(1) > 0) endNow(kInterrupted);
  reason = kInterrupted;
  target->interrupt();
  arm(kGrace);
  errno = savedErrno;
}

// First the deadline, then the end of the grace given.
void onTimer(int) {
  int savedErrno = errno;
  if (int code = reason.load()) endNow(code);
  reason = kTimeout;
  target->interrupt();
  arm(kGrace);
  errno = savedErrno;
}

void install(int number, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, nullptr);
}

bool prepare(const Interruptible& t) {
  if (!target) target = new Interruptible(t);
  if (timerExists) return true;
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGALRM;
  install(SIGALRM, onTimer);
  timerExists = timer_create(CLOCK_MONOTONIC, &event, &timer) == 0;
  return timerExists;
}

}  // namespace

void interruptOnCtrlC(const Interruptible& t) {
  struct sigaction old {};
  sigaction(SIGINT, nullptr, &old);
  if (old.sa_handler == SIG_IGN) return;  // as in a background job
  prepare(t);
  install(SIGINT, onCtrlC);
}

Result<void> interruptAfter(const Interruptible& t, std::chrono::nanoseconds duration) {
  if (!prepare(t)) {
    return std::unexpected(Error::make(ErrorKind::Resource, strerror(errno)));
  }
  arm(duration);
  return {};
}

std::optional<int> interruptionCode() {
  int code = reason.load();
  return code ? std::optional<int>(code) : std::nullopt;
}

}  // namespace wattle::cli
