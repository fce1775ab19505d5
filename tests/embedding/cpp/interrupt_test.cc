// Interruption reaches every way to run without end.
#include <atomic>
#include <thread>
#include <tuple>
#include <vector>

#include "tests/unit/vm/vm_test.h"

namespace wattle::testing {
namespace {

constexpr const char* kEndless = R"((module (memory 1) (table funcref (elem $i $m)) (tag $e) (type $v (func))
  (func (export "loop") (loop $l (br $l)))
  (func (export "counted") (local i64) (loop $l (local.set 0 (i64.add (local.get 0) (i64.const 1))) (br_if $l (i64.ne (local.get 0) (i64.const 0)))))
  (func (export "table") (loop $l (br_table $l $l (i32.const 1))))
  (func $t (export "tail") (return_call $t))
  (func $i (export "indirect") (return_call_indirect (type $v) (i32.const 0)))
  (func $r (export "reference") (return_call_ref $v (ref.func $m)))
  (func $m (return_call_ref $v (ref.func $m)))
  (func $a (export "mutual") (param i32 i64) (return_call $b (local.get 1) (local.get 0)))
  (func $b (param i64 i32) (return_call $a (local.get 1) (local.get 0)))
  (func (export "throw") (loop $l (block $b (try_table (catch $e $b) (throw $e))) (br $l)))
  (func (export "fill") (loop $l (memory.fill (i32.const 0) (i32.const 1) (i32.const 65536)) (br $l)))))";

class Endless : public ::testing::TestWithParam<std::tuple<bool, LoopCheck>> {
 protected:
  Config config() const {
    Config c;
    c.lazy = std::get<0>(GetParam());
    c.loopCheck = std::get<1>(GetParam());
    return c;
  }
};

TEST_P(Endless, StopsAtADeadline) {
  World w(config());
  auto i = w.instantiate(kEndless);
  for (auto& [name, value] : i.exports()) {
    w.store.clearInterrupt();
    ASSERT_TRUE(w.store.setDeadline(std::chrono::milliseconds(3)));
    const Func& function = std::get<Func>(value);
    std::vector<Val> args;
    for (const ValType& t : function.type().params) args.push_back(Val::zero(t));
    auto r = function.call(args);
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().trap, TrapCode::Interrupted) << name;
  }
}

TEST_P(Endless, StopsWhenAnotherThreadSaysSo) {
  World w(config());
  auto i = w.instantiate(kEndless);
  InterruptHandle handle = w.store.interruptHandle();
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    handle.interrupt();
  });
  EXPECT_EQ(callError(i, "counted").trap, TrapCode::Interrupted);
  other.join();
  EXPECT_EQ(callError(i, "tail").trap, TrapCode::Interrupted) << "until it is taken back";
  w.store.clearInterrupt();
  ASSERT_TRUE(w.store.setDeadline(std::chrono::milliseconds(3)));
  EXPECT_EQ(callError(i, "loop").trap, TrapCode::Interrupted);
}

TEST_P(Endless, StopsInAStartFunction) {
  World w(config());
  ASSERT_TRUE(w.store.setDeadline(std::chrono::milliseconds(3)));
  auto i = tryInstantiate(w.store, w.engine, "(module (func $s (return_call $s)) (start $s))");
  ASSERT_FALSE(i);
  EXPECT_EQ(i.error().trap, TrapCode::Interrupted);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Endless,
                         ::testing::Combine(::testing::Bool(),
                                            ::testing::Values(LoopCheck::Segment, LoopCheck::Compare)));

// At any moment, while instances are made and freed.
TEST(Interrupt, MeetsInstancesThatComeAndGo) {
  World w;
  Module module = compileWat(w.engine, R"((module (memory 0)
    (func (export "loop") (loop $l (br $l)))
    (func (export "sum") (param i32) (result i32) (local i32)
      (loop $l (local.set 1 (i32.add (local.get 1) (local.get 0)))
               (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (local.get 1))))");
  std::atomic<bool> enough{false};
  std::thread other([&, handle = w.store.interruptHandle()] {
    while (!enough) {
      handle.interrupt();
      std::this_thread::yield();
    }
  });
  std::vector<Instance> some;
  for (int i = 0; i < 200; ++i) {
    auto made = Instance::create(w.store, module, std::vector<Extern>{});
    ASSERT_TRUE(made);
    EXPECT_EQ(callError(*made, "loop").trap, TrapCode::Interrupted);
    w.store.clearInterrupt();
    if (some.size() < 8)
      some.push_back(*made);
    else
      some[static_cast<size_t>(i * 5 % 8)] = *made;
    if (i % 4 == 0) w.store.collect();
  }
  enough = true;
  other.join();
  w.store.clearInterrupt();
  for (const Instance& i : some) EXPECT_EQ(callI32(i, "sum", {1000}), 500500) << "as if nothing had been";
}

// Also the one that is called, and one made afterwards.
TEST(Interrupt, ReachesEveryInstance) {
  World w;
  auto callee = w.instantiate(R"((module (func (export "f") (loop $l (br $l)))))");
  auto caller = tryInstantiate(
      w.store, w.engine, R"((module (import "m" "f" (func $f)) (func (export "g") (call $f))))", {*callee.func("f")});
  ASSERT_TRUE(caller);
  ASSERT_TRUE(w.store.setDeadline(std::chrono::milliseconds(3)));
  EXPECT_EQ(callError(*caller, "g").trap, TrapCode::Interrupted);
  auto later = w.instantiate(R"((module (func (export "f") (loop $l (br $l)))))");
  EXPECT_EQ(callError(later, "f").trap, TrapCode::Interrupted);
}

// The store goes when its last call has come back.
TEST(DroppedStore, ByItsOwnHostFunction) {
  Engine engine;
  for (bool byMove : {false, true}) {
    auto store = std::make_unique<Store>(engine);
    auto witness = std::make_shared<int>(1);
    store->setData(std::shared_ptr<void>(witness));
    Func host = Func::wrap(*store, [&] {
      if (byMove)
        *store = Store(engine);
      else
        store.reset();
    });
    auto i = Instance::create(*store, compileWat(engine, R"((module (import "h" "f" (func $f)) (memory 1)
      (func (export "g") (result i32) (call $f) (loop $l (br_if $l (i32.load (i32.const 0)))) (i32.const 7))))"),
                              std::vector<Extern>{host});
    ASSERT_TRUE(i);
    EXPECT_EQ(callError(*i, "g").trap, TrapCode::Interrupted);
    EXPECT_GE(witness.use_count(), 2);
    store = std::make_unique<Store>(engine);
    EXPECT_EQ(witness.use_count(), 1);
    EXPECT_FALSE(i->func("g"));
    EXPECT_EQ(
        callI32(testing::instantiate(*store, engine, R"((module (func (export "f") (result i32) (i32.const 5))))"),
                "f"),
        5);
  }
}

// Each exception holds the one before: they count against the limit of objects.
TEST(Limits, OfExceptions) {
  World w;
  w.store = Store(w.engine, {.maxGcHeapBytes = 4 << 20});
  auto i = w.instantiate(std::string(R"((module (tag $t (param exnref)) (global $last (mut exnref) (ref.null exn))
    (func (export "chain") (param i32)
      (loop $l
        (block $b (result exnref exnref) (try_table (catch_ref $t $b) (throw $t (global.get $last))) (unreachable))
        (global.set $last) (drop)
        (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
    (func (export "drop") (global.set $last (ref.null exn))))") +
                         kScrub + ")");
  ASSERT_TRUE(i.func("chain")->call({1000}));
  EXPECT_EQ(callError(i, "chain", {-1}).trap, TrapCode::OutOfMemory);
  ASSERT_TRUE(i.func("drop")->call({}));
  ASSERT_TRUE(i.func("scrub")->call({1000}));
  ASSERT_TRUE(i.func("chain")->call({1000}));
}

}  // namespace
}  // namespace wattle::testing
