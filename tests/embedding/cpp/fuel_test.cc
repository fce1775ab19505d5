// Fuel: counts are exact, and the same in all kinds of code.
#include "tests/unit/vm/vm_test.h"

namespace wattle::testing {
namespace {

std::vector<Config> kinds() {
  std::vector<Config> all;
  for (BoundsMode bounds : {BoundsMode::Guarded, BoundsMode::Checked}) {
    for (bool lazy : {false, true}) {
      Config config;
      config.fuel = true;
      config.bounds = bounds;
      config.lazy = lazy;
      all.push_back(config);
    }
  }
  return all;
}

constexpr uint64_t kPlenty = 1'000'000'000;

struct Fueled : World {
  explicit Fueled(const Config& config) : World(config) { refill(kPlenty); }
  void refill(uint64_t units) {
    used_ = 0;
    const uint64_t left = *store.fuel();
    EXPECT_TRUE(left <= units ? store.addFuel(units - left) : store.consumeFuel(left - units));
    before_ = *store.fuel();
  }
  // Since the last time.
  uint64_t spent() {
    uint64_t total = before_ - *store.fuel();
    return total - std::exchange(used_, total);
  }

 private:
  uint64_t before_ = 0, used_ = 0;
};

// Calls it and gives the units that took.
uint64_t cost(Fueled& w, const Instance& i, std::string_view name, std::initializer_list<Val> args = {}) {
  w.spent();
  auto r = i.func(name)->call(args);
  EXPECT_TRUE(r) << name << ": " << r.error().message;
  return w.spent();
}

TEST(Fuel, CountsEveryInstructionButStructure) {
  for (const Config& config : kinds()) {
    Fueled w(config);
    auto i = w.instantiate(R"((module
      (func (export "empty"))
      (func (export "three") (drop (i32.add (i32.const 1) (i32.const 2))))
      (func (export "nops") nop nop (block (nop)) nop)
      (func (export "choose") (param i32) (if (local.get 0) (then nop nop nop) (else nop)))
      (func (export "skip") (param i32) (block (br_if 0 (local.get 0)) nop nop) nop)
      (func (export "when") (param i32) (if (local.get 0) (then nop)) nop)
      (func (export "early") (param i32) (block (block (br_table 0 1 (local.get 0))) nop nop nop))
      (func (export "loop") (param i32)
        (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))))");
    EXPECT_EQ(cost(w, i, "empty"), 0u);
    EXPECT_EQ(cost(w, i, "three"), 4u);  // two constants, add, drop
    EXPECT_EQ(cost(w, i, "nops"), 4u);
    EXPECT_EQ(cost(w, i, "choose", {1}), 5u);  // local.get, if, three
    EXPECT_EQ(cost(w, i, "choose", {0}), 3u);
    EXPECT_EQ(cost(w, i, "skip", {1}), 3u);
    EXPECT_EQ(cost(w, i, "skip", {0}), 5u);
    EXPECT_EQ(cost(w, i, "when", {1}), 4u);
    EXPECT_EQ(cost(w, i, "when", {0}), 3u);
    EXPECT_EQ(cost(w, i, "early", {0}), 5u);
    EXPECT_EQ(cost(w, i, "early", {7}), 2u);
    EXPECT_EQ(cost(w, i, "loop", {10}), 50u);  // five each time around
  }
}

TEST(Fuel, CountsCallsOfEveryKind) {
  for (const Config& config : kinds()) {
    Fueled w(config);
    uint64_t seen = 0;
    Func host = Func::wrap(w.store, [&](Caller caller) { seen = *caller.store().fuel(); });
    auto i = w.instantiate(R"((module (import "h" "f" (func $host))
      (table funcref (elem $leaf))
      (func $leaf nop nop)
      (func (export "direct") (call $leaf) nop)
      (func (export "indirect") (call_indirect (i32.const 0)) nop)
      (func (export "tail") (return_call $leaf))
      (func (export "host") nop nop (call $host) nop nop nop)
      (func $fib (export "fib") (param i32) (result i32)
        (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
          (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2))))))))
      )",
                           {host});
    EXPECT_EQ(cost(w, i, "direct"), 4u);
    EXPECT_EQ(cost(w, i, "indirect"), 5u);
    EXPECT_EQ(cost(w, i, "tail"), 3u);
    const uint64_t before = *w.store.fuel();
    EXPECT_EQ(cost(w, i, "host"), 6u);
    EXPECT_EQ(before - seen, 3u) << "all up to the call, and no more";
    // fib(10) makes 177 calls, 89 of them leaves: 5 units a leaf, 4 + 9 one that is none.
    EXPECT_EQ(cost(w, i, "fib", {10}), 89u * 5 + 88u * 13);
  }
}

TEST(Fuel, IsExactWhereAGuestTraps) {
  for (const Config& config : kinds()) {
    Fueled w(config);
    auto i = w.instantiate(R"((module (memory 1)
      (func (export "divide") (param i32) nop (drop (i32.div_s (i32.const 1) (local.get 0))) nop nop nop nop)
      (func (export "load") (param i32) nop (drop (i32.load (local.get 0))) nop nop nop)
      (func (export "unreachable") nop unreachable)
      (func $overflow (drop (i32.div_s (i32.const 0x80000000) (i32.const -1))) nop nop)
      (func (export "deeper") nop (call $overflow) nop)
      (func (export "fill") (memory.fill (i32.const 0) (i32.const 0) (i32.const -1)) nop)))");
    auto spent = [&](std::string_view name, std::initializer_list<Val> args = {}) {
      w.spent();
      EXPECT_EQ(callError(i, name, args).kind, ErrorKind::Trap);
      return w.spent();
    };
    EXPECT_EQ(spent("divide", {0}), 4u);  // nop, const, local.get, div
    EXPECT_EQ(spent("load", {-1}), 3u);
    EXPECT_EQ(spent("unreachable"), 2u);
    EXPECT_EQ(spent("deeper"), 5u);
    EXPECT_EQ(spent("fill"), 4u);
  }
}

TEST(Fuel, CountsExceptionsByWhatIsExecuted) {
  for (const Config& config : kinds()) {
    Fueled w(config);
    auto i = w.instantiate(R"((module (tag $t (param i32))
      (func $throw (param i32) (throw $t (local.get 0)) )
      (func (export "f") (result i32)
        (block $b (result i32) (try_table (catch $t $b) (call $throw (i32.const 5)) nop nop nop) (i32.const 1))
        nop)))");
    EXPECT_EQ(cost(w, i, "f"), 5u);  // const, call, local.get, throw, nop
  }
}

TEST(Fuel, ChargesBulkOperationsByTheirSize) {
  for (const Config& config : kinds()) {
    Fueled w(config);
    auto i = w.instantiate(
        R"((module (memory 4) (table $t 100 funcref) (data $d "0123456789012345678901234567890123456789012345678901234567890123456789")
      (type $bytes (array (mut i8)))
      (func (export "fill") (param i32) (memory.fill (i32.const 0) (i32.const 7) (local.get 0)))
      (func (export "copy") (param i32) (memory.copy (i32.const 0) (i32.const 9) (local.get 0)))
      (func (export "init") (memory.init $d (i32.const 0) (i32.const 0) (i32.const 70)))
      (func (export "table") (table.fill $t (i32.const 0) (ref.null func) (i32.const 80)))
      (func (export "grow") (drop (table.grow $t (ref.null func) (i32.const 17))))
      (func (export "array") (param i32) (drop (array.new_default $bytes (local.get 0))))
      (func (export "afill") (param i32) (array.fill $bytes (array.new_default $bytes (i32.const 1000)) (i32.const 0) (i32.const 1) (local.get 0)))))");
    EXPECT_EQ(cost(w, i, "fill", {63}), 4u);
    EXPECT_EQ(cost(w, i, "fill", {64}), 5u);
    EXPECT_EQ(cost(w, i, "fill", {65536}), 4u + 1024);
    EXPECT_EQ(cost(w, i, "copy", {6400}), 4u + 100);
    EXPECT_EQ(cost(w, i, "init"), 5u);
    EXPECT_EQ(cost(w, i, "table"), 4u + 10);
    EXPECT_EQ(cost(w, i, "grow"), 4u + 2);
    EXPECT_EQ(cost(w, i, "array", {6400}), 3u + 100);
    EXPECT_EQ(cost(w, i, "afill", {640}), 6u + 15 + 10);
    // One that cannot be paid is not begun, and not charged.
    w.refill(50);
    EXPECT_EQ(callError(i, "fill", {6400}).trap, TrapCode::OutOfFuel);
    EXPECT_EQ(w.spent(), 4u);
    EXPECT_EQ(*w.store.fuel(), 46u);
  }
}

// A program that needs n units runs with n and not with n - 1.
TEST(Fuel, RunsOutExactly) {
  for (const Config& config : kinds()) {
    Fueled w(config);
    auto i = w.instantiate(R"((module (func (export "loop") (param i32) (result i32)
      (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (i32.const 9))))");
    const uint64_t needed = cost(w, i, "loop", {100});
    EXPECT_EQ(needed, 501u);
    w.refill(needed);
    EXPECT_EQ(callI32(i, "loop", {100}), 9);
    EXPECT_EQ(*w.store.fuel(), 0u);
    w.refill(needed - 1);
    auto error = callError(i, "loop", {100});
    EXPECT_EQ(error.trap, TrapCode::OutOfFuel);
    EXPECT_EQ(error.message, "all fuel consumed");
    EXPECT_EQ(error.backtrace.size(), 1u);
    EXPECT_EQ(*w.store.fuel(), 0u) << "the block that does not fit is not charged";
    w.refill(503);
    EXPECT_EQ(callError(i, "loop", {1000}).trap, TrapCode::OutOfFuel);
    EXPECT_EQ(*w.store.fuel(), 3u) << "what is left pays no block of five";
    // And on with more.
    ASSERT_TRUE(w.store.addFuel(1000));
    EXPECT_EQ(callI32(i, "loop", {100}), 9);
  }
}

TEST(Fuel, StopsInfiniteLoopsAndRecursion) {
  for (const Config& config : kinds()) {
    Fueled w(config);
    w.refill(100'000);
    auto i = w.instantiate(R"((module
      (func (export "forever") (loop $l (br $l)))
      (func $a (export "recurse") (param i32) (if (local.get 0) (then (call $a (local.get 0)) (call $a (local.get 0)))))
      (func $t (export "tail") (return_call $t))))");
    EXPECT_EQ(callError(i, "forever").trap, TrapCode::OutOfFuel);
    EXPECT_EQ(*w.store.fuel(), 0u);
    w.refill(5000);
    EXPECT_EQ(callError(i, "recurse", {1}).trap, TrapCode::OutOfFuel);
    w.refill(100'000);
    EXPECT_EQ(callError(i, "tail").trap, TrapCode::OutOfFuel);
  }
}

TEST(Fuel, HostFunctionsMayCharge) {
  Fueled w(kinds()[0]);
  Func host = Func::wrap(w.store, [](Caller caller, uint32_t n) { return caller.store().consumeFuel(n); });
  auto i = w.instantiate(
      R"((module (import "h" "f" (func $f (param i32))) (func (export "f") (param i32) (call $f (local.get 0)))))",
      {host});
  w.refill(100);
  EXPECT_EQ(cost(w, i, "f", {40}), 42u);
  auto error = callError(i, "f", {1000});
  EXPECT_EQ(error.trap, TrapCode::OutOfFuel);
  EXPECT_EQ(*w.store.fuel(), 56u);
}

TEST(Fuel, IsAnErrorWhenConfigHasNone) {
  World w;
  EXPECT_EQ(w.store.addFuel(1).error().kind, ErrorKind::Argument);
  EXPECT_EQ(w.store.fuel().error().kind, ErrorKind::Argument);
  EXPECT_EQ(w.store.consumeFuel(1).error().kind, ErrorKind::Argument);
}

TEST(Fuel, IsPartOfWhatCodeIsKeyedBy) {
  Config with;
  with.fuel = true;
  Engine fueled(with), plain;
  const char* text = R"((module (func (export "loop") (loop $l (br $l)))))";
  auto bytes = *frontend::parseWat(text);
  auto serialized = Module::compile(fueled, bytes)->serialize();
  ASSERT_TRUE(serialized);
  EXPECT_FALSE(Module::deserialize(plain, *serialized));
  auto again = Module::deserialize(fueled, *serialized);
  ASSERT_TRUE(again) << again.error().message;
  Store store(fueled);
  ASSERT_TRUE(store.addFuel(1000));
  auto instance = Instance::create(store, *again, {});
  EXPECT_EQ(callError(*instance, "loop").trap, TrapCode::OutOfFuel);
  // The same bytes in an engine without.
  EXPECT_NE(Module::compile(plain, bytes)->impl(), again->impl());
}

}  // namespace
}  // namespace wattle::testing
