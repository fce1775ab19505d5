#include "sandbox/memory_image.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

#include "sandbox/linear_memory.h"
#include "tests/unit/sandbox/process.h"

namespace wattle::sandbox {
namespace {

constexpr uint64_t kPageBytes = 65536;

std::vector<uint8_t> randomBytes(size_t size, size_t zerosBefore = 0) {
  std::vector<uint8_t> bytes(zerosBefore + size);
  std::mt19937 random(static_cast<unsigned>(size));
  for (size_t i = zerosBefore; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(random() | 1);
  return bytes;
}

std::shared_ptr<const MemoryImage> makeImage(std::span<const uint8_t> bytes) {
  auto image = MemoryImage::create(bytes);
  EXPECT_TRUE(image.has_value());
  return *image;
}

LinearMemory make(uint64_t bytes, Bounds bounds, std::shared_ptr<const MemoryImage> image) {
  auto memory = LinearMemory::create({bytes, kWasm32Space, bounds, false, std::move(image)});
  if (!memory) {
    ADD_FAILURE() << memory.error();
    std::abort();
  }
  return std::move(*memory);
}

bool holds(const LinearMemory& memory, const std::vector<uint8_t>& bytes) {
  return std::equal(bytes.begin(), bytes.end(), memory.base()) &&
         std::all_of(memory.base() + bytes.size(), memory.base() + memory.byteSize(),
                     [](uint8_t byte) { return byte == 0; });
}

class ImageOf : public testing::TestWithParam<std::pair<Bounds, size_t>> {};
INSTANTIATE_TEST_SUITE_P(Sizes, ImageOf,
                         testing::Values(std::pair{Bounds::Guarded, size_t{10}},
                                         std::pair{Bounds::Guarded, size_t{100'000}},
                                         std::pair{Bounds::Guarded, size_t{1'000'001}},
                                         std::pair{Bounds::Checked, size_t{10}},
                                         std::pair{Bounds::Checked, size_t{1'000'001}}));

TEST_P(ImageOf, EveryInstanceBeginsWithIt) {
  const auto [bounds, size] = GetParam();
  const std::vector<uint8_t> bytes = randomBytes(size, 70'000);
  const auto image = makeImage(bytes);
  EXPECT_EQ(image->byteSize(), bytes.size());
  EXPECT_EQ(image->isFile(), size >= 131072);
  const uint64_t memorySize = 20 * kPageBytes;
  for (int round = 0; round < 4; ++round) {
    LinearMemory first = make(memorySize, bounds, image);
    LinearMemory second = make(memorySize, bounds, image);
    ASSERT_TRUE(holds(first, bytes)) << round;
    ASSERT_TRUE(holds(second, bytes)) << round;
    std::memset(first.base(), 0xee, first.byteSize());
    ASSERT_TRUE(holds(second, bytes)) << "copy on write";
    ASSERT_TRUE(second.grow(25 * kPageBytes));
    ASSERT_TRUE(holds(second, bytes));
    std::memset(second.base(), 0xdd, second.byteSize());
  }
  // And a memory without it sees none of it.
  std::vector<LinearMemory> others;
  for (int i = 0; i < 6; ++i) {
    others.push_back(make(memorySize, bounds, nullptr));
    ASSERT_TRUE(holds(others.back(), {}));
  }
}

TEST(MemoryImage, OneImageNeverShowsInAnothersMemory) {
  const std::vector<uint8_t> a = randomBytes(300'000), b = randomBytes(200'000, 65536);
  for (int round = 0; round < 3; ++round) {
    const auto imageA = makeImage(a), imageB = makeImage(b);
    for (int i = 0; i < 5; ++i) {
      LinearMemory first = make(10 * kPageBytes, Bounds::Guarded, imageA);
      LinearMemory second = make(10 * kPageBytes, Bounds::Guarded, imageB);
      LinearMemory third = make(10 * kPageBytes, Bounds::Guarded, nullptr);
      ASSERT_TRUE(holds(first, a) && holds(second, b) && holds(third, {}));
      std::memset(first.base(), 1, first.byteSize());
      std::memset(second.base(), 2, second.byteSize());
      std::memset(third.base(), 3, third.byteSize());
    }
  }
}

TEST(MemoryImage, OutlivesTheModuleWhileAMemoryUsesIt) {
  const std::vector<uint8_t> bytes = randomBytes(400'000);
  auto image = makeImage(bytes);
  LinearMemory memory = make(10 * kPageBytes, Bounds::Guarded, image);
  image.reset();
  EXPECT_TRUE(holds(memory, bytes));
}

TEST(MemoryImage, ManyImagesLeaveNothingBehind) {
  const size_t mappings = countMappings();
  const uint64_t counted = budget().mappingsUsed;
  for (int i = 0; i < 200; ++i) {
    const auto image = makeImage(randomBytes(150'000));
    LinearMemory memory = make(4 * kPageBytes, Bounds::Guarded, image);
    memory.base()[0] = 0;
  }
  EXPECT_LE(countMappings(), mappings + 10 + kOthersMappings);
  EXPECT_LE(budget().mappingsUsed, counted + 10);
}

TEST(MemoryImage, MustFit) {
  const auto image = makeImage(randomBytes(70'000));
  EXPECT_FALSE(LinearMemory::create({kPageBytes, kWasm32Space, Bounds::Guarded, false, image}).has_value());
  EXPECT_EQ(makeImage(std::vector<uint8_t>(100'000))->byteSize(), 0u);
}

TEST(MemoryImage, AnInstanceCostsWhatItWrites) {
  if (kSanitized) GTEST_SKIP();
  const auto image = makeImage(randomBytes(64 << 20));
  const size_t before = residentBytes();
  std::vector<LinearMemory> live;
  for (int i = 0; i < 100; ++i) {
    live.push_back(make(uint64_t{64} << 20, Bounds::Guarded, image));
    live.back().base()[12345] = 7;
  }
  EXPECT_LE(residentBytes(), before + 100 * 256 * 1024);
}

}  // namespace
}  // namespace wattle::sandbox
