#include "wasi/readdir.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "wasi/handlers.h"

namespace wattle::wasi {
namespace {

FileType fileTypeOf(const dirent& entry, int directory) {
  if (entry.d_type != DT_UNKNOWN) return fileType(DTTOIF(entry.d_type));
  struct stat status;  // some file systems do not tell
  if (::fstatat(directory, entry.d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) return FileType::Unknown;
  return fileType(status.st_mode);
}

// Copies as much of a piece as there is room for.
size_t fill(std::span<uint8_t> buffer, size_t used, const void* piece, size_t size) {
  size_t n = std::min(size, buffer.size() - used);
  if (n > 0) std::memcpy(buffer.data() + used, piece, n);
  return used + n;
}

// Fills the buffer with entries from the stream's position on; the last may be cut short, and is then read again.
std::expected<uint32_t, Errno> list(DirStream& stream, const Descriptor& directory, std::span<uint8_t> buffer) {
  size_t used = 0;
  while (used < buffer.size()) {
    auto entry = stream.peek();
    if (!entry) return std::unexpected(entry.error());
    if (!*entry) break;
    Dirent head{(*entry)->next, (*entry)->ino, static_cast<uint32_t>((*entry)->name.size()), (*entry)->type};
    if (directory.preopen && (*entry)->name == "..") {
      // Beyond the root there is nothing to know: as in "/", its parent is itself.
      struct stat status;
      if (::fstat(directory.host(), &status) == 0) head.ino = status.st_ino;
    }
    size_t whole = sizeof(head) + (*entry)->name.size();
    bool fits = whole <= buffer.size() - used;
    used = fill(buffer, used, &head, sizeof(head));
    used = fill(buffer, used, (*entry)->name.data(), (*entry)->name.size());
    if (fits) stream.skip();
  }
  return static_cast<uint32_t>(used);
}

}  // namespace

Errno DirStream::open() {
  int fd = ::openat(directory_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fromHost(errno);
  dir_.reset(::fdopendir(fd));
  if (dir_) return Errno::Success;
  int error = errno;
  ::close(fd);
  return fromHost(error);
}

Errno DirStream::seek(uint64_t cookie) {
  bool goesOn = dir_ && cookie == next_ && cookie != 0;
  if (goesOn) return Errno::Success;
  if (!dir_) {
    if (Errno error = open(); error != Errno::Success) return error;
  }
  current_.reset();
  next_ = std::min<uint64_t>(cookie, positions_.size() - 1);
  if (next_ == 0) {
    ::rewinddir(dir_.get());
  } else {
    ::seekdir(dir_.get(), positions_[next_]);
  }
  // A number this stream has not given out: another one may have, so count up to it.
  while (next_ < cookie) {
    auto entry = peek();
    if (!entry) return entry.error();
    if (!*entry) break;
    skip();
  }
  return Errno::Success;
}

std::expected<const DirEntry*, Errno> DirStream::peek() {
  if (current_) return &*current_;
  errno = 0;
  const dirent* entry = ::readdir(dir_.get());
  if (!entry) {
    if (errno != 0 && errno != ENOENT) return std::unexpected(fromHost(errno));  // ENOENT: the directory was removed
    return nullptr;
  }
  if (next_ + 1 == positions_.size()) positions_.push_back(0);
  positions_[next_ + 1] = entry->d_off;
  current_ = DirEntry{next_ + 1, entry->d_ino, fileTypeOf(*entry, ::dirfd(dir_.get())), entry->d_name};
  return &*current_;
}

void DirStream::skip() {
  ++next_;
  current_.reset();
}

Errno fdReaddir(const Call& call, uint32_t fd, Ptr<uint8_t> buffer, uint32_t length, uint64_t cookie,
                Ptr<uint32_t> used) {
  auto directory = call.context.fds.directory(fd, rights::kFdReaddir);
  if (!directory) return directory.error();
  auto bytes = call.memory.slice(buffer.address, length);
  if (!bytes || !call.memory.contains(used)) return Errno::Fault;

  Descriptor& d = **directory;
  std::lock_guard guard(d.extra().dirLock);
  std::unique_ptr<DirStream>& stream = d.extra().dir;
  if (!stream) stream = std::make_unique<DirStream>(d.host());
  if (Errno error = stream->seek(cookie); error != Errno::Success) return error;
  auto written = list(*stream, d, *bytes);
  if (!written) return written.error();
  if (*written < length) stream->close();  // the end: most guests will not come back
  call.memory.write(used, *written);
  return Errno::Success;
}

}  // namespace wattle::wasi
