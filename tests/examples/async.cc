// Asynchronous host functions: guests that wait for timers of a libuv loop, a thousand at once, on one thread. To the
// guest it is a plain call; to the host it is a callback that returns at once and an answer that comes later.
#include <uv.h>

#include <algorithm>
#include <cstdio>
#include <vector>
#include <wattle/async.hpp>

#include "must.hpp"

using namespace wattle;

constexpr const char* kGuest = R"((module
  (import "host" "sleep" (func $sleep (param i32)))
  (import "host" "say" (func $say (param i32 i32)))
  (func (export "nap") (param $who i32) (param $milliseconds i32)
    (call $say (local.get $who) (i32.const 1))
    (call $sleep (local.get $milliseconds))
    (call $say (local.get $who) (i32.const 2)))
  (func (export "work") (param $rounds i32) (result i32) (local $done i32)
    (loop $again
      (call $sleep (i32.const 1))
      (local.set $done (i32.add (local.get $done) (i32.const 1)))
      (br_if $again (i32.lt_s (local.get $done) (local.get $rounds))))
    (local.get $done))))";

struct Timer {
  uv_timer_t handle;
  Completion done;
};

void fired(uv_timer_t* handle) {
  auto* timer = static_cast<Timer*>(handle->data);
  must(timer->done.resume({}));  // here the guest goes on, until it waits again or ends
  uv_close(reinterpret_cast<uv_handle_t*>(handle), [](uv_handle_t* h) { delete static_cast<Timer*>(h->data); });
}

Func makeSleep(Store& store, uv_loop_t& loop) {
  return hostAsync(store, {{ValType::i32()}, {}}, [&loop](Caller&, auto args, Completion done) -> Result<void> {
    auto* timer = new Timer{{}, std::move(done)};
    uv_timer_init(&loop, &timer->handle);
    timer->handle.data = timer;
    uv_timer_start(&timer->handle, fired, static_cast<uint64_t>(args[0].i32()), 0);
    return {};
  });
}

int main() {
  uv_loop_t loop;
  uv_loop_init(&loop);

  Engine engine;
  Store store(engine);
  Linker linker(engine);
  linker.define("host", "sleep", makeSleep(store, loop));
  linker.func("host", "say", [](int who, int what) { std::printf("%d %s\n", who, what == 1 ? "sleeps" : "is awake"); });
  Module module = must(Module::fromText(engine, kGuest));
  Instance instance = must(linker.instantiate(store, module));

  // Three guests; callAsync returns when one waits.
  std::vector<AsyncCall> naps;
  for (int who : {3, 1, 2}) naps.push_back(must(callAsync(*instance.func("nap"), {who, who * 20})));
  uv_run(&loop, UV_RUN_DEFAULT);

  // A thousand.
  std::vector<AsyncCall> calls;
  for (int i = 0; i < 1000; i++) calls.push_back(must(callAsync(*instance.func("work"), {5})));
  auto waiting = std::ranges::count_if(calls, [](const AsyncCall& call) { return !call.isDone(); });
  std::printf("%d guests wait\n", static_cast<int>(waiting));
  uv_run(&loop, UV_RUN_DEFAULT);
  int rounds = 0;
  for (AsyncCall& call : calls) rounds += must(call.take())[0].i32();
  std::printf("and did %d rounds together\n", rounds);
  uv_loop_close(&loop);
}
