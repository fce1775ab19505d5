// poll_oneoff: look what has happened; if nothing has, sleep until something may have, and look again.
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "wasi/clock.h"
#include "wasi/handlers.h"

namespace wattle::wasi {
namespace {

// More than a guest has descriptors and timers; bounds what the host allocates for one call.
constexpr uint32_t kMaxSubscriptions = 1 << 16;
// The host's clock may be set while a guest waits for a time on it.
constexpr uint64_t kRealtimeSlice = 1'000'000'000;
constexpr uint64_t kForever = ~0ull;

constexpr size_t kNotPolled = ~size_t{0};

struct Waiting {
  uint64_t userdata = 0;
  EventType type = EventType::Clock;
  Errno error = Errno::Success;
  // Clock:
  ClockId clock = ClockId::Monotonic;
  uint64_t deadline = 0;  // by that clock
  // FdRead, FdWrite:
  DescriptorPtr descriptor;
  short events = 0;
  size_t polled = kNotPolled;  // index in Polled
};

// What to poll and sleep on: each host descriptor once. (poll() takes no more entries than the host may open files.)
using Polled = std::vector<pollfd>;

bool polls(const Waiting& w) {
  if (!w.descriptor) return false;
  Kind kind = w.descriptor->kind;
  return kind != Kind::File && kind != Kind::Directory && kind != Kind::Stream;
}

// Reads one subscription, in either layout.
Subscription readSubscription(const GuestMemory& memory, Snapshot snapshot, Ptr<uint8_t> at, uint32_t index) {
  Subscription out;
  if (snapshot == Snapshot::Preview1) {
    memory.read(Ptr<Subscription>{at.address} + index, out);
    return out;
  }
  UnstableSubscription in;
  memory.read(Ptr<UnstableSubscription>{at.address} + index, in);
  out.userdata = in.userdata;
  out.tag = in.tag;
  out.clockOrFd =
      in.tag == static_cast<uint8_t>(EventType::Clock) ? in.clock : static_cast<uint32_t>(in.identifierOrFd);
  out.timeout = in.timeout;
  out.precision = in.precision;
  out.flags = in.flags;
  return out;
}

Waiting onClock(const Call& call, const Subscription& s) {
  Waiting w;
  w.clock = static_cast<ClockId>(s.clockOrFd);
  if (s.clockOrFd > static_cast<uint32_t>(ClockId::ThreadCputime) || s.flags & ~subclockflags::kAll) {
    w.error = Errno::Inval;
  } else if (w.clock != ClockId::Realtime && w.clock != ClockId::Monotonic) {
    w.error = Errno::NotSup;  // the time a sleeping guest computes does not pass
  } else if (s.flags & subclockflags::kAbstime) {
    w.deadline = s.timeout;
  } else {
    // From now on, which setting the clock does not change.
    w.clock = ClockId::Monotonic;
    uint64_t from = now(call.context, w.clock);
    w.deadline = s.timeout > kForever - from ? kForever : from + s.timeout;
  }
  return w;
}

Waiting onDescriptor(const Call& call, const Subscription& s) {
  Waiting w;
  bool reads = s.tag == static_cast<uint8_t>(EventType::FdRead);
  auto d = call.context.fds.get(s.clockOrFd, rights::kPollFdReadwrite | (reads ? rights::kFdRead : rights::kFdWrite));
  if (d) {
    w.descriptor = *d;
    w.events = reads ? POLLIN : POLLOUT;
    if (reads && w.descriptor->is(Kind::Socket)) w.events |= POLLRDHUP;
  } else {
    w.error = d.error();
  }
  return w;
}

// Nothing: a subscription of no known type.
std::optional<std::vector<Waiting>> readAll(const Call& call, Snapshot snapshot, Ptr<uint8_t> at, uint32_t count) {
  std::vector<Waiting> all;
  all.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    Subscription s = readSubscription(call.memory, snapshot, at, i);
    if (s.tag > static_cast<uint8_t>(EventType::FdWrite)) return std::nullopt;
    bool clock = s.tag == static_cast<uint8_t>(EventType::Clock);
    all.push_back(clock ? onClock(call, s) : onDescriptor(call, s));
    all.back().userdata = s.userdata;
    all.back().type = static_cast<EventType>(s.tag);
  }
  return all;
}

// Bytes that can be read at once.
uint64_t readable(const Descriptor& d) {
  if (d.is(Kind::File)) {
    struct stat status;
    off_t at = ::lseek(d.host(), 0, SEEK_CUR);
    if (at < 0 || ::fstat(d.host(), &status) != 0 || status.st_size < at) return 0;
    return static_cast<uint64_t>(status.st_size - at);
  }
  int bytes = 0;
  if (d.host() < 0 || ::ioctl(d.host(), FIONREAD, &bytes) != 0) return 0;
  return static_cast<uint64_t>(bytes);
}

Event happened(const Waiting& w, Errno error, short revents) {
  Event event;
  event.userdata = w.userdata;
  event.type = w.type;
  event.error = error;
  if (error != Errno::Success) return event;
  if (w.type == EventType::FdRead) event.nbytes = readable(*w.descriptor);
  if (w.type == EventType::FdWrite) event.nbytes = 1;  // how much more, the host does not tell
  if (revents & (POLLHUP | POLLRDHUP | POLLERR)) event.flags = eventrwflags::kHangup;
  return event;
}

Polled collect(std::vector<Waiting>& all) {
  Polled fds;
  for (const Waiting& w : all) {
    if (polls(w)) fds.push_back({w.descriptor->host(), 0, 0});
  }
  auto before = [](const pollfd& a, const pollfd& b) { return a.fd < b.fd; };
  std::sort(fds.begin(), fds.end(), before);
  fds.erase(std::unique(fds.begin(), fds.end(), [](const pollfd& a, const pollfd& b) { return a.fd == b.fd; }),
            fds.end());
  for (Waiting& w : all) {
    if (!polls(w)) continue;
    auto at = std::lower_bound(fds.begin(), fds.end(), pollfd{w.descriptor->host(), 0, 0}, before);
    at->events |= w.events;
    w.polled = static_cast<size_t>(at - fds.begin());
  }
  return fds;
}

std::vector<Event> look(const Call& call, const std::vector<Waiting>& all, Polled& fds) {
  if (!fds.empty()) ::poll(fds.data(), fds.size(), 0);
  std::vector<Event> events;
  for (const Waiting& w : all) {
    if (w.error != Errno::Success) {
      events.push_back(happened(w, w.error, 0));
    } else if (w.type == EventType::Clock) {
      if (now(call.context, w.clock) >= w.deadline) events.push_back(happened(w, Errno::Success, 0));
    } else if (w.polled == kNotPolled) {
      events.push_back(happened(w, Errno::Success, 0));
    } else if (auto seen = fds[w.polled].revents & (w.events | POLLERR | POLLHUP | POLLNVAL)) {
      events.push_back(happened(w, seen & POLLNVAL ? Errno::BadF : Errno::Success, static_cast<short>(seen)));
    }
  }
  return events;
}

void sleepUntilSomething(const Call& call, std::vector<Waiting>& all, const Polled& fds) {
  const ConfigState& config = call.context.config();
  std::optional<uint64_t> timeout;
  for (const Waiting& w : all) {
    if (w.type != EventType::Clock) continue;
    uint64_t time = now(call.context, w.clock);
    uint64_t left = w.deadline > time ? w.deadline - time : 0;
    if (w.clock == ClockId::Realtime && !config.sleeper) left = std::min(left, kRealtimeSlice);
    timeout = std::min(timeout.value_or(kForever), left);
  }
  if (!timeout || !config.sleeper) return sleepFor(call.context, fds, timeout);
  // Made-up time passes at once; whatever the clocks then say, this much has.
  for (Waiting& w : all) {
    if (w.type != EventType::Clock) continue;
    uint64_t time = now(call.context, w.clock);
    if (w.deadline <= time || w.deadline - time <= *timeout) w.deadline = 0;
  }
  config.sleeper(std::chrono::nanoseconds(std::min<uint64_t>(*timeout, INT64_MAX)));
}

}  // namespace

Outcome pollOneoff(const Call& call, Snapshot snapshot, Ptr<uint8_t> subscriptions, Ptr<Event> events, uint32_t count,
                   Ptr<uint32_t> stored) {
  if (count == 0) return Errno::Inval;
  uint64_t size = snapshot == Snapshot::Preview1 ? sizeof(Subscription) : sizeof(UnstableSubscription);
  if (!call.memory.contains(subscriptions, size * count) || !call.memory.contains(events, count) ||
      !call.memory.contains(stored)) {
    return Errno::Fault;
  }
  if (count > kMaxSubscriptions) return Errno::NoMem;
  auto all = readAll(call, snapshot, subscriptions, count);
  if (!all) return Errno::Inval;
  Polled fds = collect(*all);
  for (;;) {
    if (call.context.cancel.raised()) return std::unexpected(interrupted());
    std::vector<Event> found = look(call, *all, fds);
    if (found.empty()) {
      sleepUntilSomething(call, *all, fds);
      continue;
    }
    for (uint32_t i = 0; i < found.size(); ++i) call.memory.write(events + i, found[i]);
    call.memory.write(stored, static_cast<uint32_t>(found.size()));
    return Errno::Success;
  }
}

}  // namespace wattle::wasi
