// Typed functions in both directions.
#include <atomic>
#include <stdexcept>
#include <thread>

#include "tests/unit/vm/vm_test.h"

namespace wattle::testing {
namespace {

constexpr const char* kArithmetic = R"((module
  (func (export "add") (param i32 f64) (result i32) (i32.add (local.get 0) (i32.trunc_f64_s (local.get 1))))
  (func (export "half") (param f32) (result f32) (f32.mul (local.get 0) (f32.const 0.5)))
  (func (export "wide") (param i64) (result i64) (i64.add (local.get 0) (i64.const 1)))
  (func (export "nothing"))
  (func (export "swap") (param i32 f64) (result f64 i32) (local.get 1) (local.get 0))
  (func (export "mix") (param i32 i64 f32 f64 i32 i32 i32 i32) (result i64)
    (i64.add (i64.add (i64.extend_i32_u (local.get 0)) (local.get 1))
      (i64.extend_i32_s (i32.add (i32.add (local.get 4) (local.get 5)) (i32.add (local.get 6) (local.get 7))))))
  (func (export "six") (param i32 i32 i32 i32 i32 i64) (result i64)
    (i64.sub (local.get 5) (i64.extend_i32_s (i32.add (local.get 0) (local.get 4)))))
  (func (export "high") (param i32) (result i32) (i32.shr_u (local.get 0) (i32.const 31)))
  (func (export "not") (param v128) (result v128) (v128.not (local.get 0)))
  (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))))";

TEST(Typed, CallsWithEveryNumber) {
  World w;
  auto i = w.instantiate(kArithmetic);
  EXPECT_EQ(*(*i.func<int(int, double)>("add"))(40, 2.5), 42);
  EXPECT_EQ(*(*i.func<float(float)>("half"))(3.0f), 1.5f);
  EXPECT_EQ(*(*i.func<int64_t(int64_t)>("wide"))(int64_t{1} << 40), (int64_t{1} << 40) + 1);
  EXPECT_EQ(*(*i.func<unsigned(int)>("high"))(-1), 1u);
  EXPECT_TRUE((*i.func<void()>("nothing"))());
  V128 v;
  for (size_t k = 0; k < 16; ++k) v.bytes[k] = static_cast<uint8_t>(k);
  auto inverted = (*i.func<V128(V128)>("not"))(v);
  for (size_t k = 0; k < 16; ++k) EXPECT_EQ(inverted->bytes[k], 255 - k);
}

TEST(Typed, SixIntegersAreInRegistersAndMoreGoThroughMemory) {
  World w;
  auto i = w.instantiate(kArithmetic);
  EXPECT_EQ(*(*i.func<int64_t(int, int, int, int, int, int64_t)>("six"))(1, 0, 0, 0, 2, 100), 97);
  auto mix = i.func<int64_t(unsigned, int64_t, float, double, int, int, int, int)>("mix");
  ASSERT_TRUE(mix) << mix.error().message;
  EXPECT_EQ(*(*mix)(0xffffffffu, 1, 0, 0, -1, -2, -3, -4), 0x100000000 - 10);
}

TEST(Typed, ReturnsTuples) {
  World w;
  auto i = w.instantiate(kArithmetic);
  auto swapped = (*i.func<std::tuple<double, int>(int, double)>("swap"))(7, 0.25);
  ASSERT_TRUE(swapped);
  EXPECT_EQ(*swapped, std::make_tuple(0.25, 7));
}

TEST(Typed, ChecksTheSignatureOnce) {
  World w;
  auto i = w.instantiate(kArithmetic);
  auto wrong = i.func<int(int)>("add");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().kind, ErrorKind::Argument);
  EXPECT_EQ(wrong.error().message, "the function is (i32, f64) -> (i32), not (i32) -> (i32)");
  EXPECT_FALSE(i.func<int64_t(int, double)>("add"));
  EXPECT_EQ(i.func<int(int)>("absent").error().kind, ErrorKind::Link);
}

TEST(Typed, TrapsAreErrorsWithABacktrace) {
  World w;
  auto i = w.instantiate(kArithmetic);
  auto divide = *i.func<int(int, int)>("divide");
  for (int k = 0; k < 3; ++k) {
    auto r = divide(1, 0);
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().trap, TrapCode::IntegerDivideByZero);
    ASSERT_EQ(r.error().backtrace.size(), 1u);
    EXPECT_EQ(r.error().backtrace[0].function, "divide");
    EXPECT_EQ(*divide(9, 3), 3);
  }
}

TEST(Typed, ReferencesAreCheckedAndHandedOut) {
  World w, other;
  auto i = w.instantiate(R"((module
    (table (export "t") 4 funcref)
    (func $one (export "one") (result i32) (i32.const 1))
    (func (export "pass") (param externref) (result externref) (local.get 0))
    (func (export "store") (param i32 funcref) (table.set (local.get 0) (local.get 1)))
    (func (export "fetch") (param i32) (result funcref) (table.get (local.get 0)))
    (func (export "i31") (param i32) (result (ref null any)) (ref.i31 (local.get 0)))))");
  auto pass = *i.func<ExternRef(ExternRef)>("pass");
  auto value = std::make_shared<int>(5);
  auto passed = pass(ExternRef(w.store.externref(value)));
  ASSERT_TRUE(passed) << passed.error().message;
  EXPECT_EQ(w.store.externValue(passed->value())->get(), value.get());
  EXPECT_TRUE(pass(ExternRef())->isNull());
  Func one = *i.func("one");
  ASSERT_TRUE((*i.func<void(int, Func)>("store"))(2, one));
  auto fetched = (*i.func<Func(int)>("fetch"))(2);
  ASSERT_TRUE(fetched);
  EXPECT_EQ(*fetched, one);
  EXPECT_EQ(*(*fetched->typed<int()>())(), 1);
  EXPECT_EQ((*i.func<Func(int)>("fetch"))(0)->impl(), nullptr);
  auto strange = other.instantiate(R"((module (func (export "f"))))");
  auto refused = (*i.func<void(int, Func)>("store"))(1, *strange.func("f"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "argument 1: a function of another store");
  EXPECT_TRUE((*i.func<Val(int)>("i31"))(3)->type().isRef());
}

TEST(Typed, FunctionsOfADroppedStoreAreErrors) {
  TypedFunc<int(int, double)> add;
  EXPECT_EQ(add(1, 2).error().kind, ErrorKind::Argument);
  {
    World w;
    add = *w.instantiate(kArithmetic).func<int(int, double)>("add");
    EXPECT_EQ(*add(1, 2), 3);
  }
  EXPECT_EQ(add(1, 2).error().kind, ErrorKind::Argument);
}

TEST(Typed, DeepRecursionIsAnErrorFromAnyDepthAndThread) {
  World w;
  auto i = w.instantiate(R"((module (func $r (export "r") (param i32) (result i32)
    (if (result i32) (local.get 0) (then (i32.add (i32.const 1) (call $r (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0))))))");
  auto r = *i.func<int(int)>("r");
  EXPECT_EQ(*r(1000), 1000);
  EXPECT_EQ(r(100'000'000).error().trap, TrapCode::StackOverflow);
  std::thread([&] {
    EXPECT_EQ(*r(1000), 1000);
    EXPECT_EQ(r(100'000'000).error().trap, TrapCode::StackOverflow);
  }).join();
  EXPECT_EQ(*r(1000), 1000);
}

// --- host functions ------------------------------------------------------------------------------------------------

TEST(Wrap, DeducesTypes) {
  World w;
  EXPECT_EQ(toString(Func::wrap(w.store, [](Caller, int32_t, double) -> float { return 0; }).type()),
            "(i32, f64) -> (f32)");
  EXPECT_EQ(toString(Func::wrap(w.store, [](Caller&, uint64_t) {}).type()), "(i64) -> ()");
  EXPECT_EQ(
      toString(Func::wrap(w.store, []() -> Result<std::tuple<int, double>> { return std::tuple(1, 2.0); }).type()),
      "() -> (i32, f64)");
  EXPECT_EQ(toString(Func::wrap(
                         w.store, +[](bool) -> V128 { return {}; })
                         .type()),
            "(i32) -> (v128)");
  std::function<ExternRef(const Func&)> f = [](const Func&) { return ExternRef(); };
  EXPECT_EQ(toString(Func::wrap(w.store, f).type()), "(funcref) -> (externref)");
}

TEST(Wrap, IsCalledByTheGuest) {
  World w;
  int calls = 0;
  Linker linker(w.engine);
  linker.func("h", "mul", [&](int a, float b, double c) -> double { return ++calls, a * b * c; });
  linker.func("h", "neg", [](int64_t a) { return -a; });
  linker.func("h", "six",
              [](int a, int b, int c, int d, int e, int f) { return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f; });
  linker.func("h", "seven", [](int a, int, int, int, int, int, int g) { return a - g; });
  linker.func("h", "v", [](V128 v) { return v.bytes[0] ^= 1, v; });
  linker.func("h", "two", [](int a) { return std::make_tuple(a + 1, int64_t{a} << 32); });
  auto i = linker.instantiate(w.store, compileWat(w.engine, R"((module
    (import "h" "mul" (func $mul (param i32 f32 f64) (result f64)))
    (import "h" "neg" (func $neg (param i64) (result i64)))
    (import "h" "six" (func $six (param i32 i32 i32 i32 i32 i32) (result i32)))
    (import "h" "seven" (func $seven (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "h" "v" (func $v (param v128) (result v128)))
    (import "h" "two" (func $two (param i32) (result i32 i64)))
    (func (export "mul") (result f64) (call $mul (i32.const 3) (f32.const 0.5) (f64.const 10)))
    (func (export "neg") (param i64) (result i64) (call $neg (local.get 0)))
    (func (export "six") (result i32)
      (call $six (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4) (i32.const 5) (i32.const 6)))
    (func (export "seven") (result i32)
      (call $seven (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4) (i32.const 5) (i32.const 6) (i32.const 7)))
    (func (export "v") (param v128) (result i32) (i32x4.extract_lane 0 (call $v (local.get 0))))
    (func (export "two") (param i32) (result i64) (local i64)
      (local.set 1 (call $two (local.get 0))) i64.extend_i32_u (i64.add (local.get 1)))))"));
  ASSERT_TRUE(i) << i.error().message;
  EXPECT_EQ(*(*i->func<double()>("mul"))(), 15.0);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(*(*i->func<int64_t(int64_t)>("neg"))(5), -5);
  EXPECT_EQ(*(*i->func<int()>("six"))(), 91);
  EXPECT_EQ(*(*i->func<int()>("seven"))(), -6);
  EXPECT_EQ(*(*i->func<int(V128)>("v"))(V128{}), 1);
  EXPECT_EQ(*(*i->func<int64_t(int)>("two"))(5), (int64_t{5} << 32) + 6);
  // The host may call them too.
  EXPECT_EQ(*(*Func::wrap(w.store, [](int a) { return a + 1; }).typed<int(int)>())(1), 2);
  EXPECT_EQ((*Func::wrap(w.store, [](int a) { return a + 1; }).call({1}))[0].i32(), 2);
}

TEST(Wrap, CallerKnowsTheGuest) {
  World w;
  struct Counter {
    int calls = 0;
  };
  w.store.emplaceData<Counter>();
  Func host = Func::wrap(w.store, [](Caller caller, uint32_t at) -> Result<uint32_t> {
    ++caller.data<Counter>()->calls;
    EXPECT_EQ(caller.data<int>(), nullptr);
    return caller.memory()->view().load<uint32_t>(at);
  });
  auto i = w.instantiate(R"((module (import "h" "read" (func $read (param i32) (result i32))) (memory 1)
    (data (i32.const 100) "\2a\00\00\00") (func (export "f") (param i32) (result i32) (call $read (local.get 0)))))",
                         {host});
  auto f = *i.func<int(int)>("f");
  EXPECT_EQ(*f(100), 42);
  auto beyond = f(65534);
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().trap, TrapCode::MemoryOutOfBounds);
  EXPECT_EQ(beyond.error().backtrace.size(), 1u);
  EXPECT_EQ(w.store.data<Counter>()->calls, 2);
}

TEST(Wrap, ErrorsAndExceptionsEndTheGuestsCall) {
  World w;
  Func fails = Func::wrap(w.store, [](int x) -> Result<int> {
    if (x) return std::unexpected(Error::make(ErrorKind::Io, "no such thing"));
    return 7;
  });
  Func throws = Func::wrap(w.store, [](int x) {
    if (x) throw std::runtime_error("boom");
  });
  auto i = w.instantiate(
      R"((module (import "h" "a" (func $a (param i32) (result i32))) (import "h" "b" (func $b (param i32)))
    (func (export "a") (param i32) (result i32) (call $a (local.get 0)))
    (func (export "b") (param i32) (call $b (local.get 0)))))",
      {fails, throws});
  auto a = *i.func<int(int)>("a");
  EXPECT_EQ(*a(0), 7);
  EXPECT_EQ(a(1).error().kind, ErrorKind::Io);
  EXPECT_EQ(a(1).error().message, "no such thing");
  auto b = *i.func<void(int)>("b");
  EXPECT_TRUE(b(0));
  auto thrown = b(1);
  ASSERT_FALSE(thrown);
  EXPECT_EQ(thrown.error().trap, TrapCode::HostError);
  EXPECT_EQ(thrown.error().message, "host function failed: boom");
}

TEST(Wrap, ThrowsGuestExceptions) {
  World w;
  Tag tag = Tag::create(w.store, {{ValType::i32()}, {}});
  Func host = Func::wrap(w.store, [&](Caller caller, int x) -> Result<void> {
    Val payload(x);
    return std::unexpected(Exception::create(caller.store(), tag, {&payload, 1})->error());
  });
  auto i = w.instantiate(R"((module (import "h" "t" (tag $t (param i32))) (import "h" "f" (func $f (param i32)))
    (func (export "caught") (param i32) (result i32)
      (block $b (result i32) (try_table (catch $t $b) (call $f (local.get 0))) (i32.const -1)))
    (func (export "uncaught") (call $f (i32.const 9)))))",
                         {tag, host});
  EXPECT_EQ(*(*i.func<int(int)>("caught"))(5), 5);
  auto uncaught = (*i.func<void()>("uncaught"))();
  ASSERT_FALSE(uncaught);
  EXPECT_EQ(Exception::from(uncaught.error())->values()[0].i32(), 9);
}

TEST(Wrap, NestsCallsInBothDirections) {
  World w;
  std::optional<TypedFunc<int(int)>> down;
  Func host = Func::wrap(w.store, [&](int n) -> Result<int> {
    auto r = (*down)(n - 1);
    if (!r) return r;
    return *r + 1;
  });
  auto i = w.instantiate(R"((module (import "h" "f" (func $f (param i32) (result i32)))
    (func (export "g") (param i32) (result i32)
      (if (result i32) (i32.le_s (local.get 0) (i32.const 0)) (then (i32.div_u (i32.const 7) (i32.add (local.get 0) (i32.const 1))))
        (else (call $f (local.get 0)))))))",
                         {host});
  down = *i.func<int(int)>("g");
  EXPECT_EQ(*(*down)(50), 57);
  auto trapped = (*down)(-1);
  EXPECT_EQ(trapped.error().trap, TrapCode::IntegerDivideByZero);
  auto deep = (*down)(1'000'000);
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().trap, TrapCode::StackOverflow);
  EXPECT_GE(deep.error().backtrace.size(), 90u);
  EXPECT_EQ(*(*down)(50), 57);
}

TEST(Wrap, ReferencesOfACallAreReleasedAfterIt) {
  World w;
  Func host = Func::wrap(w.store, [](Caller caller, int n) {
    for (int k = 0; k < n; ++k) (void)caller.store().externref(std::make_shared<int>(k));
  });
  Func identity = Func::wrap(w.store, [](ExternRef r, Func f) { return f.impl() ? ExternRef() : r; });
  auto i = w.instantiate(
      R"((module (import "h" "f" (func $f (param i32))) (import "h" "g" (func $g (param externref funcref) (result externref)))
    (func (export "f") (param i32) (call $f (local.get 0)))
    (func (export "g") (param externref) (result externref) (call $g (local.get 0) (ref.null func)))))",
      {host, identity});
  auto f = *i.func<void(int)>("f");
  const size_t before = w.store.objectCount();
  ASSERT_TRUE(f(500));
  w.store.collect();
  EXPECT_EQ(w.store.objectCount(), before);
  auto r = w.store.externref(std::make_shared<int>(1));
  EXPECT_EQ((*i.func<ExternRef(ExternRef)>("g"))(ExternRef(r))->value().ref(), r.ref());
}

// A callback hands the store to another thread, which calls into it and gives it back.
TEST(Wrap, AStoreMayBeLentToAnotherThread) {
  World w;
  std::optional<TypedFunc<int(int)>> recurse;
  Func host = Func::wrap(w.store, [&](int n) {
    int result = 0;
    std::thread([&] {
      result = (*recurse)(n).value_or(-1);
      EXPECT_EQ((*recurse)(100'000'000).error().trap, TrapCode::StackOverflow);
    }).join();
    return result;
  });
  auto i = w.instantiate(R"((module (import "h" "f" (func $f (param i32) (result i32)))
    (func $r (export "r") (param i32) (result i32)
      (if (result i32) (local.get 0) (then (i32.add (i32.const 1) (call $r (i32.sub (local.get 0) (i32.const 1))))) (else (i32.const 0))))
    (func (export "lend") (param i32) (result i32) (i32.add (call $f (local.get 0)) (call $r (local.get 0))))))",
                         {host});
  recurse = *i.func<int(int)>("r");
  auto lend = *i.func<int(int)>("lend");
  for (int k = 0; k < 3; ++k) EXPECT_EQ(*lend(1000), 2000);
}

}  // namespace
}  // namespace wattle::testing
