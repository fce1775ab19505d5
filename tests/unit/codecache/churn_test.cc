// Random sizes and lifetimes: the promise on fragmentation, and look-ups by many threads meanwhile.
#include <cmath>
#include <random>
#include <thread>

#include "tests/unit/codecache/code_maker.h"

namespace wattle::codecache {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

struct Shape {
  const char* name;
  uint32_t (*size)(std::mt19937_64&);
};
void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }

double unit(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }

constexpr Shape kShapes[] = {
    {"logUniform", [](std::mt19937_64& r) { return static_cast<uint32_t>(64 * std::exp2(unit(r) * 10)); }},
    {"small", [](std::mt19937_64& r) { return static_cast<uint32_t>(64 + r() % 1984); }},
    {"mostlySmall",
     [](std::mt19937_64& r) { return static_cast<uint32_t>(r() % 10 != 0 ? 200 + r() % 800 : 4096 + r() % 60000); }},
};

class Churn : public testing::TestWithParam<Shape> {};
std::string shapeName(const testing::TestParamInfo<Shape>& info) { return info.param.name; }
INSTANTIATE_TEST_SUITE_P(Shapes, Churn, testing::ValuesIn(kShapes), shapeName);

TEST_P(Churn, FragmentationStaysBounded) {
  std::mt19937_64 random(42);
  const Stats before = cache().stats();
  const size_t target = 96 * kMiB / kScale;
  std::vector<CodeRef> live;
  size_t bytes = 0;
  double worst = 0;
  // Each round replaces about a tenth of what lives.
  for (int round = 0; round < 60; ++round) {
    while (bytes < target) {
      live.push_back(allocateOrDie(GetParam().size(random)));
      std::memset(live.back()->writable(), 0xcc, live.back()->size());
      bytes += live.back()->size();
    }
    const Stats now = cache().stats();
    worst = std::max(worst, static_cast<double>(now.bytesFree) / static_cast<double>(now.bytesCommitted));
    ASSERT_LE(now.bytesFree, now.bytesCommitted / 8 + now.regions * kMiB);
    while (bytes > target / 10 * 9) {
      const size_t victim = random() % live.size();
      bytes -= live[victim]->size();
      std::swap(live[victim], live.back());
      live.pop_back();
    }
  }
  RecordProperty("worstPercent", static_cast<int>(worst * 100 + 0.5));
  std::printf("  worst free share of committed bytes: %.1f %%\n", worst * 100);
  live.clear();
  EXPECT_LE(cache().stats().bytesCommitted, before.bytesCommitted + 2 * kMiB);
}

// Whatever the order, a page is not kept once no live granule is on it, but for the stock.
TEST(CodeCacheChurn, WorstCaseIsOneGranuleAPage) {
  const Stats before = cache().stats();
  std::vector<CodeRef> blocks;
  const size_t count = 32 * kMiB / 64 / kScale;
  for (size_t i = 0; i < count; ++i) {
    blocks.push_back(allocateOrDie(64));
    blocks.back()->writable()[0] = 0xc3;
  }
  // Keep one granule in 256 (one page in 4 then holds one).
  for (size_t i = 0; i < count; ++i) {
    if (i % 256 != 0) blocks[i] = CodeRef();
  }
  const Stats now = cache().stats();
  const size_t used = now.bytesUsed - before.bytesUsed;
  EXPECT_LE(now.bytesCommitted - before.bytesCommitted, used * 64 + 2 * kMiB);
}

TEST(CodeCacheChurn, ManyThreadsAllocateRunLookUpAndDrop) {
  const size_t usedBefore = cache().stats().bytesUsed;
  constexpr int kThreads = 4;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&wrong, t] {
      std::mt19937_64 random(static_cast<unsigned>(t));
      std::vector<std::pair<CodeRef, uint32_t>> mine;
      for (int i = 0; i < 60000 / kScale; ++i) {
        if (mine.size() < 500 || random() % 2 == 0) {
          const auto value = static_cast<uint32_t>(random() & 0xffffff);
          mine.emplace_back(makeReturn(value, static_cast<uint32_t>(64 + random() % 3000)), value);
        } else {
          std::swap(mine[random() % mine.size()], mine.back());
          mine.pop_back();
        }
        const auto& [block, value] = mine[random() % mine.size()];
        const auto hit = lookup(block->code() + block->size() - 1);
        if (run(block->code()) != value || hit.block != block.get() || hit.range == nullptr ||
            hit.range->index != value || hit.block->owner() != reinterpret_cast<const void*>(uintptr_t{value} + 1)) {
          ++wrong;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(cache().stats().bytesUsed, usedBefore);
  EXPECT_LE(cache().stats().regions, 40u);
}

// Blocks made by one thread die in another.
TEST(CodeCacheChurn, DroppedByOtherThreads) {
  const size_t usedBefore = cache().stats().bytesUsed;
  for (int round = 0; round < 20; ++round) {
    std::vector<CodeRef> blocks;
    for (uint32_t i = 0; i < 1000; ++i) blocks.push_back(makeReturn(i, 64 + i));
    std::thread half([part = std::vector<CodeRef>(blocks.begin(), blocks.begin() + 500)]() mutable { part.clear(); });
    std::thread rest([part = std::move(blocks)]() mutable { part.clear(); });
    half.join();
    rest.join();
  }
  EXPECT_EQ(cache().stats().bytesUsed, usedBefore);
}

}  // namespace
}  // namespace wattle::codecache
