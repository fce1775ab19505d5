// A host for scripts that nobody trusts. Each gets a store of its own with limits, and time; whatever it does, it ends
// with an error that says what, and the host goes on.
#include <chrono>
#include <cstdio>
#include <string>

#include "must.hpp"

using namespace wattle;
using namespace std::chrono_literals;

struct Script {
  const char* name;
  const char* text;
};

constexpr Script kScripts[] = {
    {"well-behaved", R"((module (func (export "run") (result i32) (i32.const 42))))"},
    {"endless loop", R"((module (func (export "run") (result i32) (loop $l (br $l)) (unreachable))))"},
    {"endless recursion", R"((module (func $f (export "run") (result i32) (i32.add (call $f) (i32.const 1)))))"},
    {"endless start", R"((module (func $f (loop $l (br $l))) (start $f)))"},
    {"memory bomb", R"((module (memory 1)
       (func (export "run") (result i32)
         (loop $more (br_if $more (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0))))
         (memory.size))))"},
    {"huge memory", R"((module (memory 60000) (func (export "run") (result i32) (i32.const 0))))"},
    {"table bomb", R"((module (table 1 funcref)
       (func (export "run") (result i32) (table.grow (ref.null func) (i32.const 100000000)))))"},
    {"giant array", R"((module (type $bytes (array (mut i8)))
       (func (export "run") (result i32) (array.len (array.new_default $bytes (i32.const 1000000000))))))"},
    {"endless list", R"((module (type $node (struct (field (ref null $node))))
       (func (export "run") (result i32) (local $list (ref null $node))
         (loop $more (local.set $list (struct.new $node (local.get $list))) (br $more))
         (unreachable))))"},
    {"garbage for ever", R"((module (type $pair (struct (field i64 i64)))
       (func (export "run") (result i32) (local $i i32)
         (loop $more (drop (struct.new $pair (i64.const 1) (i64.const 2)))
           (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000000))))
         (local.get $i))))"},
    {"beyond its memory", R"((module (memory 1) (func (export "run") (result i32) (i32.load (i32.const 65536)))))"},
    {"division by zero", R"((module (func (export "run") (result i32) (i32.div_s (i32.const 1) (i32.const 0)))))"},
    {"uncaught exception", R"((module (tag $t) (func (export "run") (result i32) (throw $t))))"},
    {"refused by the host", R"((module (import "host" "secret" (func $secret (result i32)))
       (func (export "run") (result i32) (call $secret))))"},
    {"wants what there is not",
     R"((module (import "host" "format_disk" (func)) (func (export "run") (result i32) (i32.const 0))))"},
    {"nonsense", R"((module (func (export "run") (result i32) (i64.const 1))))"},
    {"well-behaved again", R"((module (func (export "run") (result i32) (i32.const 42))))"},
};

Result<int> run(const Engine& engine, const Linker& linker, const char* text) {
  auto module = Module::fromText(engine, text);
  if (!module) return std::unexpected(module.error());
  Store store(engine, {.maxMemoryBytes = 4 << 20,
                       .maxTableElements = 10'000,
                       .maxInstances = 1,
                       .maxGcHeapBytes = 4 << 20,
                       .maxStackBytes = 128 << 10});
  if (auto set = store.setDeadline(1s); !set) return std::unexpected(set.error());
  auto instance = linker.instantiate(store, *module);  // runs the start function, under the same limits
  if (!instance) return std::unexpected(instance.error());
  auto function = instance->func<int()>("run");
  if (!function) return std::unexpected(function.error());
  return (*function)();
}

// A function that is kept longer than its store.
void callTooLate(const Engine& engine) {
  TypedFunc<int()> function;
  {
    Store store(engine);
    Module module = must(Module::fromText(engine, kScripts[0].text));
    function = must(must(Instance::create(store, module, {})).func<int()>("run"));
  }
  std::printf("called too late: %s\n", function().error().message.c_str());
}

// The same script takes the same fuel each time, on any machine.
void countFuel() {
  Engine engine({.fuel = true});
  Module module = must(Module::fromText(engine, R"((module (func (export "run") (param $n i32)
    (loop $l (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))))"));
  Store store(engine);
  Instance instance = must(Instance::create(store, module, {}));
  auto function = must(instance.func<void(int)>("run"));
  must(store.addFuel(1000));
  must(function(10));
  std::printf("fuel for 10 rounds: %d\n", static_cast<int>(1000 - must(store.fuel())));
  std::printf("for 1000 rounds: %s\n", function(1000).error().message.c_str());
}

int main() {
  Engine engine;
  Linker linker(engine);
  linker.func("host", "secret",
              []() -> Result<int> { return std::unexpected(Error::make(ErrorKind::Trap, "scripts may not know")); });

  for (const Script& script : kScripts) {
    auto result = run(engine, linker, script.text);
    std::printf("%s: %s\n", script.name, result ? std::to_string(*result).c_str() : result.error().message.c_str());
  }
  callTooLate(engine);
  countFuel();
}
