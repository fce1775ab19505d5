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
    Func tick = Func::host(store, {{ValType::i32()}, {ValType::i32()}}, [](Caller&, auto, auto) -> Result<void> { return {}; });
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
    Func tick = Func::host(store, {{ValType::i32()}, {ValType::i32()}}, [](Caller&, auto, auto) -> Result<void> { return {}; });
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

}  // namespace

BENCHMARK_MAIN();
