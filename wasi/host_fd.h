// A host file descriptor with an owner, or a borrowed one.
#pragma once

#include <unistd.h>

#include <utility>

namespace wattle::wasi {

class HostFd {
 public:
  HostFd() = default;
  static HostFd own(int fd) { return HostFd(fd, true); }
  static HostFd borrow(int fd) { return HostFd(fd, false); }
  HostFd(HostFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)), owned_(other.owned_) {}
  HostFd& operator=(HostFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(owned_, other.owned_);
    return *this;
  }
  ~HostFd() {
    if (owned_ && fd_ >= 0) ::close(fd_);
  }

  int get() const { return fd_; }
  bool owned() const { return owned_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }

 private:
  HostFd(int fd, bool owned) : fd_(fd), owned_(owned) {}
  int fd_ = -1;
  bool owned_ = false;
};

}  // namespace wattle::wasi
