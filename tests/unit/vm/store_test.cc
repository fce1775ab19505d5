// Lives of objects: collection, stores that go, many instances; memories, tables, globals through the API;
// serialization.
#include <malloc.h>

#include <cstdio>
#include <fstream>
#include <thread>

#include "runtime/vm/type_registry.h"
#include "tests/unit/vm/vm_test.h"

namespace wattle::testing {
namespace {

constexpr auto kWithState =
    R"((module (memory (export "m") 1) (table (export "t") 4 funcref) (global (export "g") (mut i32) (i32.const 1))
    (func (export "f") (result i32) (i32.const 5))))";

TEST(Collect, FreesWhatNobodyHolds) {
  World w;
  size_t before = w.store.objectCount();
  { auto i = w.instantiate(kWithState); }
  EXPECT_EQ(w.store.objectCount(), before + 3);
  w.store.collect();
  EXPECT_EQ(w.store.objectCount(), before);
}

TEST(Collect, AFunctionKeepsItsInstance) {
  World w;
  std::optional<Func> f;
  {
    f = w.instantiate(
             R"((module (memory 1) (data (i32.const 0) "A") (func (export "f") (result i32) (i32.load8_u (i32.const 0)))))")
            .func("f");
  }
  w.store.collect();
  EXPECT_EQ((*f->call({}))[0].i32(), 'A');
}

TEST(Collect, ATableKeepsItsFunctions) {
  World w;
  auto a = w.instantiate(R"((module (table (export "t") 1 funcref)
    (func (export "call") (result i32) (call_indirect (result i32) (i32.const 0)))))");
  {
    // b's function comes by way of c, which imports it and holds a record of its own.
    auto b =
        w.instantiate(R"((module (global $g i32 (i32.const 17)) (func (export "f") (result i32) (global.get $g))))");
    w.instantiate(
        R"((module (import "" "f" (func $f (result i32))) (import "" "t" (table 1 funcref)) (elem declare func $f)
      (func $s (table.set (i32.const 0) (ref.func $f))) (start $s)))",
        {*b.func("f"), *a.table("t")});
  }
  w.store.collect();
  EXPECT_EQ(callI32(a, "call"), 17);
  ASSERT_TRUE(a.table("t")->set(0, Val::null(ValType::funcref())));
  w.store.collect();
  EXPECT_EQ(w.store.objectCount(), 2u);  // a and its table
}

TEST(Collect, ImportsKeepTheirOwners) {
  World w;
  Instance b;
  {
    auto a = w.instantiate(
        R"((module (global (export "g") (mut i32) (i32.const 41)) (memory (export "m") 1) (func (export "f"))))");
    b = w.instantiate(R"((module (import "" "g" (global $g (mut i32))) (import "" "m" (memory 1)) (import "" "f" (func))
      (func (export "inc") (result i32) (global.set $g (i32.add (global.get $g) (i32.const 1))) (global.get $g))))",
                      {*a.global("g"), *a.memory("m"), *a.func("f")});
  }
  w.store.collect();
  EXPECT_EQ(callI32(b, "inc"), 42);
}

TEST(Collect, CyclesThroughTables) {
  World w;
  {
    auto a = w.instantiate(R"((module (table (export "t") 2 funcref) (func $f (export "f")) (elem (i32.const 0) $f)))");
    auto b = w.instantiate(
        R"((module (import "" "t" (table 2 funcref)) (import "" "f" (func)) (func $g) (elem (i32.const 1) $g)))",
        {*a.table("t"), *a.func("f")});
  }
  w.store.collect();
  EXPECT_EQ(w.store.objectCount(), 0u);
}

TEST(Collect, RunsByItself) {
  World w;
  auto module = compileWat(w.engine, kWithState);
  for (int k = 0; k < 20000; ++k) ASSERT_TRUE(Instance::create(w.store, module, {}));
  EXPECT_LT(w.store.objectCount(), 5000u);
}

TEST(Collect, SparesWhatGuestFramesHold) {
  World w;
  auto host = w.host({}, {}, [&](Caller& caller, auto, auto) -> Result<void> {
    caller.store().collect();
    return {};
  });
  auto value = std::make_shared<int>(1);
  std::weak_ptr<int> weak = value;
  auto i = w.instantiate(R"((module (import "" "" (func $collect)) (table 1 externref)
    (func (export "hold") (param externref) (result externref)
      (call $collect) (call $collect) (local.get 0))
    (func (export "drop") (param externref) (call $collect))))",
                         {host});
  {
    RootScope scope(w.store);
    auto r = i.func("hold")->call({w.store.externref(std::move(value))});
    ASSERT_TRUE(r);
    EXPECT_TRUE(*w.store.externValue((*r)[0]));
  }
  EXPECT_FALSE(weak.expired());
  w.store.collect();
  EXPECT_TRUE(weak.expired());
}

TEST(Collect, GuestFramesKeepTheirInstances) {
  World w;
  auto collect = w.host({}, {}, [&](Caller& caller, auto, auto) -> Result<void> {
    caller.store().collect();
    return {};
  });
  std::optional<Instance> inner = w.instantiate(R"((module (import "" "" (func $collect)) (memory 1)
    (func (export "f") (result i32) (i32.store (i32.const 0) (i32.const 66)) (call $collect) (i32.load (i32.const 0)))))",
                                                {collect});
  // The only handle goes while its function runs, called through a table that is emptied meanwhile.
  auto table = *Table::create(w.store, {.element = ValType::funcref(), .min = 1}, inner->func("f")->ref());
  auto drop = w.host({}, {}, [&](Caller&, auto, auto) -> Result<void> {
    inner.reset();
    return {};
  });
  auto outer = w.instantiate(R"((module (import "" "" (table 1 funcref)) (import "" "d" (func $drop))
    (func (export "run") (result i32) (call $drop) (call_indirect (result i32) (i32.const 0)))))",
                             {table, drop});
  EXPECT_EQ(callI32(outer, "run"), 66);
}

TEST(Collect, ExternalValuesInTablesAndGlobals) {
  World w;
  auto i = w.instantiate(
      R"((module (table (export "t") 2 externref) (global (export "g") (mut externref) (ref.null extern))))");
  auto a = std::make_shared<int>(1), b = std::make_shared<int>(2), c = std::make_shared<int>(3);
  std::weak_ptr<int> wa = a, wb = b, wc = c;
  ASSERT_TRUE(i.table("t")->set(1, w.store.externref(std::move(a))));
  ASSERT_TRUE(i.global("g")->set(w.store.externref(std::move(b))));
  w.store.externref(std::move(c));
  w.store.collect();
  EXPECT_FALSE(wa.expired());
  EXPECT_FALSE(wb.expired());
  EXPECT_TRUE(wc.expired());
  ASSERT_TRUE(i.global("g")->set(Val::null(ValType::externref())));
  w.store.collect();
  EXPECT_TRUE(wb.expired());
}

TEST(Collect, HostFunctionsFreeTheirCallbacks) {
  World w;
  auto held = std::make_shared<int>(1);
  std::weak_ptr<int> weak = held;
  {
    w.host({}, {}, [held = std::move(held)](Caller&, auto, auto) -> Result<void> { return {}; });
  }
  w.store.collect();
  EXPECT_TRUE(weak.expired());
}

TEST(Store, DropFreesEverything) {
  auto held = std::make_shared<int>(1);
  std::weak_ptr<int> weak = held, external;
  std::weak_ptr<vm::Module> module;
  {
    World w;
    auto host = w.host({}, {}, [held = std::move(held)](Caller&, auto, auto) -> Result<void> { return {}; });
    auto i = w.instantiate(R"((module (import "" "" (func)) (memory 1) (table 10 funcref)))", {host});
    module = i.module().impl();
    auto value = std::make_shared<int>(2);
    external = value;
    w.store.externref(value);
  }
  EXPECT_TRUE(weak.expired());
  EXPECT_TRUE(external.expired());
  EXPECT_TRUE(module.expired());
}

TEST(Store, HandlesOfADroppedStoreAreErrors) {
  Engine engine;
  std::optional<Store> store(std::in_place, engine);
  auto i = instantiate(*store, engine, kWithState);
  auto host = Func::host(*store, {}, [](Caller&, auto, auto) -> Result<void> { return {}; });
  Func f = *i.func("f");
  Memory m = *i.memory("m");
  Table t = *i.table("t");
  Global g = *i.global("g");
  store.reset();
  EXPECT_EQ(f.call({}).error().kind, ErrorKind::Argument);
  EXPECT_EQ(host.call({}).error().kind, ErrorKind::Argument);
  EXPECT_EQ(f.type().results.size(), 1u);
  EXPECT_TRUE(m.bytes().empty());
  EXPECT_FALSE(m.grow(1));
  EXPECT_EQ(t.size(), 0u);
  EXPECT_FALSE(t.get(0));
  EXPECT_FALSE(g.set(Val(1)));
  EXPECT_EQ(g.get().i32(), 0);
  EXPECT_FALSE(i.get("f"));
  Func copy = f;  // counting still works
}

TEST(Store, Moves) {
  Engine engine;
  Store a(engine);
  Store* seen = nullptr;
  auto host = Func::host(a, {}, [&](Caller& caller, auto, auto) -> Result<void> {
    seen = &caller.store();
    return {};
  });
  Store b = std::move(a);
  ASSERT_TRUE(host.call({}));
  EXPECT_EQ(seen, &b);
}

TEST(Types, AreFreedWithTheirModules) {
  auto& registry = vm::TypeRegistry::process();
  size_t before = registry.typeCount();
  {
    World w;
    w.instantiate(
        R"((module (rec (type $a (func (param (ref null $b) i64 f32 f32))) (type $b (func (result (ref null $a)))))
      (type $c (func (param (ref $b) f64 f64 f64))) (func (type $c))))");
    EXPECT_EQ(registry.typeCount(), before + 3);
  }
  EXPECT_EQ(registry.typeCount(), before);
}

TEST(Types, OutliveTheirModuleInATable) {
  World w;
  std::optional<Table> table;
  {
    table =
        w.instantiate(R"((module (type $t (func (param f32 f32 f32 f32 i64))) (table (export "t") 1 (ref null $t))))")
            .table("t");
  }
  w.store.collect();
  auto i = w.instantiate(
      R"((module (type $t (func (param f32 f32 f32 f32 i64))) (import "" "" (table 1 (ref null $t)))))", {*table});
  EXPECT_TRUE(i.impl());
}

TEST(Types, ManyGoRoundInFlatSpace) {
  Engine engine;
  Store store(engine);
  size_t before = vm::TypeRegistry::process().typeCount();
  for (int k = 0; k < 2000; ++k) {
    // Distinct signatures: the bits of k as parameter types.
    std::string params;
    for (int b = 0; b < 12; ++b) params += k >> b & 1 ? " i32" : " f64";
    auto i = instantiate(store, engine, "(module (func (param" + params + ")))");
    if (k % 100 == 99) store.collect();
  }
  store.collect();
  EXPECT_EQ(vm::TypeRegistry::process().typeCount(), before);
}

TEST(Memory, GrowsInBothHands) {
  World w;
  for (auto mode : {BoundsMode::Guarded, BoundsMode::Checked}) {
    Config config;
    config.bounds = mode;
    World world(config);
    auto i = world.instantiate(R"((module (memory (export "m") 1 5)
      (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
      (func (export "size") (result i32) (memory.size))
      (func (export "get") (param i32) (result i32) (i32.load8_u (local.get 0)))))");
    auto m = *i.memory("m");
    m.bytes()[65535] = 7;
    EXPECT_EQ(callI32(i, "grow", {1}), 1);
    EXPECT_EQ(*m.grow(2), 2u);
    EXPECT_EQ(m.pages(), 4u);
    EXPECT_EQ(callI32(i, "size"), 4);
    EXPECT_EQ(m.bytes().size(), 4u << 16);
    m.bytes()[(4 << 16) - 1] = 9;
    EXPECT_EQ(callI32(i, "get", {65535}), 7);
    EXPECT_EQ(callI32(i, "get", {(4 << 16) - 1}), 9);
    EXPECT_FALSE(m.grow(2));
    EXPECT_EQ(m.pages(), 4u);
    EXPECT_EQ(m.type().minPages, 4u);
    EXPECT_EQ(m.type().maxPages, 5u);
  }
}

// A checked memory moves when it grows; every instance that uses it has to know.
TEST(Memory, ImportersFollowAMove) {
  Config config;
  config.bounds = BoundsMode::Checked;
  World w(config);
  auto owner = w.instantiate(
      R"((module (memory 0) (memory (export "m") 1) (func (export "grow") (result i32) (memory.grow 1 (i32.const 100)))
    (func (export "get") (result i32) (i32.load 1 (i32.const 0)))))");
  auto user = w.instantiate(R"((module (import "" "m" (memory 1)) (import "" "grow" (func $grow (result i32)))
    (func (export "run") (result i32)
      (i32.store (i32.const 0) (i32.const 5))
      (drop (call $grow))
      (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))
      (i32.load (i32.const 0)))))",
                            {*owner.memory("m"), *owner.func("grow")});
  for (int k = 0; k < 10; ++k) EXPECT_EQ(callI32(user, "run"), 6);
  EXPECT_EQ(callI32(owner, "get"), 6);
  EXPECT_EQ(owner.memory("m")->pages(), 1001u);
}

// From the second instance on, much data comes as an image.
TEST(Memory, EveryInstanceBeginsWithTheSameData) {
  for (auto mode : {BoundsMode::Guarded, BoundsMode::Checked}) {
    Config config;
    config.bounds = mode;
    World w(config);
    auto module = compileWat(w.engine, "(module (memory 4) (data (i32.const 7) \"" + std::string(100000, 'a') +
                                           "\") (data (i32.const 50000) \"bcd\") (data (i32.const 262143) \"z\")"
                                           R"((func (export "get") (param i32) (result i32) (i32.load8_u (local.get 0)))
        (func (export "set") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
        (func (export "init") (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 1)))))");
    for (int k = 0; k < 5; ++k) {
      auto i = *Instance::create(w.store, module, {});
      EXPECT_EQ(callI32(i, "get", {6}), 0);
      EXPECT_EQ(callI32(i, "get", {7}), 'a');
      EXPECT_EQ(callI32(i, "get", {50001}), 'c');
      EXPECT_EQ(callI32(i, "get", {100006}), 'a');
      EXPECT_EQ(callI32(i, "get", {100007}), 0);
      EXPECT_EQ(callI32(i, "get", {262143}), 'z');
      EXPECT_EQ(callError(i, "init").trap, TrapCode::MemoryOutOfBounds);
      for (int at : {6, 7, 50001, 200000, 262143}) ASSERT_TRUE(i.func("set")->call({at, 'X'}));
      EXPECT_EQ(callI32(i, "get", {50001}), 'X');
      if (k % 2) {
        i = {};
        w.store.collect();
      }
    }
  }
}

TEST(Memory, CustomPageSizeAndSixtyFourBits) {
  World w;
  auto i = w.instantiate(R"((module (memory (export "b") 10 20 (pagesize 1)) (memory (export "w") i64 1)
    (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "load64") (param i64) (result i32) (i32.load8_u 1 (local.get 0)))
    (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))))");
  EXPECT_EQ(callI32(i, "load", {9}), 0);
  EXPECT_EQ(callError(i, "load", {10}).trap, TrapCode::MemoryOutOfBounds);
  EXPECT_EQ(callI32(i, "grow", {3}), 10);
  EXPECT_EQ(callI32(i, "load", {12}), 0);
  EXPECT_EQ(callError(i, "load", {13}).trap, TrapCode::MemoryOutOfBounds);
  EXPECT_EQ(i.memory("b")->pages(), 13u);
  EXPECT_EQ(callI32(i, "load64", {int64_t{65535}}), 0);
  EXPECT_EQ(callError(i, "load64", {int64_t{1} << 40}).trap, TrapCode::MemoryOutOfBounds);
  EXPECT_EQ(callError(i, "load64", {int64_t{-1}}).trap, TrapCode::MemoryOutOfBounds);
}

TEST(Table, ThroughTheApi) {
  World w;
  auto i = w.instantiate(R"((module (table (export "t") 2 5 funcref) (func (export "f") (result i32) (i32.const 6))
    (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0)))
    (func (export "size") (result i32) (table.size))))");
  auto t = *i.table("t");
  Val f = i.func("f")->ref();
  EXPECT_TRUE(t.get(0)->isNull());
  ASSERT_TRUE(t.set(1, f));
  EXPECT_EQ(callI32(i, "call", {1}), 6);
  EXPECT_EQ(*t.grow(2, f), 2u);
  EXPECT_EQ(callI32(i, "size"), 4);
  EXPECT_EQ(callI32(i, "call", {3}), 6);
  EXPECT_FALSE(t.grow(2, f));
  EXPECT_EQ(t.get(4).error().kind, ErrorKind::Argument);
  EXPECT_EQ(t.set(0, Val(1)).error().kind, ErrorKind::Argument);
  EXPECT_EQ(t.set(0, Val::null(ValType::externref())).error().kind, ErrorKind::Argument);
  EXPECT_EQ(t.type().min, 4u);
}

TEST(Global, ThroughTheApi) {
  World w;
  auto g = *Global::create(w.store, {ValType::i64(), true}, Val(int64_t{5}));
  auto i = w.instantiate(
      R"((module (import "" "" (global $g (mut i64))) (func (export "double") (global.set $g (i64.mul (i64.const 2) (global.get $g))))))",
      {g});
  ASSERT_TRUE(i.func("double")->call({}));
  EXPECT_EQ(g.get().i64(), 10);
  EXPECT_FALSE(g.set(Val(1)));
  auto c = *Global::create(w.store, {ValType::i32(), false}, Val(1));
  EXPECT_FALSE(c.set(Val(2)));
  EXPECT_FALSE(Global::create(w.store, {ValType::i32(), false}, Val(1.0)));
}

TEST(Serialize, RoundTrip) {
  constexpr auto kText = R"((module (memory 1) (func $fib (export "fib") (param i32) (result i32)
    (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
    (func (export "trap") (drop (i32.load (i32.const -1))))))";
  std::vector<uint8_t> file;
  {
    Engine engine;
    file = *compileWat(engine, kText).serialize();
  }
  World w;
  auto module = Module::deserialize(w.engine, file);
  ASSERT_TRUE(module) << module.error().message;
  auto i = *Instance::create(w.store, *module, {});
  EXPECT_EQ(callI32(i, "fib", {15}), 610);
  Error e = callError(i, "trap");
  EXPECT_EQ(e.trap, TrapCode::MemoryOutOfBounds);
  EXPECT_EQ(e.backtrace.at(0).function, "trap");

  std::string path = ::testing::TempDir() + "wattle-serialize-test.bin";
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
  EXPECT_TRUE(Module::fromFile(w.engine, path));
  std::remove(path.c_str());
}

TEST(Serialize, DamageIsAnError) {
  Engine engine;
  std::vector<uint8_t> file;
  {
    Engine other;
    file = *compileWat(other, R"((module (func (export "f") (result i32) (i32.const 1))))").serialize();
  }
  for (size_t at = 0; at < file.size(); at += 37) {
    auto bad = file;
    bad[at] ^= 0x10;
    auto r = Module::deserialize(engine, bad);
    EXPECT_FALSE(r) << at;
  }
  for (size_t size : {size_t{0}, size_t{7}, size_t{95}, file.size() - 1}) {
    EXPECT_FALSE(Module::deserialize(engine, std::span(file).first(size))) << size;
  }
  Config fuel;
  fuel.fuel = true;
  EXPECT_FALSE(Module::deserialize(Engine(fuel), file));
  Config compare;
  compare.loopCheck = LoopCheck::Compare;
  EXPECT_FALSE(Module::deserialize(Engine(compare), file));
}

TEST(Many, InstancesEachWithAMemory) {
  World w;
  auto module = compileWat(w.engine, R"((module (memory 1) (global $g (mut i32) (i32.const 0))
    (func (export "set") (param i32) (i32.store (i32.const 100) (local.get 0)))
    (func (export "get") (result i32) (i32.load (i32.const 100)))
    (func (export "trap") (result i32) (i32.load (i32.const 65533)))))");
  constexpr int kCount = 40000;  // more than guarded memories fit the address space
  std::vector<Instance> all;
  all.reserve(kCount);
  for (int k = 0; k < kCount; ++k) {
    auto i = Instance::create(w.store, module, {});
    ASSERT_TRUE(i) << k << ": " << i.error().message;
    ASSERT_TRUE(i->func("set")->call({k}));
    all.push_back(*i);
  }
  for (int k = 0; k < kCount; k += 97) EXPECT_EQ(callI32(all[static_cast<size_t>(k)], "get"), k);
  for (int k = 0; k < kCount; k += 4999) {
    EXPECT_EQ(callError(all[static_cast<size_t>(k)], "trap").trap, TrapCode::MemoryOutOfBounds);
  }
}

TEST(Many, ThreadsWithStoresOfOneEngine) {
  Engine engine;
  auto text = [](int k) {
    return "(module (func (export \"f\") (param i32) (result i32) (if (i32.eqz (local.get 0)) (then (unreachable))) "
           "(i32.const " +
           std::to_string(k) + ")))";
  };
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Store store(engine);
      for (int k = 0; k < 200; ++k) {
        auto bytes = frontend::parseWat(text(k % 50 + (t % 2) * 1000));
        auto module = Module::compile(engine, std::move(*bytes));
        auto i = Instance::create(store, *module, {});
        auto good = i->func("f")->call({1}), bad = i->func("f")->call({0});
        if (!good || (*good)[0].i32() != k % 50 + (t % 2) * 1000 || bad || bad.error().trap != TrapCode::Unreachable)
          ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Fuel, RunsOut) {
  Config config;
  config.fuel = true;
  World w(config);
  auto i = w.instantiate(
      R"((module (func (export "spin") (loop $l (br $l))) (func (export "one") (result i32) (i32.const 1))))");
  ASSERT_TRUE(w.store.addFuel(10000));
  EXPECT_EQ(*w.store.fuel(), 10000u);
  EXPECT_EQ(callI32(i, "one"), 1);
  EXPECT_LE(*w.store.fuel(), 10000u);
  World plain;
  EXPECT_FALSE(plain.store.addFuel(1));
  EXPECT_FALSE(plain.store.fuel());
}

}  // namespace
}  // namespace wattle::testing
