// What a small live module costs in memory, and its instance: by where it lies. Prints a line of JSON; the second
// argument is a bound on a module's bytes over its own (an error if it is passed, so this is a test as well).
//
//   wattle_module_memory [COUNT [BOUND]]
//
// Each module imports a function, has three of its own that call each other and a place to trap, and differs from all
// others. "heap" is what malloc has handed out for it, headers of its blocks included; "code" are granules of the code
// cache, "tables" the side tables of the code cache that this code touches (at 64 bytes a block, 4 a granule and what
// granules stand alone in their page); "own" are the module's bytes.
#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <vector>

#include "tests/bench/scale/modules.h"
#include "tests/support/process.h"
#include "wattle/stats.hpp"
#include "wattle/wattle.hpp"

namespace {

using namespace wattle;

[[noreturn]] void fail(const std::string& message) {
  std::fprintf(stderr, "wattle_module_memory: %s\n", message.c_str());
  std::exit(1);
}

struct Point {
  double heap = static_cast<double>(mallinfo2().uordblks + mallinfo2().hblkhd);
  double resident = static_cast<double>(process::residentBytes());
  CodeCacheStats code = codeCacheStats();
};

}  // namespace

int main(int argc, char** argv) {
  const size_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 50'000;
  const double bound = argc > 2 ? std::strtod(argv[2], nullptr) : 0;
  if (count == 0) fail("a count of one or more is wanted");
  Engine engine;
  scale::Template make(scale::kTenant);
  Store store(engine);
  Func tick = Func::host(store, {{ValType::i32()}, {ValType::i32()}},
                         [](Caller&, std::span<const Val> arguments, std::span<Val> results) -> Result<void> {
                           results[0] = arguments[0];
                           return {};
                         });
  std::vector<Module> modules;
  std::vector<Instance> instances;
  modules.reserve(count);
  instances.reserve(count);
  {
    auto first = Module::compile(engine, make.with(0));  // stubs and tables that all share
    if (!first) fail(first.error().message);
  }
  const double own = static_cast<double>(make.with(0).size());

  const Point start;
  for (size_t i = 0; i < count; ++i) {
    auto module = Module::compile(engine, make.with(static_cast<uint32_t>(i + 1)));
    if (!module) fail(module.error().message);
    modules.push_back(std::move(*module));
  }
  const Point compiled;
  for (const Module& module : modules) {
    auto instance = Instance::create(store, module, std::vector<Extern>{tick});
    if (!instance) fail(instance.error().message);
    instances.push_back(std::move(*instance));
  }
  const Point instantiated;
  for (size_t i = 0; i < count; ++i) {
    auto result = instances[i].func("run")->call({5});
    if (!result || (*result)[0].i32() != scale::Template::constant(static_cast<uint32_t>(i + 1)) + 5)
      fail("a wrong result");
  }
  const Point called;

  const auto each = [&](double bytes) { return bytes / static_cast<double>(count); };
  const double heap = each(compiled.heap - start.heap);
  const double code = each(static_cast<double>(compiled.code.bytesUsed - start.code.bytesUsed));
  const double tables = 64 + 4 * code / 64;
  const double over = heap + code + tables - own;
  std::printf(
      "{\"modules\": %zu, \"own\": %.0f, \"heap\": %.0f, \"code\": %.0f, \"tables\": %.0f, \"over own\": %.0f, "
      "\"resident\": %.0f, "
      "\"instance\": %.0f, \"instance resident\": %.0f, \"after a call\": %.0f}\n",
      count, own, heap, code, tables, over, each(compiled.resident - start.resident),
      each(instantiated.heap - compiled.heap), each(instantiated.resident - compiled.resident),
      each(called.heap - instantiated.heap));
  if (!process::kSanitized && bound != 0 && over > bound)
    fail("a module takes more than " + std::to_string(bound) + " bytes over its own");
  return 0;
}
