// sock_*, on preopened listeners and what they accept.
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>

#include "wasi/handlers.h"
#include "wasi/io.h"

namespace wattle::wasi {
namespace {

std::expected<DescriptorPtr, Errno> socketOf(const Call& call, uint32_t fd, uint64_t right) {
  auto d = call.context.fds.get(fd);
  if (!d) return d;
  if (!(*d)->is(Kind::Socket) && !(*d)->is(Kind::Listener)) return std::unexpected(Errno::NotSock);
  if ((*d)->is(Kind::Listener) && right != rights::kSockAccept) return std::unexpected(Errno::NotConn);
  if (!(*d)->has(right)) return std::unexpected(Errno::NotCapable);
  return d;
}

DescriptorPtr connectionOf(HostFd socket, const Descriptor& listener, uint16_t flags) {
  struct stat status;
  if (::fstat(socket.get(), &status) != 0) return nullptr;
  auto descriptor = std::make_shared<Descriptor>();
  classify(socket.get(), status, *descriptor);
  descriptor->base = rights::kOnSocket & listener.inheriting;
  descriptor->flags = flags;
  descriptor->file = std::make_shared<const HostFd>(std::move(socket));
  return descriptor;
}

}  // namespace

Outcome sockAccept(const Call& call, uint32_t fd, uint32_t flags, Ptr<uint32_t> accepted) {
  if (!call.memory.contains(accepted)) return Errno::Fault;
  if (flags & ~uint32_t{fdflags::kNonblock}) return Errno::Inval;
  auto listener = socketOf(call, fd, rights::kSockAccept);
  if (!listener) return listener.error();
  if (!(*listener)->is(Kind::Listener)) return Errno::Inval;
  if (call.context.fds.full()) return Errno::MFile;

  HostFd connection;
  while (!connection) {
    switch (waitFor(call.context, (*listener)->host(), POLLIN, !(*listener)->nonblock())) {
      case Ready::Cancelled: return std::unexpected(interrupted());
      case Ready::NotYet: return Errno::Again;
      case Ready::Yes: break;
    }
    // EAGAIN: another guest with the same listener was faster. (config.cc has set O_NONBLOCK on it.)
    connection = HostFd::own(::accept4((*listener)->host(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection && errno == EAGAIN && (*listener)->nonblock()) return Errno::Again;
    if (!connection && errno != EAGAIN && errno != EINTR) return fromHost(errno);
  }
  auto descriptor = connectionOf(std::move(connection), **listener, static_cast<uint16_t>(flags));
  if (!descriptor) return Errno::Io;
  auto number = call.context.fds.add(std::move(descriptor));
  if (!number) return number.error();
  call.memory.write(accepted, *number);
  return Errno::Success;
}

Outcome sockRecv(const Call& call, uint32_t fd, Ptr<Iovec> iovs, uint32_t count, uint32_t flags, Ptr<uint32_t> read,
                 Ptr<uint16_t> outFlags) {
  if (!call.memory.contains(read) || !call.memory.contains(outFlags)) return Errno::Fault;
  if (flags & ~uint32_t{riflags::kAll}) return Errno::Inval;
  auto d = socketOf(call, fd, rights::kFdRead);
  if (!d) return d.error();
  Buffers buffers;
  if (Errno error = buffers.gather(call.memory, iovs, count); error != Errno::Success) return error;
  int host = (flags & riflags::kPeek ? MSG_PEEK : 0) | (flags & riflags::kWaitall ? MSG_WAITALL : 0);
  auto result = receive(call.context, **d, buffers, host);
  if (!result) return std::unexpected(result.error());
  if (result->error != Errno::Success) return result->error;
  call.memory.write(read, result->bytes);
  call.memory.write(outFlags, result->messageFlags & MSG_TRUNC ? roflags::kDataTruncated : uint16_t{0});
  return Errno::Success;
}

Outcome sockSend(const Call& call, uint32_t fd, Ptr<Iovec> iovs, uint32_t count, uint32_t flags,
                 Ptr<uint32_t> written) {
  if (!call.memory.contains(written)) return Errno::Fault;
  if (flags != 0) return Errno::Inval;  // siflags has none
  auto d = socketOf(call, fd, rights::kFdWrite);
  if (!d) return d.error();
  Buffers buffers;
  if (Errno error = buffers.gather(call.memory, iovs, count); error != Errno::Success) return error;
  auto result = send(call.context, **d, buffers);
  if (!result) return std::unexpected(result.error());
  if (result->error == Errno::Success) call.memory.write(written, result->bytes);
  return result->error;
}

Errno sockShutdown(const Call& call, uint32_t fd, uint32_t how) {
  auto d = socketOf(call, fd, rights::kSockShutdown);
  if (!d) return d.error();
  int host;
  switch (how) {
    case sdflags::kRd: host = SHUT_RD; break;
    case sdflags::kWr: host = SHUT_WR; break;
    case sdflags::kRd | sdflags::kWr: host = SHUT_RDWR; break;
    default: return Errno::Inval;
  }
  return ::shutdown((*d)->host(), host) == 0 ? Errno::Success : fromHost(errno);
}

}  // namespace wattle::wasi
