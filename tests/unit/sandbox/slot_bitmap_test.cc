#include "sandbox/slot_bitmap.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace wattle::sandbox {
namespace {

TEST(SlotBitmap, HandsOutTheLowestFreeSlot) {
  for (const uint32_t slots : {1u, 5u, 63u, 64u, 65u, 4096u, 4097u, 300000u}) {
    std::vector<uint64_t> memory(SlotBitmap::bytesFor(slots) / 8);
    SlotBitmap bitmap;
    bitmap.init(slots, memory.data());
    for (uint32_t i = 0; i < slots; ++i) ASSERT_EQ(bitmap.take(), i);
    EXPECT_TRUE(bitmap.full());
    EXPECT_EQ(bitmap.take(), std::nullopt);
    bitmap.release(slots / 2);
    EXPECT_FALSE(bitmap.full());
    EXPECT_EQ(bitmap.take(), slots / 2);
    EXPECT_EQ(bitmap.take(), std::nullopt);
  }
}

TEST(SlotBitmap, AgreesWithASet) {
  constexpr uint32_t kSlots = 70000;
  std::vector<uint64_t> memory(SlotBitmap::bytesFor(kSlots) / 8);
  SlotBitmap bitmap;
  bitmap.init(kSlots, memory.data());
  std::set<uint32_t> free;
  for (uint32_t i = 0; i < kSlots; ++i) free.insert(i);
  std::vector<uint32_t> taken;
  std::mt19937 random(1);
  for (int i = 0; i < 300000; ++i) {
    if (taken.empty() || random() % 5 < 3) {
      const auto slot = bitmap.take();
      ASSERT_EQ(slot.has_value(), !free.empty());
      if (!slot) continue;
      ASSERT_EQ(*slot, *free.begin());
      free.erase(free.begin());
      taken.push_back(*slot);
    } else {
      std::swap(taken[random() % taken.size()], taken.back());
      ASSERT_TRUE(bitmap.taken(taken.back()));
      bitmap.release(taken.back());
      free.insert(taken.back());
      taken.pop_back();
    }
  }
}

}  // namespace
}  // namespace wattle::sandbox
