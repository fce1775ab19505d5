// poll_oneoff.
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "tests/unit/wasi/guest.h"

namespace wattle::wasi::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

uint64_t realtime() {
  return static_cast<uint64_t>(std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count());
}

Subscription onClock(uint64_t userdata, uint64_t timeout, ClockId clock = ClockId::Monotonic, uint16_t flags = 0) {
  Subscription s;
  s.userdata = userdata;
  s.clockOrFd = static_cast<uint32_t>(clock);
  s.timeout = timeout;
  s.flags = flags;
  return s;
}
Subscription onFd(uint64_t userdata, uint32_t fd, EventType type) {
  Subscription s;
  s.userdata = userdata;
  s.tag = static_cast<uint8_t>(type);
  s.clockOrFd = fd;
  return s;
}

class WasiPoll : public ::testing::Test {
 protected:
  WasiPoll() : guest(config(), 4 << 20) {
    EXPECT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
    in = add(pipe[0]);
    out = add(pipe[1]);
  }
  ~WasiPoll() override {
    for (int fd : pipe) ::close(fd);
  }
  WasiConfig config() {
    WasiConfig config;
    EXPECT_TRUE(config.preopenDir(dir.path().string(), "/"));
    return config;
  }
  uint32_t add(int host) {
    auto d = std::make_shared<Descriptor>();
    struct stat status;
    EXPECT_EQ(::fstat(host, &status), 0);
    classify(host, status, *d);
    d->base = applicableRights(d->kind);
    d->file = std::make_shared<const HostFd>(HostFd::borrow(host));
    return *guest.context().fds.add(d);
  }
  Outcome pollRaw(const std::vector<Subscription>& list, std::vector<Event>& events) {
    guest.reset();
    auto count = static_cast<uint32_t>(list.size());
    auto in = guest.room<Subscription>(count);
    auto out = guest.room<Event>(count);
    auto stored = guest.room<uint32_t>();
    for (uint32_t i = 0; i < count; ++i) guest.call().memory.write(in + i, list[i]);
    auto result = pollOneoff(guest, Snapshot::Preview1, {in.address}, out, count, stored);
    if (result && *result == Errno::Success) {
      for (uint32_t i = 0; i < guest.get(stored); ++i) events.push_back(guest.get(out, i));
    }
    return result;
  }
  std::vector<Event> poll(const std::vector<Subscription>& list) {
    std::vector<Event> events;
    started = Clock::now();
    EXPECT_EQ(pollRaw(list, events), Errno::Success);
    took = Clock::now() - started;
    return events;
  }

  TempDir dir;
  Guest guest;
  int pipe[2];
  uint32_t in = 0;
  uint32_t out = 0;
  Clock::time_point started;
  Clock::duration took{};
};

TEST_F(WasiPoll, Sleeping) {
  auto events = poll({onClock(42, 30'000'000)});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].userdata, 42u);
  EXPECT_EQ(events[0].type, EventType::Clock);
  EXPECT_EQ(events[0].error, Errno::Success);
  EXPECT_GE(took, 30ms);
  poll({onClock(1, 0)});
  EXPECT_LT(took, 5s);
  poll({onClock(1, 200'000)});
  EXPECT_GE(took, 200us);
}

TEST_F(WasiPoll, AbsoluteTimes) {
  using subclockflags::kAbstime;
  auto monotonic = guest.room<uint64_t>();
  clockTimeGet(guest, 1, 0, monotonic);
  uint64_t now = guest.get(monotonic);
  EXPECT_EQ(poll({onClock(1, now + 30'000'000, ClockId::Monotonic, kAbstime)}).size(), 1u);
  EXPECT_GE(took, 25ms);
  poll({onClock(1, now, ClockId::Monotonic, kAbstime)});
  EXPECT_LT(took, 5s);
  uint64_t until = realtime() + 30'000'000;
  EXPECT_EQ(poll({onClock(1, until, ClockId::Realtime, kAbstime)}).size(), 1u);
  EXPECT_GE(realtime(), until);
  poll({onClock(1, 1, ClockId::Realtime, kAbstime)});
  EXPECT_LT(took, 5s);
  poll({onClock(1, 20'000'000, ClockId::Realtime)});
  EXPECT_GE(took, 20ms);
}

TEST_F(WasiPoll, TheEarliestClockRings) {
  auto events = poll({onClock(1, ~0ull), onClock(2, 20'000'000), onClock(3, 10'000'000'000), onClock(4, 20'000'000)});
  ASSERT_GE(events.size(), 1u);
  EXPECT_EQ(events[0].userdata, 2u);
  EXPECT_GE(took, 20ms);
  EXPECT_LT(took, 5s);
}

TEST_F(WasiPoll, BadClocksAreEvents) {
  auto events = poll({onClock(1, 0, static_cast<ClockId>(9)), onClock(2, 0, ClockId::ProcessCputime),
                      onClock(3, 10'000'000'000), onClock(4, 0, ClockId::Monotonic, 2)});
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].error, Errno::Inval);
  EXPECT_EQ(events[1].error, Errno::NotSup);
  EXPECT_EQ(events[2].error, Errno::Inval);
}

TEST_F(WasiPoll, FilesAreAlwaysReady) {
  writeFile(dir / "file", "contents");
  uint32_t file = *guest.open("file", Guest::writing());
  EXPECT_EQ(guest.read(file, 3), "con");
  auto events = poll({onFd(1, file, EventType::FdRead), onFd(2, file, EventType::FdWrite), onClock(3, 10'000'000'000)});
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].type, EventType::FdRead);
  EXPECT_EQ(events[0].nbytes, 5u);
  EXPECT_EQ(events[1].type, EventType::FdWrite);
  EXPECT_EQ(events[1].userdata, 2u);
  EXPECT_EQ(events[1].flags, 0);
}

TEST_F(WasiPoll, Pipes) {
  auto events = poll({onFd(1, in, EventType::FdRead), onFd(2, out, EventType::FdWrite)});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].userdata, 2u);
  EXPECT_GT(events[0].nbytes, 0u);
  // Nothing to read: the clock ends it.
  events = poll({onFd(1, in, EventType::FdRead), onClock(2, 30'000'000)});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].type, EventType::Clock);
  EXPECT_GE(took, 30ms);
  // Something arrives meanwhile.
  std::thread writer([&] {
    std::this_thread::sleep_for(30ms);
    EXPECT_EQ(::write(pipe[1], "hello", 5), 5);
  });
  events = poll({onClock(2, 10'000'000'000), onFd(1, in, EventType::FdRead)});
  writer.join();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].userdata, 1u);
  EXPECT_EQ(events[0].nbytes, 5u);
  EXPECT_EQ(events[0].flags, 0);
  EXPECT_GE(took, 25ms);
  EXPECT_LT(took, 5s);
  // Waiting leaves the pipe as it was.
  EXPECT_EQ(::fcntl(pipe[0], F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(WasiPoll, Terminals) {
  int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0) GTEST_SKIP() << "no pseudo-terminals";
  int slave = ::open(::ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(slave, 0);
  uint32_t terminal = add(slave);
  auto events = poll({onFd(1, terminal, EventType::FdRead), onClock(2, 20'000'000)});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].userdata, 2u);
  events = poll({onFd(1, terminal, EventType::FdWrite), onClock(2, 5'000'000'000)});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].userdata, 1u);
  std::thread typist([&] {
    std::this_thread::sleep_for(20ms);
    EXPECT_EQ(::write(master, "half", 4), 4);  // no line yet
    std::this_thread::sleep_for(20ms);
    EXPECT_EQ(::write(master, " line\n", 6), 6);
  });
  events = poll({onFd(1, terminal, EventType::FdRead), onClock(2, 5'000'000'000)});
  typist.join();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].userdata, 1u);
  EXPECT_EQ(events[0].nbytes, 10u);
  EXPECT_EQ(guest.read(terminal), "half line\n");
  EXPECT_EQ(::fcntl(slave, F_GETFL) & O_NONBLOCK, 0);  // the shell's, too
  ::close(slave);
  ::close(master);
}

TEST_F(WasiPoll, HangUps) {
  ::close(std::exchange(pipe[1], ::dup(pipe[0])));
  auto events = poll({onFd(1, in, EventType::FdRead)});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].error, Errno::Success);
  EXPECT_EQ(events[0].flags, eventrwflags::kHangup);
  EXPECT_EQ(events[0].nbytes, 0u);
}

TEST_F(WasiPoll, ReaderGoesWhileWaitingToWrite) {
  std::string fill(65536, 'x');
  EXPECT_EQ(::write(pipe[1], fill.data(), fill.size()), 65536);
  std::thread closer([&] {
    std::this_thread::sleep_for(30ms);
    ::close(std::exchange(pipe[0], ::dup(pipe[1])));
  });
  auto events = poll({onFd(1, out, EventType::FdWrite), onClock(2, 10'000'000'000)});
  closer.join();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].error, Errno::Success);
  EXPECT_EQ(events[0].flags, eventrwflags::kHangup);
}

TEST_F(WasiPoll, SameDescriptorTwice) {
  int sockets[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets), 0);
  uint32_t socket = add(sockets[0]);
  auto events = poll({onFd(1, socket, EventType::FdRead), onFd(2, socket, EventType::FdWrite)});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].userdata, 2u);
  std::string fill(1 << 20, 'x');
  while (::send(sockets[0], fill.data(), fill.size(), MSG_DONTWAIT) > 0) {
  }
  std::thread peer([&] {
    std::this_thread::sleep_for(20ms);
    EXPECT_EQ(::send(sockets[1], "abc", 3, 0), 3);
  });
  events = poll({onFd(1, socket, EventType::FdRead), onFd(2, socket, EventType::FdWrite),
                 onFd(3, in, EventType::FdRead), onFd(4, in, EventType::FdRead)});
  peer.join();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].userdata, 1u);
  EXPECT_EQ(events[0].nbytes, 3u);
  ::close(sockets[1]);
  events = poll({onFd(1, socket, EventType::FdRead)});
  EXPECT_EQ(events[0].flags, eventrwflags::kHangup);
  ::close(sockets[0]);
}

// More subscriptions than the host's poll() takes entries.
TEST_F(WasiPoll, ManySubscriptions) {
  std::vector<Subscription> list;
  for (uint64_t i = 0; i < 15'000; ++i) list.push_back(onFd(i, i % 2 ? in : out, EventType::FdRead));
  list.push_back(onClock(1, 20'000'000));
  auto events = poll(list);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_GE(took, 20ms);
  list.pop_back();
  EXPECT_EQ(::write(pipe[1], "x", 1), 1);
  EXPECT_EQ(poll(list).size(), 7500u);
}

TEST_F(WasiPoll, BadDescriptorsAreEvents) {
  fdFdstatSetRights(guest, in, rights::kFdRead, 0);
  auto events = poll({onFd(1, 99, EventType::FdRead), onFd(2, in, EventType::FdRead), onFd(3, out, EventType::FdRead),
                      onFd(4, kRoot, EventType::FdRead)});
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].userdata, 1u);
  EXPECT_EQ(events[0].error, Errno::BadF);
  EXPECT_EQ(events[0].type, EventType::FdRead);
  EXPECT_EQ(events[1].userdata, 2u);
  EXPECT_EQ(events[1].error, Errno::NotCapable);
  EXPECT_EQ(events[2].userdata, 4u);
  EXPECT_EQ(events[2].error, Errno::NotCapable);
}

TEST_F(WasiPoll, BadArguments) {
  uint32_t end = guest.memorySize();
  auto out = guest.room<Event>(4);
  auto in = guest.room<Subscription>(4);
  auto stored = guest.room<uint32_t>();
  auto call = [&](Ptr<Subscription> from, Ptr<Event> to, uint32_t count, Ptr<uint32_t> n) {
    return pollOneoff(guest, Snapshot::Preview1, {from.address}, to, count, n).value();
  };
  EXPECT_EQ(call(in, out, 0, stored), Errno::Inval);
  EXPECT_EQ(call({end - 47}, out, 1, stored), Errno::Fault);
  EXPECT_EQ(call(in, {end - 31}, 1, stored), Errno::Fault);
  EXPECT_EQ(call(in, out, 1, {end - 3}), Errno::Fault);
  EXPECT_EQ(call(in, out, ~0u, stored), Errno::Fault);
  EXPECT_EQ(call(in, out, 0x10000000, stored), Errno::Fault);
  Subscription strange;
  strange.tag = 3;
  std::vector<Event> events;
  EXPECT_EQ(pollRaw({strange}, events), Errno::Inval);
  Guest big(config(), 16 << 20);
  EXPECT_EQ(pollOneoff(big, Snapshot::Preview1, {0}, {0}, 100'000, {0}), Errno::NoMem);
}

TEST_F(WasiPoll, UnstableLayout) {
  UnstableSubscription clock;
  clock.userdata = 7;
  clock.identifierOrFd = 99;  // means nothing
  clock.clock = 1;
  clock.timeout = 20'000'000;
  UnstableSubscription read;
  read.userdata = 8;
  read.tag = 1;
  read.identifierOrFd = in;
  auto list = guest.put(std::array{clock, read});
  auto events = guest.room<Event>(2);
  auto stored = guest.room<uint32_t>();
  EXPECT_EQ(::write(pipe[1], "x", 1), 1);
  EXPECT_EQ(pollOneoff(guest, Snapshot::Unstable, {list.address}, events, 2, stored), Errno::Success);
  EXPECT_EQ(guest.get(stored), 1u);
  EXPECT_EQ(guest.get(events).userdata, 8u);
  started = Clock::now();
  EXPECT_EQ(pollOneoff(guest, Snapshot::Unstable, {list.address}, events, 1, stored), Errno::Success);
  EXPECT_GE(Clock::now() - started, 20ms);
  EXPECT_EQ(guest.get(events).userdata, 7u);
}

TEST_F(WasiPoll, CancelEndsIt) {
  for (bool withFd : {false, true}) {
    for (bool withClock : {false, true}) {
      std::vector<Subscription> list;
      if (withFd) list.push_back(onFd(1, in, EventType::FdRead));
      if (withClock) list.push_back(onClock(2, 60'000'000'000));
      if (list.empty()) list.push_back(onClock(2, ~0ull));
      std::thread canceller([&] {
        std::this_thread::sleep_for(20ms);
        guest.wasi().cancel();
      });
      std::vector<Event> events;
      auto begin = Clock::now();
      Outcome result = pollRaw(list, events);
      canceller.join();
      EXPECT_LT(Clock::now() - begin, 10s);
      ASSERT_FALSE(result);
      EXPECT_EQ(result.error().trap, TrapCode::Interrupted);
      EXPECT_FALSE(pollRaw({onClock(1, 0)}, events));
      guest.wasi().clearCancel();
      EXPECT_EQ(pollRaw({onClock(1, 0)}, events), Errno::Success);
    }
  }
}

TEST_F(WasiPoll, MadeUpTime) {
  uint64_t time = 1000;
  std::vector<uint64_t> slept;
  WasiConfig config;
  config.monotonicClock([&] { return time; }).realtimeClock([&] { return time + 5'000'000'000'000; });
  config.sleeper([&](std::chrono::nanoseconds d) {
    slept.push_back(static_cast<uint64_t>(d.count()));
    time += static_cast<uint64_t>(d.count());
  });
  Guest made(config);
  auto events = made.room<Event>(2);
  auto stored = made.room<uint32_t>();
  auto list = made.put(std::array{onClock(1, 3'600'000'000'000), onClock(2, 7'200'000'000'000)});
  auto begin = Clock::now();
  EXPECT_EQ(pollOneoff(made, Snapshot::Preview1, {list.address}, events, 2, stored), Errno::Success);
  EXPECT_LT(Clock::now() - begin, 10s);
  EXPECT_EQ(made.get(stored), 1u);
  EXPECT_EQ(slept, std::vector<uint64_t>{3'600'000'000'000});
  EXPECT_EQ(time, 3'600'000'001'000u);
  auto absolute = made.put(onClock(1, time + 5'000'000'000'000 + 10, ClockId::Realtime, subclockflags::kAbstime));
  EXPECT_EQ(pollOneoff(made, Snapshot::Preview1, {absolute.address}, events, 1, stored), Errno::Success);
  EXPECT_EQ(slept.back(), 10u);
}

// A sleeper that forgets to advance the clock must not hang the guest.
TEST_F(WasiPoll, SleeperWithoutAClock) {
  WasiConfig config;
  config.monotonicClock([] { return 5u; }).sleeper([](std::chrono::nanoseconds) {});
  Guest made(config);
  auto list = made.put(onClock(1, 1'000'000));
  EXPECT_EQ(pollOneoff(made, Snapshot::Preview1, {list.address}, made.room<Event>(), 1, made.room<uint32_t>()),
            Errno::Success);
}

}  // namespace
}  // namespace wattle::wasi::test
