// wattle/stats.hpp, and the code cache's limit through the public API.
#include "wattle/stats.hpp"

#include <gmock/gmock.h>

#include "tests/unit/vm/vm_test.h"

namespace wattle::testing {
namespace {

std::string numbered(int i) {
  return "(module (memory 1) (func (export \"f\") (result i32) (i32.const " + std::to_string(i) + ")))";
}

TEST(Stats, FollowWhatIsAlive) {
  Engine engine;
  const Stats empty = engine.stats();
  EXPECT_EQ(empty.modules.live, 0u);
  {
    std::vector<Module> modules;
    for (int i = 0; i < 20; ++i) modules.push_back(compileWat(engine, numbered(i)));
    for (int i = 0; i < 5; ++i) modules.push_back(compileWat(engine, numbered(3)));
    Config checked;
    checked.bounds = BoundsMode::Checked;
    Store store(engine);
    Engine other(checked);
    Store otherStore(other);
    std::vector<Instance> instances;
    for (int i = 0; i < 20; ++i) instances.push_back(*Instance::create(store, modules[static_cast<size_t>(i)], {}));
    instances.push_back(instantiate(otherStore, other, numbered(1)));
    const Stats now = engine.stats();
    EXPECT_EQ(now.modules.live, 20u);
    EXPECT_EQ(now.modules.created, 20u);
    EXPECT_EQ(now.modules.shared, 5u);
    EXPECT_GE(now.codeCache.bytesUsed, empty.codeCache.bytesUsed + 21 * 64);
    EXPECT_GE(now.codeCache.blocks, empty.codeCache.blocks + 21);
    EXPECT_GE(now.codeCache.bytesReserved, now.codeCache.bytesCommitted);
    EXPECT_GE(now.codeCache.regions, 1u);
    EXPECT_GE(now.codeCache.mappings, 3u);
    EXPECT_GT(now.codeCache.limit, now.codeCache.bytesUsed);
    EXPECT_EQ(now.sandbox.guardedMemories, empty.sandbox.guardedMemories + 20);
    EXPECT_EQ(now.sandbox.packedMemories, empty.sandbox.packedMemories + 1);
    EXPECT_GT(now.sandbox.addressSpaceUsed, 20ull << 32);
    EXPECT_GT(now.sandbox.addressSpaceLimit, now.sandbox.addressSpaceUsed);
    EXPECT_GT(now.sandbox.mappingsLimit, now.sandbox.mappingsUsed);
    EXPECT_FALSE(now.diskCache.enabled);
  }
  const Stats after = engine.stats();
  EXPECT_EQ(after.modules.live, 0u);
  EXPECT_EQ(after.sandbox.guardedMemories, empty.sandbox.guardedMemories);
  EXPECT_EQ(after.sandbox.packedMemories, empty.sandbox.packedMemories);
}

TEST(Stats, Texts) {
  Stats stats;
  stats.codeCache.bytesUsed = 3 << 20;
  stats.codeCache.limit = 64 << 20;
  stats.codeCache.blocks = 12;
  stats.modules.live = 7;
  stats.diskCache = {.enabled = true, .hits = 1, .misses = 2, .stores = 3};
  EXPECT_THAT(toString(stats), ::testing::HasSubstr("code cache      3.0 MiB of 64.0 MiB used in 12 blocks"));
  EXPECT_THAT(toString(stats), ::testing::HasSubstr("modules         7 live"));
  EXPECT_THAT(toString(stats), ::testing::HasSubstr("disk cache      1 hits, 2 misses, 3 stored"));
  EXPECT_THAT(toJson(stats), ::testing::HasSubstr(R"("codeCache":{"bytesUsed":3145728,)"));
  EXPECT_THAT(toJson(stats), ::testing::HasSubstr(R"("diskCache":{"enabled":true,"hits":1,"misses":2,"stores":3}})"));
}

// The limit is exact, its error too, what lives goes on, and dropping makes room.
TEST(CodeCacheLimit, FullIsAnErrorAndDroppingMakesRoom) {
  constexpr uint64_t kMiB = 1 << 20;
  const uint64_t before = codeCacheStats().limit;
  World w;
  EXPECT_EQ(callI32(instantiate(w.store, w.engine, numbered(-9)), "f"), -9);  // the stub for calls of this type
  const uint64_t limit = (codeCacheStats().bytesUsed / kMiB + 2) * kMiB;
  setCodeCacheLimit(limit);
  EXPECT_EQ(codeCacheStats().limit, limit);
  std::vector<Module> modules;
  Result<Module> last = Module();
  for (int i = 0; last; ++i) {
    last = Module::compile(w.engine, *frontend::parseWat(numbered(i)));
    if (last) modules.push_back(*last);
    ASSERT_LT(i, 100'000);
  }
  const auto full = codeCacheStats();
  EXPECT_EQ(last.error().kind, ErrorKind::Resource);
  const std::string mib = std::to_string(limit / kMiB);
  EXPECT_EQ(last.error().message,
            "code cache is full: " + mib + " MiB of " + mib + " MiB in " + std::to_string(full.blocks) + " modules");
  EXPECT_LE(full.bytesUsed, limit);
  EXPECT_GT(full.bytesUsed + 256, limit);
  auto instance = Instance::create(w.store, modules[7], {});
  ASSERT_TRUE(instance);
  EXPECT_EQ(callI32(*instance, "f"), 7);
  modules.pop_back();
  auto again = Module::compile(w.engine, *frontend::parseWat(numbered(-1)));
  ASSERT_TRUE(again) << again.error().message;
  auto newer = Instance::create(w.store, *again, {});
  ASSERT_TRUE(newer);
  EXPECT_EQ(callI32(*newer, "f"), -1);
  EXPECT_FALSE(Module::compile(w.engine, *frontend::parseWat(numbered(-2))));
  setCodeCacheLimit(before);
  EXPECT_TRUE(Module::compile(w.engine, *frontend::parseWat(numbered(-2))));
}

// What has been compiled can be called, both ways, though each new signature needs code of its own between host and
// guest.
TEST(CodeCacheLimit, NewSignaturesAreCalledWhenItIsFull) {
  const uint64_t before = codeCacheStats().limit;
  World w;
  Module module = compileWat(w.engine, R"((module
    (import "" "f" (func $f (param i64 f64 i64 f32 f64) (result f32 i64 f64 f32)))
    (func (export "g") (param f32 i64 f64 i64 f32 f64) (result f32 i64 f64 f32)
      (call $f (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5)))))");
  setCodeCacheLimit(1);
  FuncType type{{ValType::i64(), ValType::f64(), ValType::i64(), ValType::f32(), ValType::f64()},
                {ValType::f32(), ValType::i64(), ValType::f64(), ValType::f32()}};
  Func host = Func::host(w.store, type, [](Caller&, std::span<const Val> in, std::span<Val> out) -> Result<void> {
    out[0] = in[3];
    out[1] = Val(in[0].i64() + in[2].i64());
    out[2] = in[4];
    out[3] = in[3];
    return {};
  });
  auto instance = Instance::create(w.store, module, std::vector<Extern>{host});
  EXPECT_TRUE(instance) << instance.error().message;
  if (instance) {
    auto results = instance->func("g")->call({1.0f, int64_t{2}, 3.0, int64_t{40}, 5.0f, 6.0});
    EXPECT_TRUE(results) << results.error().message;
    if (results) {
      EXPECT_EQ((*results)[1].i64(), 42);
      EXPECT_EQ((*results)[2].f64(), 6.0);
    }
  }
  setCodeCacheLimit(before);
}

}  // namespace
}  // namespace wattle::testing
