// Reading and writing: buffers, pipes, the embedder's streams, broken pipes, cancellation.
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/unit/wasi/guest.h"

namespace wattle::wasi::test {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

// Runs with a host descriptor in place of one of the process's standard ones.
class Redirect {
 public:
  Redirect(int number, int fd) : number_(number), saved_(::dup(number)) { ::dup2(fd, number); }
  ~Redirect() {
    ::dup2(saved_, number_);
    ::close(saved_);
  }

 private:
  int number_;
  int saved_;
};

struct Pipe {
  Pipe() { EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0); }
  ~Pipe() {
    closeReader();
    closeWriter();
  }
  void closeReader() { ::close(std::exchange(ends[0], -1)); }
  void closeWriter() { ::close(std::exchange(ends[1], -1)); }
  int reader() const { return ends[0]; }
  int writer() const { return ends[1]; }
  int ends[2];
};

class WasiIo : public ::testing::Test {
 protected:
  WasiIo() : guest(config()) {}
  WasiConfig config() {
    WasiConfig config;
    EXPECT_TRUE(config.preopenDir(dir.path().string(), "/data"));
    return config;
  }
  // A guest whose descriptor 1 (or 0) is the given one of the host, and the file it is.
  Guest guestWith(int number, int host) {
    Redirect redirect(number, host);
    WasiConfig config;
    number == 0 ? config.inheritStdin() : config.inheritStdout();
    Guest made(config);
    auto descriptor = *made.context().fds.get(number);
    descriptor->file = std::make_shared<const HostFd>(HostFd::borrow(host));
    return made;
  }

  TempDir dir;
  Guest guest;
};

TEST_F(WasiIo, Vectors) {
  writeFile(dir / "file", "0123456789");
  uint32_t fd = *guest.open("file", Guest::writing());
  guest.reset();
  auto buffer = guest.room<uint8_t>(16);
  auto count = guest.room<uint32_t>();
  uint32_t at = buffer.address;
  auto iovs = guest.put(std::array<Iovec, 5>{Iovec{at, 2}, {~0u, 0}, {at + 4, 3}, {0, 0}, {at + 8, 100}});
  ASSERT_EQ(fdRead(guest, fd, {iovs.address}, 5, count), Errno::Success);
  EXPECT_EQ(guest.get(count), 10u);
  EXPECT_EQ(guest.bytes(buffer, 13), "01"s + "\0\0"s + "234"s + "\0"s + "56789"s);
  EXPECT_EQ(fdRead(guest, fd, {iovs.address}, 5, count), Errno::Success);
  EXPECT_EQ(guest.get(count), 0u);  // the end
  ASSERT_EQ(fdPread(guest, fd, {iovs.address}, 1, 7, count), Errno::Success);
  EXPECT_EQ(guest.bytes(buffer, 2), "78");
  ASSERT_EQ(fdPwrite(guest, fd, {iovs.address}, 1, 1, count), Errno::Success);
  EXPECT_EQ(guest.get(count), 2u);
  EXPECT_EQ(readFile(dir / "file"), "0783456789");
  EXPECT_EQ(fdPread(guest, fd, {iovs.address}, 1, 1ull << 63, count), Errno::Inval);
  EXPECT_EQ(fdPread(guest, fd, {iovs.address}, 1, 1000, count), Errno::Success);
  EXPECT_EQ(guest.get(count), 0u);
  ASSERT_EQ(fdWrite(guest, fd, {iovs.address}, 3, count), Errno::Success);
  EXPECT_EQ(guest.get(count), 5u);
  EXPECT_EQ(readFile(dir / "file"), "078345678978234");

  // None at all.
  EXPECT_EQ(fdRead(guest, fd, {0}, 0, count), Errno::Success);
  EXPECT_EQ(guest.get(count), 0u);
  EXPECT_EQ(fdWrite(guest, fd, {~0u}, 0, count), Errno::Success);
  EXPECT_EQ(fdWrite(guest, 99, {0}, 0, count), Errno::BadF);
}

TEST_F(WasiIo, BadVectors) {
  writeFile(dir / "file", "0123456789");
  uint32_t fd = *guest.open("file", Guest::writing());
  auto count = guest.room<uint32_t>();
  uint32_t end = guest.memorySize();
  auto read = [&](std::vector<Iovec> list) {
    guest.reset();
    auto at = guest.room<Iovec>(static_cast<uint32_t>(list.size()));
    for (uint32_t i = 0; i < list.size(); ++i) guest.call().memory.write(at + i, list[i]);
    return fdRead(guest, fd, at, static_cast<uint32_t>(list.size()), count).value();
  };
  EXPECT_EQ(read({{end, 1}}), Errno::Fault);
  EXPECT_EQ(read({{end - 1, 2}}), Errno::Fault);
  EXPECT_EQ(read({{~0u, 2}}), Errno::Fault);  // around the end of the address space
  EXPECT_EQ(read({{0x80000000u, 0x80000000u}}), Errno::Fault);
  EXPECT_EQ(read({{1024, 1}, {end, 1}}), Errno::Fault);  // found before anything is read
  EXPECT_EQ(*guest.read(fd), "0123456789");
  EXPECT_EQ(fdRead(guest, fd, {end - 4}, 1, count), Errno::Fault);
  EXPECT_EQ(fdRead(guest, fd, {1024}, ~0u, count), Errno::Fault);
  EXPECT_EQ(fdRead(guest, fd, {1024}, 0x20000000, count), Errno::Fault);
  EXPECT_EQ(fdRead(guest, fd, {1024}, 0, {end - 3}), Errno::Fault);
  EXPECT_EQ(fdWrite(guest, fd, {1024}, 0, {~0u}), Errno::Fault);
  EXPECT_EQ(fdPread(guest, fd, {end - 4}, 1, 0, count), Errno::Fault);
  EXPECT_EQ(fdPwrite(guest, fd, {end - 4}, 1, 0, count), Errno::Fault);
}

TEST_F(WasiIo, MoreBytesThanASizeCanSay) {
  Guest big(config(), 1 << 20);
  uint32_t fd = *big.open("file", Guest::writing(oflags::kCreat));
  big.reset();
  // 5000 times the same megabyte: each is in memory, the sum is over 4 GiB.
  constexpr uint32_t kCount = 5000;
  auto iovs = big.room<Iovec>(kCount);
  for (uint32_t i = 0; i < kCount; ++i) big.call().memory.write(iovs + i, Iovec{0, 1 << 20});
  EXPECT_EQ(fdWrite(big, fd, iovs, kCount, {8}), Errno::Inval);
  EXPECT_EQ(big.fstat(fd)->size, 0u);
}

TEST_F(WasiIo, MoreVectorsThanTheHostTakes) {
  uint32_t fd = *guest.open("file", Guest::writing(oflags::kCreat));
  guest.reset();
  constexpr uint32_t kCount = 3000;
  auto byte = guest.put(uint8_t{'x'});
  auto iovs = guest.room<Iovec>(kCount);
  auto count = guest.room<uint32_t>();
  for (uint32_t i = 0; i < kCount; ++i) guest.call().memory.write(iovs + i, Iovec{byte.address, 1});
  ASSERT_EQ(fdWrite(guest, fd, iovs, kCount, count), Errno::Success);
  uint32_t first = guest.get(count);
  EXPECT_GE(first, 1000u);  // a short write, and the rest after it
  ASSERT_EQ(fdWrite(guest, fd, iovs + first, kCount - first, count), Errno::Success);
  EXPECT_EQ(guest.fstat(fd)->size, first + guest.get(count));
}

TEST_F(WasiIo, AccessFollowsRights) {
  writeFile(dir / "file", "0123456789");
  uint32_t r = *guest.open("file", {.base = rights::kFdRead});
  uint32_t w = *guest.open("file", {.base = rights::kFdWrite | rights::kFdSeek});
  auto count = guest.room<uint32_t>();
  EXPECT_EQ(guest.write(r, "x").error(), Errno::NotCapable);
  EXPECT_EQ(guest.read(w).error(), Errno::NotCapable);
  EXPECT_EQ(fdPread(guest, r, {0}, 0, 0, count), Errno::NotCapable);  // wants fd_seek, too
  EXPECT_EQ(fdPwrite(guest, w, {0}, 0, 0, count), Errno::Success);
}

TEST_F(WasiIo, Pipes) {
  Pipe pipe;
  Guest in = guestWith(0, pipe.reader());
  Guest out = guestWith(1, pipe.writer());
  EXPECT_EQ(in.fdstat(0).type, FileType::Unknown);
  EXPECT_EQ(out.write(1, "hello"), 5u);
  EXPECT_EQ(in.read(0, 3), "hel");
  EXPECT_EQ(in.read(0), "lo");
  auto position = in.room<uint64_t>();
  auto count = in.room<uint32_t>();
  EXPECT_EQ(fdSeek(in, Snapshot::Preview1, 0, 0, 0, position), Errno::SPipe);
  EXPECT_EQ(fdSeek(in, Snapshot::Preview1, 0, 0, 1, position), Errno::SPipe);
  EXPECT_EQ(fdTell(in, 0, position), Errno::SPipe);
  EXPECT_EQ(fdPread(in, 0, {0}, 0, 0, count), Errno::SPipe);
  EXPECT_EQ(fdPwrite(out, 1, {0}, 0, 0, count), Errno::SPipe);
  EXPECT_EQ(fdAdvise(in, 0, 0, 0, 0), Errno::SPipe);
  EXPECT_EQ(fdAllocate(out, 1, 0, 1), Errno::SPipe);
  EXPECT_EQ(fdFilestatSetSize(out, 1, 0), Errno::Inval);
  EXPECT_EQ(fdSync(out, 1), Errno::Inval);
  // One way only.
  EXPECT_EQ(in.write(0, "x").error(), Errno::NotCapable);
  EXPECT_EQ(out.read(1).error(), Errno::NotCapable);
  pipe.closeWriter();
  EXPECT_EQ(in.read(0), "");
}

TEST_F(WasiIo, NonblockIsTheGuestsOwn) {
  Pipe pipe;
  Guest in = guestWith(0, pipe.reader());
  Guest out = guestWith(1, pipe.writer());
  ASSERT_EQ(fdFdstatSetFlags(in, 0, fdflags::kNonblock), Errno::Success);
  EXPECT_EQ(in.read(0).error(), Errno::Again);
  EXPECT_EQ(::fcntl(pipe.reader(), F_GETFL) & O_NONBLOCK, 0);  // others have this pipe, too
  ASSERT_EQ(fdFdstatSetFlags(out, 1, fdflags::kNonblock), Errno::Success);
  std::string much(50'000, 'x');
  uint32_t total = 0;
  for (;;) {
    auto n = out.write(1, much);
    if (!n) {
      EXPECT_EQ(n.error(), Errno::Again);
      break;
    }
    total += *n;
  }
  EXPECT_GT(total, 50'000u);  // a partly filled page may be left
  EXPECT_LE(total, static_cast<uint32_t>(::fcntl(pipe.writer(), F_GETPIPE_SZ)));
}

TEST_F(WasiIo, HostNonblockDoesNotShow) {
  Pipe pipe;
  ::fcntl(pipe.reader(), F_SETFL, O_NONBLOCK);
  Guest in = guestWith(0, pipe.reader());
  EXPECT_EQ(in.fdstat(0).flags, 0);
  std::thread later([&] {
    std::this_thread::sleep_for(30ms);
    EXPECT_EQ(::write(pipe.writer(), "x", 1), 1);
  });
  EXPECT_EQ(in.read(0), "x");
  later.join();
}

TEST_F(WasiIo, BlockingWriteIsWhole) {
  Pipe pipe;
  Guest out = guestWith(1, pipe.writer());
  std::string much(900'000, 'x');
  for (size_t i = 0; i < much.size(); ++i) much[i] = static_cast<char>(i * 7 + i / 1000);
  std::string got;
  std::thread reader([&] {
    char buffer[3000];
    for (ssize_t n; (n = ::read(pipe.reader(), buffer, sizeof(buffer))) > 0;)
      got.append(buffer, static_cast<size_t>(n));
  });
  EXPECT_EQ(out.write(1, much), much.size());
  pipe.closeWriter();
  reader.join();
  EXPECT_TRUE(got == much);
}

volatile sig_atomic_t sigpipes = 0;

TEST_F(WasiIo, BrokenPipeIsAnErrno) {
  struct sigaction counting {};
  struct sigaction before;
  counting.sa_handler = [](int) { sigpipes = sigpipes + 1; };
  ASSERT_EQ(::sigaction(SIGPIPE, &counting, &before), 0);
  Pipe pipe;
  Guest out = guestWith(1, pipe.writer());
  pipe.closeReader();
  EXPECT_EQ(out.write(1, "x").error(), Errno::Pipe);
  EXPECT_EQ(out.write(1, "x").error(), Errno::Pipe);
  EXPECT_EQ(sigpipes, 0);
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  EXPECT_FALSE(sigismember(&mask, SIGPIPE));
  // One that waited before stays.
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &only, nullptr);
  ::raise(SIGPIPE);
  EXPECT_EQ(out.write(1, "x").error(), Errno::Pipe);
  sigset_t pending;
  sigpending(&pending);
  EXPECT_TRUE(sigismember(&pending, SIGPIPE));
  pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  EXPECT_EQ(sigpipes, 1);
  struct sigaction now;
  ::sigaction(SIGPIPE, &before, &now);
  EXPECT_EQ(now.sa_handler, counting.sa_handler);
}

TEST_F(WasiIo, BrokenPipeInTheMiddle) {
  Pipe pipe;
  Guest out = guestWith(1, pipe.writer());
  std::thread reader([&] {
    char buffer[1000];
    EXPECT_EQ(::read(pipe.reader(), buffer, sizeof(buffer)), 1000);
    std::this_thread::sleep_for(20ms);
    pipe.closeReader();
  });
  auto written = out.write(1, std::string(500'000, 'x'));
  reader.join();
  ASSERT_TRUE(written);  // what went counts, the next one fails
  EXPECT_LT(*written, 500'000u);
  EXPECT_EQ(out.write(1, "x").error(), Errno::Pipe);
}

TEST_F(WasiIo, Streams) {
  auto out = std::make_shared<std::string>();
  auto err = std::make_shared<std::string>();
  WasiConfig config;
  config.stdinFrom("some input").stdoutTo(out).stderrTo(err);
  Guest first(config);
  Guest second(config);
  EXPECT_EQ(first.read(0, 4), "some");
  EXPECT_EQ(first.read(0), " input");
  EXPECT_EQ(first.read(0), "");
  EXPECT_EQ(second.read(0), "some input");  // each from the start
  EXPECT_EQ(first.write(1, "to out"), 6u);
  EXPECT_EQ(first.write(2, "to err"), 6u);
  EXPECT_EQ(*out, "to out");
  EXPECT_EQ(*err, "to err");
  EXPECT_EQ(first.write(0, "x").error(), Errno::NotCapable);
  EXPECT_EQ(first.read(1).error(), Errno::NotCapable);
  EXPECT_EQ(first.fdstat(1).type, FileType::Unknown);  // no terminal
  EXPECT_EQ(first.fstat(1)->type, FileType::Unknown);
  EXPECT_EQ(fdTell(first, 1, {8}), Errno::SPipe);
  EXPECT_EQ(fdPread(first, 0, {0}, 0, 0, {8}), Errno::SPipe);
  EXPECT_EQ(fdSync(first, 1), Errno::Inval);
  EXPECT_EQ(fdFilestatSetSize(first, 1, 0), Errno::Inval);
  EXPECT_EQ(fdClose(first, 1), Errno::Success);
  EXPECT_EQ(first.write(1, "x").error(), Errno::BadF);
}

TEST_F(WasiIo, StreamFunctions) {
  int calls = 0;
  WasiConfig config;
  config.stdinFrom([&](std::span<uint8_t> buffer) -> size_t {
    ++calls;
    if (calls > 2) return 0;
    buffer[0] = static_cast<uint8_t>('0' + calls);
    return 1;
  });
  config.stdoutTo([](std::span<const uint8_t>) { return false; });
  Guest made(config);
  EXPECT_EQ(made.read(0), "1");
  EXPECT_EQ(made.read(0), "2");
  EXPECT_EQ(made.read(0), "");
  EXPECT_EQ(made.write(1, "x").error(), Errno::Pipe);
  EXPECT_EQ(made.write(2, "x").error(), Errno::BadF);
}

TEST_F(WasiIo, InheritedFilesAreSeekable) {
  writeFile(dir / "file", "contents");
  int fd = ::open((dir / "file").c_str(), O_RDWR | O_CLOEXEC);
  Guest in = guestWith(0, fd);
  EXPECT_EQ(in.fdstat(0).type, FileType::RegularFile);
  EXPECT_EQ(in.read(0, 3), "con");
  EXPECT_EQ(fdSeek(in, Snapshot::Preview1, 0, 0, 0, in.room<uint64_t>()), Errno::Success);
  EXPECT_EQ(in.read(0, 3), "con");
  EXPECT_EQ(fdClose(in, 0), Errno::Success);
  EXPECT_GE(::fcntl(fd, F_GETFD), 0);  // the host's own
  ::close(fd);
}

TEST_F(WasiIo, TerminalsLookLikeTerminals) {
  int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0) GTEST_SKIP() << "no pseudo-terminals";
  int slave = ::open(::ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(slave, 0);
  {
    Guest in = guestWith(0, slave);
    Guest out = guestWith(1, slave);
    // wasi-libc's isatty
    EXPECT_EQ(in.fdstat(0).type, FileType::CharacterDevice);
    EXPECT_EQ(in.fdstat(0).base & (rights::kFdSeek | rights::kFdTell), 0u);
    EXPECT_EQ(fdTell(out, 1, {8}), Errno::SPipe);
    EXPECT_EQ(out.write(1, "prompt"), 6u);
    char buffer[64];
    EXPECT_EQ(::read(master, buffer, sizeof(buffer)), 6);
    EXPECT_EQ(::write(master, "line\n", 5), 5);
    EXPECT_EQ(in.read(0), "line\n");
  }
  int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  {
    Guest out = guestWith(1, null);
    EXPECT_EQ(out.fdstat(1).type, FileType::CharacterDevice);
    EXPECT_NE(out.fdstat(1).base & rights::kFdSeek, 0u);  // no terminal
    EXPECT_EQ(out.write(1, std::string(100'000, 'x')), 100'000u);
    Guest in = guestWith(0, null);
    EXPECT_EQ(in.read(0), "");
  }
  ::close(null);
  ::close(slave);
  ::close(master);
}

TEST_F(WasiIo, CancelEndsABlockedRead) {
  Pipe pipe;
  Guest in = guestWith(0, pipe.reader());
  std::thread canceller([&] {
    std::this_thread::sleep_for(30ms);
    in.wasi().cancel();
  });
  auto buffer = in.room<uint8_t>(8);
  auto iov = in.iov(buffer, 8);
  auto count = in.room<uint32_t>();
  auto result = fdRead(in, 0, iov, 1, count);
  canceller.join();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::Trap);
  EXPECT_EQ(result.error().trap, TrapCode::Interrupted);
  // It stays cancelled until told otherwise: no wake-up is lost between two waits.
  EXPECT_FALSE(fdRead(in, 0, iov, 1, count));
  in.wasi().clearCancel();
  EXPECT_EQ(::write(pipe.writer(), "x", 1), 1);
  EXPECT_EQ(in.read(0), "x");
}

TEST_F(WasiIo, CancelBeforeTheWait) {
  Pipe pipe;
  Guest in = guestWith(0, pipe.reader());
  in.wasi().cancel();
  EXPECT_FALSE(fdRead(in, 0, in.iov(in.room<uint8_t>(8), 8), 1, in.room<uint32_t>()));
}

// Whatever the order in which a first wait begins and cancel() comes, it is not lost.
TEST_F(WasiIo, CancelRacesWithTheFirstWait) {
  Pipe pipe;
  for (int i = 0; i < 300; ++i) {
    Guest in = guestWith(0, pipe.reader());
    std::atomic<bool> go = false;
    std::thread canceller([&] {
      while (!go) {
      }
      for (int spin = 0; spin < i * 5; ++spin) std::atomic_signal_fence(std::memory_order_seq_cst);
      in.wasi().cancel();
    });
    auto iov = in.iov({1024}, 8);
    go = true;
    EXPECT_FALSE(fdRead(in, 0, iov, 1, {8}));
    canceller.join();
  }
}

TEST_F(WasiIo, CancelEndsABlockedWrite) {
  Pipe pipe;
  Guest out = guestWith(1, pipe.writer());
  std::thread canceller([&] {
    std::this_thread::sleep_for(30ms);
    out.wasi().cancel();
  });
  auto result = fdWrite(out, 1, out.iov({1024}, 500'000), 1, out.room<uint32_t>());
  canceller.join();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().trap, TrapCode::Interrupted);
}

TEST_F(WasiIo, CancelFromASignalHandler) {
  Pipe pipe;
  Guest in = guestWith(0, pipe.reader());
  struct sigaction action {};
  struct sigaction before;
  static WasiContext* context;
  context = &in.wasi();
  action.sa_handler = [](int) { context->cancel(); };
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
  pthread_t reader = pthread_self();
  std::thread killer([&] {
    std::this_thread::sleep_for(30ms);
    pthread_kill(reader, SIGUSR1);
  });
  EXPECT_FALSE(fdRead(in, 0, in.iov(in.room<uint8_t>(8), 8), 1, in.room<uint32_t>()));
  killer.join();
  ::sigaction(SIGUSR1, &before, nullptr);
}

TEST_F(WasiIo, SignalsDoNotEndARead) {
  Pipe pipe;
  Guest in = guestWith(0, pipe.reader());
  struct sigaction action {};
  struct sigaction before;
  action.sa_handler = [](int) {};
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
  pthread_t reader = pthread_self();
  std::thread killer([&] {
    for (int i = 0; i < 5; ++i) {
      std::this_thread::sleep_for(5ms);
      pthread_kill(reader, SIGUSR1);
    }
    EXPECT_EQ(::write(pipe.writer(), "x", 1), 1);
  });
  EXPECT_EQ(in.read(0), "x");
  killer.join();
  ::sigaction(SIGUSR1, &before, nullptr);
}

// Closing a descriptor in one guest thread does not pull it from under another.
TEST_F(WasiIo, CloseDuringARead) {
  Pipe pipe;
  Guest in = guestWith(0, pipe.reader());
  std::thread closer([&] {
    std::this_thread::sleep_for(30ms);
    EXPECT_EQ(fdClose(in, 0), Errno::Success);
    EXPECT_EQ(::write(pipe.writer(), "x", 1), 1);
  });
  EXPECT_EQ(in.read(0), "x");
  closer.join();
  EXPECT_EQ(in.read(0).error(), Errno::BadF);
}

}  // namespace
}  // namespace wattle::wasi::test
