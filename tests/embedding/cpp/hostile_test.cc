// Scripts that mean harm: each ends in a clean error, and the host goes on, as a call that follows shows.
#include <gmock/gmock.h>

#include <new>
#include <stdexcept>
#include <thread>

#include "tests/unit/vm/vm_test.h"

namespace wattle::testing {
namespace {

constexpr const char* kGood = R"((module (func (export "answer") (result i32) (i32.const 42))))";

// The same store, and a new one of the same engine.
void expectGoesOn(Store& store, const Engine& engine) {
  EXPECT_EQ(callI32(instantiate(store, engine, kGood), "answer"), 42);
  Store fresh(engine);
  EXPECT_EQ(callI32(instantiate(fresh, engine, kGood), "answer"), 42);
}

struct Limited {
  explicit Limited(const StoreLimits& limits, const Config& config = {}) : engine(config), store(engine, limits) {}
  ~Limited() { expectGoesOn(store, engine); }
  Instance instantiate(std::string_view text, std::vector<Extern> imports = {}) {
    return testing::instantiate(store, engine, text, std::move(imports));
  }
  Engine engine;
  Store store;
};

// --- loops ----------------------------------------------------------------------------------------------------------

constexpr const char* kForever = R"((module
  (func (export "forever") (loop $l (br $l)))
  (func $f (export "tail") (return_call $f))
  (func (export "answer") (result i32) (i32.const 42))))";

TEST(Hostile, ADeadlineEndsEndlessLoops) {
  Limited w({});
  auto i = w.instantiate(kForever);
  for (const char* name : {"forever", "tail"}) {
    ASSERT_TRUE(w.store.setDeadline(std::chrono::milliseconds(5)));
    EXPECT_EQ(callError(i, name).trap, TrapCode::Interrupted) << name;
    w.store.clearInterrupt();
    EXPECT_EQ(callI32(i, "answer"), 42);
  }
}

TEST(Hostile, AnotherThreadEndsEndlessLoops) {
  Limited w({});
  auto i = w.instantiate(kForever);
  for (const char* name : {"forever", "tail"}) {
    std::thread other([handle = w.store.interruptHandle()] { handle.interrupt(); });
    EXPECT_EQ(callError(i, name).trap, TrapCode::Interrupted) << name;
    other.join();
    w.store.clearInterrupt();
    EXPECT_EQ(callI32(i, "answer"), 42);
  }
}

TEST(Hostile, AStartFunctionThatNeverEndsIsInterrupted) {
  Limited w({});
  ASSERT_TRUE(w.store.setDeadline(std::chrono::milliseconds(5)));
  auto made = tryInstantiate(w.store, w.engine, "(module (func $f (loop $l (br $l))) (start $f))");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().trap, TrapCode::Interrupted);
  w.store.clearInterrupt();
}

TEST(Hostile, AHandleOfADroppedStoreInterruptsNobody) {
  Engine engine;
  InterruptHandle handle;
  {
    Store gone(engine);
    handle = gone.interruptHandle();
  }
  handle.interrupt();
  Store store(engine);
  expectGoesOn(store, engine);
}

// --- bombs ----------------------------------------------------------------------------------------------------------

TEST(Hostile, AMemoryBombStopsAtTheLimit) {
  for (auto bounds : {BoundsMode::Guarded, BoundsMode::Checked}) {
    Config config;
    config.bounds = bounds;
    Limited w({.maxMemoryBytes = 64 * 65536}, config);
    auto i = w.instantiate(R"((module (memory (export "memory") 1)
      (func (export "bomb") (result i32)
        (loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
        (memory.size))
      (func (export "leap") (result i32) (memory.grow (i32.const -1)))))");
    EXPECT_EQ(callI32(i, "bomb"), 64);
    EXPECT_EQ(callI32(i, "leap"), -1);
    EXPECT_EQ(i.memory("memory")->grow(1).error().kind, ErrorKind::Resource);
    EXPECT_EQ(i.memory("memory")->grow(~0ull).error().kind, ErrorKind::Resource);
  }
}

TEST(Hostile, A64BitMemoryBombStopsAtTheLimit) {
  Limited w({.maxMemoryBytes = 8 << 20});
  auto i = w.instantiate(R"((module (memory i64 1)
    (func (export "leap") (param i64) (result i64) (memory.grow (local.get 0)))
    (func (export "store") (param i64) (i64.store8 offset=0xffffffffffffffff (local.get 0) (i64.const 1)))))");
  for (int64_t pages : {int64_t{128}, int64_t{1} << 48, int64_t{-1}}) {
    auto result = i.func("leap")->call({pages});
    ASSERT_TRUE(result);
    EXPECT_EQ((*result)[0].i64(), -1) << pages;
  }
  EXPECT_EQ(callError(i, "store", {int64_t{1}}).trap, TrapCode::MemoryOutOfBounds);
}

TEST(Hostile, ATableBombStopsAtTheLimit) {
  Limited w({.maxTableElements = 1000});
  auto i = w.instantiate(R"((module (table (export "table") 1 funcref)
    (func (export "bomb") (result i32)
      (loop $l (br_if $l (i32.ne (table.grow (ref.null func) (i32.const 7)) (i32.const -1))))
      (table.size))
    (func (export "leap") (result i32) (table.grow (ref.null func) (i32.const -1)))))");
  EXPECT_EQ(callI32(i, "bomb"), 995);
  EXPECT_EQ(callI32(i, "leap"), -1);
  EXPECT_EQ(i.table("table")->grow(6, Val::null(ValType::funcref())).error().kind, ErrorKind::Resource);
  EXPECT_EQ(i.table("table")->grow(~0ull, Val::null(ValType::funcref())).error().kind, ErrorKind::Resource);
}

TEST(Hostile, InstancesStopAtTheLimit) {
  Engine engine;
  Store store(engine, {.maxInstances = 3});
  auto module = compileWat(engine, kGood);
  std::vector<Instance> kept;
  for (int n = 0; n < 3; ++n) kept.push_back(*Instance::create(store, module, {}));
  auto fourth = Instance::create(store, module, {});
  ASSERT_FALSE(fourth);
  EXPECT_EQ(fourth.error().kind, ErrorKind::Resource);
  kept.pop_back();
  auto again = Instance::create(store, module, {});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(callI32(*again, "answer"), 42);
}

TEST(Hostile, GiantArraysAreNotAllocated) {
  Limited w({.maxGcHeapBytes = 16 << 20});
  auto i = w.instantiate(R"((module
    (type $bytes (array (mut i8))) (type $longs (array (mut i64))) (type $refs (array (mut anyref)))
    (func (export "bytes") (param i32) (result i32) (array.len (array.new $bytes (i32.const 1) (local.get 0))))
    (func (export "longs") (param i32) (result i32) (array.len (array.new_default $longs (local.get 0))))
    (func (export "refs") (param i32) (result i32) (array.len (array.new_default $refs (local.get 0))))))");
  for (const char* name : {"bytes", "longs", "refs"}) {
    for (int32_t count : {INT32_MIN, INT32_MAX, -1, 0x20000000, 64 << 20}) {
      EXPECT_EQ(callError(i, name, {count}).trap, TrapCode::AllocationFailed) << name << " " << count;
    }
    EXPECT_EQ(callI32(i, name, {1000}), 1000) << name;
  }
}

TEST(Hostile, AnEndlessListStopsAtTheLimit) {
  Limited w({.maxGcHeapBytes = 4 << 20});
  auto i = w.instantiate(std::string(R"((module
    (type $node (struct (field (ref null $node)) (field i64)))
    (global $head (mut (ref null $node)) (ref.null $node))
    (func (export "bomb") (loop $l
      (global.set $head (struct.new $node (global.get $head) (i64.const 1)))
      (br $l)))
    (func (export "garbage") (param $n i32) (result i32) (local $last (ref null $node))
      (loop $l
        (local.set $last (struct.new $node (ref.null $node) (i64.extend_i32_u (local.get $n))))
        (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      (i32.wrap_i64 (struct.get $node 1 (local.get $last))))
    (func (export "drop") (global.set $head (ref.null $node))))") +
                         kScrub + ")");
  EXPECT_EQ(callError(i, "bomb").trap, TrapCode::AllocationFailed);
  ASSERT_TRUE(i.func("drop")->call({}));
  ASSERT_TRUE(i.func("scrub")->call({1000}));
  EXPECT_EQ(callI32(i, "garbage", {1'000'000}), 1);  // what the list held is free again
}

// --- recursion ------------------------------------------------------------------------------------------------------

TEST(Hostile, DeepRecursionOverflowsTheStackCleanly) {
  Limited w({});
  auto i = w.instantiate(R"((module (table 1 funcref) (elem (i32.const 0) $indirect)
    (func $plain (export "plain") (call $plain))
    (func $wide (export "wide") (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i64)
      (i64.add (local.get 9) (call $wide (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get 5) (local.get 6)
        (local.get 7) (local.get 8) (local.get 9) (local.get 0))))
    (func $indirect (export "indirect") (call_indirect (i32.const 0)))
    (func $even (export "even") (call $odd)) (func $odd (call $even))
    (func (export "answer") (result i32) (i32.const 42))))");
  for (const char* name : {"plain", "indirect", "even"}) {
    Error error = callError(i, name);
    EXPECT_EQ(error.trap, TrapCode::StackOverflow) << name << error.message;
    EXPECT_FALSE(error.backtrace.empty());
    EXPECT_EQ(callI32(i, "answer"), 42);
  }
  std::vector<Val> zeros(10, Val(int64_t{0}));
  auto wide = i.func("wide")->call(zeros);
  ASSERT_FALSE(wide);
  EXPECT_EQ(wide.error().trap, TrapCode::StackOverflow);
}

TEST(Hostile, RecursionThroughTheHostOverflowsCleanly) {
  Limited w({});
  Func again;  // the guest's, known later
  int depth = 0;
  Func host = Func::host(w.store, {{}, {}}, [&](Caller&, std::span<const Val>, std::span<Val>) -> Result<void> {
    ++depth;
    auto result = again.call({});
    if (!result) return std::unexpected(result.error());
    return {};
  });
  auto i = w.instantiate(R"((module (import "" "host" (func $host)) (func (export "again") (call $host))))", {host});
  again = *i.func("again");
  for (int turn = 0; turn < 2; ++turn) {
    depth = 0;
    auto result = again.call({});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().trap, TrapCode::StackOverflow) << result.error().message;
    EXPECT_GT(depth, 10);
  }
  again = {};
}

TEST(Hostile, RecursionThroughTypedHostFunctionsOverflowsCleanly) {
  Limited w({});
  TypedFunc<int(int)> again;
  Func host = Func::wrap(w.store, [&](int n) -> Result<int> { return again(n + 1); });
  auto i = w.instantiate(
      R"((module (import "" "host" (func $host (param i32) (result i32)))
        (func (export "again") (param i32) (result i32) (i32.add (i32.const 1) (call $host (local.get 0))))))",
      {host});
  again = *i.func<int(int)>("again");
  for (int turn = 0; turn < 2; ++turn) {
    auto result = again(0);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().trap, TrapCode::StackOverflow) << result.error().message;
  }
  again = {};
}

// --- traps and exceptions -------------------------------------------------------------------------------------------

TEST(Hostile, ATrapInAStartFunctionIsAnErrorOfTheInstantiation) {
  Limited w({});
  size_t before = w.store.objectCount();
  auto made = tryInstantiate(w.store, w.engine, R"((module (memory 1) (func $f (unreachable)) (start $f)))");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().trap, TrapCode::Unreachable);
  EXPECT_FALSE(made.error().backtrace.empty());
  made = std::unexpected(Error{});  // the backtrace holds the instance
  w.store.collect();
  EXPECT_LE(w.store.objectCount(), before);
}

struct Odd {};

Result<void> misbehave(int how) {
  switch (how) {
    case 0: throw std::runtime_error("of the host");
    case 1: throw std::bad_alloc();
    case 2: throw Odd{};
    default: throw std::string(1 << 20, 'x').at(1 << 21);  // out_of_range
  }
}

void expectMisbehaviour(Instance i, int how) {
  Error error = callError(i, "f");
  EXPECT_EQ(error.kind, how == 1 ? ErrorKind::Resource : ErrorKind::Trap) << how;
  EXPECT_EQ(error.trap, how == 1 ? TrapCode::None : TrapCode::HostError) << how;
  EXPECT_THAT(error.message, ::testing::HasSubstr(how == 0 ? "of the host" : how == 1 ? "out of memory" : "failed"));
}

TEST(Hostile, ExceptionsOfHostFunctionsBecomeErrors) {
  for (int how = 0; how < 4; ++how) {
    Limited w({});
    Func boxed =
        Func::host(w.store, {{}, {}}, [=](Caller&, std::span<const Val>, std::span<Val>) { return misbehave(how); });
    Func typed = Func::wrap(w.store, [=] { return misbehave(how); });
    constexpr const char* kText = R"((module (import "" "host" (func $host)) (func (export "f") (call $host))))";
    expectMisbehaviour(w.instantiate(kText, {boxed}), how);
    expectMisbehaviour(w.instantiate(kText, {typed}), how);
    EXPECT_FALSE(boxed.call({}));  // without a guest in between
    EXPECT_FALSE(typed.call({}));
  }
}

TEST(Hostile, AnExceptionInAStartFunctionIsAnErrorOfTheInstantiation) {
  Limited w({});
  Func host = Func::wrap(w.store, [] { return misbehave(0); });
  auto made = tryInstantiate(w.store, w.engine, R"((module (import "" "host" (func $host)) (start $host)))", {host});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().trap, TrapCode::HostError);
}

// --- what is gone ---------------------------------------------------------------------------------------------------

TEST(Hostile, HandlesIntoADroppedStoreAreErrors) {
  Engine engine;
  auto store = std::make_unique<Store>(engine);
  auto i = instantiate(*store, engine, R"((module (memory (export "m") 1) (table (export "t") 1 funcref)
    (global (export "g") (mut i32) (i32.const 7)) (func (export "f") (result i32) (i32.const 1))))");
  Func f = *i.func("f"), host = Func::wrap(*store, [] { return 1; });
  auto typed = *f.typed<int()>();
  Memory m = *i.memory("m");
  auto view = m.view();
  Table t = *i.table("t");
  Global g = *i.global("g");
  store.reset();
  EXPECT_EQ(f.call({}).error().kind, ErrorKind::Argument);
  RawVal raw[1]{};
  EXPECT_EQ(f.callRaw(raw).error().kind, ErrorKind::Argument);
  EXPECT_EQ(host.call({}).error().kind, ErrorKind::Argument);
  EXPECT_EQ(typed().error().kind, ErrorKind::Argument);
  EXPECT_FALSE(f.typed<int()>());
  EXPECT_EQ(m.grow(1).error().kind, ErrorKind::Argument);
  EXPECT_TRUE(m.bytes().empty());
  EXPECT_EQ(view.size(), 0u);
  EXPECT_EQ(t.get(0).error().kind, ErrorKind::Argument);
  EXPECT_EQ(t.set(0, Val::null(ValType::funcref())).error().kind, ErrorKind::Argument);
  EXPECT_EQ(t.grow(1, Val::null(ValType::funcref())).error().kind, ErrorKind::Argument);
  EXPECT_EQ(g.set(1).error().kind, ErrorKind::Argument);
  EXPECT_FALSE(i.func("f"));
  EXPECT_TRUE(i.exports().empty());
  Store other(engine);
  EXPECT_FALSE(tryInstantiate(other, engine, R"((module (import "" "f" (func (result i32)))))", {f}));
  expectGoesOn(other, engine);
}

TEST(Hostile, ACallbackMayUseHandlesIntoADroppedStore) {
  Limited w({});
  auto dying = std::make_unique<Store>(w.engine);
  Func f = *instantiate(*dying, w.engine, kGood).func("answer");
  Func host = Func::host(w.store, {{}, {}}, [&](Caller&, std::span<const Val>, std::span<Val>) -> Result<void> {
    dying.reset();
    auto result = f.call({});
    if (!result) return std::unexpected(result.error());
    return {};
  });
  auto i = w.instantiate(R"((module (import "" "host" (func $host)) (func (export "f") (call $host))))", {host});
  EXPECT_EQ(callError(i, "f").kind, ErrorKind::Argument);
}

TEST(Hostile, AFunctionOutlivesItsDroppedInstance) {
  Limited w({});
  Func f;
  {
    auto i = w.instantiate(R"((module (memory 1) (data (i32.const 8) "\2a")
      (func (export "f") (result i32) (i32.load8_u (i32.const 8)))))");
    f = *i.func("f");
  }
  for (int n = 0; n < 100; ++n) w.instantiate(kGood);
  w.store.collect();
  auto result = f.call({});
  ASSERT_TRUE(result);
  EXPECT_EQ((*result)[0].i32(), 42);
}

}  // namespace
}  // namespace wattle::testing
