// fd_*: what is done with an open descriptor, other than reading and writing it (io.cc, readdir.cc).
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "wasi/filestat.h"
#include "wasi/handlers.h"
#include "wasi/uv_sync.h"

namespace wattle::wasi {
namespace {

// lseek, fallocate and their like have no meaning on these, whatever the rights say.
bool seekable(const Descriptor& d) { return d.is(Kind::File) || d.is(Kind::Device) || d.is(Kind::Directory); }

Errno seek(const Call& call, const Descriptor& d, int64_t offset, int whence, Ptr<uint64_t> position) {
  off_t at = ::lseek(d.host(), offset, whence);
  if (at < 0) return fromHost(errno);
  call.memory.write(position, static_cast<uint64_t>(at));
  return Errno::Success;
}

// snapshot 0 counted cur, end, set; preview 1 counts as POSIX does. -1: neither.
int hostWhence(Snapshot snapshot, uint32_t whence) {
  constexpr int kPreview1[] = {SEEK_SET, SEEK_CUR, SEEK_END};
  constexpr int kUnstable[] = {SEEK_CUR, SEEK_END, SEEK_SET};
  if (whence > 2) return -1;
  return snapshot == Snapshot::Preview1 ? kPreview1[whence] : kUnstable[whence];
}

Errno filestatOf(const Descriptor& d, Filestat& out) {
  if (d.is(Kind::Stream)) {
    out.nlink = 1;
    return Errno::Success;
  }
  uv_fs_t request;
  int result = uv_fs_fstat(nullptr, &request, d.host(), nullptr);
  const uv_stat_t& status = request.statbuf;
  if (result == 0) {
    out.dev = status.st_dev;
    out.ino = status.st_ino;
    out.type = d.type;  // knows stream from datagram sockets
    out.nlink = status.st_nlink;
    out.size = status.st_size;
    out.atim = nanoseconds(status.st_atim.tv_sec, status.st_atim.tv_nsec);
    out.mtim = nanoseconds(status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    out.ctim = nanoseconds(status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
  }
  uv_fs_req_cleanup(&request);
  return fromHost(result);
}

// fd_sync and fd_datasync.
Errno synchronize(const Call& call, uint32_t fd, uint64_t right,
                  int (*operation)(uv_loop_t*, uv_fs_t*, uv_file, uv_fs_cb)) {
  auto d = call.context.fds.get(fd, right);
  if (!d) return d.error();
  if ((*d)->is(Kind::Stream)) return Errno::Inval;  // as for a pipe
  return fromHost(static_cast<int>(uvSync(operation, (*d)->host())));
}

}  // namespace

Errno fdAdvise(const Call& call, uint32_t fd, uint64_t offset, uint64_t length, uint32_t advice) {
  constexpr int kAdvice[] = {POSIX_FADV_NORMAL,   POSIX_FADV_SEQUENTIAL, POSIX_FADV_RANDOM,
                             POSIX_FADV_WILLNEED, POSIX_FADV_DONTNEED,   POSIX_FADV_NOREUSE};
  if (advice >= std::size(kAdvice) || offset > INT64_MAX || length > INT64_MAX) return Errno::Inval;
  auto d = call.context.fds.get(fd);
  if (!d) return d.error();
  if (!seekable(**d)) return Errno::SPipe;
  if (!(*d)->has(rights::kFdAdvise)) return Errno::NotCapable;
  return fromHost(
      ::posix_fadvise((*d)->host(), static_cast<off_t>(offset), static_cast<off_t>(length), kAdvice[advice]));
}

Errno fdAllocate(const Call& call, uint32_t fd, uint64_t offset, uint64_t length) {
  auto d = call.context.fds.get(fd);
  if (!d) return d.error();
  if (!seekable(**d)) return Errno::SPipe;
  if (!(*d)->has(rights::kFdAllocate)) return Errno::NotCapable;
  if (length == 0) return Errno::Inval;
  if (offset > INT64_MAX || length > INT64_MAX - offset) return Errno::FBig;
  // Not posix_fallocate: the C library's substitute for file systems that cannot do it writes to every block.
  int result;
  do {
    result = ::fallocate((*d)->host(), 0, static_cast<off_t>(offset), static_cast<off_t>(length));
  } while (result != 0 && errno == EINTR);
  return result == 0 ? Errno::Success : fromHost(errno);
}

Errno fdClose(const Call& call, uint32_t fd) {
  auto removed = call.context.fds.remove(fd);
  if (!removed) return removed.error();
  DescriptorPtr d = std::move(*removed);
  // The last use of it: close here, since the result is the guest's only word of a late write error. Otherwise another
  // thread of the guest is in a call with it, or other contexts share it, and the last one closes.
  if (d.use_count() == 1 && d->file.use_count() == 1 && d->file->owned()) {
    int host = const_cast<HostFd&>(*d->file).release();
    return fromHost(static_cast<int>(uvSync(uv_fs_close, host)));
  }
  return Errno::Success;
}

Errno fdDatasync(const Call& call, uint32_t fd) { return synchronize(call, fd, rights::kFdDatasync, uv_fs_fdatasync); }
Errno fdSync(const Call& call, uint32_t fd) { return synchronize(call, fd, rights::kFdSync, uv_fs_fsync); }

Errno fdFdstatGet(const Call& call, uint32_t fd, Ptr<Fdstat> out) {
  auto d = call.context.fds.get(fd);
  if (!d) return d.error();
  Fdstat stat;
  stat.type = (*d)->type;
  stat.flags = (*d)->flags;
  stat.base = (*d)->base;
  stat.inheriting = (*d)->inheriting;
  return call.memory.write(out, stat) ? Errno::Success : Errno::Fault;
}

Errno fdFdstatSetFlags(const Call& call, uint32_t fd, uint32_t flags) {
  constexpr uint16_t kSynchronous = fdflags::kDsync | fdflags::kRsync | fdflags::kSync;
  if (flags & ~uint32_t{fdflags::kAll}) return Errno::Inval;
  auto found = call.context.fds.get(fd, rights::kFdFdstatSetFlags);
  if (!found) return found.error();
  Descriptor& d = **found;
  uint32_t changed = flags ^ d.flags;
  if (changed & kSynchronous) return Errno::NotSup;  // Linux takes these at open only, and would ignore them here
  if (changed & fdflags::kAppend && d.host() >= 0 && !d.is(Kind::Directory)) {
    int host = ::fcntl(d.host(), F_GETFL);
    host = flags & fdflags::kAppend ? host | O_APPEND : host & ~O_APPEND;
    if (::fcntl(d.host(), F_SETFL, host) != 0) return fromHost(errno);
  }
  d.flags = static_cast<uint16_t>(flags);
  return Errno::Success;
}

Errno fdFdstatSetRights(const Call& call, uint32_t fd, uint64_t base, uint64_t inheriting) {
  auto d = call.context.fds.get(fd);
  if (!d) return d.error();
  if (base & ~(*d)->base || inheriting & ~(*d)->inheriting) return Errno::NotCapable;
  // Meeting another thread's shrinking, the result is what both leave.
  (*d)->base &= base;
  (*d)->inheriting &= inheriting;
  return Errno::Success;
}

Errno fdFilestatGet(const Call& call, Snapshot snapshot, uint32_t fd, Ptr<Filestat> out) {
  if (!filestatFits(call.memory, snapshot, out)) return Errno::Fault;
  auto d = call.context.fds.get(fd, rights::kFdFilestatGet);
  if (!d) return d.error();
  Filestat filestat;
  if (Errno error = filestatOf(**d, filestat); error != Errno::Success) return error;
  writeFilestat(call.memory, snapshot, out, filestat);
  return Errno::Success;
}

Errno fdFilestatSetSize(const Call& call, uint32_t fd, uint64_t size) {
  auto d = call.context.fds.get(fd, rights::kFdFilestatSetSize);
  if (!d) return d.error();
  if (!(*d)->is(Kind::File)) return Errno::Inval;
  if (size > INT64_MAX) return Errno::FBig;
  return fromHost(static_cast<int>(uvSync(uv_fs_ftruncate, (*d)->host(), static_cast<int64_t>(size))));
}

Errno fdFilestatSetTimes(const Call& call, uint32_t fd, uint64_t atim, uint64_t mtim, uint32_t flags) {
  auto times = timesToSet(atim, mtim, flags);
  if (!times) return times.error();
  auto d = call.context.fds.get(fd, rights::kFdFilestatSetTimes);
  if (!d) return d.error();
  if ((*d)->readOnly) return Errno::Rofs;
  if ((*d)->is(Kind::Stream)) return Errno::NotSup;
  return ::futimens((*d)->host(), times->data()) == 0 ? Errno::Success : fromHost(errno);
}

Errno fdPrestatGet(const Call& call, uint32_t fd, Ptr<Prestat> out) {
  auto d = call.context.fds.get(fd);
  if (!d) return d.error();
  if (!(*d)->preopen) return Errno::BadF;
  Prestat prestat;
  prestat.nameLength = static_cast<uint32_t>((*d)->preopen->guestName.size());
  return call.memory.write(out, prestat) ? Errno::Success : Errno::Fault;
}

Errno fdPrestatDirName(const Call& call, uint32_t fd, Ptr<uint8_t> buffer, uint32_t length) {
  auto d = call.context.fds.get(fd);
  if (!d) return d.error();
  if (!(*d)->preopen) return Errno::BadF;
  const std::string& name = (*d)->preopen->guestName;
  auto bytes = call.memory.slice(buffer.address, length);
  if (!bytes) return Errno::Fault;
  if (length < name.size()) return Errno::NameTooLong;
  std::copy(name.begin(), name.end(), bytes->begin());
  return Errno::Success;
}

Errno fdRenumber(const Call& call, uint32_t from, uint32_t to) { return call.context.fds.renumber(from, to); }

Errno fdSeek(const Call& call, Snapshot snapshot, uint32_t fd, int64_t offset, uint32_t whence,
             Ptr<uint64_t> position) {
  int host = hostWhence(snapshot, whence);
  if (host < 0) return Errno::Inval;
  auto d = call.context.fds.get(fd);
  if (!d) return d.error();
  if (!seekable(**d)) return Errno::SPipe;
  // "The right to invoke fd_seek in such a way that the file offset remains unaltered" is that of fd_tell.
  bool onlyTells = host == SEEK_CUR && offset == 0;
  if (!(*d)->has(rights::kFdSeek) && !(onlyTells && (*d)->has(rights::kFdTell))) return Errno::NotCapable;
  if (!call.memory.contains(position)) return Errno::Fault;
  return seek(call, **d, offset, host, position);
}

Errno fdTell(const Call& call, uint32_t fd, Ptr<uint64_t> position) {
  auto d = call.context.fds.get(fd);
  if (!d) return d.error();
  if (!seekable(**d)) return Errno::SPipe;
  if (!(*d)->has(rights::kFdTell) && !(*d)->has(rights::kFdSeek)) return Errno::NotCapable;  // seeking implies telling
  if (!call.memory.contains(position)) return Errno::Fault;
  return seek(call, **d, 0, SEEK_CUR, position);
}

}  // namespace wattle::wasi
