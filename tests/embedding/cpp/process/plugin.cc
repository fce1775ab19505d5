// A library of somebody's that has the runtime within.
#include "wattle/wattle.hpp"

extern "C" __attribute__((visibility("default"))) int plugin_run() {
  wattle::Engine engine;
  auto module = wattle::Module::fromText(engine, R"((module (memory 1)
    (func (export "trap") (drop (i32.load offset=0xfffffff0 (i32.const 0x7fffffff))))
    (func (export "answer") (result i32) (i32.const 42))))");
  if (!module) return 1;
  wattle::Store store(engine);
  auto instance = wattle::Instance::create(store, *module, {});
  if (!instance) return 2;
  auto trapped = instance->func("trap")->call({});
  if (trapped || trapped.error().trap != wattle::TrapCode::MemoryOutOfBounds) return 3;
  auto answer = instance->func("answer")->call({});
  return answer ? (*answer)[0].i32() : 4;
}
