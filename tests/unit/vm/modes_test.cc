// The same guest in other circumstances: lazy code, both kinds of bounds at once, after fork().
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "sandbox/linear_memory.h"
#include "tests/support/process.h"
#include "tests/unit/vm/vm_test.h"

namespace wattle::testing {
namespace {

Config lazyConfig() {
  Config config;
  config.lazy = true;
  return config;
}

constexpr auto kCalls = R"((module $m (memory 1) (table 2 funcref) (elem (i32.const 0) $leaf $boom)
    (func $leaf (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
    (func $boom (param i32) (result i32) (i32.load (i32.const -1)))
    (func (export "direct") (param i32) (result i32) (call $leaf (call $leaf (local.get 0))))
    (func (export "indirect") (param i32 i32) (result i32) (call_indirect (param i32) (result i32) (local.get 0) (local.get 1)))
    (func (export "never") (result i32) (i32.const 9))))";

TEST(Lazy, CompilesAtFirstCall) {
  World w(lazyConfig());
  auto i = w.instantiate(kCalls);
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(callI32(i, "direct", {5}), 7);
    EXPECT_EQ(callI32(i, "indirect", {5, 0}), 6);
    Error e = callError(i, "indirect", {5, 1});
    EXPECT_EQ(e.trap, TrapCode::MemoryOutOfBounds);
    ASSERT_EQ(e.backtrace.size(), 2u);
    EXPECT_EQ(e.backtrace[0].function, "boom");
    EXPECT_EQ(e.backtrace[1].function, "indirect");
    EXPECT_TRUE(e.backtrace[0].moduleOffset && e.backtrace[1].moduleOffset);
  }
}

TEST(Lazy, InvalidBodiesAreFoundAtOnce) {
  Engine engine(lazyConfig());
  auto bytes = *frontend::parseWat("(module (func (result i32) (i64.const 1)))");
  auto module = Module::compile(engine, bytes);
  ASSERT_FALSE(module);
  EXPECT_EQ(module.error().kind, ErrorKind::Invalid);
}

TEST(Lazy, ManyThreadsCallTheSameFunctionsFirst) {
  Engine engine(lazyConfig());
  std::string text = "(module";
  for (int k = 0; k < 300; ++k) {
    text += "(func $f" + std::to_string(k) + " (export \"f" + std::to_string(k) + "\") (result i32) " +
            (k ? "(i32.add (i32.const 1) (call $f" + std::to_string(k - 1) + "))" : "(i32.const 0)") + ")";
  }
  auto module = compileWat(engine, text + ")");
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      Store store(engine);
      auto i = *Instance::create(store, module, {});
      for (int k = 0; k < 300; ++k) wrong += callI32(i, "f" + std::to_string(k)) != k;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Lazy, SerializesAllOfIt) {
  std::vector<uint8_t> file;
  {
    Engine engine(lazyConfig());
    file = *compileWat(engine, kCalls).serialize();
  }
  World w;
  auto i = *Instance::create(w.store, *Module::deserialize(w.engine, file), {});
  EXPECT_EQ(callI32(i, "never"), 9);
  EXPECT_EQ(callI32(i, "direct", {1}), 3);
}

// Address space nears its end: new instances of the same module get checked memories, and everything still links.
class TightBudget {
 public:
  TightBudget() {
    auto state = sandbox::budget();
    state.addressSpaceUsed = state.addressSpaceLimit;
    sandbox::overrideBudget(state);
  }
  ~TightBudget() { sandbox::overrideBudget(std::nullopt); }
};

TEST(Bounds, GuardedAndCheckedSideBySide) {
  World w;
  constexpr auto kText = R"((module (memory (export "m") 1 8)
    (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
    (func (export "store") (param i32 i32) (i32.store (local.get 0) (local.get 1)))
    (func (export "grow") (result i32) (memory.grow (i32.const 1)))))";
  auto guarded = w.instantiate(kText);
  std::optional<TightBudget> tight(std::in_place);
  auto checked = w.instantiate(kText);
  auto user = w.instantiate(R"((module (import "" "g" (memory $g 1)) (import "" "c" (memory $c 1)) (memory $own 1)
    (func (export "sum") (param i32) (result i32)
      (i32.add (i32.load $g (local.get 0)) (i32.add (i32.load $c (local.get 0)) (i32.load $own (local.get 0)))))))",
                            {*guarded.memory("m"), *checked.memory("m")});
  tight.reset();
  for (auto& i : {guarded, checked}) {
    ASSERT_TRUE(i.func("store")->call({100, 21}));
    EXPECT_EQ(callI32(i, "load", {100}), 21);
    EXPECT_EQ(callError(i, "load", {65533}).trap, TrapCode::MemoryOutOfBounds);
    EXPECT_EQ(callI32(i, "grow"), 1);
    EXPECT_EQ(callI32(i, "load", {65533}), 0);
  }
  EXPECT_EQ(callI32(user, "sum", {100}), 42);
  EXPECT_EQ(callError(user, "sum", {65536}).trap, TrapCode::MemoryOutOfBounds);
}

TEST(Fork, ChildAndParentGoOn) {
  if (process::kSanitized) GTEST_SKIP() << "the sanitizers do not survive a fork beside threads";
  World w;
  auto i = w.instantiate(kCalls);
  EXPECT_EQ(callI32(i, "direct", {1}), 3);
  ASSERT_TRUE(w.store.setDeadline(std::chrono::hours(1)));  // the clock runs in the parent
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    bool good = callI32(i, "direct", {1}) == 3 && callError(i, "indirect", {1, 1}).trap == TrapCode::MemoryOutOfBounds;
    World mine;
    auto j = mine.instantiate(R"((module (func (export "spin") (loop $l (br $l)))))");
    good &= mine.store.setDeadline(std::chrono::milliseconds(10)).has_value();
    good &= callError(j, "spin").trap == TrapCode::Interrupted;
    _exit(good ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(callI32(i, "direct", {1}), 3);
}

}  // namespace
}  // namespace wattle::testing
