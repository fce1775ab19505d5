// resetPages() knows nothing of what a guest wrote, and must not guess: every page is either overwritten with zeros or
// given back. What is learnt is only which of the two is the better: from a memory of which no page was resident when
// it was handed out, all that is resident at its end was touched (mincore). That habit serves the others of its kind;
// every 64th time all pages are given back, so that the habit is learnt afresh. At most 16 pages of a memory are kept,
// and 4,096 (16 MiB) in all.
#include "sandbox/pages.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace wattle::sandbox {

namespace {

constexpr uint64_t kPage = 4096;
constexpr unsigned kObserved = 64;  // pages
constexpr int kMostPerMemory = 16;
constexpr int64_t kMostInAll = 4096;
constexpr uint32_t kLearnEvery = 64;
constexpr uint32_t kObserveEvery = 8;

std::atomic<int64_t> gKept{0};

// One madvise per gap: small gaps are cheaper to overwrite.
uint64_t closeSmallGaps(uint64_t pages) {
  const uint64_t one = (pages << 1) & (pages >> 1);
  const uint64_t two = ((pages << 1) & (pages >> 2)) | ((pages << 2) & (pages >> 1));
  return pages | one | two;
}

uint64_t lowest(uint64_t pages, int count) {
  while (std::popcount(pages) > count) pages &= ~(uint64_t{1} << (63 - std::countl_zero(pages)));
  return pages;
}

uint64_t residentPages(uint8_t* base, uint64_t count) {
  unsigned char resident[kObserved];
  count = std::min<uint64_t>(count, kObserved);
  if (mincore(base, count * kPage, resident) != 0) return 0;
  uint64_t pages = 0;
  for (uint64_t i = 0; i < count; ++i) pages |= uint64_t{resident[i] & 1u} << i;
  return pages;
}

bool isZero(const uint8_t* page) {
  uint64_t words[kPage / 8];
  std::memcpy(words, page, kPage);
  uint64_t any = 0;
  for (const uint64_t word : words) any |= word;
  return any == 0;
}

void giveBack(uint8_t* base, uint64_t first, uint64_t end) {
  if (first < end) zeroPages(base + first * kPage, (end - first) * kPage);
}

}  // namespace

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
  bytes = (bytes + kPage - 1) / kPage * kPage;
  if (bytes == 0) return;
  // Refused for locked memory (mlockall): then by hand.
  if (madvise(base, bytes, MADV_DONTNEED) != 0) std::memset(base, 0, bytes);
}

void copySparse(uint8_t* to, const uint8_t* from, uint64_t bytes) {
  uint64_t at = 0;
  for (; at + kPage <= bytes; at += kPage) {
    if (!isZero(from + at)) std::memcpy(to + at, from + at, kPage);
  }
  std::memcpy(to + at, from + at, bytes - at);
}

uint64_t resetPages(uint8_t* base, uint64_t bytes, uint64_t kept, TouchHabit& habit) {
  const uint64_t count = (bytes + kPage - 1) / kPage;
  const uint32_t number = habit.resets.fetch_add(1, std::memory_order_relaxed);
  if (kept == 0 && number % kObserveEvery == 0) {
    const uint64_t touched = lowest(closeSmallGaps(residentPages(base, count)), kMostPerMemory);
    habit.pages.store(touched, std::memory_order_relaxed);
  }
  uint64_t keep = habit.pages.load(std::memory_order_relaxed);
  if (count < kObserved) keep &= (uint64_t{1} << count) - 1;
  const bool learn = number % kLearnEvery == kLearnEvery - 1;
  if (keep == 0 || learn || gKept.load(std::memory_order_relaxed) > kMostInAll) {
    zeroPages(base, bytes);
    return 0;
  }
  gKept.fetch_add(std::popcount(keep), std::memory_order_relaxed);
  uint64_t done = 0;
  for (uint64_t left = keep; left != 0;) {
    const auto first = static_cast<uint64_t>(std::countr_zero(left));
    const auto run = static_cast<uint64_t>(std::countr_one(left >> first));
    giveBack(base, done, first);
    std::memset(base + first * kPage, 0, run * kPage);
    done = first + run;
    left = done >= 64 ? 0 : left >> done << done;
  }
  giveBack(base, done, count);
  return keep;
}

void leaveKept(uint64_t kept) {
  if (kept != 0) gKept.fetch_sub(std::popcount(kept), std::memory_order_relaxed);
}

}  // namespace wattle::sandbox
