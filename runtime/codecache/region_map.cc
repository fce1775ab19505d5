// How a region comes to be, and what happens to it around fork().
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "runtime/codecache/region.h"
#include "sandbox/budget.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

namespace wattle::codecache {

namespace {

// Kernels from 6.3 on want to be told whether the file may be executed (vm.memfd_noexec); we never execute the file,
// only map it, so the refusal of one flag is answered with the next.
int createFile() {
  for (const unsigned flags : {MFD_EXEC, 0u, MFD_NOEXEC_SEAL}) {
    const int file = memfd_create("wattle-code", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
    if (file >= 0) return file;
    if (errno != EINVAL && errno != EACCES) break;
  }
  return -1;
}

// Address space that nothing uses yet, aligned to kRegionAlign.
uint8_t* reserveAligned(size_t bytes) {
  void* got = mmap(nullptr, bytes + kRegionAlign, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (got == MAP_FAILED) return nullptr;
  auto* low = static_cast<uint8_t*>(got);
  const size_t skip = (kRegionAlign - reinterpret_cast<uintptr_t>(low) % kRegionAlign) % kRegionAlign;
  if (skip != 0) munmap(low, skip);
  if (kRegionAlign != skip) munmap(low + skip + bytes, kRegionAlign - skip);
  return low + skip;
}

std::string refused(const char* what, size_t bytes, int error) {
  return std::string("code cache: ") + what + " (" + std::to_string(bytes >> 20) + " MiB): " + std::strerror(error);
}

}  // namespace

std::expected<void, std::string> Region::mapViews(size_t bytes) {
  file_ = createFile();
  if (file_ < 0) return std::unexpected(refused("memfd_create was refused", bytes, errno));
  std::string error;
  uint8_t* code = nullptr;
  const bool tooLarge = !sandbox::fileSizeAllows(bytes);
  if (tooLarge) errno = EFBIG;
  if (tooLarge || ftruncate(file_, static_cast<off_t>(bytes)) != 0) {
    error = refused("cannot size the memory file", bytes, errno);
  } else {
    // Nobody can cut the file short under running code.
    (void)fcntl(file_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    code = reserveAligned(bytes);
    if (code == nullptr) error = refused("cannot reserve address space", bytes, errno);
  }
  void* writable = MAP_FAILED;
  if (error.empty()) {
    if (mmap(code, bytes, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, file_, 0) == MAP_FAILED) {
      error = refused("the system refuses an executable view of the memory file", bytes, errno);
    } else {
      writable = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file_, 0);
      if (writable == MAP_FAILED) error = refused("cannot map the writable view", bytes, errno);
    }
  }
  if (!error.empty()) {
    const int saved = errno;
    if (code != nullptr) munmap(code, bytes);
    close(file_);
    file_ = -1;
    errno = saved;
    return std::unexpected(std::move(error));
  }
  code_ = code;
  writable_ = static_cast<uint8_t*>(writable);
  return {};
}

std::expected<void, std::string> Region::mapTables(size_t bytes) {
  const auto granules = static_cast<uint32_t>(bytes / kGranule);
  const auto pages = static_cast<uint32_t>(bytes / kPage);
  const uint32_t blockPages = granules / (kPage / sizeof(CodeBlock));
  size_t total = 0;
  const auto part = [&total](size_t size) {
    const size_t at = total;
    total += (size + kPage - 1) / kPage * kPage;
    return at;
  };
  const size_t pageOwner = part(size_t{pages} * 4);
  const size_t granuleOwner = part(size_t{granules} * 4);
  const size_t nodes = part(FreeRuns::bytesFor(granules));
  const size_t blocks = part(size_t{granules} * sizeof(CodeBlock));
  const size_t slots = part(sandbox::SlotBitmap::bytesFor(granules));
  const size_t resident = part(blockPages / 8);
  const size_t tracked = part(pages / 8);
  const size_t retained = part(pages / 8);
  if (tables_ == nullptr) {
    void* got = mmap(nullptr, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (got == MAP_FAILED) return std::unexpected(refused("cannot map the tables", total, errno));
    (void)madvise(got, total, MADV_NOHUGEPAGE);  // sparse by nature
    tables_ = static_cast<uint8_t*>(got);
    tableBytes_ = total;
  }
  pageOwner_ = reinterpret_cast<uint32_t*>(tables_ + pageOwner);
  granuleOwner_ = reinterpret_cast<uint32_t*>(tables_ + granuleOwner);
  nodes_ = tables_ + nodes;
  blocks_ = reinterpret_cast<CodeBlock*>(tables_ + blocks);
  blockSlots_.init(granules, tables_ + slots);
  residentBlockPages_ = reinterpret_cast<uint64_t*>(tables_ + resident);
  tracked_ = reinterpret_cast<uint64_t*>(tables_ + tracked);
  retained_ = reinterpret_cast<uint64_t*>(tables_ + retained);
  return {};
}

std::expected<void, std::string> Region::map() {
  // The tables of a retired region are kept (a look-up might be reading them), and so is its size then.
  const size_t first = tables_ == nullptr ? kRegionBytes : bytes_;
  const size_t last = tables_ == nullptr ? kRegionAlign : bytes_;
  for (size_t bytes = first;; bytes /= 4) {
    auto views = mapViews(bytes);
    if (views) {
      auto tables = mapTables(bytes);
      if (tables) {
        bytes_ = bytes;
        break;
      }
      munmap(const_cast<uint8_t*>(code_), bytes);
      munmap(writable_, bytes);
      close(file_);
      file_ = -1;
      views = std::unexpected(tables.error());
    }
    if ((errno != ENOMEM && errno != EFBIG) || bytes <= last) return views;
  }
  granules_ = static_cast<uint32_t>(bytes_ / kGranule);
  blockCount_ = usedGranules_ = trackedPages_ = largePages_ = retainedPages_ = spareBlockPages_ = 0;
  mappedGranules_ = mappedParts_ = 0;
  resetRuns();
  state_.store(State::Open, std::memory_order_release);
  return {};
}

bool Region::mapFile(const CodeBlock& block, const CodeCache::FilePart& part) {
  auto* at = const_cast<uint8_t*>(block.code_) + size_t{block.mappedAt_} * kPage;
  return mmap(at, size_t{block.mappedPages_} * kPage, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE,
              part.file, static_cast<off_t>(part.fileOffset)) != MAP_FAILED;
}

// The region's own file comes back into view. (A frozen one has none, and uses nothing again.) The kernel joins the
// mapping with its neighbours.
bool Region::unmapFile(const CodeBlock& block) {
  auto* at = const_cast<uint8_t*>(block.code_) + size_t{block.mappedAt_} * kPage;
  const size_t bytes = size_t{block.mappedPages_} * kPage;
  if (state() == State::Frozen) {
    (void)mmap(at, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    return true;
  }
  return mmap(at, bytes, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, file_, at - code_) !=
         MAP_FAILED;
}

void Region::lockForFork() {
  std::unique_lock hold(lock_);
  idle_.wait(hold, [this] { return punching_ == 0; });
  hold.release();  // kept locked: unlock()
}

void Region::hold() {
  if (state() == State::Open && blockCount_ != 0) state_.store(State::Held, std::memory_order_release);
}

void Region::freeze() {
  if (state() == State::Retired) return;
  if (file_ >= 0) close(file_);
  file_ = -1;
  if (state() != State::Frozen) {
    // From here on nothing in this process can change the parent's code. (Nobody else runs yet in a forked child.)
    if (mmap(writable_, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) ==
        MAP_FAILED) {
      (void)mprotect(writable_, bytes_, PROT_NONE);
    }
    state_.store(State::Frozen, std::memory_order_release);
  }
}

void Region::resume() {
  const std::lock_guard hold(lock_);
  if (state() != State::Held) return;
  state_.store(State::Open, std::memory_order_release);
  purge();
}

void Region::unmap() {
  state_.store(State::Retired, std::memory_order_release);
  longestRun_.store(0, std::memory_order_relaxed);
  munmap(const_cast<uint8_t*>(code_), bytes_);
  munmap(writable_, bytes_);
  if (file_ >= 0) close(file_);
  file_ = -1;
  // Zero again, without leaving any instant at which a stray look-up could fault.
  (void)madvise(tables_, tableBytes_, MADV_DONTNEED);
}

void Region::addTo(Stats& stats) {
  const std::lock_guard hold(lock_);
  const State now = state();
  if (now == State::Retired) return;
  const size_t tracked = size_t{trackedPages_} * kPage;
  const size_t used = size_t{usedGranules_} * kGranule;
  struct stat status {};
  const bool known = file_ >= 0 && fstat(file_, &status) == 0;
  const size_t mapped = size_t{mappedGranules_} * kGranule;
  stats.bytesUsed += used;
  stats.bytesMapped += mapped;
  const size_t committed = known ? static_cast<size_t>(status.st_blocks) * 512 : tracked;
  stats.bytesCommitted += committed;
  stats.bytesReserved += bytes_;
  stats.bytesFree += std::min(tracked - (used - mapped), committed);  // what was never written holds no memory
  stats.blocks += blockCount_;
  stats.regions += 1;
  stats.mappings += 3 + 2 * mappedParts_;
  if (now != State::Open) stats.heldRegions += 1;
}

}  // namespace wattle::codecache
