// Text modules by the public API.
#include <gtest/gtest.h>

#include "wattle/wattle.hpp"

namespace wattle {
namespace {

TEST(TextModules, BecomeBinaries) {
  auto binary = wat2wasm("(module $m (func $f (export \"f\") (result i32) (i32.const 42)))");
  ASSERT_TRUE(binary);
  Engine engine;
  auto module = Module::compile(engine, *binary);
  ASSERT_TRUE(module);
  EXPECT_EQ(module->name(), "m");
  EXPECT_EQ(module->functionName(0), "f");
}

TEST(TextModules, AreCompiled) {
  Engine engine;
  auto module = Module::fromText(engine, "(module (func (export \"f\") (result i32) (i32.const 42)))");
  ASSERT_TRUE(module);
  Store store(engine);
  auto instance = Instance::create(store, *module, {});
  ASSERT_TRUE(instance);
  EXPECT_EQ(instance->func("f")->call({})->at(0).i32(), 42);
}

TEST(TextModules, ErrorsOfTheTextHaveLineAndColumn) {
  auto binary = wat2wasm("(module\n  (func (nonsense)))");
  ASSERT_FALSE(binary);
  EXPECT_EQ(binary.error().kind, ErrorKind::Malformed);
  EXPECT_TRUE(binary.error().message.starts_with("2:10: ")) << binary.error().message;
  EXPECT_EQ(binary.error().offset, 17u);
  auto module = Module::fromText(Engine(), "(module (func");
  ASSERT_FALSE(module);
  EXPECT_EQ(module.error().kind, ErrorKind::Malformed);
}

TEST(TextModules, MeaningIsCheckedWhenTheyAreCompiled) {
  constexpr std::string_view kText = "(module (func (result i32) (i64.const 1)))";
  EXPECT_TRUE(wat2wasm(kText));
  auto module = Module::fromText(Engine(), kText);
  ASSERT_FALSE(module);
  EXPECT_EQ(module.error().kind, ErrorKind::Invalid);
}

}  // namespace
}  // namespace wattle
