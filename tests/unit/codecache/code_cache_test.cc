#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "tests/unit/codecache/code_maker.h"

namespace wattle::codecache {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

TEST(CodeCache, RunsWhatWasWrittenThroughTheOtherView) {
  const CodeRef block = makeReturn(12345);
  EXPECT_NE(static_cast<const void*>(block->code()), static_cast<const void*>(block->writable()));
  EXPECT_EQ(run(block->code()), 12345u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(block->code()) % 64, 0u);
}

TEST(CodeCache, NoMappingIsWritableAndExecutable) {
  const CodeRef block = makeReturn(1, 100000);
  std::ifstream maps("/proc/self/maps");
  bool seen = false;
  for (std::string line; std::getline(maps, line);) {
    const std::string rights = line.substr(line.find(' ') + 1, 4);
    EXPECT_FALSE(rights[1] == 'w' && rights[2] == 'x') << line;
    seen |= line.find("wattle-code") != std::string::npos && rights[2] == 'x';
  }
  EXPECT_TRUE(seen);
}

TEST(CodeCache, LookupGivesBlockOffsetRangeAndOwner) {
  CodeRef block = allocateOrDie(1000);
  EXPECT_FALSE(lookup(block->code())) << "not published yet";
  int owner = 0;
  block->setOwner(&owner);
  block->publish({CodeRange{16, 7, 0, 0}, CodeRange{500, 8, 1, 3}});
  const auto at = [&](size_t offset) { return lookup(block->code() + offset); };
  EXPECT_EQ(at(0).block, block.get());
  EXPECT_EQ(at(0).range, nullptr);
  EXPECT_EQ(at(16).range->index, 7u);
  EXPECT_EQ(at(499).range->index, 7u);
  EXPECT_EQ(at(500).range->index, 8u);
  EXPECT_EQ(at(999).offset, 999u);
  EXPECT_EQ(at(999).range->flags, 3u);
  EXPECT_EQ(at(999).block->owner(), &owner);
  EXPECT_FALSE(at(1000)) << "behind the end, though in the last granule";
  EXPECT_TRUE(cache().contains(reinterpret_cast<uintptr_t>(block->code())));
  EXPECT_FALSE(cache().contains(reinterpret_cast<uintptr_t>(block->writable())));
  EXPECT_FALSE(cache().contains(reinterpret_cast<uintptr_t>(&owner)));
  EXPECT_FALSE(cache().lookup(~uintptr_t{0}));
  EXPECT_FALSE(cache().lookup(0));
  const uint8_t* code = block->code();
  block = CodeRef();
  EXPECT_FALSE(lookup(code));
  EXPECT_TRUE(cache().contains(reinterpret_cast<uintptr_t>(code)));
}

TEST(CodeCache, LookupIsExactAtEveryGranuleOfNeighbours) {
  std::vector<CodeRef> blocks;
  // Sizes around pages, so that every mix of whole pages and ragged ends occurs.
  for (const uint32_t size : {64u, 4096u, 4032u, 4160u, 8192u, 12288u, 64u, 20000u, 1u, 131072u, 100u}) {
    blocks.push_back(makeReturn(size, std::max(size, 6u)));
  }
  for (const CodeRef& block : blocks) {
    for (uint32_t offset = 0; offset < block->size(); offset += 64) {
      const auto hit = lookup(block->code() + offset);
      ASSERT_EQ(hit.block, block.get()) << offset << " of " << block->size();
      ASSERT_EQ(hit.offset, offset);
    }
    ASSERT_EQ(lookup(block->code() + block->size() - 1).block, block.get());
  }
  // Every other one goes; the rest stays exact and the gone ones are nowhere.
  for (size_t i = 0; i < blocks.size(); i += 2) {
    const uint8_t* code = blocks[i]->code();
    const uint32_t size = blocks[i]->size();
    blocks[i] = CodeRef();
    for (uint32_t offset = 0; offset < size; offset += 64) ASSERT_FALSE(lookup(code + offset));
  }
  for (size_t i = 1; i < blocks.size(); i += 2) {
    ASSERT_EQ(lookup(blocks[i]->code()).block, blocks[i].get());
    ASSERT_EQ(lookup(blocks[i]->code() + blocks[i]->size() - 1).block, blocks[i].get());
  }
}

TEST(CodeCache, ReferencesKeepABlock) {
  const size_t before = cache().stats().blocks;
  CodeRef first = makeReturn(77);
  const CodeRef second = first;
  first = CodeRef();
  EXPECT_EQ(cache().stats().blocks, before + 1);
  EXPECT_EQ(run(second->code()), 77u);
}

TEST(CodeCache, AnEmptyBlockIsOneGranule) {
  const size_t before = cache().stats().bytesUsed;
  const CodeRef block = allocateOrDie(0);
  EXPECT_EQ(cache().stats().bytesUsed, before + 64);
}

TEST(CodeCache, ShrinkGivesTheTailBack) {
  const size_t before = cache().stats().bytesUsed;
  CodeRef block = allocateOrDie(100000);
  block->shrink(130);
  EXPECT_EQ(block->size(), 130u);
  EXPECT_EQ(cache().stats().bytesUsed, before + 192);
  writeReturn(block->writable(), 5);
  block->publish({});
  const CodeRef next = makeReturn(6);
  EXPECT_EQ(run(block->code()), 5u);
  EXPECT_EQ(run(next->code()), 6u);
  EXPECT_FALSE(lookup(block->code() + 130));
}

TEST(CodeCache, RangesMayBeReplacedAndExtended) {
  CodeRef block = allocateOrDie(64 * 1000);
  block->publish({CodeRange{0, 1, 0, 0}});
  const auto old = block->ranges();
  block->publish({CodeRange{0, 1, 0, 0}, CodeRange{64, 2, 0, 0}});
  EXPECT_EQ(old.size(), 1u);
  EXPECT_EQ(old[0].index, 1u) << "who holds the old span keeps it";
  for (uint32_t i = 2; i < 1000; ++i) {
    const CodeRange range{i * 64, i + 1, 0, 0};
    block->append({&range, 1});
  }
  ASSERT_EQ(block->ranges().size(), 1000u);
  for (uint32_t i = 0; i < 1000; ++i) ASSERT_EQ(lookup(block->code() + i * 64 + 7).range->index, i + 1);
}

TEST(CodeCache, LookupWhileRangesGrow) {
  constexpr uint32_t kPieces = 20000 / kScale;
  CodeRef block = allocateOrDie(64 * kPieces);
  std::atomic<uint32_t> written{0};
  std::atomic<bool> wrong{false};
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&, seed = uint32_t(t)]() mutable {
      while (written.load() < kPieces) {
        const uint32_t have = written.load();
        if (have == 0) continue;
        seed = seed * 1664525 + 1013904223;
        const uint32_t at = (seed >> 8) % have;
        const auto hit = lookup(block->code() + at * 64);
        if (!hit || hit.range == nullptr || hit.range->index != at) wrong = true;
      }
    });
  }
  for (uint32_t i = 0; i < kPieces; ++i) {
    const CodeRange range{i * 64, i, 0, 0};
    if (i % 1000 == 999) {
      std::vector<CodeRange> all(block->ranges().begin(), block->ranges().end());
      all.push_back(range);
      block->publish(std::move(all));
    } else {
      block->append({&range, 1});
    }
    written.store(i + 1);
  }
  for (auto& reader : readers) reader.join();
  EXPECT_FALSE(wrong);
}

TEST(CodeCache, FullIsAnErrorAndDroppingMakesRoom) {
  const size_t limitBefore = cache().stats().limit;
  const Stats before = cache().stats();
  const size_t limit = (before.bytesUsed / kMiB + 3) * kMiB;
  cache().setLimit(limit);
  std::vector<CodeRef> blocks;
  std::string error;
  for (;;) {
    auto block = cache().allocate(1000);
    if (!block) {
      error = block.error();
      break;
    }
    blocks.push_back(std::move(*block));
  }
  const Stats full = cache().stats();
  EXPECT_GT(full.bytesUsed + 1024, limit);
  EXPECT_LE(full.bytesUsed, limit);
  const std::string mib = std::to_string(limit / kMiB);
  EXPECT_EQ(error,
            "code cache is full: " + mib + " MiB of " + mib + " MiB in " + std::to_string(full.blocks) + " modules");
  writeReturn(blocks.front()->writable(), 9);
  EXPECT_EQ(run(blocks.front()->code()), 9u) << "what lives goes on";
  blocks.pop_back();
  auto again = cache().allocate(1000);
  EXPECT_TRUE(again.has_value());
  EXPECT_FALSE(cache().allocate(1000).has_value());
  auto big = cache().allocate(5 << 20);
  ASSERT_FALSE(big.has_value());
  EXPECT_NE(big.error().find("(5 MiB more asked for)"), std::string::npos) << big.error();
  cache().setLimit(limitBefore);
  EXPECT_TRUE(cache().allocate(5 << 20).has_value());
}

TEST(CodeCache, TooBigForARegion) {
  auto block = cache().allocate(0xffffffff);
  ASSERT_FALSE(block.has_value());
  EXPECT_EQ(block.error(), "code cache: a block of 4096 MiB does not fit in a region of 1024 MiB");
}

TEST(CodeCache, ABigBlockCostsNothingUntilWritten) {
  const Stats before = cache().stats();
  CodeRef block = allocateOrDie(200 << 20);
  block->publish({});
  EXPECT_LE(cache().stats().bytesCommitted, before.bytesCommitted + 64 * 1024);
  EXPECT_EQ(cache().stats().bytesUsed, before.bytesUsed + (200 << 20));
  writeReturn(block->writable() + (100 << 20), 4);
  EXPECT_EQ(run(block->code() + (100 << 20)), 4u);
  EXPECT_EQ(lookup(block->code() + (150 << 20)).offset, 150u << 20);
  EXPECT_LE(cache().stats().bytesCommitted, before.bytesCommitted + 128 * 1024);
  std::memset(block->writable(), 0xcc, 8 << 20);
  EXPECT_GE(cache().stats().bytesCommitted, before.bytesCommitted + (7 << 20));
  block = CodeRef();
  EXPECT_LE(cache().stats().bytesCommitted, before.bytesCommitted + 128 * 1024)
      << "a big block returns its pages at once";
}

TEST(CodeCache, MoreRegionsAsNeeded) {
  const size_t limitBefore = cache().stats().limit;
  cache().setLimit(size_t{64} << 30);
  const Stats before = cache().stats();
  std::vector<CodeRef> blocks;
  for (int i = 0; i < 12; ++i) blocks.push_back(makeReturn(static_cast<uint32_t>(i), 300 << 20));  // three to a region
  const Stats now = cache().stats();
  EXPECT_GE(now.regions, 4u);
  EXPECT_EQ(now.mappings, now.regions * 3);
  EXPECT_LE(now.bytesCommitted, before.bytesCommitted + kMiB);
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(run(blocks[static_cast<size_t>(i)]->code()), static_cast<uint32_t>(i));
    EXPECT_EQ(lookup(blocks[static_cast<size_t>(i)]->code() + (299 << 20)).block, blocks[static_cast<size_t>(i)].get());
  }
  blocks.clear();
  EXPECT_EQ(cache().stats().bytesUsed, before.bytesUsed);
  // The room is used again, no region is added.
  for (int i = 0; i < 12; ++i) blocks.push_back(makeReturn(static_cast<uint32_t>(i), 300 << 20));
  EXPECT_EQ(cache().stats().regions, now.regions);
  cache().setLimit(limitBefore);
}

TEST(CodeCache, AMillionBlocksInThreeMappings) {
  constexpr uint32_t kBlocks = 1'000'000 / kScale;
  { const CodeRef first = makeReturn(0); }
  const Stats before = cache().stats();
  const size_t mappingsBefore = mappingCount();
  std::vector<CodeRef> blocks;
  blocks.reserve(kBlocks);
  for (uint32_t i = 0; i < kBlocks; ++i) blocks.push_back(makeReturn(i, 64 + i % 200));
  EXPECT_EQ(cache().stats().blocks, before.blocks + kBlocks);
  EXPECT_EQ(cache().stats().mappings, before.mappings);
  EXPECT_LE(mappingCount(), mappingsBefore + 40) << "some slack for malloc";
  for (uint32_t i = 0; i < kBlocks; i += 97) {
    ASSERT_EQ(run(blocks[i]->code()), i);
    ASSERT_EQ(lookup(blocks[i]->code() + 5).range->index, i & 0xffffff);
  }
  blocks.clear();
  const Stats after = cache().stats();
  EXPECT_EQ(after.bytesUsed, before.bytesUsed);
  EXPECT_LE(after.bytesCommitted, before.bytesCommitted + 2 * kMiB) << "pages went back to the system";
}

long pageFaults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

// Making and dropping modules, round after round, must not return pages only to fault them in again; neither from the
// start nor after very many modules have been dropped.
TEST(CodeCache, SteadyRoundsCauseNoPageFaults) {
  if (kScale != 1) GTEST_SKIP() << "the sanitizers' own memory faults";
  for (const uint32_t blocksBefore : {0u, 300'000u}) {
    std::vector<CodeRef> blocks;
    for (uint32_t i = 0; i < blocksBefore; ++i) blocks.push_back(makeReturn(i, 300 + i % 400));
    for (size_t i = blocks.size(); i > 1; --i) std::swap(blocks[i - 1], blocks[i * 2654435761u % i]);
    blocks.clear();
    for (uint32_t i = 0; i < 100; ++i) (void)makeReturn(i, 500 + i % 512);
    const long before = pageFaults();
    for (uint32_t i = 0; i < 50'000; ++i) (void)makeReturn(i, 500 + i % 512);
    EXPECT_LT(pageFaults() - before, 500);
  }
}

}  // namespace
}  // namespace wattle::codecache
