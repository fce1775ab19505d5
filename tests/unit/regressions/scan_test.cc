// The compiler does not believe the body scan where that was wrong (runtime/compile/baseline/prescan.h).
#include <gtest/gtest.h>

#include <string_view>
#include <vector>

#include "wattle/wattle.hpp"

namespace {

using Bytes = std::vector<uint8_t>;

void append(Bytes& to, const Bytes& what) { to.insert(to.end(), what.begin(), what.end()); }

Bytes leb(uint32_t value) {
  Bytes out;
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<uint8_t>(value | 0x80));
  out.push_back(static_cast<uint8_t>(value));
  return out;
}

void section(Bytes& module, uint8_t id, const Bytes& content) {
  module.push_back(id);
  append(module, leb(static_cast<uint32_t>(content.size())));
  append(module, content);
}

// (func (export "f") (param i32 i32) (result i32)) whose 2^20 uses of parameter 1 stand four loops deep, where each
// counts 2^12: the sum, of 32 bits, is nought, as if the parameter were never used.
Bytes wrappingWeight() {
  Bytes body = {0};
  for (int i = 0; i < 4; ++i) append(body, {0x03, 0x7f});                 // loop (result i32)
  for (int i = 0; i < (1 << 20) - 1; ++i) append(body, {0x20, 1, 0x1a});  // local.get 1, drop
  append(body, {0x20, 1});
  for (int i = 0; i < 5; ++i) body.push_back(0x0b);
  Bytes code = {1};
  append(code, leb(static_cast<uint32_t>(body.size())));
  append(code, body);
  Bytes module = {0, 'a', 's', 'm', 1, 0, 0, 0};
  section(module, 1, {1, 0x60, 2, 0x7f, 0x7f, 1, 0x7f});
  section(module, 3, {1, 0});
  section(module, 7, {1, 1, 'f', 0, 0});
  section(module, 10, code);
  return module;
}

TEST(BodyScan, WeightsThatWrapAreNoticed) {
  wattle::Engine engine;
  auto module = wattle::Module::compile(engine, wrappingWeight());
  ASSERT_TRUE(module) << module.error().message;
  wattle::Store store(engine);
  auto instance = wattle::Instance::create(store, *module, {});
  ASSERT_TRUE(instance);
  auto f = instance->func<int32_t(int32_t, int32_t)>("f");
  ASSERT_TRUE(f);
  auto result = (*f)(7, 42);
  ASSERT_TRUE(result);
  EXPECT_EQ(*result, 42);
}

}  // namespace
