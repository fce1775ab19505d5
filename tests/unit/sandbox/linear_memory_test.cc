#include "sandbox/linear_memory.h"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "sandbox/guarded_pool.h"
#include "sandbox/packed_pool.h"
#include "tests/unit/sandbox/process.h"

namespace wattle::sandbox {
namespace {

constexpr uint64_t kKiB = 1024;
constexpr uint64_t kMiB = 1024 * kKiB;
constexpr uint64_t kPageBytes = 64 * kKiB;

LinearMemory make(uint64_t bytes, Bounds bounds, bool shared = false, uint64_t maximum = kWasm32Space) {
  auto memory = LinearMemory::create({bytes, maximum, bounds, shared});
  if (!memory) {
    ADD_FAILURE() << memory.error();
    std::abort();
  }
  return std::move(*memory);
}

bool allZero(const LinearMemory& memory) {
  return std::all_of(memory.base(), memory.base() + memory.byteSize(), [](uint8_t byte) { return byte == 0; });
}

uintptr_t at(const LinearMemory& memory, uint64_t offset) {
  return reinterpret_cast<uintptr_t>(memory.base()) + offset;
}

class EitherBounds : public testing::TestWithParam<Bounds> {};
INSTANTIATE_TEST_SUITE_P(Memory, EitherBounds, testing::Values(Bounds::Guarded, Bounds::Checked),
                         [](const auto& info) { return info.param == Bounds::Guarded ? "Guarded" : "Checked"; });

TEST_P(EitherBounds, StartsZeroAndGrowsZero) {
  LinearMemory memory = make(kPageBytes, GetParam());
  EXPECT_EQ(memory.byteSize(), kPageBytes);
  EXPECT_TRUE(allZero(memory));
  std::memset(memory.base(), 0x5a, memory.byteSize());
  for (uint64_t pages = 2; pages < 300; pages += 7) {
    const uint64_t before = memory.byteSize();
    ASSERT_TRUE(memory.grow(pages * kPageBytes));
    EXPECT_EQ(memory.byteSize(), pages * kPageBytes);
    EXPECT_EQ(memory.base()[0], 0x5a);
    EXPECT_EQ(memory.base()[before - 1], 0x5a);
    ASSERT_TRUE(
        std::all_of(memory.base() + before, memory.base() + memory.byteSize(), [](uint8_t byte) { return byte == 0; }));
    std::memset(memory.base() + before, 0x5a, memory.byteSize() - before);
  }
  EXPECT_FALSE(memory.grow(kPageBytes)) << "memories do not shrink";
}

TEST_P(EitherBounds, TheMaximumIsKept) {
  LinearMemory memory = make(kPageBytes, GetParam(), false, 3 * kPageBytes);
  EXPECT_FALSE(memory.grow(4 * kPageBytes));
  EXPECT_EQ(memory.byteSize(), kPageBytes);
  EXPECT_TRUE(memory.grow(3 * kPageBytes));
}

TEST_P(EitherBounds, EmptyMemoriesGrow) {
  LinearMemory memory = make(0, GetParam());
  EXPECT_EQ(memory.byteSize(), 0u);
  EXPECT_TRUE(memory.grow(kPageBytes));
  EXPECT_TRUE(allZero(memory));
  memory.base()[kPageBytes - 1] = 1;
}

// What one memory held, the next one in the same place must not see.
TEST_P(EitherBounds, ReusedMemoryIsZero) {
  for (const uint64_t bytes :
       {kPageBytes, 4 * kPageBytes, 100 * kPageBytes, uint64_t{kSanitized ? 200u : 1100u} * kPageBytes}) {
    for (const bool grown : {false, true}) {
      uint8_t* where = nullptr;
      int reused = 0;
      for (int round = 0; round < 4; ++round) {
        LinearMemory memory = make(bytes, GetParam());
        ASSERT_TRUE(allZero(memory)) << bytes;
        reused += memory.base() == where;
        std::memset(memory.base(), 0xff, memory.byteSize());
        if (grown) {
          ASSERT_TRUE(memory.grow(bytes + 5 * kPageBytes));
          ASSERT_EQ(memory.base()[bytes], 0);
          std::memset(memory.base(), 0xee, memory.byteSize());
        }
        where = memory.base();
      }
      // Else this test proves nothing. (A checked memory that grew ends somewhere else than it began.)
      if (!(grown && GetParam() == Bounds::Checked)) {
        EXPECT_GT(reused, 0) << bytes;
      }
    }
  }
}

TEST_P(EitherBounds, ReusedBySmallerAndLargerOnesIsZero) {
  std::mt19937 random(7);
  std::vector<LinearMemory> live;
  for (int i = 0; i < (kSanitized ? 300 : 1000); ++i) {
    if (live.size() < 20 || random() % 2 == 0) {
      live.push_back(make((1 + random() % 8) * kPageBytes, GetParam()));
      ASSERT_TRUE(allZero(live.back()));
    } else {
      std::swap(live[random() % live.size()], live.back());
      live.pop_back();
    }
    LinearMemory& memory = live[random() % live.size()];
    const uint64_t before = memory.byteSize();
    if (random() % 3 == 0 && before < 32 * kPageBytes) {
      ASSERT_TRUE(memory.grow(before + (random() % 4) * kPageBytes));
      for (uint64_t k = before; k < memory.byteSize(); k += 512) ASSERT_EQ(memory.base()[k], 0);
    }
    std::memset(memory.base(), 0xaa, memory.byteSize());
  }
}

TEST_P(EitherBounds, ManyThreadsCreateGrowAndDrop) {
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&wrong, t, bounds = GetParam()] {
      std::mt19937 random(t);
      std::vector<LinearMemory> mine;
      for (int i = 0; i < (kSanitized ? 200 : 1000); ++i) {
        if (mine.size() > 10) mine.erase(mine.begin() + random() % mine.size());
        auto memory = LinearMemory::create({(1 + random() % 4) * kPageBytes, kWasm32Space, bounds, false});
        if (!memory || memory->base()[random() % memory->byteSize()] != 0) {
          ++wrong;
          continue;
        }
        if (!memory->grow(memory->byteSize() + kPageBytes) || memory->base()[memory->byteSize() - 1] != 0) ++wrong;
        std::memset(memory->base(), static_cast<int>(t + 1), memory->byteSize());
        mine.push_back(std::move(*memory));
        for (const LinearMemory& other : mine) wrong += other.base()[other.byteSize() / 2] != t + 1;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_P(EitherBounds, AForkedChildHasItsOwnCopy) {
  LinearMemory memory = make(kPageBytes, GetParam());
  memory.base()[7] = 1;
  EXPECT_EQ(inForkedChild([&] {
              if (memory.base()[7] != 1) return 1;
              memory.base()[7] = 2;
              LinearMemory other = make(kPageBytes, GetParam());
              if (!allZero(other) || !other.grow(9 * kPageBytes) || !memory.grow(2 * kPageBytes)) return 2;
              memory = LinearMemory();
              return 0;
            }),
            0);
  EXPECT_EQ(memory.base()[7], 1);
}

// A round of create, touch and drop should find the pages of the round before.
TEST_P(EitherBounds, RoundsReuseTouchedPages) {
  if (kSanitized) GTEST_SKIP() << "the sanitizers' own memory faults";
  {
    // Others were here before: their slots wait too.
    std::vector<LinearMemory> others;
    for (int i = 0; i < 300; ++i) others.push_back(make(kPageBytes, GetParam()));
  }
  const auto round = [] {
    LinearMemory memory = make(4 * kPageBytes, GetParam());
    for (const uint64_t offset : {1024u, 5000u, 70000u}) {
      EXPECT_EQ(memory.base()[offset], 0);
      memory.base()[offset] = 1;
    }
  };
  for (int i = 0; i < 200; ++i) round();
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  for (int i = 0; i < 10'000; ++i) round();
  getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_minflt - before.ru_minflt, 5'000);
}

TEST(GuardedMemory, TheGuardBeginsWhereTheMemoryEnds) {
  LinearMemory memory = make(kPageBytes, Bounds::Guarded);
  EXPECT_EQ(memory.reservedBytes(), kWasm32Space + kGuardBytes);
  EXPECT_FALSE(isGuardAddress(at(memory, 0)));
  EXPECT_FALSE(isGuardAddress(at(memory, kPageBytes - 1)));
  EXPECT_TRUE(isGuardAddress(at(memory, kPageBytes)));
  EXPECT_TRUE(isGuardAddress(at(memory, kWasm32Space - 1)));
  EXPECT_TRUE(isGuardAddress(at(memory, kWasm32Space + kGuardBytes - 1)));
  uint8_t* base = memory.base();
  ASSERT_TRUE(memory.grow(3 * kPageBytes));
  EXPECT_EQ(memory.base(), base) << "the base never moves";
  EXPECT_FALSE(isGuardAddress(at(memory, 3 * kPageBytes - 1)));
  EXPECT_TRUE(isGuardAddress(at(memory, 3 * kPageBytes)));
  const uintptr_t guard = at(memory, 3 * kPageBytes);
  memory = LinearMemory();
  EXPECT_FALSE(isGuardAddress(guard)) << "no live memory there";
  EXPECT_FALSE(isGuardAddress(0));
  EXPECT_FALSE(isGuardAddress(~uintptr_t{0}));
  int local = 0;
  EXPECT_FALSE(isGuardAddress(reinterpret_cast<uintptr_t>(&local)));
}

TEST(GuardedMemory, EveryPageOfTheGuardFaults) {
  LinearMemory memory = make(2 * kPageBytes, Bounds::Guarded);
  LinearMemory next = make(2 * kPageBytes, Bounds::Guarded);
  for (const uint64_t offset : {2 * kPageBytes, kWasm32Space - 1, kWasm32Space, kWasm32Space + kGuardBytes - 1}) {
    EXPECT_EQ(inForkedChild([&] { return *const_cast<volatile uint8_t*>(memory.base() + offset) + 1; }), 128 + SIGSEGV)
        << offset;
  }
}

TEST(GuardedMemory, ASlotUsedBeforeIsCutToSize) {
  uint8_t* where = nullptr;
  {
    LinearMemory memory = make(kPageBytes, Bounds::Guarded);
    ASSERT_TRUE(memory.grow(10 * kPageBytes));
    where = memory.base();
  }
  LinearMemory memory = make(kPageBytes, Bounds::Guarded);
  EXPECT_EQ(memory.base(), where);
  EXPECT_EQ(inForkedChild([&] { return *const_cast<volatile uint8_t*>(memory.base() + kPageBytes) + 1; }),
            128 + SIGSEGV);
}

TEST(GuardedMemory, AllOfItCanBeUsed) {
  LinearMemory memory = make(kPageBytes, Bounds::Guarded);
  ASSERT_TRUE(memory.grow(kWasm32Space));
  EXPECT_FALSE(memory.grow(kWasm32Space + kPageBytes));
  memory.base()[kWasm32Space - 1] = 9;
  EXPECT_TRUE(isGuardAddress(at(memory, kWasm32Space)));
}

TEST(GuardedMemory, WantsWholePages) {
  const auto memory = LinearMemory::create({1000, kWasm32Space, Bounds::Guarded, false});
  ASSERT_FALSE(memory.has_value());
  EXPECT_EQ(memory.error(), "cannot guard a memory whose size is not a multiple of 4096 bytes");
  LinearMemory whole = make(4096, Bounds::Guarded);
  EXPECT_FALSE(whole.grow(5000));
  EXPECT_TRUE(whole.grow(8192));
}

TEST(GuardedMemory, SharedMemoryGoesOnCountingAsGuardWhatWasGrown) {
  LinearMemory memory = make(kPageBytes, Bounds::Guarded, true);
  ASSERT_TRUE(memory.grow(2 * kPageBytes));
  memory.base()[kPageBytes] = 1;
  EXPECT_TRUE(isGuardAddress(at(memory, kPageBytes))) << "a thread may have faulted there before";
  EXPECT_FALSE(isGuardAddress(at(memory, kPageBytes - 1)));
}

TEST(GuardedMemory, CountsItsMappings) {
  const BudgetState before = budget();
  const size_t really = countMappings();
  std::vector<LinearMemory> live;
  constexpr uint64_t kCount = kSanitized ? 500 : 1500;  // a sanitizer leaves less address space
  for (uint64_t i = 0; i < kCount; ++i) live.push_back(make(kPageBytes, Bounds::Guarded));
  const size_t grew = countMappings() - really;
  const uint64_t counted = budget().mappingsUsed - before.mappingsUsed;
  EXPECT_LE(counted, kCount * 2 + 40);
  EXPECT_GE(counted + (kSanitized ? 200 : 20), grew) << "never fewer than there are";
  live.clear();
  auto warmAtMost = [&](uint64_t slots) {
    EXPECT_LE(budget().mappingsUsed, before.mappingsUsed + 2 * slots + 40) << "only the warm slots stay";
    if (!kSanitized) {
      EXPECT_LE(countMappings(), really + 2 * slots + 40);
    }
  };
  warmAtMost(512);
  EXPECT_GT(budget().mappingsUsed, before.mappingsUsed + 2 * 400) << "as many may soon be wanted again";
  for (int i = 0; i < 40000; ++i) (void)make(kPageBytes, Bounds::Guarded);
  warmAtMost(64);
}

TEST(CheckedMemory, MayBeAnyNumberOfBytes) {
  LinearMemory memory = make(1, Bounds::Checked);
  EXPECT_EQ(memory.byteSize(), 1u);
  memory.base()[0] = 3;
  for (uint64_t size = 2; size < 70000; size = size * 3 / 2 + 1) {
    const uint64_t before = memory.byteSize();
    ASSERT_TRUE(memory.grow(size));
    for (uint64_t k = before; k < size; ++k) ASSERT_EQ(memory.base()[k], 0);
    std::memset(memory.base() + 1, 0xbb, size - 1);
  }
  EXPECT_EQ(memory.base()[0], 3);
}

TEST(CheckedMemory, SharedOnesNeverMove) {
  for (const uint64_t maximum : {4 * kMiB, 256 * kMiB, kWasm32Space}) {
    LinearMemory memory = make(kPageBytes, Bounds::Checked, true, maximum);
    uint8_t* base = memory.base();
    ASSERT_TRUE(memory.grow(maximum / 2));
    ASSERT_TRUE(memory.grow(maximum));
    EXPECT_EQ(memory.base(), base);
    memory.base()[maximum - 1] = 1;
    EXPECT_FALSE(memory.grow(maximum + kPageBytes));
  }
}

TEST(CheckedMemory, GrowsThroughEverySizeClassAndBeyond) {
  LinearMemory memory = make(100, Bounds::Checked, false, uint64_t{64} << 30);
  const size_t before = residentBytes();
  uint64_t marked = 0;
  for (uint64_t size = 4096; size <= (uint64_t{16} << 30); size *= 2) {
    ASSERT_TRUE(memory.grow(size)) << size;
    memory.base()[size - 1] = 0x77;
    marked = size;
    for (uint64_t s = 4096; s <= marked; s *= 2) ASSERT_EQ(memory.base()[s - 1], 0x77);
  }
  EXPECT_LE(residentBytes(), before + (kSanitized ? 64 : 4) * kMiB) << "a sparse memory stays sparse when it moves";
}

TEST(CheckedMemory, AHundredThousandInAHandfulOfMappings) {
  constexpr size_t kCount = kSanitized ? 10'000 : 100'000;
  const size_t mappings = countMappings();
  const size_t resident = residentBytes();
  {
    std::vector<LinearMemory> live;
    live.reserve(kCount);
    for (size_t i = 0; i < kCount; ++i) {
      live.push_back(make(kPageBytes, Bounds::Checked));
      std::memcpy(live.back().base() + 100, &i, sizeof i);
    }
    EXPECT_LE(countMappings(), mappings + 20 + kOthersMappings);
    if (!kSanitized) {
      EXPECT_LE(residentBytes() - resident, kCount * (4096 + 512));
    }
    for (size_t i = 0; i < kCount; ++i) ASSERT_EQ(std::memcmp(live[i].base() + 100, &i, sizeof i), 0);
  }
  EXPECT_LE(countMappings(), mappings + 20 + kOthersMappings);
  if (!kSanitized) {
    EXPECT_LE(residentBytes(), resident + 16 * kMiB) << "given back";
  }
}

TEST(Budget, PreferredTurnsToCheckedNearTheEnd) {
  BudgetState state{uint64_t{1} << 40, uint64_t{2} << 40, 100, 1000};
  overrideBudget(state);
  EXPECT_EQ(preferredBounds(), Bounds::Guarded);
  state.mappingsUsed = 999;
  overrideBudget(state);
  EXPECT_EQ(preferredBounds(), Bounds::Checked);
  EXPECT_EQ(budget().mappingsUsed, 999u);
  state.mappingsUsed = 100;
  state.addressSpaceUsed = state.addressSpaceLimit - kWasm32Space;
  overrideBudget(state);
  EXPECT_EQ(preferredBounds(), Bounds::Checked);
  const LinearMemory checked = make(kPageBytes, Bounds::Checked);
  overrideBudget(std::nullopt);
  EXPECT_EQ(preferredBounds(), Bounds::Guarded);
}

TEST(Budget, LeavesAReserveToTheHost) {
  const BudgetState now = budget();
  std::ifstream file("/proc/sys/vm/max_map_count");
  uint64_t most = 0;
  file >> most;
  EXPECT_LT(now.mappingsLimit, most);
  EXPECT_GE(now.mappingsLimit, most / 2);
  EXPECT_LT(now.addressSpaceLimit, uint64_t{1} << 47);
}

// The whole point: an embedder who asks for what is preferred never sees an end.
TEST(Budget, MoreMemoriesThanTheAddressSpaceHolds) {
  if (kSanitized) GTEST_SKIP() << "the sanitizers have taken the address space";
  constexpr size_t kCount = 60'000;
  std::vector<LinearMemory> live;
  live.reserve(kCount);
  size_t guarded = 0;
  for (size_t i = 0; i < kCount; ++i) {
    auto memory = LinearMemory::create({kPageBytes, kWasm32Space, preferredBounds(), false});
    ASSERT_TRUE(memory.has_value()) << i << ": " << memory.error();
    guarded += memory->bounds() == Bounds::Guarded;
    live.push_back(std::move(*memory));
  }
  EXPECT_GT(guarded, 10'000u);
  EXPECT_LT(guarded, 32'000u);
  // The host still has room.
  std::thread([] {}).join();
  EXPECT_LT(countMappings(), 65530u - 2000);
  EXPECT_TRUE(live.front().grow(2 * kPageBytes));
  EXPECT_TRUE(live.back().grow(2 * kPageBytes));
  live.clear();
  EXPECT_EQ(preferredBounds(), Bounds::Guarded);
  EXPECT_LT(countMappings(), 2000u);
}

}  // namespace
}  // namespace wattle::sandbox
