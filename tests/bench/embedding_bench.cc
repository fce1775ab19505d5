// What embedders pay: compiling, instantiating and dropping small modules, and calls in both directions.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <vector>

#include "frontend/text/wat.h"
#include "wattle/wattle.hpp"

namespace {

using namespace wattle;

constexpr const char* kSmall = R"((module
  (import "host" "tick" (func $tick (param i32) (result i32)))
  (memory (export "memory") 1)
  (func $double (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
  (func (export "run") (param i32) (result i32)
    (i32.store (i32.const 8) (local.get 0))
    (i32.div_u (call $double (i32.load (i32.const 8))) (i32.const 1)))
  (func (export "ticks") (param i32) (result i32) (local i32)
    (loop (local.set 1 (call $tick (local.get 1)))
          (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1))))";

std::vector<uint8_t> assemble(const char* text) {
  auto bytes = frontend::parseWat(text);
  if (!bytes) std::abort();
  return *bytes;
}

struct Fixture {
  Engine engine;
  std::vector<uint8_t> bytes = assemble(kSmall);
  Module module = *Module::compile(engine, bytes);
  Store store{engine};
  Func tick = Func::host(store, {{ValType::i32()}, {ValType::i32()}},
                         [](Caller&, std::span<const Val> args, std::span<Val> results) -> Result<void> {
                           results[0] = args[0].i32() + 1;
                           return {};
                         });
  std::vector<Extern> imports{tick};
};

void compileSmall(benchmark::State& state) {
  Fixture f;
  for (auto _ : state) benchmark::DoNotOptimize(Module::compile(f.engine, f.bytes));
}
BENCHMARK(compileSmall);

void instantiateSmall(benchmark::State& state) {
  Fixture f;
  for (auto _ : state) {
    Store store(f.engine);
    Func tick =
        Func::host(store, {{ValType::i32()}, {ValType::i32()}}, [](Caller&, auto, auto) -> Result<void> { return {}; });
    std::vector<Extern> imports{tick};
    benchmark::DoNotOptimize(Instance::create(store, f.module, imports));
  }
}
BENCHMARK(instantiateSmall);

void wholeRound(benchmark::State& state) {
  Fixture f;
  for (auto _ : state) {
    auto module = Module::compile(f.engine, f.bytes);
    Store store(f.engine);
    Func tick =
        Func::host(store, {{ValType::i32()}, {ValType::i32()}}, [](Caller&, auto, auto) -> Result<void> { return {}; });
    std::vector<Extern> imports{tick};
    auto instance = Instance::create(store, *module, imports);
    benchmark::DoNotOptimize(instance->func("run")->call({21}));
  }
}
BENCHMARK(wholeRound);

void callGuest(benchmark::State& state) {
  Fixture f;
  auto instance = Instance::create(f.store, f.module, f.imports);
  Func run = *instance->func("run");
  for (auto _ : state) benchmark::DoNotOptimize(run.call({21}));
}
BENCHMARK(callGuest);

void callHostFromGuest(benchmark::State& state) {
  Fixture f;
  auto instance = Instance::create(f.store, f.module, f.imports);
  Func ticks = *instance->func("ticks");
  constexpr int kCalls = 1000;
  for (auto _ : state) benchmark::DoNotOptimize(ticks.call({kCalls}));
  state.SetItemsProcessed(state.iterations() * kCalls);
}
BENCHMARK(callHostFromGuest);

// --- typed calls, beside what C++ pays for a call through a pointer ------------------------------------------------

constexpr const char* kTyped = R"((module
  (import "host" "tick" (func $tick (param i32) (result i32)))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "ticks") (param i32) (result i32) (local i32)
    (loop (local.set 1 (call $tick (local.get 1)))
          (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1))))";

struct TypedFixture {
  Engine engine;
  Store store{engine};
  Func tick = Func::wrap(store, [](int32_t n) { return n + 1; });
  Instance instance = *Instance::create(store, *Module::compile(engine, assemble(kTyped)), std::vector<Extern>{tick});
};

[[gnu::noinline]] int32_t plainAdd(int32_t a, int32_t b) { return a + b; }
[[gnu::noinline]] int32_t plainTick(int32_t n) { return n + 1; }

void callPointer(benchmark::State& state) {
  int32_t (*volatile cell)(int32_t, int32_t) = plainAdd;
  int32_t sum = 0;
  for (auto _ : state) benchmark::DoNotOptimize(sum = cell(sum, 1));
}
BENCHMARK(callPointer);

void callGuestTyped(benchmark::State& state) {
  TypedFixture f;
  auto add = *f.instance.func<int32_t(int32_t, int32_t)>("add");
  int32_t sum = 0;
  for (auto _ : state) benchmark::DoNotOptimize(sum = *add(sum, 1));
}
BENCHMARK(callGuestTyped);

void callGuestRaw(benchmark::State& state) {
  TypedFixture f;
  Func add = *f.instance.func("add");
  RawVal values[2];
  for (auto _ : state) {
    values[1].i32 = 1;
    benchmark::DoNotOptimize(add.callRaw(values));
  }
}
BENCHMARK(callGuestRaw);

void callPointerInALoop(benchmark::State& state) {
  int32_t (*volatile cell)(int32_t) = plainTick;
  constexpr int kCalls = 1000;
  for (auto _ : state) {
    int32_t n = 0;
    for (int k = 0; k < kCalls; ++k) n = cell(n);
    benchmark::DoNotOptimize(n);
  }
  state.SetItemsProcessed(state.iterations() * kCalls);
}
BENCHMARK(callPointerInALoop);

void callHostFromGuestTyped(benchmark::State& state) {
  TypedFixture f;
  auto ticks = *f.instance.func<int32_t(int32_t)>("ticks");
  constexpr int kCalls = 1000;
  for (auto _ : state) benchmark::DoNotOptimize(ticks(kCalls));
  state.SetItemsProcessed(state.iterations() * kCalls);
}
BENCHMARK(callHostFromGuestTyped);

}  // namespace

BENCHMARK_MAIN();
