// Memory as the host sees it.
#include "tests/unit/vm/vm_test.h"

namespace wattle::testing {
namespace {

void growsUnderAView(BoundsMode bounds) {
  Config config;
  config.bounds = bounds;
  World w(config);
  auto i = w.instantiate(R"((module (memory (export "m") 1)
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))))");
  MemoryView view = i.memory("m")->view();
  EXPECT_EQ(view.size(), 65536u);
  ASSERT_TRUE(view.store<uint32_t>(65532, 0x01020304));
  EXPECT_FALSE(view.store<uint32_t>(65533, 0));
  EXPECT_EQ(*(*i.func<int(int)>("grow"))(200), 1);
  EXPECT_EQ(view.size(), 201u * 65536);
  EXPECT_EQ(*view.load<uint8_t>(65532), 4);
  ASSERT_TRUE(view.store<double>(200 * 65536 + 1, 0.5));
  EXPECT_EQ(*view.load<double>(200 * 65536 + 1), 0.5);
  EXPECT_EQ(view.bytes().size(), view.size());
}

TEST(MemoryView, StaysGoodWhenTheMemoryGrows) {
  growsUnderAView(BoundsMode::Guarded);
  growsUnderAView(BoundsMode::Checked);
}

TEST(MemoryView, ChecksBounds) {
  World w;
  auto i = w.instantiate(R"((module (memory (export "m") 1) (data (i32.const 3) "hello")))");
  MemoryView view = i.memory("m")->view();
  EXPECT_EQ(*view.string(3, 5), "hello");
  EXPECT_EQ(*view.string(65536, 0), "");
  const Error error = view.load<uint64_t>(~0ull).error();
  EXPECT_EQ(error.kind, ErrorKind::Trap);
  EXPECT_EQ(error.trap, TrapCode::MemoryOutOfBounds);
  EXPECT_FALSE(view.string(65535, 2));
  EXPECT_FALSE(view.slice(1, ~0ull));
  const uint8_t bytes[] = {1, 2, 3};
  ASSERT_TRUE(view.write(65533, bytes));
  EXPECT_FALSE(view.write(65534, bytes));
  EXPECT_EQ(*view.load<uint8_t>(65535), 3);
}

TEST(MemoryView, IsEmptyWhenTheStoreIsGone) {
  MemoryView view;
  EXPECT_EQ(view.size(), 0u);
  EXPECT_FALSE(view.load<uint8_t>(0));
  {
    World w;
    view = w.instantiate(R"((module (memory (export "m") 1)))").memory("m")->view();
    EXPECT_TRUE(view.load<uint8_t>(0));
  }
  EXPECT_EQ(view.size(), 0u);
  EXPECT_FALSE(view.load<uint8_t>(0));
}

}  // namespace
}  // namespace wattle::testing
