#include "wasi/wait.h"

#include <sys/epoll.h>
#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace wattle::wasi {
namespace {

constexpr uint64_t kNanos = 1'000'000'000;
// How often to look at the flag when the host has no descriptor left to wake us by.
constexpr int kBlindMilliseconds = 20;

// One sleep on libuv's loop. The guest's descriptors are gathered in an epoll set of our own, and the loop polls that
// one: uv_poll_init switches what it is given to non-blocking, and a terminal shared with the shell must not change. It
// lives for one sleep only, so a context that does not sleep costs nothing and fork() has nothing to go wrong with.
class LoopSleep {
 public:
  ~LoopSleep() {
    if (!loopMade_) return;
    uv_walk(
        &loop_, [](uv_handle_t* handle, void*) { uv_close(handle, nullptr); }, nullptr);
    uv_run(&loop_, UV_RUN_DEFAULT);
    uv_loop_close(&loop_);
  }

  bool prepare(std::span<const pollfd> fds, int cancelFd) {
    set_ = HostFd::own(::epoll_create1(EPOLL_CLOEXEC));
    if (!set_) return false;
    for (const pollfd& item : fds) {
      if (!add(item.fd, item.events)) return false;
    }
    if (cancelFd >= 0 && !add(cancelFd, POLLIN)) return false;
    if (uv_loop_init(&loop_) != 0) return false;
    loopMade_ = true;
    return uv_timer_init(&loop_, &timer_) == 0 && uv_poll_init(&loop_, &poll_, set_.get()) == 0;
  }

  void run(std::optional<uint64_t> nanoseconds) {
    if (nanoseconds) {
      // A timer of libuv's counts milliseconds; rounded up, for it must not ring early.
      uint64_t milliseconds = *nanoseconds / 1'000'000 + (*nanoseconds % 1'000'000 != 0);
      uv_timer_start(
          &timer_, [](uv_timer_t* timer) { uv_stop(timer->loop); }, milliseconds, 0);
    }
    uv_poll_start(&poll_, UV_READABLE, [](uv_poll_t* poll, int, int) { uv_stop(poll->loop); });
    uv_run(&loop_, UV_RUN_DEFAULT);
  }

 private:
  bool add(int fd, short events) {
    epoll_event event{};
    event.events = static_cast<uint32_t>(events);  // EPOLLIN and EPOLLOUT are POLLIN and POLLOUT
    return ::epoll_ctl(set_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
  }

  HostFd set_;
  uv_loop_t loop_;
  uv_timer_t timer_;
  uv_poll_t poll_;
  bool loopMade_ = false;
};

}  // namespace

Error interrupted() {
  Error error = Error::make(ErrorKind::Trap, "interrupted");
  error.trap = TrapCode::Interrupted;
  return error;
}

Ready waitFor(Context& context, int fd, short events, bool block) {
  if (context.cancel.raised()) return Ready::Cancelled;
  pollfd items[2] = {{fd, events, 0}, {-1, POLLIN, 0}};
  if (::poll(items, 1, 0) > 0) return Ready::Yes;
  if (!block) return Ready::NotYet;
  for (;;) {
    items[1].fd = context.cancel.fd();
    if (context.cancel.raised()) return Ready::Cancelled;
    ::poll(items, 2, items[1].fd < 0 ? kBlindMilliseconds : -1);  // EINTR: look again
    if (context.cancel.raised()) return Ready::Cancelled;
    if (items[0].revents) return Ready::Yes;
    if (items[1].revents) context.cancel.drain();
    items[0].revents = items[1].revents = 0;
  }
}

void sleepFor(Context& context, std::span<const pollfd> fds, std::optional<uint64_t> nanoseconds) {
  int cancelFd = context.cancel.fd();
  if (context.cancel.raised()) return;
  if (cancelFd < 0) nanoseconds = std::min<uint64_t>(nanoseconds.value_or(~0ull), kBlindMilliseconds * 1'000'000ull);
  if (!fds.empty()) {
    LoopSleep sleep;
    if (sleep.prepare(fds, cancelFd)) {
      sleep.run(nanoseconds);
      if (!context.cancel.raised()) context.cancel.drain();
      return;
    }
    // No descriptors left on the host, or one that epoll does not take.
    nanoseconds = std::min<uint64_t>(nanoseconds.value_or(~0ull), kBlindMilliseconds * 1'000'000ull);
  }
  // Only time: to the nanosecond, which libuv has not.
  pollfd cancelled{cancelFd, POLLIN, 0};
  timespec time{};
  if (nanoseconds) {
    time.tv_sec = static_cast<time_t>(std::min<uint64_t>(*nanoseconds / kNanos, INT32_MAX));
    time.tv_nsec = static_cast<long>(*nanoseconds % kNanos);
  }
  ::ppoll(&cancelled, 1, nanoseconds ? &time : nullptr, nullptr);
  if (!context.cancel.raised()) context.cancel.drain();
}

}  // namespace wattle::wasi
