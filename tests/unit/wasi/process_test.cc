// Arguments, environment, clocks, random bytes, and the ways to end; the configuration they come from.
#include <sys/time.h>

#include <chrono>

#include "tests/unit/wasi/guest.h"

namespace wattle::wasi::test {
namespace {

using Get = Errno (*)(const Call&, Ptr<uint32_t>, Ptr<uint8_t>);
using Sizes = Errno (*)(const Call&, Ptr<uint32_t>, Ptr<uint32_t>);

// As a C library's start-up code does.
std::vector<std::string> strings(Guest& guest, Sizes sizes, Get get) {
  auto count = guest.room<uint32_t>();
  auto bytes = guest.room<uint32_t>();
  EXPECT_EQ(sizes(guest, count, bytes), Errno::Success);
  uint32_t n = guest.get(count);
  uint32_t size = guest.get(bytes);
  auto pointers = guest.room<uint32_t>(n);
  auto buffer = guest.room<uint8_t>(size);
  EXPECT_EQ(get(guest, pointers, buffer), Errno::Success);
  std::vector<std::string> out;
  uint32_t at = buffer.address;
  for (uint32_t i = 0; i < n; ++i) {
    EXPECT_EQ(guest.get(pointers, i), at);
    std::string text = guest.bytes({at}, size).c_str();
    at += static_cast<uint32_t>(text.size()) + 1;
    out.push_back(text);
  }
  EXPECT_EQ(at, buffer.address + size);
  return out;
}
std::vector<std::string> args(Guest& guest) { return strings(guest, argsSizesGet, argsGet); }
std::vector<std::string> environment(Guest& guest) { return strings(guest, environSizesGet, environGet); }

TEST(WasiProcess, NoArgumentsNoEnvironment) {
  Guest guest{WasiConfig()};
  EXPECT_TRUE(args(guest).empty());
  EXPECT_TRUE(environment(guest).empty());
}

TEST(WasiProcess, Arguments) {
  using List = std::vector<std::string>;
  Guest guest(WasiConfig().args({"program", "", "two words", "\xff\xfe"}));
  EXPECT_EQ(args(guest), (List{"program", "", "two words", "\xff\xfe"}));
  Guest renamed(WasiConfig().args({"program", "x"}).argv0("other").arg("y"));
  EXPECT_EQ(args(renamed), (List{"other", "x", "y"}));
  Guest only(WasiConfig().argv0("name"));
  EXPECT_EQ(args(only), List{"name"});
}

TEST(WasiProcess, Environment) {
  using List = std::vector<std::string>;
  WasiConfig config;
  config.env("A", "1").env("EMPTY", "").env("AB", "x=y").env("A", "2");
  Guest guest(config);
  EXPECT_EQ(environment(guest), (List{"EMPTY=", "AB=x=y", "A=2"}));
  ::setenv("WATTLE_TEST_INHERITED", "yes", 1);
  Guest inheriting(WasiConfig().inheritEnv().env("WATTLE_TEST_OWN", "1"));
  auto all = environment(inheriting);
  EXPECT_NE(std::find(all.begin(), all.end(), "WATTLE_TEST_INHERITED=yes"), all.end());
  EXPECT_EQ(all.back(), "WATTLE_TEST_OWN=1");
  ::unsetenv("WATTLE_TEST_INHERITED");
}

TEST(WasiProcess, ArgumentsDoNotFit) {
  Guest guest(WasiConfig().args({"program", "argument"}).env("A", "1"));
  uint32_t end = guest.memorySize();
  EXPECT_EQ(argsGet(guest, {end - 4}, {1024}), Errno::Fault);
  EXPECT_EQ(argsGet(guest, {1024}, {end - 10}), Errno::Fault);
  EXPECT_EQ(argsGet(guest, {1024}, {~0u}), Errno::Fault);
  EXPECT_EQ(argsSizesGet(guest, {end}, {1024}), Errno::Fault);
  EXPECT_EQ(argsSizesGet(guest, {1024}, {end - 2}), Errno::Fault);
  EXPECT_EQ(environGet(guest, {end - 2}, {1024}), Errno::Fault);
  EXPECT_EQ(environSizesGet(guest, {end - 2}, {1024}), Errno::Fault);
}

TEST(WasiProcess, ConfigurationsThatCannotBe) {
  using namespace std::string_literals;
  EXPECT_EQ(WasiContext::create(WasiConfig().arg("a\0b"s)).error().kind, ErrorKind::Argument);
  EXPECT_EQ(WasiContext::create(WasiConfig().env("A", "a\0b"s)).error().kind, ErrorKind::Argument);
  EXPECT_EQ(WasiContext::create(WasiConfig().env("", "x")).error().kind, ErrorKind::Argument);
  WasiConfig config;
  auto missing = config.preopenDir("/no/such/directory", "/");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::Io);
  EXPECT_NE(missing.error().message.find("/no/such/directory"), std::string::npos);
  EXPECT_FALSE(config.preopenDir("/proc/self/status", "/"));  // no directory
}

TEST(WasiProcess, ConfigurationsAreCopied) {
  WasiConfig config;
  config.args({"one"});
  Guest before(config);
  WasiConfig copy = config;
  copy.arg("copy");
  config.arg("two");
  Guest after(config);
  EXPECT_EQ(args(before), std::vector<std::string>{"one"});
  EXPECT_EQ(args(after), (std::vector<std::string>{"one", "two"}));
  Guest copied(copy);
  EXPECT_EQ(args(copied), (std::vector<std::string>{"one", "copy"}));
}

TEST(WasiProcess, ExitAndRaise) {
  Guest guest{WasiConfig()};
  for (uint32_t code : {0u, 1u, 42u, 255u, 0xffffffffu}) {
    Error exit = procExit(guest, code);
    EXPECT_EQ(exit.kind, ErrorKind::Exit);
    EXPECT_EQ(exit.exitCode, static_cast<int>(code));
  }
  auto codeOf = [&](uint32_t signal) {
    Outcome result = procRaise(guest, signal);
    if (result) return -static_cast<int>(*result);
    EXPECT_EQ(result.error().kind, ErrorKind::Exit);
    return result.error().exitCode;
  };
  EXPECT_EQ(codeOf(6), 128 + 6);    // abrt
  EXPECT_EQ(codeOf(15), 128 + 15);  // term
  EXPECT_EQ(codeOf(23), 128 + 24);  // xcpu, elsewhere on Linux
  EXPECT_EQ(codeOf(30), 128 + 31);  // sys
  EXPECT_EQ(codeOf(13), 0);         // pipe is ignored
  EXPECT_EQ(codeOf(16), 0);         // chld
  EXPECT_EQ(codeOf(27), 0);         // winch
  EXPECT_EQ(codeOf(18), -static_cast<int>(Errno::NotSup));
  EXPECT_EQ(codeOf(0), -static_cast<int>(Errno::Inval));
  EXPECT_EQ(codeOf(31), -static_cast<int>(Errno::Inval));
  EXPECT_EQ(schedYield(guest), Errno::Success);
}

TEST(WasiProcess, Clocks) {
  Guest guest{WasiConfig()};
  auto out = guest.room<uint64_t>();
  auto read = [&](uint32_t clock) {
    EXPECT_EQ(clockTimeGet(guest, clock, 0, out), Errno::Success);
    return guest.get(out);
  };
  for (uint32_t clock = 0; clock < 4; ++clock) {
    EXPECT_EQ(clockResGet(guest, clock, out), Errno::Success);
    EXPECT_GT(guest.get(out), 0u);
    uint64_t first = read(clock);
    EXPECT_LE(first, read(clock));
  }
  timeval now;
  ::gettimeofday(&now, nullptr);
  EXPECT_NEAR(static_cast<double>(read(0)), static_cast<double>(now.tv_sec) * 1e9, 5e9);
  EXPECT_EQ(clockTimeGet(guest, 4, 0, out), Errno::Inval);
  EXPECT_EQ(clockResGet(guest, 4, out), Errno::Inval);
  EXPECT_EQ(clockTimeGet(guest, 0, 0, {guest.memorySize() - 7}), Errno::Fault);
  EXPECT_EQ(clockResGet(guest, 0, {guest.memorySize() - 7}), Errno::Fault);

  Guest madeUp(WasiConfig().realtimeClock([] { return 11u; }).monotonicClock([] { return 22u; }));
  auto made = madeUp.room<uint64_t>();
  clockTimeGet(madeUp, 0, 0, made);
  EXPECT_EQ(madeUp.get(made), 11u);
  for (uint32_t clock : {1u, 2u, 3u}) {
    clockTimeGet(madeUp, clock, 0, made);
    EXPECT_EQ(madeUp.get(made), 22u);
  }
}

TEST(WasiProcess, Random) {
  Guest guest(WasiConfig(), 8 << 20);
  auto a = guest.room<uint8_t>(64);
  auto b = guest.room<uint8_t>(64);
  EXPECT_EQ(randomGet(guest, a, 64), Errno::Success);
  EXPECT_EQ(randomGet(guest, b, 64), Errno::Success);
  EXPECT_NE(guest.bytes(a, 64), guest.bytes(b, 64));
  EXPECT_EQ(randomGet(guest, {~0u}, 0), Errno::Success);
  EXPECT_EQ(randomGet(guest, {guest.memorySize() - 1}, 2), Errno::Fault);
  // More than one call's worth: to the last byte.
  auto big = guest.room<uint8_t>(3'000'000);
  EXPECT_EQ(randomGet(guest, big, 3'000'000), Errno::Success);
  EXPECT_NE(guest.bytes({big.address + 2'999'936}, 64), std::string(64, '\0'));

  Guest determined(
      WasiConfig().randomSource([](std::span<uint8_t> bytes) { std::fill(bytes.begin(), bytes.end(), 7); }));
  auto c = determined.room<uint8_t>(4);
  EXPECT_EQ(randomGet(determined, c, 3), Errno::Success);
  EXPECT_EQ(determined.bytes(c, 4), std::string("\7\7\7\0", 4));
}

TEST(WasiProcess, ModuleWithoutMemory) {
  Guest guest(WasiConfig().args({"x"}).stdoutTo(std::make_shared<std::string>()), 0);
  Call call{guest.context(), GuestMemory()};
  EXPECT_EQ(argsSizesGet(call, {0}, {4}), Errno::Fault);
  EXPECT_EQ(fdWrite(call, 1, {0}, 1, {0}), Errno::Fault);
  EXPECT_EQ(randomGet(call, {0}, 1), Errno::Fault);
  EXPECT_EQ(randomGet(call, {0}, 0), Errno::Success);
  EXPECT_EQ(schedYield(call), Errno::Success);
}

TEST(WasiMemory, Bounds) {
  std::vector<uint8_t> bytes(100);
  GuestMemory memory(bytes);
  EXPECT_TRUE(memory.contains(0, 100));
  EXPECT_FALSE(memory.contains(0, 101));
  EXPECT_TRUE(memory.contains(100, 0));
  EXPECT_FALSE(memory.contains(101, 0));
  EXPECT_FALSE(memory.contains(~0u, 1));
  EXPECT_FALSE(memory.contains(1, ~0ull));
  EXPECT_TRUE(memory.contains(Ptr<uint64_t>{92}));
  EXPECT_FALSE(memory.contains(Ptr<uint64_t>{93}));
  EXPECT_FALSE(memory.contains(Ptr<uint64_t>{0}, ~0u));
  EXPECT_FALSE(memory.slice(50, 51));
  EXPECT_FALSE(memory.slice(~0u, ~0u));
  EXPECT_TRUE(memory.slice(~0u, 0));
  EXPECT_EQ(memory.slice(50, 50)->data(), bytes.data() + 50);
  EXPECT_TRUE(memory.write(Ptr<uint32_t>{96}, 7));
  EXPECT_FALSE(memory.write(Ptr<uint32_t>{97}, 7));
  uint32_t value = 0;
  EXPECT_TRUE(memory.read(Ptr<uint32_t>{96}, value));
  EXPECT_EQ(value, 7u);
  EXPECT_FALSE(memory.read(Ptr<uint32_t>{~0u}, value));
}

}  // namespace
}  // namespace wattle::wasi::test
