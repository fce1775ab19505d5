#include "sandbox/pages.h"

#include <sys/mman.h>

#include <cstring>

namespace wattle::sandbox {

uint8_t* reserveAligned(uint64_t bytes, uint64_t alignment) {
  void* got = mmap(nullptr, bytes + alignment, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (got == MAP_FAILED) return nullptr;
  auto* low = static_cast<uint8_t*>(got);
  const uint64_t skip = (alignment - reinterpret_cast<uintptr_t>(low) % alignment) % alignment;
  if (skip != 0) munmap(low, skip);
  if (skip != alignment) munmap(low + skip + bytes, alignment - skip);
  return low + skip;
}

void zeroPages(uint8_t* base, uint64_t bytes) {
  constexpr uint64_t kPage = 4096;
  bytes = (bytes + kPage - 1) / kPage * kPage;
  if (bytes == 0) return;
  // Refused for locked memory (mlockall): then by hand.
  if (madvise(base, bytes, MADV_DONTNEED) != 0) std::memset(base, 0, bytes);
}

}  // namespace wattle::sandbox
