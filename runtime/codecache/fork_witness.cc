#include "runtime/codecache/fork_witness.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace wattle::codecache {

namespace {
constexpr unsigned long kPageBytes = 4096;
}

void ForkWitness::prepare() {
  const int saved = errno;
  if (file_ < 0) file_ = memfd_create("wattle-fork", MFD_CLOEXEC);
  int again = -1;
  if (file_ >= 0) {
    char path[40];
    std::snprintf(path, sizeof path, "/proc/self/fd/%d", file_);
    again = open(path, O_RDWR | O_CLOEXEC);
  }
  if (again >= 0) {
    if (flock(again, LOCK_SH | LOCK_NB) == 0) {
      void* page = mmap(nullptr, kPageBytes, PROT_READ, MAP_SHARED, again, 0);
      if (page != MAP_FAILED) page_ = page;
    }
    close(again);
  }
  if (page_ == nullptr) blind_ = true;
  errno = saved;
}

void ForkWitness::parent() {
  if (page_ != nullptr) munmap(page_, kPageBytes);
  page_ = nullptr;
}

void ForkWitness::child() {
  // The page stays mapped: it is what the parent looks for.
  page_ = nullptr;
  if (file_ >= 0) close(file_);
  file_ = -1;
  blind_ = false;
}

bool ForkWitness::childrenGone() {
  if (blind_) return false;
  if (file_ < 0) return true;
  if (flock(file_, LOCK_EX | LOCK_NB) != 0) return false;
  flock(file_, LOCK_UN);
  return true;
}

}  // namespace wattle::codecache
