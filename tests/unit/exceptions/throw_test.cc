// Throwing and catching: frames, registers, tags, the legacy instructions.
#include <cstring>
#include <tuple>

#include "tests/unit/vm/vm_test.h"

namespace wattle::testing {
namespace {

Config with(BoundsMode bounds, bool lazy) {
  Config config;
  config.bounds = bounds;
  config.lazy = lazy;
  return config;
}

class Throw : public ::testing::TestWithParam<std::tuple<BoundsMode, bool>> {
 protected:
  World w{with(std::get<0>(GetParam()), std::get<1>(GetParam()))};
};
INSTANTIATE_TEST_SUITE_P(Modes, Throw,
                         ::testing::Combine(::testing::Values(BoundsMode::Guarded, BoundsMode::Checked),
                                            ::testing::Bool()));

TEST_P(Throw, UnwindsDeeply) {
  auto i = w.instantiate(R"((module (tag $t (param i32))
    (func $down (param i32) (result i32)
      (if (i32.eqz (local.get 0)) (then (throw $t (i32.const 7))))
      (i32.add (call $down (i32.sub (local.get 0) (i32.const 1))) (i32.const 1)))
    (func (export "run") (param i32) (result i32)
      (block $h (result i32)
        (try_table (result i32) (catch $t $h) (call $down (local.get 0)))
        (i32.const 1000) (i32.add)))))");
  EXPECT_EQ(callI32(i, "run", {0}), 7);
  EXPECT_EQ(callI32(i, "run", {5000}), 7);
}

// Ten integer and ten float locals live across the throw: in callee-saved
// registers, other pins, and slots. The callees use the same registers.
TEST_P(Throw, LocalsSurvive) {
  std::string locals, set, sum, floats;
  for (int k = 0; k < 10; ++k) {
    std::string n = std::to_string(k);
    locals += " (local $i" + n + " i64) (local $f" + n + " f64)";
    set += " (local.set $i" + n + " (i64.add (local.get $i" + n + ") (i64.const " + std::to_string(k * k + 1) + ")))" +
           " (local.set $f" + n + " (f64.add (local.get $f" + n + ") (f64.const " + std::to_string(k) + ".5)))";
    sum += " (local.get $i" + n + ") (i64.add) (local.get $i" + n + ") (i64.add)";
    floats += " (local.get $f" + n + ") (f64.add) (local.get $f" + n + ") (f64.add)";
  }
  for (const char *form : {"table", "legacy"}) {
    bool legacy = form[0] == 'l';
    std::string body = legacy ? "(try (do " + set + " (call $mid (i64.const 3))) (catch_all " + set + "))"
                              : "(block $h (try_table (catch_all $h) " + set + " (call $mid (i64.const 3)))) " + set;
    auto i = w.instantiate(
        "(module (tag $t) (memory 1)"
        "(func $mid (param i64)" +
        locals + set + " (local.set $i1 (local.get 0)) (call $leaf (local.get $i1))" + set +
        " (i64.store (i32.const 0) (i64.const 0)" + sum +
        "))"
        "(func $leaf (param i64)" +
        locals + set + set + " (i64.store (i32.const 8) (i64.const 0)" + sum +
        ")"
        " (i32.store (i32.const 16) (i32.const 1)) (throw $t))"
        "(func (export \"run\") (result i32)" +
        locals + set + body + " (i64.store (i32.const 0) (i64.const 0)" + sum + ")" +
        " (f64.store (i32.const 8) (f64.const 0)" + floats +
        ") (i32.load (i32.const 16)))"
        "(export \"memory\" (memory 0)))");
    EXPECT_EQ(callI32(i, "run"), 1);  // memory 0 is at hand in the handler
    auto bytes = i.memory("memory")->bytes();
    int64_t integers;
    double reals;
    memcpy(&integers, bytes.data(), 8);
    memcpy(&reals, bytes.data() + 8, 8);
    EXPECT_EQ(integers, 2 * 3 * (285 + 10)) << form;
    EXPECT_EQ(reals, 2 * 3 * (45 + 5)) << form;
  }
}

TEST_P(Throw, OperandsBelowTheTrySurvive) {
  auto i = w.instantiate(R"((module (tag $t (param f32 i64))
    (func $boom (throw $t (f32.const 2.5) (i64.const 9)))
    (func (export "run") (param i32) (result i32) (local $x i32)
      (i32.mul (local.get 0) (i32.const 3))       ;; stays on the stack
      (local.set 0 (i32.const 0))
      (block $h (result f32 i64)
        (try_table (catch $t $h) (call $boom))
        (f32.const 0) (i64.const 0))
      (local.set $x (i32.wrap_i64)) (i32.trunc_f32_s) (i32.add (local.get $x)) (i32.add))))");
  EXPECT_EQ(callI32(i, "run", {5}), 15 + 9 + 2);
}

TEST_P(Throw, ManyValuesOfEveryType) {
  auto i = w.instantiate(R"((module
    (tag $t (param i32 i64 f32 f64 v128 funcref externref i32))
    (func $boom (param externref) (throw $t (i32.const 1) (i64.const 2) (f32.const 3) (f64.const 4) (v128.const i64x2 5 6)
      (ref.func $boom) (local.get 0) (i32.const 7)))
    (elem declare func $boom)
    (func (export "run") (param externref) (result i32 i64 f32 f64 v128 funcref externref i32)
      (try_table (catch $t 0) (call $boom (local.get 0))) (unreachable))
    (func (export "legacy") (param externref) (result i32 i64 f32 f64 v128 funcref externref i32)
      (try (result i32 i64 f32 f64 v128 funcref externref i32) (do (call $boom (local.get 0)) (unreachable)) (catch $t)))))");
  Val external = w.store.externref(std::make_shared<int>(1));
  for (const char *name : {"run", "legacy"}) {
    auto r = i.func(name)->call({external});
    ASSERT_TRUE(r) << r.error().message;
    EXPECT_EQ((*r)[0].i32(), 1);
    EXPECT_EQ((*r)[1].i64(), 2);
    EXPECT_EQ((*r)[2].f32(), 3);
    EXPECT_EQ((*r)[3].f64(), 4);
    EXPECT_EQ((*r)[4].low(), 5u);
    EXPECT_EQ((*r)[4].high(), 6u);
    EXPECT_FALSE((*r)[5].isNull());
    EXPECT_EQ((*r)[6].ref(), external.ref());
    EXPECT_EQ((*r)[7].i32(), 7);
  }
}

TEST_P(Throw, StackArgumentsAndResultsArePopped) {
  // Calls with many arguments move the stack pointer; the handler finds it
  // where it was.
  auto i = w.instantiate(R"((module (tag $t)
    (func $boom (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i64 i64 i64 i64) (throw $t))
    (func $fine (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i64 i64 i64 i64)
      (local.get 6) (local.get 7) (local.get 8) (local.get 9))
    (func (export "run") (result i32) (local $n i32) (local $sum i64)
      (loop $again
        (block $h
          (try_table (catch_all $h)
            (call $boom (i64.const 0) (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5) (i64.const 6)
                        (i64.const 7) (i64.const 8) (i64.const 9))
            (drop) (drop) (drop) (drop)))
        (call $fine (i64.const 0) (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5) (i64.const 6)
                    (i64.const 7) (i64.const 8) (i64.const 9))
        (i64.add) (i64.add) (i64.add) (local.get $sum) (i64.add) (local.set $sum)
        (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 10000))))
      (i32.wrap_i64 (local.get $sum)))))");
  EXPECT_EQ(callI32(i, "run"), 300000);
}

TEST_P(Throw, TrapsAreNotCaught) {
  auto i = w.instantiate(R"((module (memory 1)
    (func $deep (call $deep))
    (func (export "unreachable") (block $h (try_table (catch_all $h) (unreachable))))
    (func (export "legacy") (try (do (unreachable)) (catch_all)))
    (func (export "load") (block $h (try_table (catch_all $h) (drop (i32.load (i32.const -1))))))
    (func (export "stack") (block $h (try_table (catch_all $h) (call $deep))))
    (func (export "null") (block $h (try_table (catch_all $h) (throw_ref (ref.null exn)))))))");
  EXPECT_EQ(callError(i, "unreachable").trap, TrapCode::Unreachable);
  EXPECT_EQ(callError(i, "legacy").trap, TrapCode::Unreachable);
  EXPECT_EQ(callError(i, "load").trap, TrapCode::MemoryOutOfBounds);
  EXPECT_EQ(callError(i, "stack").trap, TrapCode::StackOverflow);
  EXPECT_EQ(callError(i, "null").trap, TrapCode::NullExceptionReference);
}

TEST_P(Throw, RethrowKeepsTheException) {
  auto i = w.instantiate(
      R"((module (tag $a (param i32)) (tag $b (param i32)) (global $kept (mut exnref) (ref.null exn))
    (func $boom (param i32) (throw $a (local.get 0)))
    (func (export "nested") (param i32) (result i32)
      (try (result i32)
        (do (try (result i32) (do (call $boom (local.get 0)) (i32.const 0))
          (catch $a (drop)
            (try (do (throw $b (i32.const 1))) (catch $b (drop) (rethrow 1)))   ;; the outer one's
            (i32.const -1))))
        (catch $b (drop) (i32.const -2))
        (catch $a (i32.const 100) (i32.add))))
    (func (export "later") (param i32) (result i32)
      (block $h (result exnref)
        (try_table (catch_all_ref $h) (call $boom (local.get 0)))
        (unreachable))
      (global.set $kept)
      (block $v (result i32)
        (try_table (catch $b $v) (catch $a $v) (throw_ref (global.get $kept)))
        (unreachable)))))");
  EXPECT_EQ(callI32(i, "nested", {5}), 105);
  EXPECT_EQ(callI32(i, "later", {6}), 6);
}

TEST_P(Throw, DelegateSkipsHandlers) {
  auto i = w.instantiate(R"((module (tag $t)
    (func $boom (throw $t))
    (func (export "outer") (result i32)
      (try $o (result i32)
        (do (try (result i32)
              (do (try (do (call $boom)) (delegate $o)) (i32.const 0))
              (catch_all (i32.const 1))))
        (catch_all (i32.const 2))))
    (func (export "caller")
      (try (do (try (do (call $boom)) (delegate 1))) (catch_all)))))");
  EXPECT_EQ(callI32(i, "outer"), 2);
  EXPECT_EQ(callError(i, "caller").kind, ErrorKind::Exception);
}

TEST_P(Throw, TagsAreComparedByIdentity) {
  auto a = w.instantiate(
      R"((module (tag $t (export "t") (param i32)) (tag $u (export "u") (param i32))
    (func (export "boom") (param i32) (throw $t (local.get 0)))))");
  auto b = w.instantiate(
      R"((module (import "a" "boom" (func $boom (param i32))) (import "a" "t" (tag $t (param i32)))
      (import "a" "u" (tag $u (param i32))) (tag $own (param i32))
    (func (export "run") (result i32)
      (block $t (result i32) (block $other (result i32)
        (try_table (catch $own $other) (catch $u $other) (catch $t $t) (call $boom (i32.const 3)))
        (unreachable)) (drop) (return (i32.const -1))))))",
      {*a.get("boom"), *a.get("t"), *a.get("u")});
  EXPECT_EQ(callI32(b, "run"), 3);
}

TEST_P(Throw, TailCallsLeaveTheTry) {
  auto i = w.instantiate(R"((module (tag $t)
    (func $boom (result i32) (throw $t))
    (func $inner (result i32) (block $h (try_table (catch_all $h) (return_call $boom))) (i32.const 1))
    (func (export "run") (result i32)
      (block $h (try_table (catch_all $h) (drop (call $inner))) (return (i32.const 2))) (i32.const 3))))");
  EXPECT_EQ(callI32(i, "run"), 3);
}

TEST_P(Throw, HandlersAreLoopsAndFunctions) {
  auto i = w.instantiate(R"((module (tag $t (param i32))
    (func $boom (param i32) (throw $t (i32.add (local.get 0) (i32.const 1))))
    (func (export "loop") (result i32) (local $n i32)
      (i32.const 0)
      (loop $l (param i32) (result i32)
        (local.set $n)
        (if (i32.ge_u (local.get $n) (i32.const 1000)) (then (return (local.get $n))))
        (try_table (catch $t $l) (call $boom (local.get $n)))
        (unreachable)))
    (func (export "function") (result i32) (try_table (catch $t 0) (call $boom (i32.const 41))) (unreachable))))");
  EXPECT_EQ(callI32(i, "loop"), 1000);
  EXPECT_EQ(callI32(i, "function"), 42);
}

TEST_P(Throw, ManyExceptionsInBoundedMemory) {
  auto i = w.instantiate(
      R"((module (tag $t (param i64 i64 i64 i64)) (table $kept 16 exnref)
    (func $boom (throw $t (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4)))
    (func (export "run") (param $n i32) (result i32) (local $caught i32) (local $e exnref)
      (loop $again
        (block $h (result exnref) (try_table (catch_all_ref $h) (call $boom)) (unreachable))
        (local.set $e)
        (table.set $kept (i32.and (local.get $n) (i32.const 15)) (local.get $e))
        (local.set $caught (i32.add (local.get $caught) (i32.const 1)))
        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      ;; the kept ones are whole
      (block $h (result i64 i64 i64 i64)
        (try_table (catch $t $h) (throw_ref (table.get $kept (i32.const 5))))
        (unreachable))
      (i64.add) (i64.add) (i64.add) (i32.wrap_i64) (i32.add (local.get $caught)))))");
  EXPECT_EQ(callI32(i, "run", {200000}), 200010);
  EXPECT_LT(w.store.objectCount(), 5000u);
  w.store.collect();
  EXPECT_LT(w.store.objectCount(), 50u);
}

TEST(ThrowSerialized, HandlersAreKept) {
  World w;
  constexpr const char *kText = R"((module (tag $t (param i32))
    (func $boom (param i32) (throw $t (local.get 0)))
    (func (export "run") (param i32) (result i32)
      (block $h (result i32) (try_table (catch $t $h) (call $boom (local.get 0))) (unreachable)))))";
  std::vector<uint8_t> file;
  {
    Engine engine;
    auto bytes = compileWat(engine, kText).serialize();
    ASSERT_TRUE(bytes);
    file = *bytes;
  }
  auto module = Module::deserialize(w.engine, file);
  ASSERT_TRUE(module) << module.error().message;
  auto i = Instance::create(w.store, *module, {});
  ASSERT_TRUE(i);
  EXPECT_EQ(callI32(*i, "run", {12}), 12);
}

}  // namespace
}  // namespace wattle::testing
