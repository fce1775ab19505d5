// Images of initial memories. From 128 KiB on an image is a file, as long as the process has descriptors to spare (a
// quarter of its limit); otherwise bytes on the heap. Whether mapping is the better way depends on what the guest
// touches: a page that is only read costs a share of one fault (the kernel maps 16 neighbours at once) and no memory, a
// page that is written costs what copying would have cost.
#include "sandbox/memory_image.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "sandbox/guarded_pool.h"
#include "sandbox/pages.h"

namespace wattle::sandbox {

namespace {

constexpr uint64_t kLeastFile = 128 << 10;

std::atomic<uint64_t> gNextId{1};
std::atomic<uint64_t> gFiles{0};

bool mayOpenFile() {
  rlimit rule{};
  if (getrlimit(RLIMIT_NOFILE, &rule) != 0) return false;
  return gFiles.load(std::memory_order_relaxed) < rule.rlim_cur / 4;
}

bool writeAll(int file, std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

std::expected<std::shared_ptr<const MemoryImage>, std::string> MemoryImage::create(std::span<const uint8_t> bytes) {
  std::shared_ptr<MemoryImage> image(new MemoryImage);
  const auto isSet = [](uint8_t byte) { return byte != 0; };
  const auto first = std::find_if(bytes.begin(), bytes.end(), isSet);
  const auto last = std::find_if(bytes.rbegin(), bytes.rend(), isSet);
  image->id_ = gNextId.fetch_add(1, std::memory_order_relaxed);
  if (first == bytes.end()) return image;
  image->size_ = static_cast<uint64_t>(last.base() - bytes.begin());
  image->start_ = static_cast<uint64_t>(first - bytes.begin()) / kOsPage * kOsPage;
  image->end_ = (image->size_ + kOsPage - 1) / kOsPage * kOsPage;
  const auto part = bytes.subspan(image->start_, image->size_ - image->start_);
  if (part.size() >= kLeastFile && mayOpenFile() && image->makeFile(part)) return image;
  image->bytes_.assign(part.begin(), part.end());
  return image;
}

bool MemoryImage::makeFile(std::span<const uint8_t> bytes) {
  const int file = memfd_create("wattle-image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (file < 0) return false;
  // Sealed: not even a forked child can change what others map.
  if (!writeAll(file, bytes) || ftruncate(file, static_cast<off_t>(end_ - start_)) != 0 ||
      fcntl(file, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    close(file);
    return false;
  }
  file_ = file;
  gFiles.fetch_add(1, std::memory_order_relaxed);
  return true;
}

MemoryImage::~MemoryImage() {
  if (file_ < 0) return;
  GuardedPool::process().forgetImage(id_, warmSize_.load(std::memory_order_relaxed));
  close(file_);
  gFiles.fetch_sub(1, std::memory_order_relaxed);
}

bool MemoryImage::isWarmSize(uint64_t bytes) const {
  uint64_t none = 0;
  return warmSize_.compare_exchange_strong(none, bytes, std::memory_order_relaxed) || none == bytes;
}

bool MemoryImage::mapInto(uint8_t* base) const {
  return mmap(base + start_, end_ - start_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, file_,
              0) != MAP_FAILED;
}

bool MemoryImage::copyInto(uint8_t* base) const {
  if (file_ < 0) {
    copySparse(base + start_, bytes_.data(), bytes_.size());
    return true;
  }
  uint8_t page[16 * kOsPage];
  for (uint64_t at = start_; at < size_;) {
    const ssize_t got =
        pread(file_, page, std::min<uint64_t>(sizeof page, size_ - at), static_cast<off_t>(at - start_));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    copySparse(base + at, page, static_cast<uint64_t>(got));
    at += static_cast<uint64_t>(got);
  }
  return true;
}

}  // namespace wattle::sandbox
