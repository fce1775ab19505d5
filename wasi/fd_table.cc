#include "wasi/fd_table.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <uv.h>

#include <algorithm>

#include "wasi/readdir.h"

namespace wattle::wasi {

Descriptor::Descriptor() = default;
Descriptor::~Descriptor() = default;

Descriptor::Extra& Descriptor::extra() {
  static std::mutex lock;  // two guest threads may list a directory at once
  std::lock_guard guard(lock);
  if (!extraParts) extraParts = std::make_unique<Extra>();
  return *extraParts;
}

FileType fileType(uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return FileType::RegularFile;
    case S_IFDIR: return FileType::Directory;
    case S_IFLNK: return FileType::SymbolicLink;
    case S_IFCHR: return FileType::CharacterDevice;
    case S_IFBLK: return FileType::BlockDevice;
    case S_IFSOCK: return FileType::SocketStream;  // a name in the file system does not tell which
    default: return FileType::Unknown;             // FIFOs: preview 1 has no name for them
  }
}

void classify(int fd, const struct stat& status, Descriptor& descriptor) {
  descriptor.type = fileType(status.st_mode);
  switch (status.st_mode & S_IFMT) {
    case S_IFDIR: descriptor.kind = Kind::Directory; break;
    case S_IFCHR: descriptor.kind = uv_guess_handle(fd) == UV_TTY ? Kind::Terminal : Kind::Device; break;
    case S_IFIFO: descriptor.kind = Kind::Pipe; break;
    case S_IFSOCK: {
      int type = 0;
      int listening = 0;
      socklen_t length = sizeof(int);
      ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length);
      ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length);
      descriptor.kind = listening ? Kind::Listener : Kind::Socket;
      descriptor.type = type == SOCK_DGRAM ? FileType::SocketDgram : FileType::SocketStream;
      break;
    }
    default: descriptor.kind = Kind::File; break;
  }
}

uint64_t applicableRights(Kind kind) {
  switch (kind) {
    case Kind::Directory: return rights::kOnDirectory;
    case Kind::Terminal: return rights::kOnTerminal;
    case Kind::Socket: return rights::kOnSocket;
    case Kind::Listener: return rights::kOnListener;
    default: return rights::kOnFile;
  }
}

std::expected<DescriptorPtr, Errno> FdTable::get(uint32_t fd, uint64_t rights) const {
  DescriptorPtr found;
  {
    std::lock_guard guard(lock_);
    if (fd < slots_.size()) found = slots_[fd];
  }
  if (!found) return std::unexpected(Errno::BadF);
  if (!found->has(rights)) return std::unexpected(Errno::NotCapable);
  return found;
}

std::expected<DescriptorPtr, Errno> FdTable::directory(uint32_t fd, uint64_t rights) const {
  auto found = get(fd);
  if (!found) return found;
  if (!(*found)->is(Kind::Directory)) return std::unexpected(Errno::NotDir);
  if (!(*found)->has(rights)) return std::unexpected(Errno::NotCapable);
  return found;
}

bool FdTable::full() const {
  std::lock_guard guard(lock_);
  return open_ >= limit_;
}

std::expected<uint32_t, Errno> FdTable::add(DescriptorPtr descriptor) {
  std::lock_guard guard(lock_);
  if (open_ >= limit_) return std::unexpected(Errno::MFile);
  uint32_t fd = lowestFree_;
  while (fd < slots_.size() && slots_[fd]) ++fd;
  if (fd >= slots_.size()) slots_.resize(fd + 1);
  slots_[fd] = std::move(descriptor);
  lowestFree_ = fd + 1;
  ++open_;
  return fd;
}

void FdTable::put(uint32_t fd, DescriptorPtr descriptor) {
  std::lock_guard guard(lock_);
  if (fd >= slots_.size()) slots_.resize(fd + 1);
  if (!slots_[fd]) ++open_;
  slots_[fd] = std::move(descriptor);
}

std::expected<DescriptorPtr, Errno> FdTable::remove(uint32_t fd) {
  std::lock_guard guard(lock_);
  if (fd >= slots_.size() || !slots_[fd]) return std::unexpected(Errno::BadF);
  --open_;
  if (fd >= 3) lowestFree_ = std::min(lowestFree_, fd);
  return std::exchange(slots_[fd], nullptr);
}

Errno FdTable::renumber(uint32_t from, uint32_t to) {
  DescriptorPtr replaced;  // closed after the lock is let go
  std::lock_guard guard(lock_);
  auto isOpen = [&](uint32_t fd) { return fd < slots_.size() && slots_[fd]; };
  if (!isOpen(from) || !isOpen(to)) return Errno::BadF;
  if (from == to) return Errno::Success;
  replaced = std::exchange(slots_[to], std::exchange(slots_[from], nullptr));
  --open_;
  if (from >= 3) lowestFree_ = std::min(lowestFree_, from);
  return Errno::Success;
}

}  // namespace wattle::wasi
