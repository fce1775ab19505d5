// Modules that let go of their functions' bytes (Config::keepBytes): what goes on working, and what says that it
// cannot.
#include <fmt/format.h>

#include "tests/unit/vm/vm_test.h"
#include "wattle/inspect.hpp"
#include "wattle/stats.hpp"

namespace wattle::testing {
namespace {

// All that instances read from the bytes stands behind the code too: data, active and passive, an offset that is an
// expression, names.
constexpr std::string_view kText = R"((module $parts
  (global $at (import "" "at") i32)
  (memory (export "memory") 1)
  (table $t 4 funcref)
  (global $g i32 (i32.add (i32.const 40) (i32.const 2)))
  (elem (table $t) (offset (i32.sub (i32.const 3) (i32.const 2))) func $seven)
  (func $seven (result i32) (i32.const 7))
  (func (export "through") (result i32) (call_indirect $t (result i32) (i32.const 1)))
  (func (export "global") (result i32) (global.get $g))
  (func (export "byte") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "init") (memory.init $passive (i32.const 64) (i32.const 1) (i32.const 3)))
  (func $divide (export "trap") (drop (i32.div_u (i32.const 1) (i32.const 0))))
  (data (i32.add (global.get $at) (i32.const 1)) "early")
  (data $passive "passive")))";

Config dropping(BoundsMode bounds = BoundsMode::Auto) {
  Config config;
  config.keepBytes = false;
  config.bounds = bounds;
  config.lazy = false;
  return config;
}

Instance makeParts(Store& store, const Module& module) {
  auto at = Global::create(store, {ValType::i32(), false}, Val(int32_t{9}));
  EXPECT_TRUE(at);
  auto instance = Instance::create(store, module, std::vector<Extern>{*at});
  EXPECT_TRUE(instance) << instance.error().message;
  return *instance;
}

TEST(KeepBytes, InstancesHaveAllTheyNeed) {
  for (BoundsMode bounds : {BoundsMode::Auto, BoundsMode::Guarded, BoundsMode::Checked}) {
    Engine engine(dropping(bounds));
    Module module = compileWat(engine, kText);
    for (int round = 0; round < 3; ++round) {
      Store store(engine);
      Instance instance = makeParts(store, module);
      EXPECT_EQ(callI32(instance, "through"), 7);
      EXPECT_EQ(callI32(instance, "global"), 42);
      EXPECT_EQ(callI32(instance, "byte", {10}), 'e');
      EXPECT_EQ(callI32(instance, "byte", {14}), 'y');
      ASSERT_TRUE(instance.func("init")->call({}));
      EXPECT_EQ(callI32(instance, "byte", {64}), 'a');
      EXPECT_EQ(callI32(instance, "byte", {66}), 's');
      EXPECT_EQ(callError(instance, "byte", {65536}).trap, TrapCode::MemoryOutOfBounds);
    }
  }
}

TEST(KeepBytes, TrapsHaveNamesButNoOffsets) {
  for (bool keep : {true, false}) {
    Config config = dropping();
    config.keepBytes = keep;
    Engine engine(config);
    Store store(engine);
    const Error error = callError(makeParts(store, compileWat(engine, kText)), "trap");
    EXPECT_EQ(error.trap, TrapCode::IntegerDivideByZero);
    ASSERT_FALSE(error.backtrace.empty());
    EXPECT_EQ(error.backtrace[0].function, "divide");
    EXPECT_EQ(error.backtrace[0].module, "parts");
    EXPECT_EQ(error.backtrace[0].moduleOffset.has_value(), keep);
  }
}

TEST(KeepBytes, WhatNeedsThemSaysSo) {
  Engine engine(dropping(BoundsMode::Guarded));
  Module module = compileWat(engine, kText);
  auto serialized = module.serialize();
  ASSERT_FALSE(serialized);
  EXPECT_EQ(serialized.error().kind, ErrorKind::Resource);
  EXPECT_NE(serialized.error().message.find("keepBytes"), std::string::npos) << serialized.error().message;
  auto inspected = compiledFunction(module, 0);
  ASSERT_FALSE(inspected);
  EXPECT_EQ(inspected.error().kind, ErrorKind::Resource);
}

TEST(KeepBytes, EqualBytesAreCompiledAgain) {
  Engine engine(dropping());
  Module a = compileWat(engine, kText), b = compileWat(engine, kText);
  EXPECT_NE(a.impl(), b.impl());
  EXPECT_EQ(engine.stats().modules.live, 2u);
  a = b = {};
  EXPECT_EQ(engine.stats().modules.live, 0u);
}

// Exact fuel needs the code once more when something traps.
TEST(KeepBytes, StayWithFuelAndLazyCode) {
  Config fuel = dropping();
  fuel.fuel = true;
  Config lazy = dropping();
  lazy.lazy = true;
  for (const Config& config : {fuel, lazy}) {
    Engine engine(config);
    Store store(engine);
    if (config.fuel) {
      ASSERT_TRUE(store.addFuel(1000));
    }
    Module module = compileWat(engine, kText);
    EXPECT_TRUE(module.serialize());
    EXPECT_TRUE(callError(makeParts(store, module), "trap").backtrace.at(0).moduleOffset);
  }
}

TEST(KeepBytes, ModulesWithoutFunctions) {
  Engine engine(dropping());
  Store store(engine);
  Instance instance = instantiate(store, engine, R"((module (memory (export "memory") 1) (data (i32.const 3) "x")))");
  EXPECT_EQ(instance.memory("memory")->bytes()[3], 'x');
}

}  // namespace
}  // namespace wattle::testing
