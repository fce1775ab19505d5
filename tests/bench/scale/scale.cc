// How far one process goes, and at what cost: one line of JSON at 1, 2, 5, 10, 20, 50, … of a count, and one more at
// each later stage.
//
//   wattle_scale distinct N     N different live modules, each instantiated and called; then all called again; then all dropped
//   wattle_scale identical N    the same with equal bytes
//   wattle_scale rounds N       N times: create, compile, instantiate, call, drop; every module different from all before
//   wattle_scale memories N     N live instances of one module with a memory each; then each tenth grown; then all dropped
//   wattle_scale links N        N modules that call each other in chains of 100 through one table and through their imports
//   wattle_scale threads N      on 1, 2, 4, … threads at once: N rounds on each, in a store for each round
//
// Wrong results and memory out of bounds end it with an error: it is a test as well.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tests/bench/scale/modules.h"
#include "tests/support/process.h"
#include "wattle/wattle.hpp"

namespace {

using namespace wattle;
using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const std::string& message) {
  std::fprintf(stderr, "wattle_scale: %s\n", message.c_str());
  std::exit(1);
}

template <class T>
T need(Result<T>&& result) {
  if (!result) fail(result.error().message);
  return std::move(*result);
}

int32_t call(const Instance& instance, const char* name, int32_t argument) {
  auto func = instance.func(name);
  if (!func) fail(std::string("no export ") + name);
  return need(func->call({argument}))[0].i32();
}

void expect(bool condition, const char* what, uint64_t index) {
  if (!condition) fail(std::string(what) + " at " + std::to_string(index));
}

void expectTrap(const Instance& instance, const char* name, int32_t argument, TrapCode trap, uint64_t index) {
  auto result = instance.func(name)->call({argument});
  expect(!result && result.error().trap == trap, "not the expected trap", index);
}

class Report {
 public:
  explicit Report(std::string shape) : shape_(std::move(shape)) {}
  void atMost(uint64_t bound, uint64_t value, const char* what) const {
    if (!process::kSanitized && value > bound)
      fail(shape_ + ": " + what + " is " + std::to_string(value) + ", bound " + std::to_string(bound));
  }
  // At the round counts only.
  void progress(uint64_t count) {
    if (count < next_) return;
    line("live", count);
    uint64_t lead = next_;
    while (lead >= 10) lead /= 10;
    next_ = lead == 2 ? next_ / 2 * 5 : next_ * 2;
  }
  void line(const char* stage, uint64_t count) {
    double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    std::printf(
        "{\"runtime\": \"wattle\", \"shape\": \"%s\", \"stage\": \"%s\", \"count\": %llu, \"seconds\": %.3f, "
        "\"resident\": %llu, \"mappings\": %llu}\n",
        shape_.c_str(), stage, static_cast<unsigned long long>(count), seconds,
        static_cast<unsigned long long>(process::residentBytes()),
        static_cast<unsigned long long>(process::countMappings()));
    std::fflush(stdout);
  }

 private:
  std::string shape_;
  uint64_t next_ = 1;
  Clock::time_point start_ = Clock::now();
};

Func makeTick(Store& store) {
  return Func::host(store, {{ValType::i32()}, {ValType::i32()}},
                    [](Caller&, std::span<const Val> args, std::span<Val> results) -> Result<void> {
                      results[0] = args[0].i32() + 1;
                      return {};
                    });
}

constexpr uint64_t kMegabyte = 1 << 20;

void liveModules(const char* shape, uint64_t n, bool distinct) {
  Report report(shape);
  Engine engine;
  std::vector<Instance> instances;
  {
    Store store(engine);
    scale::Template text(scale::kTenant);
    std::vector<Extern> imports{makeTick(store)};
    auto constantOf = [&](uint64_t i) { return scale::Template::constant(distinct ? static_cast<uint32_t>(i) : 7); };
    for (uint64_t i = 0; i < n; ++i) {
      Module module = need(Module::compile(engine, text.with(distinct ? static_cast<uint32_t>(i) : 7)));
      instances.push_back(need(Instance::create(store, module, imports)));
      expect(call(instances.back(), "run", 2) == constantOf(i) + 3, "wrong result", i);
      report.progress(i + 1);
    }
    for (uint64_t i = 0; i < n; ++i) {
      expect(call(instances[i], "run", 5) == constantOf(i) + 6, "wrong result", i);
      if (i % 100 == 0) expectTrap(instances[i], "fail", 0, TrapCode::IntegerDivideByZero, i);
    }
    report.line("called again", n);
    // The code of the program and its data come to some 8 MB.
    report.atMost(kMegabyte * 16 + n * 4096, process::residentBytes(), "memory");
    instances.clear();
  }
  report.line("dropped", n);
  report.atMost(kMegabyte * 100 + n * 512, process::residentBytes(), "memory after all were dropped");
  report.atMost(1000, process::countMappings(), "mappings");
}

void rounds(uint64_t n) {
  Report report("rounds");
  Engine engine;
  Store store(engine);
  scale::Template text(scale::kTenant);
  std::vector<Extern> imports{makeTick(store)};
  uint64_t resident = 0, mappings = 0;
  for (uint64_t i = 0; i < n; ++i) {
    Module module = need(Module::compile(engine, text.with(static_cast<uint32_t>(i))));
    Instance instance = need(Instance::create(store, module, imports));
    expect(call(instance, "run", 2) == scale::Template::constant(static_cast<uint32_t>(i)) + 3, "wrong result", i);
    report.progress(i + 1);
    if (i == n / 10) {
      resident = process::residentBytes();
      mappings = process::countMappings();
    }
  }
  report.line("done", n);
  report.atMost(resident + 8 * kMegabyte, process::residentBytes(), "memory");
  report.atMost(mappings + 64, process::countMappings(), "mappings");
}

void memories(uint64_t n) {
  Report report("memories");
  Engine engine;
  scale::Template text(scale::kTenantWithMemory);
  Module module = need(Module::compile(engine, text.with(0)));
  {
    Store store(engine);
    std::vector<Instance> instances;
    for (uint64_t i = 0; i < n; ++i) {
      instances.push_back(need(Instance::create(store, module, {})));
      expect(call(instances.back(), "run", static_cast<int32_t>(i)) == static_cast<int32_t>(i), "wrong result", i);
      report.progress(i + 1);
    }
    for (uint64_t i = 0; i < n; ++i) {
      expect(call(instances[i], "run", 1) == static_cast<int32_t>(i) + 1, "wrong memory", i);
      expect(call(instances[i], "peek", 65532) == 0, "memory not zero", i);
      expectTrap(instances[i], "peek", 65533, TrapCode::MemoryOutOfBounds, i);
    }
    report.line("called again, trapped", n);
    for (uint64_t i = 0; i < n; i += 10) {
      expect(call(instances[i], "grow", 1) == 1, "memory did not grow", i);
      expect(call(instances[i], "peek", 131068) == 0 && call(instances[i], "run", 0) == static_cast<int32_t>(i) + 1,
             "wrong memory after growing", i);
      expectTrap(instances[i], "peek", 131069, TrapCode::MemoryOutOfBounds, i);
    }
    report.line("each tenth grown", n);
    report.atMost(kMegabyte * 16 + n * 16384, process::residentBytes(), "memory");
    report.atMost(60'000, process::countMappings(), "mappings");
  }
  report.line("dropped", n);
  report.atMost(kMegabyte * 100 + n * 512, process::residentBytes(), "memory after all were dropped");
}

// Module i calls its import "next" (module i + 1's "run", or for the last of a chain the constant) and, through table
// slot i, what its neighbour in the cycle put there.
constexpr const char* kLink = R"((module
  (import "link" "next" (func $next (param i32) (result i32)))
  (import "link" "table" (table 1 funcref))
  (type $f (func (param i32) (result i32)))
  (func $run (export "run") (param i32) (result i32) (i32.add (call $next (local.get 0)) (i32.const 1)))
  (func (export "around") (param $slot i32) (param $x i32) (result i32) (call_indirect (type $f) (local.get $x) (local.get $slot)))
  (func (export "id") (result i32) (i32.const 0x12345670))))";

void links(uint64_t n) {
  constexpr uint64_t kChain = 100;
  Report report("links");
  Engine engine;
  Store store(engine);
  scale::Template text(kLink);
  Table table = need(Table::create(store, {ValType::funcref(), n}, Val::null(ValType::funcref())));
  Func last = makeTick(store);
  std::vector<Instance> instances;
  for (uint64_t i = 0; i < n; ++i) {
    Module module = need(Module::compile(engine, text.with(static_cast<uint32_t>(i))));
    std::vector<Extern> imports{i % kChain == 0 ? last : *instances.back().func("run"), table};
    instances.push_back(need(Instance::create(store, module, imports)));
    auto put = table.set((i + 1) % n, instances.back().func("run")->ref());
    if (!put) fail(put.error().message);
    report.progress(i + 1);
  }
  auto check = [&](uint64_t i) {
    const uint64_t neighbour = (i + n - 1) % n;  // whose function slot i holds
    auto got = need(instances[i].func("around")->call({static_cast<int32_t>(i), 5}));
    expect(got[0].i32() == static_cast<int32_t>(5 + 1 + neighbour % kChain + 1), "wrong result around the cycle", i);
  };
  for (uint64_t i = 0; i < n; ++i) check(i);
  report.line("called around", n);
  // All but each tenth dropped: what stands in the table, and what that imports, stays callable.
  std::vector<Instance> kept;
  for (uint64_t i = 0; i < n; i += 10) kept.push_back(instances[i]);
  instances.clear();
  store.collect();
  for (uint64_t k = 0; k < kept.size(); ++k) {
    for (uint64_t slot = 10 * k; slot < 10 * k + 10 && slot < n; ++slot) {
      auto got = need(kept[k].func("around")->call({static_cast<int32_t>(slot), 5}));
      expect(got[0].i32() == static_cast<int32_t>(5 + 1 + (slot + n - 1) % n % kChain + 1),
             "wrong result after dropping", slot);
    }
  }
  report.line("most dropped, all called", n);
}

void threads(uint64_t n) {
  Engine engine;
  const unsigned most = std::max(2u, std::thread::hardware_concurrency());
  uint32_t first = 0;
  for (unsigned count = 1; count <= most; count *= 2) {
    Report report("threads " + std::to_string(count));
    std::vector<std::thread> workers;
    for (unsigned t = 0; t < count; ++t, first += static_cast<uint32_t>(n)) {
      workers.emplace_back([&engine, n, first] {
        scale::Template text(scale::kTenant);
        for (uint32_t i = first; i < first + n; ++i) {
          Module module = need(Module::compile(engine, text.with(i)));
          Store store(engine);
          std::vector<Extern> imports{makeTick(store)};
          Instance instance = need(Instance::create(store, module, imports));
          expect(call(instance, "run", 2) == scale::Template::constant(i) + 3, "wrong result", i);
          if (i % 16 == 0) expectTrap(instance, "fail", 0, TrapCode::IntegerDivideByZero, i);
        }
      });
    }
    for (auto& worker : workers) worker.join();
    report.line("done", n * count);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string shape = argc == 3 ? argv[1] : "";
  const uint64_t n = argc == 3 ? std::strtoull(argv[2], nullptr, 10) : 0;
  if (n > 0 && shape == "distinct") return liveModules("distinct", n, true), 0;
  if (n > 0 && shape == "identical") return liveModules("identical", n, false), 0;
  if (n > 0 && shape == "rounds") return rounds(n), 0;
  if (n > 0 && shape == "memories") return memories(n), 0;
  if (n > 0 && shape == "links") return links(n), 0;
  if (n > 0 && shape == "threads") return threads(n), 0;
  std::fputs("usage: wattle_scale distinct|identical|rounds|memories|links|threads N\n", stderr);
  return 1;
}
