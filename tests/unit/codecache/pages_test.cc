// The bounds on memory, measured by the kernel's own count of pages (mincore) rather than by the cache's: with random
// sizes and lifetimes, in several regions, and around a fork.
#include <sys/mman.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "tests/unit/codecache/code_maker.h"

namespace wattle::codecache {
namespace {

constexpr size_t kMiB = size_t{1} << 20;
constexpr size_t kPageBytes = 4096;

// Pages of the view that holds these blocks which are in memory, whoever's they are.
size_t residentBytes(const uint8_t* low, const uint8_t* high) {
  const auto from = reinterpret_cast<uintptr_t>(low) / kPageBytes * kPageBytes;
  const size_t bytes = reinterpret_cast<uintptr_t>(high) - from;
  std::vector<unsigned char> pages((bytes + kPageBytes - 1) / kPageBytes);
  EXPECT_EQ(mincore(reinterpret_cast<void*>(from), bytes, pages.data()), 0);
  size_t count = 0;
  for (unsigned char page : pages) count += page & 1u;
  return count * kPageBytes;
}

// Random sizes, log-uniform from 64 bytes to 64 KiB, each block written whole, each of equal chance to die next.
class Population {
 public:
  explicit Population(unsigned seed) : random_(seed) {}
  void growTo(size_t bytes) {
    while (bytes_ < bytes) {
      const double unit = static_cast<double>(random_() >> 11) * 0x1p-53;
      const auto size = static_cast<uint32_t>(64 * std::exp2(unit * 10));
      blocks_.push_back(makeReturn(static_cast<uint32_t>(blocks_.size()), size));
      std::memset(blocks_.back()->writable() + 6, 0xcc, size - 6);
      bytes_ += size;
    }
  }
  void shrinkTo(size_t bytes) {
    while (bytes_ > bytes) {
      const size_t victim = random_() % blocks_.size();
      bytes_ -= blocks_[victim]->size();
      std::swap(blocks_[victim], blocks_.back());
      blocks_.pop_back();
    }
  }
  const std::vector<CodeRef>& blocks() const { return blocks_; }

 private:
  std::mt19937_64 random_;
  std::vector<CodeRef> blocks_;
  size_t bytes_ = 0;
};

// The promise of code_cache.cc (3).
void expectBounded(const Stats& now) { EXPECT_LE(now.bytesFree, now.bytesCommitted / 8 + now.regions * kMiB); }

TEST(CodeCachePages, TheKernelCountsWhatStatsSay) {
  const CodeRef first = makeReturn(1);
  Population population(7);
  for (int round = 0; round < 8; ++round) {
    population.growTo(48 * kMiB / kScale);
    population.shrinkTo(16 * kMiB / kScale);
    const auto [low, high] =
        std::ranges::minmax_element(population.blocks(), {}, [](const CodeRef& block) { return block->code(); });
    const Stats now = cache().stats();
    EXPECT_LE(residentBytes((*low)->code(), (*high)->code() + (*high)->size()), now.bytesCommitted);
  }
}

// After two thirds have gone at random no page is kept but those with something alive on them, and the stock.
TEST(CodeCachePages, WhollyFreePagesGoBackToTheSystem) {
  const CodeRef first = makeReturn(1);
  Population population(8);
  population.growTo(64 * kMiB / kScale);
  const auto view = [&] {
    const auto [low, high] =
        std::ranges::minmax_element(population.blocks(), {}, [](const CodeRef& block) { return block->code(); });
    return std::pair((*low)->code(), (*high)->code() + (*high)->size());
  };
  const auto [low, high] = view();
  const size_t full = residentBytes(low, high);
  population.shrinkTo(8 * kMiB / kScale);
  std::set<uintptr_t> alive;
  for (const CodeRef& block : population.blocks()) {
    const auto at = reinterpret_cast<uintptr_t>(block->code());
    for (uintptr_t page = at / kPageBytes; page <= (at + block->size() - 1) / kPageBytes; ++page) alive.insert(page);
  }
  const size_t left = residentBytes(low, high);
  EXPECT_LT(left, full / 2);
  EXPECT_LE(left, alive.size() * kPageBytes + std::max(kMiB, full / 16) + 64 * 1024);
  for (const CodeRef& block : population.blocks()) {
    const auto hit = lookup(block->code());
    ASSERT_EQ(hit.block, block.get());
    ASSERT_EQ(run(block->code()), hit.range->index);
  }
}

TEST(CodeCachePages, BoundedInSeveralRegions) {
  const size_t limit = cache().stats().limit;
  cache().setLimit(size_t{64} << 30);
  const Stats before = cache().stats();
  {
    // Blocks that leave little room in each region, and cost nothing since they are never written.
    std::vector<CodeRef> walls;
    for (int i = 0; i < 4; ++i) walls.push_back(allocateOrDie(static_cast<uint32_t>(1024 * kMiB - 24 * kMiB)));
    Population population(9);
    for (int round = 0; round < 20; ++round) {
      population.growTo(60 * kMiB / kScale);
      expectBounded(cache().stats());
      population.shrinkTo(50 * kMiB / kScale);
    }
    if (kScale == 1) {
      std::set<uintptr_t> regions;
      for (const CodeRef& block : population.blocks()) {
        regions.insert(reinterpret_cast<uintptr_t>(block->code()) >> 30);
      }
      EXPECT_GE(regions.size(), 2u);
    }
  }
  cache().setLimit(limit);
  const Stats after = cache().stats();
  EXPECT_EQ(after.bytesUsed, before.bytesUsed);
  EXPECT_LE(after.bytesCommitted, before.bytesCommitted + after.regions * 2 * kMiB);
}

// While a child lives the parent's old regions take and return nothing; afterwards, and in the child, the bound holds.
TEST(CodeCachePages, BoundedAroundAFork) {
  Population population(10);
  population.growTo(24 * kMiB / kScale);
  int down[2], up[2];
  ASSERT_EQ(pipe(down), 0);
  ASSERT_EQ(pipe(up), 0);
  const pid_t child = fork();
  if (child == 0) {
    char byte = 0;
    Population own(11);
    for (int round = 0; round < 10; ++round) {
      own.growTo(16 * kMiB / kScale);
      own.shrinkTo(12 * kMiB / kScale);
    }
    // What it inherited lives on as it is; its own is bounded.
    uint32_t wrong = 0;
    for (const CodeRef& block : population.blocks()) wrong += lookup(block->code()).range->index != run(block->code());
    expectBounded(cache().stats());
    if (write(up[1], "x", 1) != 1 || read(down[0], &byte, 1) != 1) _exit(9);
    _exit(wrong != 0 || testing::Test::HasFailure() ? 1 : 0);
  }
  char byte = 0;
  ASSERT_EQ(read(up[0], &byte, 1), 1);
  population.shrinkTo(8 * kMiB / kScale);
  population.growTo(24 * kMiB / kScale);
  EXPECT_GE(cache().stats().heldRegions, 1u);
  ASSERT_EQ(write(down[1], "x", 1), 1);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  for (int fd : {down[0], down[1], up[0], up[1]}) close(fd);
  for (int round = 0; round < 10; ++round) {
    population.shrinkTo(18 * kMiB / kScale);
    population.growTo(24 * kMiB / kScale);
  }
  const Stats now = cache().stats();
  EXPECT_EQ(now.heldRegions, 0u);
  expectBounded(now);
  uint32_t wrong = 0;
  for (const CodeRef& block : population.blocks()) wrong += lookup(block->code()).range->index != run(block->code());
  EXPECT_EQ(wrong, 0u);
}

}  // namespace
}  // namespace wattle::codecache
