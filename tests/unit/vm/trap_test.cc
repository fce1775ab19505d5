// Traps: reasons, backtraces, deep recursion, interruption.
#include <atomic>
#include <thread>

#include "tests/unit/vm/vm_test.h"

namespace wattle::testing {
namespace {

TEST(Trap, ReasonsHaveTheirCodes) {
  World w;
  auto i = w.instantiate(R"((module (memory 1) (table 2 funcref) (type $v (func)) (elem (i32.const 0) $p)
    (func $p (param i32))
    (func (export "unreachable") (unreachable))
    (func (export "div0") (param i32) (result i32) (i32.div_s (i32.const 1) (local.get 0)))
    (func (export "overflow") (param i32) (result i32) (i32.div_s (i32.const 0x80000000) (local.get 0)))
    (func (export "overflow64") (param i64) (result i64) (i64.div_s (i64.const 0x8000000000000000) (local.get 0)))
    (func (export "trunc") (param f64) (result i32) (i32.trunc_f64_s (local.get 0)))
    (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
    (func (export "store") (param i32) (i32.store8 (local.get 0) (i32.const 0)))
    (func (export "indirect") (param i32) (call_indirect (type $v) (local.get 0)))
    (func (export "tableget") (param i32) (drop (table.get 0 (local.get 0))))
    (func (export "callnull") (call_ref $v (ref.null $v)))
    (func (export "fill") (memory.fill (i32.const 65535) (i32.const 0) (i32.const 2)))
  ))");
  struct Case {
    const char* name;
    std::vector<Val> args;
    TrapCode code;
    const char* message;
  };
  const Case cases[] = {
      {"unreachable", {}, TrapCode::Unreachable, "unreachable"},
      {"div0", {0}, TrapCode::IntegerDivideByZero, "integer divide by zero"},
      {"overflow", {-1}, TrapCode::IntegerOverflow, "integer overflow"},
      {"overflow64", {int64_t{-1}}, TrapCode::IntegerOverflow, "integer overflow"},
      {"trunc", {1e40}, TrapCode::IntegerOverflow, "integer overflow"},
      {"load", {65533}, TrapCode::MemoryOutOfBounds, "out of bounds memory access"},
      {"load", {-1}, TrapCode::MemoryOutOfBounds, "out of bounds memory access"},
      {"store", {65536}, TrapCode::MemoryOutOfBounds, "out of bounds memory access"},
      {"indirect", {0}, TrapCode::IndirectCallTypeMismatch, "indirect call type mismatch"},
      {"indirect", {1}, TrapCode::UninitializedElement, "uninitialized element"},
      {"indirect", {2}, TrapCode::UndefinedElement, "undefined element"},
      {"tableget", {2}, TrapCode::TableOutOfBounds, "out of bounds table access"},
      {"callnull", {}, TrapCode::NullFunctionReference, "null function reference"},
      {"fill", {}, TrapCode::MemoryOutOfBounds, "out of bounds memory access"},
  };
  for (int round = 0; round < 2; ++round) {
    for (const Case& c : cases) {
      auto r = i.func(c.name)->call(c.args);
      ASSERT_FALSE(r) << c.name;
      EXPECT_EQ(r.error().kind, ErrorKind::Trap) << c.name;
      EXPECT_EQ(r.error().trap, c.code) << c.name;
      EXPECT_EQ(r.error().message, c.message) << c.name;
      EXPECT_FALSE(r.error().backtrace.empty()) << c.name;
    }
  }
}

TEST(Trap, InCheckedCodeToo) {
  Config config;
  config.bounds = BoundsMode::Checked;
  World w(config);
  auto i = w.instantiate(R"((module (memory 1 3)
    (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
    (func (export "grow") (result i32) (memory.grow (i32.const 1)))
    (func (export "growload") (param i32) (result i32)
      (i32.store (i32.const 8) (i32.const 77))
      (drop (memory.grow (i32.const 1)))
      (i32.load (local.get 0)))))");
  EXPECT_EQ(callI32(i, "load", {65532}), 0);
  EXPECT_EQ(callError(i, "load", {65533}).trap, TrapCode::MemoryOutOfBounds);
  EXPECT_EQ(callError(i, "load", {-4}).trap, TrapCode::MemoryOutOfBounds);
  EXPECT_EQ(callI32(i, "grow"), 1);
  EXPECT_EQ(callI32(i, "load", {65533}), 0);
  EXPECT_EQ(callI32(i, "growload", {8}), 77);
  EXPECT_EQ(callI32(i, "grow"), -1);
}

// Offset in the binary of the n-th byte equal to `opcode` after the code section's start; small modules only.
TEST(Trap, BacktraceNamesFunctionsAndPlaces) {
  World w;
  constexpr auto kText = R"((module $m
    (func $deep (param i32) (if (local.get 0) (then (unreachable))))
    (func $middle (param i32) (call $deep (local.get 0)))
    (func (export "top") (param i32) (call $middle (local.get 0)))))";
  auto bytes = *frontend::parseWat(kText);
  auto i = w.instantiate(kText);
  Error e = callError(i, "top", {1});
  ASSERT_EQ(e.backtrace.size(), 3u);
  EXPECT_EQ(e.backtrace[0].function, "deep");
  EXPECT_EQ(e.backtrace[1].function, "middle");
  EXPECT_EQ(e.backtrace[2].function, "top");
  EXPECT_EQ(e.backtrace[0].functionIndex, 0u);
  EXPECT_EQ(e.backtrace[2].functionIndex, 2u);
  for (const auto& frame : e.backtrace) EXPECT_EQ(frame.module, "m");
  ASSERT_TRUE(e.backtrace[0].moduleOffset && e.backtrace[1].moduleOffset && e.backtrace[2].moduleOffset);
  EXPECT_EQ(bytes.at(*e.backtrace[0].moduleOffset), 0x00);  // unreachable
  EXPECT_EQ(bytes.at(*e.backtrace[1].moduleOffset), 0x10);  // call
  EXPECT_EQ(bytes.at(*e.backtrace[2].moduleOffset), 0x10);
  EXPECT_LT(*e.backtrace[0].moduleOffset, *e.backtrace[1].moduleOffset);
  EXPECT_LT(*e.backtrace[1].moduleOffset, *e.backtrace[2].moduleOffset);
}

TEST(Trap, BacktraceCrossesHostFunctions) {
  World w;
  Instance inner =
      w.instantiate(R"((module $inner (func (export "boom") (drop (i32.load (i32.const -1)))) (memory 1)))");
  auto host = w.host({}, {}, [&](Caller&, auto, auto) -> Result<void> {
    auto r = inner.func("boom")->call({});
    if (!r) return std::unexpected(r.error());
    return {};
  });
  auto outer = w.instantiate(
      R"((module $outer (import "" "" (func $h)) (func $g (call $h)) (func (export "f") (call $g))))", {host});
  Error e = callError(outer, "f");
  EXPECT_EQ(e.trap, TrapCode::MemoryOutOfBounds);
  ASSERT_EQ(e.backtrace.size(), 3u);
  EXPECT_EQ(e.backtrace[0].module, "inner");
  EXPECT_EQ(e.backtrace[0].function, "boom");
  EXPECT_EQ(e.backtrace[1].module, "outer");
  EXPECT_EQ(e.backtrace[1].function, "g");
  EXPECT_EQ(e.backtrace[2].function, "f");
}

TEST(Trap, BacktraceOfAnImportedGuestFunction) {
  World w;
  auto a = w.instantiate(R"((module $a (func (export "boom") (unreachable))))");
  auto b = w.instantiate(R"((module $b (import "" "" (func $f)) (func (export "run") (call $f))))", {*a.func("boom")});
  Error e = callError(b, "run");
  ASSERT_EQ(e.backtrace.size(), 2u);
  EXPECT_EQ(e.backtrace[0].module, "a");
  EXPECT_EQ(e.backtrace[1].module, "b");
}

constexpr auto kRecursive = R"((module
    (func $f (export "f") (param i32) (result i32) (i32.add (i32.const 1) (call $f (i32.add (local.get 0) (i32.const 1)))))
    (func (export "ok") (result i32) (i32.const 3))))";

TEST(StackOverflow, IsATrap) {
  World w;
  auto i = w.instantiate(kRecursive);
  for (int round = 0; round < 3; ++round) {
    Error e = callError(i, "f", {0});
    EXPECT_EQ(e.trap, TrapCode::StackOverflow);
    EXPECT_EQ(e.message, "call stack exhausted");
    EXPECT_GT(e.backtrace.size(), 10u);
    EXPECT_LE(e.backtrace.size(), 200u);
    EXPECT_EQ(callI32(i, "ok"), 3);
  }
}

TEST(StackOverflow, ThroughHostFunctions) {
  Config config;
  config.maxStackBytes = 4 << 20;
  World w(config);
  Instance instance;
  int deepest = 0;
  auto host = w.host({ValType::i32()}, {}, [&](Caller&, std::span<const Val> a, auto) -> Result<void> {
    deepest = std::max(deepest, a[0].i32());
    auto inner = instance.func("f")->call({a[0].i32() + 1});
    if (!inner) return std::unexpected(inner.error());
    return {};
  });
  instance = w.instantiate(
      R"((module (import "" "" (func $h (param i32))) (func (export "f") (param i32) (call $h (local.get 0)))))",
      {host});
  Error e = callError(instance, "f", {0});
  EXPECT_EQ(e.trap, TrapCode::StackOverflow);
  EXPECT_GT(deepest, 100);
}

TEST(StackOverflow, OnASmallThread) {
  World w;
  auto i = w.instantiate(kRecursive);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 512 << 10);
  struct Job {
    Instance* instance;
    TrapCode code = TrapCode::None;
  } job{&i};
  pthread_t thread;
  ASSERT_EQ(pthread_create(
                &thread, &attributes,
                [](void* p) -> void* {
                  auto* j = static_cast<Job*>(p);
                  auto r = j->instance->func("f")->call({0});
                  if (!r) j->code = r.error().trap;
                  return nullptr;
                },
                &job),
            0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  EXPECT_EQ(job.code, TrapCode::StackOverflow);
  // And again on this thread, with its own limit.
  EXPECT_EQ(callError(i, "f", {0}).trap, TrapCode::StackOverflow);
  EXPECT_EQ(callI32(i, "ok"), 3);
}

constexpr auto kEndless =
    R"((module (func (export "spin") (loop $l (br $l))) (func (export "ok") (result i32) (i32.const 3))))";

TEST(Interrupt, FromAnotherThread) {
  World w;
  auto i = w.instantiate(kEndless);
  auto handle = w.store.interruptHandle();
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    handle.interrupt();
  });
  Error e = callError(i, "spin");
  other.join();
  EXPECT_EQ(e.trap, TrapCode::Interrupted);
  ASSERT_EQ(e.backtrace.size(), 1u);
  EXPECT_EQ(e.backtrace[0].function, "spin");
  EXPECT_EQ(callError(i, "spin").trap, TrapCode::Interrupted);  // until it is cleared
  w.store.clearInterrupt();
  EXPECT_EQ(callI32(i, "ok"), 3);
}

TEST(Interrupt, HandleOutlivesTheStore) {
  InterruptHandle handle;
  {
    World w;
    handle = w.store.interruptHandle();
  }
  handle.interrupt();
  InterruptHandle().interrupt();
}

TEST(Interrupt, ByDeadline) {
  World w;
  auto i = w.instantiate(kEndless);
  auto before = std::chrono::steady_clock::now();
  ASSERT_TRUE(w.store.setDeadline(std::chrono::milliseconds(20)));
  EXPECT_EQ(callError(i, "spin").trap, TrapCode::Interrupted);
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(20));
  w.store.clearInterrupt();
  // Taken back in time.
  ASSERT_TRUE(w.store.setDeadline(std::chrono::milliseconds(20)));
  ASSERT_TRUE(w.store.setDeadline(std::chrono::nanoseconds(0)));
  std::this_thread::sleep_for(std::chrono::milliseconds(40));
  EXPECT_EQ(callI32(i, "ok"), 3);
}

TEST(Interrupt, ManyTimesInARow) {
  World w;
  auto i = w.instantiate(kEndless);
  auto handle = w.store.interruptHandle();
  std::atomic<bool> stop = false;
  std::thread other([&] {
    while (!stop) {
      handle.interrupt();
      std::this_thread::yield();
    }
  });
  for (int k = 0; k < 200; ++k) {
    EXPECT_EQ(callError(i, "spin").trap, TrapCode::Interrupted);
    w.store.clearInterrupt();
  }
  stop = true;
  other.join();
}

}  // namespace
}  // namespace wattle::testing
