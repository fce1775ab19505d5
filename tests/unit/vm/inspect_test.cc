// wattle/inspect.hpp: what stands where in a module and in its native code.
#include "wattle/inspect.hpp"

#include <algorithm>

#include "tests/unit/vm/vm_test.h"

namespace wattle::testing {
namespace {

// Over a MiB of code is compiled straight into the cache, by several workers, with gaps between what each wrote.
TEST(Inspect, NativeCodeEndsWithItsFunctionInLargeModules) {
  std::string text = "(module";
  for (int f = 0; f < 2000; ++f) {
    text += "(func (param i32) (result i32) (local.get 0)";
    for (int i = 0; i < 200; ++i) text += " (i32.mul (i32.const " + std::to_string(f * 200 + i) + "))";
    text += ")";
  }
  Engine engine;
  const Module module = compileWat(engine, text + ")");
  uint64_t least = 0;  // where the next function may begin
  std::vector<std::pair<uint64_t, uint64_t>> places;
  for (uint32_t f = 0; f < 2000; f += 50) {
    auto compiled = compiledFunction(module, f);
    ASSERT_TRUE(compiled) << compiled.error().message;
    EXPECT_GT(compiled->code.size(), 200u);
    EXPECT_LT(compiled->code.size(), 8192u);
    ASSERT_FALSE(compiled->positions.empty());
    EXPECT_LT(compiled->positions.back().codeOffset, compiled->code.size());
    places.emplace_back(compiled->address, compiled->address + compiled->code.size());
  }
  std::ranges::sort(places);
  for (auto [begin, end] : places) {
    EXPECT_GE(begin, least);
    least = end;
  }
}

}  // namespace
}  // namespace wattle::testing
