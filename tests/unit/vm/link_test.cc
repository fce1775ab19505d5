// Instantiation and linking: imports of every kind, matching, segments, start functions, constant expressions.
#include "tests/unit/vm/vm_test.h"

namespace wattle::testing {
namespace {

Error linkError(World& w, std::string_view text, std::vector<Extern> imports) {
  auto r = tryInstantiate(w.store, w.engine, text, std::move(imports));
  if (r) {
    ADD_FAILURE() << "linked:\n" << text;
    return {};
  }
  return r.error();
}

TEST(Link, MissingAndMistypedImportsAreNamed) {
  World w;
  Linker linker(w.engine);
  linker.defineFunc("env", "f", {{ValType::i32()}, {}}, [](Caller&, auto, auto) -> Result<void> { return {}; });
  auto module = compileWat(w.engine, R"((module
    (import "env" "g" (func (param i64) (result f32)))
    (import "env" "f" (func (result i32)))
    (import "env" "m" (memory 1 2))))");
  auto r = linker.instantiate(w.store, module);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().kind, ErrorKind::Link);
  EXPECT_EQ(r.error().message,
            "unknown import for env.g: func (i64) -> (f32); incompatible import type for env.f: func () -> (i32); "
            "unknown import for env.m: memory 1 2");
}

TEST(Link, KindsMustAgree) {
  World w;
  auto i = w.instantiate(R"((module (func (export "f")) (memory (export "m") 1) (table (export "t") 1 funcref)
    (global (export "g") i32 (i32.const 0)) (tag (export "e"))))");
  Extern f = *i.get("f"), m = *i.get("m"), t = *i.get("t"), g = *i.get("g"), e = *i.get("e");
  const char* wants[] = {"(func)", "(table 1 funcref)", "(memory 1)", "(global i32)", "(tag)"};
  Extern have[] = {f, t, m, g, e};
  for (size_t a = 0; a < 5; ++a) {
    for (size_t b = 0; b < 5; ++b) {
      auto r =
          tryInstantiate(w.store, w.engine, std::string("(module (import \"\" \"\" ") + wants[a] + "))", {have[b]});
      EXPECT_EQ(r.has_value(), a == b) << a << " " << b;
      if (r) continue;
      EXPECT_TRUE(r.error().message.starts_with("incompatible import type")) << r.error().message;
    }
  }
}

TEST(Link, MemoryLimits) {
  World w;
  auto memory = *Memory::create(w.store, {.minPages = 2, .maxPages = 4});
  for (const char* good : {"(memory 1)", "(memory 2)", "(memory 2 4)", "(memory 0 10)"}) {
    EXPECT_TRUE(tryInstantiate(w.store, w.engine, std::string("(module (import \"\" \"\" ") + good + "))", {memory}))
        << good;
  }
  for (const char* bad : {"(memory 3)", "(memory 2 3)", "(memory i64 1)", "(memory 1 4 shared)"}) {
    auto r = tryInstantiate(w.store, w.engine, std::string("(module (import \"\" \"\" ") + bad + "))", {memory});
    EXPECT_FALSE(r) << bad;
  }
  // The present size counts, not the declared one.
  ASSERT_TRUE(memory.grow(1));
  EXPECT_TRUE(tryInstantiate(w.store, w.engine, R"((module (import "" "" (memory 3))))", {memory}));
}

TEST(Link, TableAndGlobalTypes) {
  World w;
  auto table = *Table::create(w.store, {.element = ValType::funcref(), .min = 1}, Val::null(ValType::funcref()));
  EXPECT_TRUE(tryInstantiate(w.store, w.engine, R"((module (import "" "" (table 1 funcref))))", {table}));
  EXPECT_FALSE(tryInstantiate(w.store, w.engine, R"((module (import "" "" (table 1 externref))))", {table}));
  EXPECT_FALSE(tryInstantiate(w.store, w.engine, R"((module (import "" "" (table 1 2 funcref))))", {table}));
  auto i = w.instantiate(R"((module (func $f) (elem declare func $f)
    (global (export "c") (ref func) (ref.func $f)) (global (export "v") (mut i32) (i32.const 1))))");
  Global c = *i.global("c"), v = *i.global("v");
  EXPECT_TRUE(tryInstantiate(w.store, w.engine, R"((module (import "" "" (global funcref))))", {c}));
  EXPECT_FALSE(tryInstantiate(w.store, w.engine, R"((module (import "" "" (global (mut funcref)))))", {c}));
  EXPECT_TRUE(tryInstantiate(w.store, w.engine, R"((module (import "" "" (global (mut i32)))))", {v}));
  EXPECT_FALSE(tryInstantiate(w.store, w.engine, R"((module (import "" "" (global i32))))", {v}));
}

TEST(Link, FunctionSubtypes) {
  World w;
  auto i = w.instantiate(R"((module
    (type $base (sub (func (result i32)))) (type $derived (sub $base (func (result i32))))
    (func (export "b") (type $base) (i32.const 1)) (func (export "d") (type $derived) (i32.const 2))))");
  constexpr auto kWantsBase = R"((module (type $base (sub (func (result i32)))) (import "" "" (func $f (type $base)))
    (func (export "run") (result i32) (call $f))))";
  constexpr auto kWantsDerived =
      R"((module (type $base (sub (func (result i32)))) (type $derived (sub $base (func (result i32))))
    (import "" "" (func (type $derived)))))";
  EXPECT_EQ(callI32(w.instantiate(kWantsBase, {*i.func("b")}), "run"), 1);
  EXPECT_EQ(callI32(w.instantiate(kWantsBase, {*i.func("d")}), "run"), 2);
  EXPECT_TRUE(tryInstantiate(w.store, w.engine, kWantsDerived, {*i.func("d")}));
  EXPECT_EQ(linkError(w, kWantsDerived, {*i.func("b")}).kind, ErrorKind::Link);
}

TEST(Link, RecursionGroupsAreStructural) {
  World w;
  constexpr auto kPair = R"((rec (type $a (func (param (ref null $b)))) (type $b (func (param (ref null $a))))))";
  auto i = w.instantiate(std::string("(module ") + kPair + R"((func (export "f") (type $a))))");
  EXPECT_TRUE(tryInstantiate(w.store, w.engine,
                             std::string("(module (type (func)) ") + kPair + R"((import "" "" (func (type $a)))))",
                             {*i.func("f")}));
  EXPECT_FALSE(tryInstantiate(w.store, w.engine,
                              std::string("(module ") + kPair + R"((import "" "" (func (type $b)))))", {*i.func("f")}));
}

TEST(Link, ExternsOfAnotherStoreAreRefused) {
  World a, b;
  auto i = a.instantiate(R"((module (func (export "f"))))");
  EXPECT_EQ(linkError(b, R"((module (import "" "" (func))))", {*i.func("f")}).kind, ErrorKind::Argument);
}

TEST(Link, ModuleOfAnotherEngineIsRefused) {
  World a, b;
  auto module = compileWat(a.engine, "(module)");
  auto r = Instance::create(b.store, module, {});
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().kind, ErrorKind::Argument);
}

TEST(Link, SharedStateThroughImports) {
  World w;
  auto a = w.instantiate(
      R"((module (memory (export "m") 1) (global $g (export "g") (mut i32) (i32.const 5)) (table (export "t") 2 funcref)
    (func (export "peek") (result i32) (i32.load (i32.const 16)))
    (func (export "global") (result i32) (global.get $g))
    (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0)))))");
  auto b = w.instantiate(
      R"((module (import "a" "m" (memory 1)) (import "a" "g" (global $g (mut i32))) (import "a" "t" (table 2 funcref))
    (func $nine (result i32) (i32.const 9)) (elem (i32.const 1) $nine)
    (func (export "poke") (i32.store (i32.const 16) (i32.const 1234)) (global.set $g (i32.const 6)))))",
      {*a.memory("m"), *a.global("g"), *a.table("t")});
  ASSERT_TRUE(b.func("poke")->call({}));
  EXPECT_EQ(callI32(a, "peek"), 1234);
  EXPECT_EQ(callI32(a, "global"), 6);
  EXPECT_EQ(callI32(a, "call", {1}), 9);
  EXPECT_EQ(a.global("g")->get().i32(), 6);
  ASSERT_TRUE(a.global("g")->set(Val(7)));
  EXPECT_EQ(callI32(a, "global"), 7);
  EXPECT_EQ(a.memory("m")->bytes()[16], 1234 & 0xff);
}

TEST(Link, LinkerDefinesInstancesAndReplaces) {
  World w;
  Linker linker(w.engine);
  linker.defineInstance("a", w.instantiate(R"((module (func (export "n") (result i32) (i32.const 1))))"));
  auto module = compileWat(
      w.engine, R"((module (import "a" "n" (func $n (result i32))) (func (export "run") (result i32) (call $n))))");
  EXPECT_EQ(callI32(*linker.instantiate(w.store, module), "run"), 1);
  linker.defineFunc("a", "n", {{}, {ValType::i32()}}, [](Caller&, auto, std::span<Val> r) -> Result<void> {
    r[0] = 2;
    return {};
  });
  EXPECT_EQ(callI32(*linker.instantiate(w.store, module), "run"), 2);
  Store other(w.engine);
  EXPECT_EQ(callI32(*linker.instantiate(other, module), "run"), 2);
  EXPECT_TRUE(linker.get(w.store, "a", "n"));
  EXPECT_FALSE(linker.get(w.store, "a", "x"));
  // One function a store, however often it is linked.
  EXPECT_TRUE(std::get<Func>(*linker.get(other, "a", "n")) == std::get<Func>(*linker.get(other, "a", "n")));
}

TEST(Instantiate, SegmentsInOrderUntilOneTraps) {
  World w;
  auto memory = *Memory::create(w.store, {.minPages = 1});
  Error e = linkError(
      w,
      R"((module (import "" "" (memory 1)) (data (i32.const 0) "abc") (data (i32.const 65535) "xy") (data (i32.const 9) "z")))",
      {memory});
  EXPECT_EQ(e.kind, ErrorKind::Trap);
  EXPECT_EQ(e.trap, TrapCode::MemoryOutOfBounds);
  EXPECT_EQ(memory.bytes()[0], 'a');
  EXPECT_EQ(memory.bytes()[65535], 0);
  EXPECT_EQ(memory.bytes()[9], 0);
  auto table = *Table::create(w.store, {.element = ValType::funcref(), .min = 2}, Val::null(ValType::funcref()));
  e = linkError(
      w,
      R"((module (import "" "" (table 2 funcref)) (func $f (result i32) (i32.const 8)) (elem (i32.const 1) $f) (elem (i32.const 2) $f)))",
      {table});
  EXPECT_EQ(e.trap, TrapCode::TableOutOfBounds);
  // What was written stays, and the function can be called although its instance never came to be.
  auto f = Func::fromRef(w.store, *table.get(1));
  ASSERT_TRUE(f);
  w.store.collect();
  EXPECT_EQ((*f->call({}))[0].i32(), 8);
}

TEST(Instantiate, PassiveSegmentsAndDrops) {
  World w;
  auto i = w.instantiate(R"((module (memory 1) (table 4 funcref) (data $d "hello") (elem $e func $f $f)
    (func $f (result i32) (i32.const 4))
    (func (export "minit") (param i32 i32 i32) (memory.init $d (local.get 0) (local.get 1) (local.get 2)))
    (func (export "ddrop") (data.drop $d))
    (func (export "tinit") (param i32 i32 i32) (table.init $e (local.get 0) (local.get 1) (local.get 2)))
    (func (export "edrop") (elem.drop $e))
    (func (export "byte") (param i32) (result i32) (i32.load8_u (local.get 0)))
    (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0)))))");
  ASSERT_TRUE(i.func("minit")->call({10, 1, 4}));
  EXPECT_EQ(callI32(i, "byte", {10}), 'e');
  EXPECT_EQ(callError(i, "minit", {0, 2, 4}).trap, TrapCode::MemoryOutOfBounds);
  ASSERT_TRUE(i.func("ddrop")->call({}));
  EXPECT_TRUE(i.func("minit")->call({0, 0, 0}));
  EXPECT_EQ(callError(i, "minit", {0, 0, 1}).trap, TrapCode::MemoryOutOfBounds);
  ASSERT_TRUE(i.func("tinit")->call({2, 0, 2}));
  EXPECT_EQ(callI32(i, "call", {3}), 4);
  ASSERT_TRUE(i.func("edrop")->call({}));
  EXPECT_EQ(callError(i, "tinit", {0, 0, 1}).trap, TrapCode::TableOutOfBounds);
}

TEST(Instantiate, StartFunctionRunsAndMayTrap) {
  World w;
  auto i = w.instantiate(
      R"((module (global $g (export "g") (mut i32) (i32.const 0)) (func $s (global.set $g (i32.const 3))) (start $s)))");
  EXPECT_EQ(i.global("g")->get().i32(), 3);
  Error e = linkError(w, R"((module (func $s (unreachable)) (start $s)))", {});
  EXPECT_EQ(e.trap, TrapCode::Unreachable);
  ASSERT_EQ(e.backtrace.size(), 1u);
  int calls = 0;
  auto host = w.host({}, {}, [&](Caller&, auto, auto) -> Result<void> {
    ++calls;
    return {};
  });
  w.instantiate(R"((module (import "" "" (func $h)) (start $h)))", {host});
  EXPECT_EQ(calls, 1);
}

TEST(Instantiate, ConstantExpressions) {
  World w;
  auto base = *Global::create(w.store, {ValType::i32(), false}, Val(100));
  auto i = w.instantiate(R"((module (import "" "" (global $b i32))
    (global $x (export "x") i32 (i32.add (global.get $b) (i32.mul (i32.const 3) (i32.sub (i32.const 7) (i32.const 2)))))
    (global (export "y") i32 (global.get $x))
    (global (export "z") i64 (i64.mul (i64.const 0x100000000) (i64.const 3)))
    (global (export "v") v128 (v128.const i32x4 1 2 3 4))
    (global (export "f") f64 (f64.const 0.1))
    (global $r (export "r") funcref (ref.func $f))
    (table (export "t") 3 funcref (ref.func $f))
    (memory 1) (data (i32.add (global.get $b) (i32.const 1)) "Q")
    (elem (table 0) (i32.sub (i32.const 3) (i32.const 1)) funcref (item (ref.null func)))
    (func $f (export "fn") (result i32) (i32.load8_u (i32.const 101)))))",
                         {base});
  EXPECT_EQ(i.global("x")->get().i32(), 115);
  EXPECT_EQ(i.global("y")->get().i32(), 115);
  EXPECT_EQ(i.global("z")->get().i64(), int64_t{3} << 32);
  EXPECT_EQ(i.global("v")->get().v128().bytes[4], 2);
  EXPECT_EQ(i.global("f")->get().f64(), 0.1);
  EXPECT_TRUE(*Func::fromRef(w.store, i.global("r")->get()) == *i.func("fn"));
  EXPECT_FALSE(i.table("t")->get(0)->isNull());
  EXPECT_TRUE(i.table("t")->get(2)->isNull());
  EXPECT_EQ(callI32(i, "fn"), 'Q');
}

TEST(Instantiate, LimitsOfTheStore) {
  Engine engine;
  Store store(engine, {.maxMemoryBytes = 2 << 16, .maxTableElements = 10, .maxInstances = 3});
  auto i = instantiate(store, engine, R"((module (memory (export "m") 1) (table (export "t") 1 funcref)
    (func (export "mgrow") (param i32) (result i32) (memory.grow (local.get 0)))
    (func (export "tgrow") (param i32) (result i32) (table.grow (ref.null func) (local.get 0)))))");
  EXPECT_EQ(callI32(i, "mgrow", {1}), 1);
  EXPECT_EQ(callI32(i, "mgrow", {1}), -1);
  EXPECT_EQ(callI32(i, "mgrow", {-1}), -1);
  EXPECT_EQ(callI32(i, "tgrow", {9}), 1);
  EXPECT_EQ(callI32(i, "tgrow", {1}), -1);
  EXPECT_EQ(callI32(i, "tgrow", {-1}), -1);
  EXPECT_EQ(i.memory("m")->grow(1).error().kind, ErrorKind::Resource);
  auto big = tryInstantiate(store, engine, "(module (memory 3))");
  ASSERT_FALSE(big);
  EXPECT_EQ(big.error().kind, ErrorKind::Resource);
  EXPECT_FALSE(tryInstantiate(store, engine, "(module (table 11 funcref))"));
  EXPECT_TRUE(tryInstantiate(store, engine, "(module)"));
  store.collect();
  auto a = instantiate(store, engine, "(module)"), b = instantiate(store, engine, "(module)");
  EXPECT_EQ(tryInstantiate(store, engine, "(module)").error().kind, ErrorKind::Resource);
}

TEST(Module, DescribesImportsAndExports) {
  Engine engine;
  auto m = compileWat(engine, R"((module $name (import "a" "b" (func $imported (param i32))) (memory (export "m") 1 2)
    (global (export "g") (mut f64) (f64.const 0)) (table (export "t") 1 externref) (func $inner (export "f") (result i64) (i64.const 0))))");
  EXPECT_EQ(m.name(), "name");
  EXPECT_EQ(m.functionName(0), "imported");
  EXPECT_EQ(m.functionName(1), "inner");
  ASSERT_EQ(m.imports().size(), 1u);
  EXPECT_EQ(m.imports()[0].module, "a");
  EXPECT_EQ(toString(m.imports()[0].type), "func (i32) -> ()");
  std::vector<std::string> exports;
  for (const auto& e : m.exports()) exports.push_back(e.name + ": " + toString(e.type));
  EXPECT_EQ(exports, (std::vector<std::string>{"m: memory 1 2", "g: global (mut f64)", "t: table 1 externref",
                                               "f: func () -> (i64)"}));
}

TEST(Module, ErrorsHavePlaces) {
  Engine engine;
  auto bad = Module::compile(engine, std::vector<uint8_t>{0, 'a', 's', 'm', 2, 0, 0, 0});
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().kind, ErrorKind::Malformed);
  auto bytes = *frontend::parseWat(R"((module (func) (func (result i32) (i64.const 0))))");
  auto invalid = Module::compile(engine, bytes);
  ASSERT_FALSE(invalid);
  EXPECT_EQ(invalid.error().kind, ErrorKind::Invalid);
  EXPECT_EQ(invalid.error().function, 1u);
  EXPECT_TRUE(invalid.error().offset);
  EXPECT_EQ(Module::validate(engine, bytes).error().kind, ErrorKind::Invalid);
}

TEST(Module, EqualBytesAreOneModule) {
  Engine engine;
  auto bytes = *frontend::parseWat(R"((module (func (export "f"))))");
  auto a = *Module::compile(engine, bytes), b = *Module::compile(engine, bytes);
  EXPECT_EQ(a.impl(), b.impl());
  Engine other;
  EXPECT_NE(Module::compile(other, bytes)->impl(), a.impl());
}

}  // namespace
}  // namespace wattle::testing
