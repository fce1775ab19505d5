#include "wasi/clock.h"

#include <uv.h>

#include "wasi/filestat.h"
#include "wasi/handlers.h"

namespace wattle::wasi {
namespace {

constexpr uint64_t kNanos = 1'000'000'000;

// -1: no such clock.
int hostClock(uint32_t clock) {
  constexpr int kClocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
  return clock < std::size(kClocks) ? kClocks[clock] : -1;
}

}  // namespace

uint64_t now(const Context& context, ClockId clock) {
  const ConfigState& config = context.config();
  if (clock == ClockId::Realtime && config.realtime) return config.realtime();
  // For a guest with a made-up monotonic clock its computing takes as long as that says.
  if (clock != ClockId::Realtime && config.monotonic) return config.monotonic();
  if (clock == ClockId::Monotonic) return uv_hrtime();
  timespec time{};
  ::clock_gettime(hostClock(static_cast<uint32_t>(clock)), &time);
  return nanoseconds(time.tv_sec, time.tv_nsec);
}

Errno clockResGet(const Call& call, uint32_t clock, Ptr<uint64_t> resolution) {
  timespec time{};
  int host = hostClock(clock);
  if (host < 0) return Errno::Inval;
  if (::clock_getres(host, &time) != 0) return Errno::NotSup;
  return call.memory.write(resolution,
                           static_cast<uint64_t>(time.tv_sec) * kNanos + static_cast<uint64_t>(time.tv_nsec))
             ? Errno::Success
             : Errno::Fault;
}

// The precision asked for does not matter: reading the best clock there is costs no more.
Errno clockTimeGet(const Call& call, uint32_t clock, uint64_t /*precision*/, Ptr<uint64_t> time) {
  if (hostClock(clock) < 0) return Errno::Inval;
  return call.memory.write(time, now(call.context, static_cast<ClockId>(clock))) ? Errno::Success : Errno::Fault;
}

}  // namespace wattle::wasi
