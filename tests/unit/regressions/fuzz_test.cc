// What the fuzz targets found, each with the smallest input that shows it.
#include <gtest/gtest.h>

#include <vector>

#include "wattle/wattle.hpp"

namespace {

// (func (local.get 4294967295)) in a body long enough for the scan's second loop: the index wrapped in the scan before
// validation saw it.
TEST(Fuzz, HugeLocalIndexIsRefused) {
  const std::vector<uint8_t> bytes = {0, 'a', 's', 'm',  1,    0, 0, 0, 1,    4,    1,    0x60, 0,    0,    3,
                                      2, 1,   0,   0x0a, 0x0a, 1, 8, 0, 0x20, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x0b};
  wattle::Engine engine;
  auto module = wattle::Module::compile(engine, bytes);
  ASSERT_FALSE(module);
  EXPECT_EQ(module.error().kind, wattle::ErrorKind::Invalid);
  EXPECT_TRUE(module.error().message.starts_with("unknown local")) << module.error().message;
}

}  // namespace
