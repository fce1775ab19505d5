// Exceptions and the host: out of the guest, through callbacks, and made by
// callbacks.
#include <optional>

#include "tests/unit/vm/vm_test.h"

namespace wattle::testing {
namespace {

constexpr const char *kThrower =
    R"((module $m (tag $t (export "t") (param i32 externref))
  (func $boom (export "boom") (param i32 externref) (throw $t (local.get 0) (local.get 1)))
  (func (export "outer") (param i32 externref) (call $boom (local.get 0) (local.get 1)))))";

TEST(HostExceptions, UncaughtOnesComeOut) {
  World w;
  auto i = w.instantiate(kThrower);
  auto value = std::make_shared<int>(5);
  Error error = callError(i, "outer", {7, w.store.externref(value)});
  EXPECT_EQ(error.kind, ErrorKind::Exception);
  EXPECT_EQ(error.message, "uncaught exception (7, externref)");
  ASSERT_EQ(error.backtrace.size(), 2u);
  EXPECT_EQ(error.backtrace[0].function, "boom");
  EXPECT_EQ(error.backtrace[1].function, "outer");
  auto exception = Exception::from(error);
  ASSERT_TRUE(exception);
  EXPECT_EQ(exception->tag(), std::get<Tag>(*i.get("t")));
  w.store.collect();  // the error keeps it
  auto values = exception->values();
  ASSERT_EQ(values.size(), 2u);
  EXPECT_EQ(values[0].i32(), 7);
  EXPECT_EQ(w.store.externValue(values[1]), value);
  EXPECT_FALSE(Exception::from(Error::make(ErrorKind::Trap, "no")));
}

TEST(HostExceptions, ErrorsOutliveTheStore) {
  Error error;
  {
    World w;
    auto i = w.instantiate(kThrower);
    error = callError(i, "boom", {7, Val::null(ValType::externref())});
  }
  EXPECT_EQ(error.kind, ErrorKind::Exception);
  EXPECT_TRUE(Exception::from(error)->values().empty());
}

// guest, host, guest, host, guest: the innermost throws, the outermost catches;
// every callback sees its call fail.
TEST(HostExceptions, PassThroughCallbacks) {
  World w;
  int seen = 0;
  std::optional<Func> next;
  auto hop = w.host({ValType::i32()}, {}, [&](Caller &, std::span<const Val> args, std::span<Val>) -> Result<void> {
    auto result = next->call({args[0].i32() - 1});
    if (result) return {};
    ++seen;
    EXPECT_EQ(result.error().kind, ErrorKind::Exception);
    return std::unexpected(std::move(result.error()));
  });
  auto i = w.instantiate(
      R"((module (import "" "hop" (func $hop (param i32))) (tag $t (param i64)) (tag $u)
    (func (export "down") (param i32) (local i64 i64 i64)
      (local.set 1 (i64.const 1)) (local.set 2 (i64.const 2)) (local.set 3 (i64.const 3))
      (if (i32.eqz (local.get 0)) (then (throw $t (i64.const 77))))
      (block $h (try_table (catch $u $h) (call $hop (local.get 0)))))
    (func (export "run") (param i32) (result i32) (local i32 i32)
      (local.set 1 (i32.const 1000)) (local.set 2 (i32.const 10000))
      (block $h (result i64) (try_table (catch $t $h) (call $hop (local.get 0))) (unreachable))
      (i32.wrap_i64) (i32.add (local.get 1)) (i32.add (local.get 2))))
    )",
      {hop});
  next = i.func("down");
  EXPECT_EQ(callI32(i, "run", {4}), 11077);
  EXPECT_EQ(seen, 4);
  // And the guest goes on as if nothing had been.
  EXPECT_EQ(callI32(i, "run", {1}), 11077);
}

TEST(HostExceptions, CallbacksThrow) {
  World w;
  auto tag = Tag::create(w.store, {{ValType::i32(), ValType::f64()}, {}});
  auto thrower = w.host({ValType::i32()}, {}, [&](Caller &, std::span<const Val> args, std::span<Val>) -> Result<void> {
    auto e = Exception::create(w.store, tag, std::vector<Val>{args[0], 2.5});
    if (!e) return std::unexpected(e.error());
    return std::unexpected(e->error());
  });
  auto i = w.instantiate(
      R"((module (import "" "f" (func $f (param i32))) (import "" "t" (tag $t (param i32 f64)))
    (func (export "run") (param i32) (result i32)
      (block $h (result i32 f64) (try_table (catch $t $h) (call $f (local.get 0))) (unreachable))
      (i32.trunc_f64_s) (i32.add))
    (func (export "uncaught") (call $f (i32.const 1)))))",
      {thrower, tag});
  EXPECT_EQ(callI32(i, "run", {40}), 42);
  Error error = callError(i, "uncaught");
  EXPECT_EQ(error.kind, ErrorKind::Exception);
  ASSERT_EQ(error.backtrace.size(), 1u);
  EXPECT_EQ(Exception::create(w.store, tag, {}).error().kind, ErrorKind::Argument);
  World other;
  EXPECT_EQ(Exception::create(other.store, tag, std::vector<Val>{1, 2.5}).error().kind, ErrorKind::Argument);
}

TEST(HostExceptions, ReferencesGoInAndOut) {
  World w;
  auto i = w.instantiate(R"((module (tag $t (param i32))
    (func (export "catch") (param i32) (result exnref)
      (block $h (result exnref) (try_table (catch_all_ref $h) (throw $t (local.get 0))) (unreachable)))
    (func (export "value") (param exnref) (result i32)
      (block $h (result i32) (try_table (catch $t $h) (throw_ref (local.get 0))) (unreachable)))))");
  auto caught = i.func("catch")->call({9});
  ASSERT_TRUE(caught);
  auto exception = Exception::fromRef(w.store, (*caught)[0]);
  ASSERT_TRUE(exception);
  EXPECT_EQ(exception->values()[0].i32(), 9);
  w.store.collect();  // the handle keeps it
  EXPECT_EQ(callI32(i, "value", {exception->ref()}), 9);
  World other;
  auto j = other.instantiate(R"((module (func (export "f") (param exnref))))");
  EXPECT_EQ(callError(j, "f", {exception->ref()}).kind, ErrorKind::Argument);
  EXPECT_EQ(callError(i, "value", {Val::null((*caught)[0].type())}).trap, TrapCode::NullExceptionReference);
}

TEST(HostExceptions, TheStartFunctionMayThrow) {
  World w;
  auto r = tryInstantiate(w.store, w.engine, "(module (tag $t) (func $s (throw $t)) (start $s))");
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().kind, ErrorKind::Exception);
}

}  // namespace
}  // namespace wattle::testing
