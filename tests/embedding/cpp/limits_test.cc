// What a store may use up.
#include <fmt/format.h>

#include "tests/unit/vm/vm_test.h"

namespace wattle::testing {
namespace {

struct Limited : World {
  explicit Limited(const StoreLimits& limits) { store = Store(engine, limits); }
};

TEST(Limits, OfOneMemory) {
  Limited w({.maxMemoryBytes = 10 << 16});
  auto i = w.instantiate(
      R"((module (memory (export "m") 1) (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))))");
  EXPECT_EQ(callI32(i, "grow", {9}), 1);
  EXPECT_EQ(callI32(i, "grow", {1}), -1);
  EXPECT_EQ(i.memory("m")->grow(1).error().kind, ErrorKind::Resource);
  auto larger = tryInstantiate(w.store, w.engine, "(module (memory 11))");
  ASSERT_FALSE(larger);
  EXPECT_EQ(larger.error().kind, ErrorKind::Resource);
}

TEST(Limits, OfAllMemoriesTogether) {
  for (const char* index : {"i32", "i64"}) {
    Limited w({.maxTotalMemoryBytes = 10 << 16});
    auto text = fmt::format(
        R"((module (memory (export "m") {0} 4) (func (export "grow") (param {0}) (result {0}) (memory.grow (local.get 0)))))",
        index);
    {
      auto a = w.instantiate(text);
      auto b = w.instantiate(text);
      EXPECT_TRUE(a.memory("m")->grow(2));
      EXPECT_EQ(b.memory("m")->grow(1).error().kind, ErrorKind::Resource);
      auto third = tryInstantiate(w.store, w.engine, text);
      ASSERT_FALSE(third);
      EXPECT_EQ(third.error().kind, ErrorKind::Resource);
      EXPECT_EQ(third.error().message,
                "262144 bytes more exceed the store's limit of 655360 for all memories, of which 655360 are in use");
    }
    // Those are garbage now; what they held can be had again.
    auto again = w.instantiate(text);
    EXPECT_TRUE(again.memory("m")->grow(6));
    EXPECT_FALSE(again.memory("m")->grow(1));
  }
}

TEST(Limits, SharedMemoriesCountInEachStoreThatHasThem) {
  World other;
  MemoryType type{.minPages = 4, .maxPages = 100, .isShared = true};
  auto shared = Memory::create(other.store, type)->share();
  Limited w({.maxTotalMemoryBytes = 6 << 16});
  auto mine = Memory::create(w.store, *shared);
  ASSERT_TRUE(mine);
  EXPECT_TRUE(mine->grow(2));
  EXPECT_FALSE(mine->grow(1));
  Limited small({.maxTotalMemoryBytes = 5 << 16});
  EXPECT_EQ(Memory::create(small.store, *shared).error().kind, ErrorKind::Resource);
}

TEST(Limits, OfCounts) {
  Limited w({.maxInstances = 3, .maxTables = 2, .maxMemories = 2});
  {
    auto a = w.instantiate("(module (memory 1) (table 1 funcref))");
    auto b = w.instantiate("(module (memory 1) (table 1 funcref))");
    EXPECT_EQ(tryInstantiate(w.store, w.engine, "(module (memory 1))").error().message,
              "the store's limit of 2 memories is reached");
    EXPECT_EQ(tryInstantiate(w.store, w.engine, "(module (table 1 funcref))").error().message,
              "the store's limit of 2 tables is reached");
    auto c = w.instantiate("(module)");
    EXPECT_EQ(tryInstantiate(w.store, w.engine, "(module)").error().message,
              "the store's limit of 3 instances is reached");
    EXPECT_EQ(
        Table::create(w.store, {.element = ValType::funcref(), .min = 1}, Val::null(ValType::funcref())).error().kind,
        ErrorKind::Resource);
  }
  w.instantiate("(module (memory 1) (memory 1) (table 1 funcref) (table 1 funcref))");
}

TEST(Limits, OfTables) {
  Limited w({.maxTableElements = 1000});
  auto i = w.instantiate(R"((module (table 10 funcref)
    (func (export "grow") (param i32) (result i32) (table.grow (ref.null func) (local.get 0)))))");
  EXPECT_EQ(callI32(i, "grow", {990}), 10);
  EXPECT_EQ(callI32(i, "grow", {1}), -1);
  EXPECT_EQ(callI32(i, "grow", {-1}), -1);
  EXPECT_EQ(tryInstantiate(w.store, w.engine, "(module (table 1001 funcref))").error().kind, ErrorKind::Resource);
}

TEST(Limits, OfTheStack) {
  constexpr const char* kDepth = R"((module (global $n (mut i32) (i32.const 0))
    (func $r (global.set $n (i32.add (global.get $n) (i32.const 1))) (call $r))
    (func (export "depth") (result i32) (global.get $n))
    (func (export "r") (call $r))))";
  auto depth = [&](size_t bytes) {
    Limited w({.maxStackBytes = bytes});
    auto i = w.instantiate(kDepth);
    EXPECT_EQ(callError(i, "r").trap, TrapCode::StackOverflow);
    return callI32(i, "depth");
  };
  const int small = depth(64 << 10), large = depth(512 << 10), all = depth(0), more = depth(64 << 20);
  EXPECT_GT(small, 100);
  EXPECT_GT(large, 7 * small);
  EXPECT_LT(large, 9 * small);
  EXPECT_GT(all, large);
  EXPECT_EQ(more, all) << "Config::maxStackBytes is the most";
}

TEST(Limits, OfObjects) {
  Limited w({.maxGcHeapBytes = 16 << 20});
  auto i = w.instantiate(R"((module (type $a (array (mut i32)))
    (global $keep (mut (ref null $a)) (ref.null $a))
    (func (export "one") (param i32) (global.set $keep (array.new_default $a (local.get 0))))))");
  EXPECT_TRUE(i.func("one")->call({1 << 20}));
  EXPECT_EQ(callError(i, "one", {8 << 20}).trap, TrapCode::AllocationFailed);
  EXPECT_EQ(callError(i, "one", {-1}).trap, TrapCode::AllocationFailed);
  EXPECT_TRUE(i.func("one")->call({1 << 20}));
}

}  // namespace
}  // namespace wattle::testing
