// Reading and writing.
//
// Descriptors that may wait (pipes, terminals, sockets) are polled first and then read or written as far as goes
// without waiting, so that cancel() gets through. That also makes fdflags::nonblock a matter of this file alone: the
// host's O_NONBLOCK belongs to the open file, which other processes share.
#include "wasi/io.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "wasi/handlers.h"
#include "wasi/uv_sync.h"

namespace wattle::wasi {
namespace {

// What a pipe that polls as writable takes without waiting: PIPE_BUF. Terminals get as much at a time.
constexpr size_t kChunk = 4096;

// Keeps the SIGPIPE that a write may raise from the process: it is sent to the writing thread, where it is blocked, and
// taken back if it was not pending before. The process's disposition is not touched.
class SigpipeGuard {
 public:
  SigpipeGuard() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
    wasBlocked_ = sigismember(&before_, SIGPIPE);
    if (!wasBlocked_) return;  // then none can be pending
    sigset_t pending;
    sigpending(&pending);
    wasPending_ = sigismember(&pending, SIGPIPE);
  }
  ~SigpipeGuard() {
    if (raised_ && !wasPending_) {
      timespec none{};
      while (sigtimedwait(&pipe_, nullptr, &none) < 0 && errno == EINTR) {
      }
    }
    if (!wasBlocked_) pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  void raised() { raised_ = true; }

 private:
  sigset_t pipe_;
  sigset_t before_;
  bool wasBlocked_ = false;
  bool wasPending_ = false;
  bool raised_ = false;
};

int64_t hostRead(int fd, std::span<const uv_buf_t> list, int64_t offset = -1) {
  return uvSync(uv_fs_read, fd, list.data(), static_cast<unsigned>(list.size()), offset);
}

int64_t hostWrite(int fd, std::span<const uv_buf_t> list, int64_t offset = -1) {
  return uvSync(uv_fs_write, fd, list.data(), static_cast<unsigned>(list.size()), offset);
}

Transfer transferred(int64_t result) {
  if (result < 0) return {fromHost(static_cast<int>(result))};
  return {Errno::Success, static_cast<uint32_t>(result)};
}

int64_t receiveOnce(int fd, std::span<const uv_buf_t> list, int flags, int& messageFlags) {
  msghdr message{};
  // uv_buf_t is laid out as iovec is (libuv relies on it, too).
  message.msg_iov = reinterpret_cast<iovec*>(const_cast<uv_buf_t*>(list.data()));
  message.msg_iovlen = list.size();
  ssize_t n = ::recvmsg(fd, &message, flags | MSG_DONTWAIT);
  if (n < 0) return -errno;
  messageFlags = message.msg_flags;
  return n;
}

int64_t sendOnce(int fd, std::span<const uv_buf_t> list) {
  msghdr message{};
  message.msg_iov = reinterpret_cast<iovec*>(const_cast<uv_buf_t*>(list.data()));
  message.msg_iovlen = list.size();
  ssize_t n = ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  return n < 0 ? -errno : n;
}

// Calls `once` when the descriptor is ready, again if it was not after all.
template <class Once>
TransferResult whenReady(Context& context, Descriptor& d, short events, Once once) {
  for (;;) {
    switch (waitFor(context, d.host(), events, !d.nonblock())) {
      case Ready::Cancelled: return std::unexpected(interrupted());
      case Ready::NotYet: return Transfer{Errno::Again};
      case Ready::Yes: break;
    }
    int64_t result = once();
    if (result == -EAGAIN && !d.nonblock()) continue;
    if (result == -EINTR) continue;
    return transferred(result);
  }
}

// Writes everything, piece by piece as the other side takes it; what has gone counts more than a later error.
template <class Once>
TransferResult writeAll(Context& context, Descriptor& d, Buffers& buffers, size_t chunk, Once once) {
  uint32_t done = 0;
  while (true) {
    std::span<const uv_buf_t> piece = buffers.front(chunk);
    if (piece.empty()) return Transfer{Errno::Success, done};
    TransferResult result = whenReady(context, d, POLLOUT, [&] { return once(piece); });
    if (!result) return result;
    if (result->error != Errno::Success) {
      if (done > 0) return Transfer{Errno::Success, done};
      return result;
    }
    done += result->bytes;
    buffers.drop(result->bytes);
  }
}

TransferResult readStream(Descriptor& d, const Buffers& buffers) {
  uint32_t done = 0;
  const WasiSource& source = d.extra().source;
  if (!source) return Transfer{Errno::BadF};
  for (const uv_buf_t& buffer : buffers.all()) {
    size_t n = source({reinterpret_cast<uint8_t*>(buffer.base), buffer.len});
    done += static_cast<uint32_t>(std::min(n, buffer.len));
    if (n < buffer.len) break;
  }
  return Transfer{Errno::Success, done};
}

TransferResult writeStream(Descriptor& d, const Buffers& buffers) {
  uint32_t done = 0;
  const WasiSink& sink = d.extra().sink;
  if (!sink) return Transfer{Errno::BadF};
  for (const uv_buf_t& buffer : buffers.all()) {
    if (!sink({reinterpret_cast<const uint8_t*>(buffer.base), buffer.len})) {
      if (done == 0) return Transfer{Errno::Pipe};
      break;
    }
    done += static_cast<uint32_t>(buffer.len);
  }
  return Transfer{Errno::Success, done};
}

Outcome finish(const Call& call, const TransferResult& result, Ptr<uint32_t> count) {
  if (!result) return std::unexpected(result.error());
  if (result->error == Errno::Success) call.memory.write(count, result->bytes);
  return result->error;
}

}  // namespace

TransferResult readFrom(Context& context, Descriptor& d, Buffers& buffers) {
  if (buffers.empty()) return Transfer{};
  switch (d.kind) {
    case Kind::Directory: return Transfer{Errno::IsDir};
    case Kind::Listener: return Transfer{Errno::NotConn};
    case Kind::Stream: return readStream(d, buffers);
    case Kind::Socket: return receive(context, d, buffers, 0);
    case Kind::File: return transferred(hostRead(d.host(), buffers.all()));
    default: return whenReady(context, d, POLLIN, [&] { return hostRead(d.host(), buffers.all()); });
  }
}

TransferResult writeTo(Context& context, Descriptor& d, Buffers& buffers) {
  if (buffers.empty()) return Transfer{};
  switch (d.kind) {
    case Kind::Directory: return Transfer{Errno::IsDir};
    case Kind::Listener: return Transfer{Errno::NotConn};
    case Kind::Stream: return writeStream(d, buffers);
    case Kind::Socket: return send(context, d, buffers);
    case Kind::File: return transferred(hostWrite(d.host(), buffers.all()));
    case Kind::Device:
      return writeAll(context, d, buffers, SIZE_MAX, [&](auto piece) { return hostWrite(d.host(), piece); });
    case Kind::Terminal:
      return writeAll(context, d, buffers, kChunk, [&](auto piece) { return hostWrite(d.host(), piece); });
    case Kind::Pipe: break;
  }
  SigpipeGuard guard;
  return writeAll(context, d, buffers, kChunk, [&](auto piece) {
    int64_t n = hostWrite(d.host(), piece);
    if (n == -EPIPE) guard.raised();
    return n;
  });
}

TransferResult receive(Context& context, Descriptor& d, Buffers& buffers, int flags) {
  int messageFlags = 0;
  uint32_t done = 0;
  bool all = flags & MSG_WAITALL && !(flags & MSG_PEEK) && d.type == FileType::SocketStream;
  for (;;) {
    std::span<const uv_buf_t> rest = buffers.front(SIZE_MAX);
    TransferResult result =
        whenReady(context, d, POLLIN, [&] { return receiveOnce(d.host(), rest, flags & ~MSG_WAITALL, messageFlags); });
    if (!result) return result;
    if (result->error != Errno::Success && done == 0) return result;
    done += result->bytes;
    buffers.drop(result->bytes);
    bool more = all && result->error == Errno::Success && result->bytes > 0 && !buffers.front(1).empty();
    if (!more) return Transfer{Errno::Success, done, messageFlags};
  }
}

TransferResult send(Context& context, Descriptor& d, Buffers& buffers) {
  return writeAll(context, d, buffers, SIZE_MAX,
                  [&](std::span<const uv_buf_t> piece) { return sendOnce(d.host(), piece); });
}

Outcome fdRead(const Call& call, uint32_t fd, Ptr<Iovec> iovs, uint32_t count, Ptr<uint32_t> read) {
  auto d = call.context.fds.get(fd);
  if (!d) return d.error();
  if ((*d)->is(Kind::Directory)) return Errno::IsDir;
  if (!(*d)->has(rights::kFdRead)) return Errno::NotCapable;
  if (!call.memory.contains(read)) return Errno::Fault;
  Buffers buffers;
  if (Errno error = buffers.gather(call.memory, iovs, count); error != Errno::Success) return error;
  return finish(call, readFrom(call.context, **d, buffers), read);
}

Outcome fdWrite(const Call& call, uint32_t fd, Ptr<Iovec> iovs, uint32_t count, Ptr<uint32_t> written) {
  auto d = call.context.fds.get(fd, rights::kFdWrite);
  if (!d) return d.error();
  if (!call.memory.contains(written)) return Errno::Fault;
  Buffers buffers;
  if (Errno error = buffers.gather(call.memory, iovs, count); error != Errno::Success) return error;
  return finish(call, writeTo(call.context, **d, buffers), written);
}

namespace {

// fd_pread and fd_pwrite, up to the transfer.
std::expected<DescriptorPtr, Errno> positioned(const Call& call, uint32_t fd, uint64_t right, uint64_t offset,
                                               Ptr<uint32_t> result) {
  auto d = call.context.fds.get(fd);
  if (!d) return d;
  if ((*d)->is(Kind::Directory)) return std::unexpected(Errno::IsDir);
  if (!(*d)->is(Kind::File) && !(*d)->is(Kind::Device)) return std::unexpected(Errno::SPipe);
  // "If fd_seek is set, includes the right to invoke fd_pread."
  if (!(*d)->has(right | rights::kFdSeek)) return std::unexpected(Errno::NotCapable);
  if (!call.memory.contains(result)) return std::unexpected(Errno::Fault);
  if (offset > INT64_MAX) return std::unexpected(Errno::Inval);
  return d;
}

}  // namespace

Errno fdPread(const Call& call, uint32_t fd, Ptr<Iovec> iovs, uint32_t count, uint64_t offset, Ptr<uint32_t> read) {
  auto d = positioned(call, fd, rights::kFdRead, offset, read);
  if (!d) return d.error();
  Buffers buffers;
  if (Errno error = buffers.gather(call.memory, iovs, count); error != Errno::Success) return error;
  Transfer result;
  if (!buffers.empty()) result = transferred(hostRead((*d)->host(), buffers.all(), static_cast<int64_t>(offset)));
  if (result.error == Errno::Success) call.memory.write(read, result.bytes);
  return result.error;
}

Errno fdPwrite(const Call& call, uint32_t fd, Ptr<Iovec> iovs, uint32_t count, uint64_t offset, Ptr<uint32_t> written) {
  auto d = positioned(call, fd, rights::kFdWrite, offset, written);
  if (!d) return d.error();
  Buffers buffers;
  if (Errno error = buffers.gather(call.memory, iovs, count); error != Errno::Success) return error;
  Transfer result;
  if (!buffers.empty()) result = transferred(hostWrite((*d)->host(), buffers.all(), static_cast<int64_t>(offset)));
  if (result.error == Errno::Success) call.memory.write(written, result.bytes);
  return result.error;
}

}  // namespace wattle::wasi
