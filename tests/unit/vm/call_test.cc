// Calls in both directions, arguments and results of every kind.
#include <limits>
#include <stdexcept>
#include <thread>

#include "tests/unit/vm/vm_test.h"

namespace wattle::testing {
namespace {

TEST(Call, AddsTwoNumbers) {
  World w;
  auto i = w.instantiate(
      R"((module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))))");
  EXPECT_EQ(callI32(i, "add", {40, 2}), 42);
}

TEST(Call, PassesEveryNumericType) {
  World w;
  auto i = w.instantiate(R"((module
    (func (export "swap") (param i32 i64 f32 f64 v128) (result v128 f64 f32 i64 i32)
      (local.get 4) (local.get 3) (local.get 2) (local.get 1) (local.get 0))))");
  V128 v;
  for (size_t k = 0; k < 16; ++k) v.bytes[k] = static_cast<uint8_t>(k * 7);
  auto r = i.func("swap")->call({-1, int64_t{1} << 40, 1.5f, -2.25, v});
  ASSERT_TRUE(r) << r.error().message;
  ASSERT_EQ(r->size(), 5u);
  EXPECT_EQ((*r)[0].v128(), v);
  EXPECT_EQ((*r)[1].f64(), -2.25);
  EXPECT_EQ((*r)[2].f32(), 1.5f);
  EXPECT_EQ((*r)[3].i64(), int64_t{1} << 40);
  EXPECT_EQ((*r)[4].i32(), -1);
}

TEST(Call, PassesManyArgumentsAndResults) {
  World w;
  std::string params, results, body, pushes;
  for (int k = 0; k < 40; ++k) {
    params += k % 2 ? " f64" : " i64";
    pushes += " (local.get " + std::to_string(39 - k) + ")";
    results = std::string(k % 2 ? " f64" : " i64") + results;
  }
  auto i = w.instantiate("(module (func (export \"f\") (param" + params + ") (result" + results + ")" + pushes + "))");
  std::vector<Val> args;
  for (int k = 0; k < 40; ++k) args.push_back(k % 2 ? Val(k * 0.5) : Val(int64_t{k} * 1000));
  auto r = i.func("f")->call(args);
  ASSERT_TRUE(r) << r.error().message;
  ASSERT_EQ(r->size(), 40u);
  for (size_t k = 0; k < 40; ++k) {
    EXPECT_EQ((*r)[k].low(), args[39 - k].low()) << k;
    EXPECT_EQ((*r)[k].type(), args[39 - k].type()) << k;
  }
}

TEST(Call, RefusesWrongArguments) {
  World w;
  auto i = w.instantiate(R"((module (func (export "f") (param i32))))");
  EXPECT_EQ(callError(i, "f").kind, ErrorKind::Argument);
  EXPECT_EQ(callError(i, "f", {1, 2}).kind, ErrorKind::Argument);
  auto e = callError(i, "f", {1.0});
  EXPECT_EQ(e.kind, ErrorKind::Argument);
  EXPECT_EQ(e.message, "argument 0: expected i32, got f64");
}

TEST(Call, RawCallsLeaveResultsInPlace) {
  World w;
  auto i = w.instantiate(R"((module (func (export "f") (param i32) (result i32 i64)
    (i32.add (local.get 0) (i32.const 1)) (i64.const -5))))");
  RawVal values[2];
  values[0].i32 = 7;
  ASSERT_TRUE(i.func("f")->callRaw(values));
  EXPECT_EQ(values[0].i32, 8);
  EXPECT_EQ(values[1].i64, -5);
  EXPECT_FALSE(i.func("f")->callRaw(std::span(values, 1)));
}

TEST(HostFunction, ReceivesArgumentsAndReturnsResults) {
  World w;
  std::vector<Val> seen;
  auto host = w.host({ValType::i32(), ValType::f64(), ValType::i64()}, {ValType::f64(), ValType::i32()},
                     [&](Caller&, std::span<const Val> args, std::span<Val> results) -> Result<void> {
                       seen.assign(args.begin(), args.end());
                       results[0] = 2.5;
                       results[1] = 11;
                       return {};
                     });
  auto i = w.instantiate(R"((module
    (import "" "" (func $h (param i32 f64 i64) (result f64 i32)))
    (func (export "f") (result f64 i32) (call $h (i32.const 3) (f64.const 0.5) (i64.const -9)))))",
                         {host});
  auto r = i.func("f")->call({});
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_EQ((*r)[0].f64(), 2.5);
  EXPECT_EQ((*r)[1].i32(), 11);
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].i32(), 3);
  EXPECT_EQ(seen[1].f64(), 0.5);
  EXPECT_EQ(seen[2].i64(), -9);
}

TEST(HostFunction, IsCalledByTheHostToo) {
  World w;
  auto host = w.host({ValType::i32()}, {ValType::i32()},
                     [](Caller& caller, std::span<const Val> a, std::span<Val> r) -> Result<void> {
                       EXPECT_FALSE(caller.memory());
                       r[0] = a[0].i32() * 2;
                       return {};
                     });
  auto r = host.call({21});
  ASSERT_TRUE(r);
  EXPECT_EQ((*r)[0].i32(), 42);
}

TEST(HostFunction, ReExportedKeepsItsIdentity) {
  World w;
  auto host = w.host({}, {}, [](Caller&, auto, auto) -> Result<void> { return {}; });
  auto i = w.instantiate(R"((module (import "" "" (func $h)) (export "h" (func $h))))", {host});
  EXPECT_TRUE(*i.func("h") == host);
  EXPECT_TRUE(i.func("h")->call({}));
}

TEST(HostFunction, WrongResultTypeIsAnError) {
  World w;
  auto host = w.host({}, {ValType::i32()}, [](Caller&, auto, std::span<Val> r) -> Result<void> {
    r[0] = 1.0;
    return {};
  });
  auto i = w.instantiate(R"((module (import "" "" (func $h (result i32))) (func (export "f") (result i32) (call $h))))",
                         {host});
  EXPECT_EQ(callError(i, "f").kind, ErrorKind::Argument);
}

TEST(HostFunction, ErrorsComeOutUnchanged) {
  World w;
  auto host = w.host({}, {}, [](Caller&, auto, auto) -> Result<void> {
    Error e = Error::make(ErrorKind::Exit, "bye");
    e.exitCode = 7;
    return std::unexpected(e);
  });
  auto i =
      w.instantiate(R"((module (import "" "" (func $h)) (func $g (call $h)) (func (export "f") (call $g))))", {host});
  Error e = callError(i, "f");
  EXPECT_EQ(e.kind, ErrorKind::Exit);
  EXPECT_EQ(e.message, "bye");
  EXPECT_EQ(e.exitCode, 7);
  EXPECT_TRUE(e.backtrace.empty());
}

TEST(HostFunction, ATrapOfItsOwnGetsABacktrace) {
  World w;
  auto host = w.host({}, {}, [](Caller&, auto, auto) -> Result<void> {
    return std::unexpected(Error::make(ErrorKind::Trap, "no such thing"));
  });
  auto i =
      w.instantiate(R"((module (import "" "" (func $h)) (func $g (call $h)) (func (export "f") (call $g))))", {host});
  Error e = callError(i, "f");
  EXPECT_EQ(e.message, "no such thing");
  ASSERT_EQ(e.backtrace.size(), 2u);
  EXPECT_EQ(e.backtrace[0].function, "g");
  EXPECT_EQ(e.backtrace[1].function, "f");
}

TEST(HostFunction, ExceptionsBecomeErrors) {
  World w;
  auto host = w.host({ValType::i32()}, {}, [](Caller&, std::span<const Val> a, auto) -> Result<void> {
    if (a[0].i32()) throw std::runtime_error("oh no");
    throw 3;
  });
  auto i = w.instantiate(
      R"((module (import "" "" (func $h (param i32))) (func (export "f") (param i32) (call $h (local.get 0)))))",
      {host});
  Error e = callError(i, "f", {1});
  EXPECT_EQ(e.kind, ErrorKind::Trap);
  EXPECT_EQ(e.trap, TrapCode::HostError);
  EXPECT_EQ(e.message, "host function failed: oh no");
  EXPECT_EQ(callError(i, "f", {0}).message, "host function failed");
}

TEST(HostFunction, SeesItsCaller) {
  World w;
  auto host = w.host({}, {ValType::i32()}, [](Caller& caller, auto, std::span<Val> r) -> Result<void> {
    auto memory = caller.memory();
    auto global = caller.get("g");
    EXPECT_TRUE(memory && global);
    EXPECT_EQ(*static_cast<int*>(caller.data()), 99);
    r[0] = memory->bytes()[3] + std::get<Global>(*global).get().i32();
    return {};
  });
  w.store.setData(std::make_shared<int>(99));
  constexpr auto kText =
      R"((module (import "" "" (func $h (result i32))) (memory (export "memory") 1) (data (i32.const 3) "\05")
    (global (export "g") i32 (i32.const 30)) (table funcref (elem $h))
    (func (export "direct") (result i32) (call $h))
    (func (export "indirect") (result i32) (call_indirect (result i32) (i32.const 0)))
    (func $tail (result i32) (return_call $h))
    (func (export "tail") (result i32) (call $tail))))";
  auto i = w.instantiate(kText, {host});
  EXPECT_EQ(callI32(i, "direct"), 35);
  EXPECT_EQ(callI32(i, "indirect"), 35);
  EXPECT_EQ(callI32(i, "tail"), 35);
}

TEST(NestedCalls, GoBackAndForth) {
  World w;
  Instance instance;
  auto host = w.host({ValType::i32()}, {ValType::i32()},
                     [&](Caller&, std::span<const Val> a, std::span<Val> r) -> Result<void> {
                       if (a[0].i32() == 0) {
                         r[0] = 0;
                         return {};
                       }
                       auto inner = instance.func("down")->call({a[0].i32() - 1});
                       if (!inner) return std::unexpected(inner.error());
                       r[0] = (*inner)[0].i32() + 1;
                       return {};
                     });
  instance = w.instantiate(R"((module (import "" "" (func $h (param i32) (result i32)))
    (func (export "down") (param i32) (result i32) (call $h (local.get 0)))))",
                           {host});
  EXPECT_EQ(callI32(instance, "down", {50}), 50);
}

TEST(NestedCalls, AnInnerTrapMayBeSurvived) {
  World w;
  Instance instance;
  std::string inner;
  auto host = w.host({}, {ValType::i32()}, [&](Caller&, auto, std::span<Val> r) -> Result<void> {
    inner = callError(instance, "boom").message;
    r[0] = 5;
    return {};
  });
  instance = w.instantiate(R"((module (import "" "" (func $h (result i32)))
    (func (export "boom") (unreachable))
    (func (export "f") (param i32) (result i32) (i32.add (local.get 0) (call $h)))))",
                           {host});
  EXPECT_EQ(callI32(instance, "f", {10}), 15);
  EXPECT_EQ(inner, "unreachable");
  EXPECT_EQ(callI32(instance, "f", {20}), 25);
}

TEST(NestedCalls, AcrossStores) {
  World outer, inner;
  auto sum = inner.instantiate(
      R"((module (func (export "boom") (unreachable)) (func (export "one") (result i32) (i32.const 1))))");
  auto host = outer.host({}, {ValType::i32()}, [&](Caller&, auto, std::span<Val> r) -> Result<void> {
    r[0] = callI32(sum, "one");
    EXPECT_EQ(callError(sum, "boom").backtrace.size(), 2u);  // boom and f below it
    return {};
  });
  auto i = outer.instantiate(
      R"((module (import "" "" (func $h (result i32))) (func (export "f") (result i32) (call $h))))", {host});
  EXPECT_EQ(callI32(i, "f"), 1);
}

TEST(NestedCalls, TheStoreMayGoToAnotherThreadMeanwhile) {
  World w;
  Instance instance;
  auto host = w.host({}, {}, [&](Caller& caller, auto, auto) -> Result<void> {
    std::thread([&] {
      EXPECT_EQ(callI32(instance, "two"), 2);
      EXPECT_EQ(callError(instance, "deep", {0}).trap, TrapCode::StackOverflow);
      caller.store().collect();
    }).join();
    return {};
  });
  instance = w.instantiate(R"((module (import "" "" (func $h))
    (func $deep (export "deep") (param i32) (result i32) (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
    (func (export "two") (result i32) (i32.const 2))
    (func (export "run") (result i32) (call $h) (i32.const 3))))",
                           {host});
  EXPECT_EQ(callI32(instance, "run"), 3);
  EXPECT_EQ(callError(instance, "deep", {0}).trap, TrapCode::StackOverflow);
}

TEST(References, FunctionsGoInAndOut) {
  World w;
  auto i = w.instantiate(R"((module (type $t (func (result i32)))
    (func $one (export "one") (type $t) (i32.const 1))
    (func (export "get") (result funcref) (ref.func $one))
    (func (export "null") (result funcref) (ref.null func))
    (func (export "call") (param (ref $t)) (result i32) (call_ref $t (local.get 0)))))");
  auto r = i.func("get")->call({});
  ASSERT_TRUE(r);
  auto f = Func::fromRef(w.store, (*r)[0]);
  ASSERT_TRUE(f);
  EXPECT_TRUE(*f == *i.func("one"));
  EXPECT_TRUE((*i.func("null")->call({}))[0].isNull());
  EXPECT_EQ(callI32(i, "call", {i.func("one")->ref()}), 1);
  EXPECT_EQ(callError(i, "call", {i.func("get")->ref()}).kind, ErrorKind::Argument);
  EXPECT_EQ(callError(i, "call", {Val::null(ValType::funcref())}).kind, ErrorKind::Argument);
}

TEST(References, AreRefusedByOtherStores) {
  World a, b;
  auto i = a.instantiate(R"((module (func (export "f"))))");
  auto j = b.instantiate(R"((module (func (export "take") (param funcref))))");
  EXPECT_EQ(callError(j, "take", {i.func("f")->ref()}).kind, ErrorKind::Argument);
  EXPECT_FALSE(Func::fromRef(b.store, i.func("f")->ref()));
}

TEST(References, ExternalValuesPassThrough) {
  World w;
  auto i = w.instantiate(R"((module (func (export "id") (param externref) (result externref) (local.get 0))))");
  auto value = std::make_shared<int>(5);
  auto r = i.func("id")->call({w.store.externref(value)});
  ASSERT_TRUE(r);
  auto back = w.store.externValue((*r)[0]);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->get(), value.get());
  EXPECT_TRUE((*i.func("id")->call({w.store.externref(nullptr)}))[0].isNull());
  EXPECT_FALSE(w.store.externValue(Val(5)));
}

}  // namespace
}  // namespace wattle::testing
