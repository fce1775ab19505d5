// Atomics between threads: contention, waiting, notifying, shared growth.
#include <chrono>
#include <thread>
#include <vector>

#include "tests/unit/vm/vm_test.h"

namespace wattle::testing {
namespace {

using namespace std::chrono_literals;

constexpr const char *kModule = R"((module (import "" "m" (memory 1 8 shared))
  (func (export "add") (param $n i32)
    (loop $l (drop (i64.atomic.rmw.add (i32.const 8) (i64.const 3)))
      (drop (i32.atomic.rmw8.add_u (i32.const 17) (i32.const 1)))
      (drop (i32.atomic.rmw.xor (i32.const 20) (i32.const 0x5a5a)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "cas") (param $n i32) (local $old i32)   ;; adds by compare and exchange
    (loop $l
      (local.set $old (i32.atomic.load (i32.const 24)))
      (br_if $l (i32.ne (local.get $old)
        (i32.atomic.rmw.cmpxchg (i32.const 24) (local.get $old) (i32.add (local.get $old) (i32.const 1)))))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "lock") (param $n i32)   ;; a mutex of wait and notify around a plain counter
    (loop $l
      (block $got (loop $try
        (br_if $got (i32.eqz (i32.atomic.rmw.cmpxchg (i32.const 32) (i32.const 0) (i32.const 1))))
        (drop (memory.atomic.wait32 (i32.const 32) (i32.const 1) (i64.const -1)))
        (br $try)))
      (i32.store (i32.const 36) (i32.add (i32.load (i32.const 36)) (i32.const 1)))
      (i32.atomic.store (i32.const 32) (i32.const 0))
      (drop (memory.atomic.notify (i32.const 32) (i32.const 1)))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "wait") (param i64) (result i32) (memory.atomic.wait32 (i32.const 40) (i32.const 0) (local.get 0)))
  (func (export "wait64") (param i64 i64) (result i32)
    (memory.atomic.wait64 (i32.const 48) (local.get 0) (local.get 1)))
  (func (export "notify") (param i32) (result i32) (memory.atomic.notify (i32.const 40) (local.get 0)))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "grow") (result i32) (memory.grow (i32.const 1)))
  (func (export "size") (result i32) (memory.size))
  (func (export "touch") (param i32) (result i32) (i32.store (local.get 0) (i32.const 5)) (i32.load (local.get 0)))))";

class Shared : public ::testing::TestWithParam<BoundsMode> {
 protected:
  static Config config() {
    Config c;
    c.bounds = GetParam();
    return c;
  }
  Engine engine{config()};
  Module module = compileWat(engine, kModule);
  Store store{engine};
  Memory memory = *Memory::create(store, MemoryType{.minPages = 1, .maxPages = 8, .isShared = true});
  SharedMemory shared = *memory.share();
  Instance instance = *Instance::create(store, module, std::vector<Extern>{memory});

  // Runs the function in stores of their own, on threads of their own.
  void inThreads(unsigned threads, const char *name, int32_t n) {
    std::vector<std::jthread> all;
    for (unsigned t = 0; t < threads; ++t) {
      all.emplace_back([&] {
        Store mine(engine);
        auto i = Instance::create(mine, module, std::vector<Extern>{*Memory::create(mine, shared)});
        ASSERT_TRUE(i) << i.error().message;
        auto r = i->func(name)->call({n});
        EXPECT_TRUE(r) << r.error().message;
      });
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Modes, Shared, ::testing::Values(BoundsMode::Guarded, BoundsMode::Checked));

TEST_P(Shared, NothingIsLost) {
  inThreads(4, "add", 20001);
  inThreads(4, "cas", 20000);
  EXPECT_EQ(callI32(instance, "load", {8}), 4 * 20001 * 3);
  EXPECT_EQ(callI32(instance, "load", {16}), (4 * 20001 & 0xff) << 8);
  EXPECT_EQ(callI32(instance, "load", {20}), 0);
  EXPECT_EQ(callI32(instance, "load", {24}), 80000);
}

TEST_P(Shared, WaitAndNotifyMakeAMutex) {
  inThreads(4, "lock", 5000);
  EXPECT_EQ(callI32(instance, "load", {36}), 20000);
}

TEST_P(Shared, WaitEnds) {
  EXPECT_EQ(callI32(instance, "wait64", {int64_t{1}, int64_t{-1}}),
            1);  // not equal
  EXPECT_EQ(callI32(instance, "wait64", {int64_t{0}, int64_t{0}}),
            2);  // at once
  EXPECT_EQ(callI32(instance, "notify", {1}), 0);
  auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(callI32(instance, "wait", {int64_t{20'000'000}}), 2);
  EXPECT_GE(std::chrono::steady_clock::now() - before, 20ms);
  std::jthread waiter([&] {
    Store mine(engine);
    auto i = *Instance::create(mine, module, std::vector<Extern>{*Memory::create(mine, shared)});
    EXPECT_EQ(callI32(i, "wait", {int64_t{-1}}), 0);
  });
  while (callI32(instance, "notify", {5}) == 0) std::this_thread::sleep_for(1ms);
}

TEST_P(Shared, InterruptsEndWaiting) {
  auto handle = store.interruptHandle();
  std::jthread other([handle] {
    std::this_thread::sleep_for(20ms);
    handle.interrupt();
  });
  EXPECT_EQ(callError(instance, "wait", {int64_t{-1}}).trap, TrapCode::Interrupted);
  other.join();
  store.clearInterrupt();
  EXPECT_EQ(callI32(instance, "wait", {int64_t{1000}}), 2);
  EXPECT_EQ(callI32(instance, "notify", {1}), 0);  // nobody is left on the list
}

TEST_P(Shared, GrowthIsSeenByAll) {
  Store mine(engine);
  auto i = *Instance::create(mine, module, std::vector<Extern>{*Memory::create(mine, shared)});
  EXPECT_EQ(callError(i, "touch", {65536}).trap, TrapCode::MemoryOutOfBounds);
  EXPECT_EQ(callI32(instance, "grow"), 1);
  EXPECT_EQ(callI32(i, "size"), 2);
  EXPECT_EQ(callI32(i, "touch", {65536}), 5);
  EXPECT_EQ(callI32(instance, "load", {65536}), 5);
}

TEST(Atomics, UnalignedAndUnsharedTrap) {
  World w;
  auto i = w.instantiate(R"((module (memory 1) (memory $b i64 1)
    (func (export "load") (param i32) (result i32) (i32.atomic.load offset=1 (local.get 0)))
    (func (export "const") (result i64) (i64.atomic.load offset=4 (i32.const 16)))
    (func (export "second") (param i64) (result i32) (i32.atomic.rmw16.or_u $b offset=2 (local.get 0) (i32.const 0x10203)))
    (func (export "beyond") (param i64) (result i32) (i32.atomic.rmw.add $b offset=0xffffffffffffffff (local.get 0) (i32.const 1)))
    (func (export "narrow") (result i64)
      (i64.store (i32.const 0) (i64.const 0x1122334455667788))
      (i64.add (i64.atomic.rmw8.cmpxchg_u (i32.const 0) (i64.const 0x88) (i64.const 0x1ff))
               (i64.shl (i64.atomic.rmw32.sub_u (i32.const 4) (i64.const 0x22)) (i64.const 8))))
    (func (export "wait") (result i32) (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const 0)))
    (func (export "waitunaligned") (result i32) (memory.atomic.wait32 (i32.const 2) (i32.const 0) (i64.const 0)))
    (func (export "notify") (result i32) (memory.atomic.notify (i32.const 0) (i32.const 1)))))");
  EXPECT_EQ(callI32(i, "load", {3}), 0);
  EXPECT_EQ(callError(i, "load", {4}).trap, TrapCode::UnalignedAtomic);
  EXPECT_EQ(callError(i, "load", {65535}).trap, TrapCode::MemoryOutOfBounds);
  EXPECT_EQ(callError(i, "const").trap, TrapCode::UnalignedAtomic);
  EXPECT_EQ(callI32(i, "second", {int64_t{4}}), 0);
  EXPECT_EQ(callI32(i, "second", {int64_t{4}}), 0x203);
  EXPECT_EQ(callError(i, "second", {int64_t{5}}).trap, TrapCode::UnalignedAtomic);
  EXPECT_EQ(callError(i, "second", {int64_t{65534}}).trap, TrapCode::MemoryOutOfBounds);
  EXPECT_EQ(callError(i, "beyond", {int64_t{1}}).trap, TrapCode::MemoryOutOfBounds);
  auto narrow = i.func("narrow")->call({});
  ASSERT_TRUE(narrow);
  EXPECT_EQ((*narrow)[0].i64(), 0x88 + (0x11223344ll << 8));
  EXPECT_EQ(callError(i, "wait").trap, TrapCode::ExpectedSharedMemory);
  EXPECT_EQ(callError(i, "waitunaligned").trap, TrapCode::UnalignedAtomic);
  EXPECT_EQ(callI32(i, "notify"), 0);
}

// Every register is taken: pins, and operands held across the access.
TEST(Atomics, UnderRegisterPressure) {
  World w;
  std::string locals, keep, use;
  for (int k = 0; k < 7; ++k) {
    std::string n = std::to_string(k);
    locals += " (local $p" + n + " i64)";
    for (int i = 0; i < 3; ++i)
      keep += " (local.set $p" + n + " (i64.add (local.get $p" + n + ") (i64.const " + n + ")))";
    use += " (local.get $p" + n + ") (i64.add)";
  }
  std::string body;
  int count = 0;
  for (const char *op : {"add", "sub", "and", "or", "xor", "xchg"}) {
    for (const char *width : {"", "8", "16", "32"}) {
      std::string name = std::string("i64.atomic.rmw") + width + "." + op + (*width ? "_u" : "");
      std::string at = std::to_string(count++ * 8);
      body += " (i64.store (i32.const " + at +
              ") (i64.const 0x0f1e2d3c4b5a6978))"
              " (i64.mul (local.get $x) (i64.const 3)) (i64.mul (local.get $x) "
              "(i64.const 5))"
              " (" +
              name + " (i32.add (local.get $a) (i32.const " + at +
              ")) (i64.add (local.get $x) (i64.const 0x33)))"
              " (i64.add) (i64.add) (" +
              "i64.load (i32.const " + at + ")) (i64.add) (local.get $sum) (i64.add) (local.set $sum)";
    }
  }
  auto i = w.instantiate(
      "(module (memory 1) (func (export \"run\") (param $a i32) "
      "(param $x i64) (result i64) (local $sum i64)" +
      locals + keep + body + " (local.get $sum)" + use + "))");
  auto r = i.func("run")->call({0, int64_t{2}});
  ASSERT_TRUE(r) << r.error().message;
  uint64_t sum = 0;
  for (int op = 0; op < 6; ++op) {
    for (int bits : {64, 8, 16, 32}) {
      uint64_t mask = bits == 64 ? ~0ull : (1ull << bits) - 1, cell = 0x0f1e2d3c4b5a6978, v = 0x35;
      uint64_t old = cell & mask;
      uint64_t next = op == 0   ? old + v
                      : op == 1 ? old - v
                      : op == 2 ? (old & v)
                      : op == 3 ? (old | v)
                      : op == 4 ? (old ^ v)
                                : v;
      cell = (cell & ~mask) | (next & mask);
      sum += 6 + 10 + old + cell;
    }
  }
  EXPECT_EQ(static_cast<uint64_t>((*r)[0].i64()),
            sum + 3 * 21);  // and the locals: 0 to 6, thrice
}

}  // namespace
}  // namespace wattle::testing
