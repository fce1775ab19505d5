// sock_* on preopened listeners and accepted connections.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <chrono>
#include <thread>

#include "tests/unit/wasi/guest.h"

namespace wattle::wasi::test {
namespace {

using namespace std::chrono_literals;

constexpr uint32_t kListener = 3;

int connectTo(uint16_t port) {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  return fd;
}

class WasiSocket : public ::testing::Test {
 protected:
  WasiSocket() {
    EXPECT_TRUE(config.listenTcp("127.0.0.1", 0));
    guest = std::make_unique<Guest>(config);
  }
  ~WasiSocket() override {
    for (int fd : clients) ::close(fd);
  }
  int connect() { return clients.emplace_back(connectTo(config.lastListenerPort())); }

  std::expected<uint32_t, Errno> accept(uint32_t flags = 0) {
    guest->reset();
    auto out = guest->room<uint32_t>();
    Outcome result = sockAccept(*guest, kListener, flags, out);
    EXPECT_TRUE(result);
    if (*result != Errno::Success) return std::unexpected(*result);
    return guest->get(out);
  }
  struct Received {
    std::string bytes;
    uint16_t flags = 0;
  };
  std::expected<Received, Errno> receive(uint32_t fd, uint32_t flags, uint32_t length = 100) {
    guest->reset();
    auto buffer = guest->room<uint8_t>(length);
    auto count = guest->room<uint32_t>();
    auto out = guest->room<uint16_t>();
    Outcome result = sockRecv(*guest, fd, guest->iov(buffer, length), 1, flags, count, out);
    EXPECT_TRUE(result);
    if (*result != Errno::Success) return std::unexpected(*result);
    return Received{guest->bytes(buffer, guest->get(count)), guest->get(out)};
  }
  std::expected<uint32_t, Errno> send(uint32_t fd, std::string_view data, uint32_t flags = 0) {
    guest->reset();
    auto from = guest->text(data);
    auto count = guest->room<uint32_t>();
    Outcome result = sockSend(*guest, fd, guest->iov({from.at.address}, from.length), 1, flags, count);
    EXPECT_TRUE(result);
    if (*result != Errno::Success) return std::unexpected(*result);
    return guest->get(count);
  }
  std::string clientReads(int fd, size_t length) {
    std::string out(length, 0);
    ssize_t n = ::recv(fd, out.data(), length, MSG_WAITALL);
    out.resize(n < 0 ? 0 : static_cast<size_t>(n));
    return out;
  }

  WasiConfig config;
  std::unique_ptr<Guest> guest;
  std::vector<int> clients;
};

TEST_F(WasiSocket, AcceptSendReceive) {
  int client = connect();
  uint32_t fd = *accept();
  EXPECT_EQ(guest->fdstat(fd).type, FileType::SocketStream);
  EXPECT_EQ(guest->fdstat(fd).base, rights::kOnSocket);
  EXPECT_EQ(guest->fdstat(kListener).type, FileType::SocketStream);
  EXPECT_EQ(send(fd, "from guest"), 10u);
  EXPECT_EQ(clientReads(client, 10), "from guest");
  EXPECT_EQ(guest->write(fd, "by fd_write"), 11u);
  EXPECT_EQ(clientReads(client, 11), "by fd_write");
  EXPECT_EQ(::send(client, "request", 7, 0), 7);
  EXPECT_EQ(receive(fd, riflags::kPeek)->bytes, "request");
  EXPECT_EQ(receive(fd, 0, 3)->bytes, "req");
  EXPECT_EQ(receive(fd, 0)->bytes, "uest");
  EXPECT_EQ(::send(client, "more", 4, 0), 4);
  EXPECT_EQ(guest->read(fd), "more");
  EXPECT_EQ(guest->fstat(fd)->type, FileType::SocketStream);
  EXPECT_EQ(fdTell(*guest, fd, {8}), Errno::SPipe);
  ::shutdown(client, SHUT_WR);
  EXPECT_EQ(receive(fd, 0)->bytes, "");
  EXPECT_EQ(fdClose(*guest, fd), Errno::Success);
  EXPECT_EQ(clientReads(client, 1), "");
}

TEST_F(WasiSocket, WaitAll) {
  int client = connect();
  uint32_t fd = *accept();
  std::thread sender([&] {
    for (const char* part : {"one", "two", "three"}) {
      std::this_thread::sleep_for(10ms);
      EXPECT_GT(::send(client, part, strlen(part), 0), 0);
    }
  });
  EXPECT_EQ(receive(fd, riflags::kWaitall, 11)->bytes, "onetwothree");
  sender.join();
  EXPECT_EQ(::send(client, "rest", 4, 0), 4);
  ::shutdown(client, SHUT_WR);
  EXPECT_EQ(receive(fd, riflags::kWaitall, 11)->bytes, "rest");
}

TEST_F(WasiSocket, Nonblocking) {
  ASSERT_EQ(fdFdstatSetFlags(*guest, kListener, fdflags::kNonblock), Errno::Success);
  EXPECT_EQ(accept().error(), Errno::Again);
  int client = connect();
  uint32_t fd = *accept(fdflags::kNonblock);
  EXPECT_EQ(guest->fdstat(fd).flags, fdflags::kNonblock);
  EXPECT_EQ(receive(fd, 0).error(), Errno::Again);
  EXPECT_EQ(guest->read(fd).error(), Errno::Again);
  std::string much(300'000, 'x');
  std::expected<uint32_t, Errno> sent;
  while ((sent = send(fd, much))) {
  }
  EXPECT_EQ(sent.error(), Errno::Again);
  (void)client;
}

TEST_F(WasiSocket, BlockingSendIsWhole) {
  int client = connect();
  uint32_t fd = *accept();
  std::string much(900'000, 'x');
  std::string got;
  std::thread reader([&] { got = clientReads(client, much.size()); });
  EXPECT_EQ(send(fd, much), much.size());
  reader.join();
  EXPECT_TRUE(got == much);
}

TEST_F(WasiSocket, ShutdownAndBrokenPipe) {
  struct sigaction fatal {};
  struct sigaction before;
  fatal.sa_handler = [](int) { ::_exit(99); };
  ASSERT_EQ(::sigaction(SIGPIPE, &fatal, &before), 0);
  int client = connect();
  uint32_t fd = *accept();
  EXPECT_EQ(sockShutdown(*guest, fd, 0), Errno::Inval);
  EXPECT_EQ(sockShutdown(*guest, fd, 4), Errno::Inval);
  EXPECT_EQ(sockShutdown(*guest, fd, sdflags::kWr), Errno::Success);
  EXPECT_EQ(clientReads(client, 1), "");
  EXPECT_EQ(send(fd, "x").error(), Errno::Pipe);
  EXPECT_EQ(guest->write(fd, "x").error(), Errno::Pipe);
  EXPECT_EQ(::send(client, "still", 5, 0), 5);
  EXPECT_EQ(receive(fd, 0)->bytes, "still");
  EXPECT_EQ(sockShutdown(*guest, fd, sdflags::kRd | sdflags::kWr), Errno::Success);
  EXPECT_EQ(receive(fd, 0)->bytes, "");
  ::sigaction(SIGPIPE, &before, nullptr);
}

TEST_F(WasiSocket, Errors) {
  TempDir dir;
  WasiConfig both;
  ASSERT_TRUE(both.listenTcp("127.0.0.1", 0));
  ASSERT_TRUE(both.preopenDir(dir.path().string(), "/"));
  both.stdoutTo(std::make_shared<std::string>());
  Guest made(both);
  // Directories come first, whatever the order of asking.
  EXPECT_EQ(fdPrestatGet(made, 3, made.room<Prestat>()), Errno::Success);
  EXPECT_EQ(fdPrestatGet(made, 4, made.room<Prestat>()), Errno::BadF);
  auto out = made.room<uint32_t>();
  auto flags = made.room<uint16_t>();
  auto iov = made.iov({1024}, 8);
  EXPECT_EQ(sockAccept(made, 3, 0, out), Errno::NotSock);
  EXPECT_EQ(sockAccept(made, 99, 0, out), Errno::BadF);
  EXPECT_EQ(sockAccept(made, 4, fdflags::kAppend, out), Errno::Inval);
  EXPECT_EQ(sockAccept(made, 4, 0, {made.memorySize()}), Errno::Fault);
  EXPECT_EQ(sockRecv(made, 1, iov, 1, 0, out, flags), Errno::NotSock);
  EXPECT_EQ(sockSend(made, 1, iov, 1, 0, out), Errno::NotSock);
  EXPECT_EQ(sockShutdown(made, 1, 1), Errno::NotSock);
  EXPECT_EQ(sockShutdown(made, 99, 1), Errno::BadF);
  EXPECT_EQ(sockRecv(made, 4, iov, 1, 0, out, flags), Errno::NotConn);
  EXPECT_EQ(sockSend(made, 4, iov, 1, 0, out), Errno::NotConn);
  EXPECT_EQ(sockShutdown(made, 4, 1), Errno::NotConn);
  EXPECT_EQ(made.read(4).error(), Errno::NotConn);
  EXPECT_EQ(made.write(4, "x").error(), Errno::NotCapable);

  connect();
  uint32_t fd = *accept();
  EXPECT_EQ(send(fd, "x", 1).error(), Errno::Inval);
  EXPECT_EQ(receive(fd, 4).error(), Errno::Inval);
  EXPECT_EQ(sockAccept(*guest, fd, 0, {8}), Errno::NotCapable);
  EXPECT_EQ(sockRecv(*guest, fd, iov, 1, 0, {guest->memorySize()}, flags), Errno::Fault);
  EXPECT_EQ(sockRecv(*guest, fd, iov, 1, 0, out, {guest->memorySize() - 1}), Errno::Fault);
  EXPECT_EQ(sockRecv(*guest, fd, {guest->memorySize()}, 1, 0, out, flags), Errno::Fault);
  fdFdstatSetRights(*guest, fd, 0, 0);
  EXPECT_EQ(send(fd, "x").error(), Errno::NotCapable);
  EXPECT_EQ(receive(fd, 0).error(), Errno::NotCapable);
  EXPECT_EQ(sockShutdown(*guest, fd, 1), Errno::NotCapable);
}

TEST_F(WasiSocket, AcceptWaitsAndCancelEndsIt) {
  std::thread later([&] {
    std::this_thread::sleep_for(30ms);
    connect();
  });
  EXPECT_TRUE(accept());
  later.join();
  std::thread canceller([&] {
    std::this_thread::sleep_for(30ms);
    guest->wasi().cancel();
  });
  auto result = sockAccept(*guest, kListener, 0, {8});
  canceller.join();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().trap, TrapCode::Interrupted);
}

TEST_F(WasiSocket, Polling) {
  auto poll = [&](uint32_t fd) {
    Subscription s;
    s.tag = static_cast<uint8_t>(EventType::FdRead);
    s.clockOrFd = fd;
    Subscription clock;
    clock.clockOrFd = 1;
    clock.timeout = 5'000'000'000;
    guest->reset();
    auto list = guest->put(std::array{s, clock});
    auto events = guest->room<Event>(2);
    EXPECT_EQ(pollOneoff(*guest, Snapshot::Preview1, {list.address}, events, 2, guest->room<uint32_t>()),
              Errno::Success);
    return guest->get(events);
  };
  std::thread later([&] {
    std::this_thread::sleep_for(30ms);
    connect();
  });
  EXPECT_EQ(poll(kListener).type, EventType::FdRead);
  later.join();
  uint32_t fd = *accept();
  EXPECT_EQ(::send(clients[0], "abc", 3, 0), 3);
  Event event = poll(fd);
  EXPECT_EQ(event.type, EventType::FdRead);
  EXPECT_EQ(event.nbytes, 3u);
}

TEST_F(WasiSocket, SharedListener) {
  Guest other(config);
  ASSERT_EQ(fdFdstatSetFlags(other, kListener, fdflags::kNonblock), Errno::Success);
  connect();
  EXPECT_TRUE(accept());
  EXPECT_EQ(sockAccept(other, kListener, 0, {8}), Errno::Again);
  connect();
  EXPECT_EQ(sockAccept(other, kListener, 0, {8}), Errno::Success);
}

TEST(WasiListeners, Configuration) {
  WasiConfig config;
  EXPECT_TRUE(config.listenTcp("::1", 0) || true);  // some hosts have no IPv6
  EXPECT_EQ(config.listenTcp("localhost.example", 0).error().kind, ErrorKind::Argument);
  EXPECT_EQ(config.listenTcp("192.0.2.1", 0).error().kind, ErrorKind::Io);
  int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(config.preopenListener(socket).error().kind, ErrorKind::Argument);
  EXPECT_EQ(config.preopenListener(-1).error().kind, ErrorKind::Io);
  ASSERT_EQ(::listen(socket, 5), 0);
  EXPECT_TRUE(config.preopenListener(socket));
  EXPECT_NE(config.lastListenerPort(), 0);
}

}  // namespace
}  // namespace wattle::wasi::test
