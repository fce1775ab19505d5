// Asynchronous calls: suspended, resumed, cancelled; many at once; with all that may happen to a guest meanwhile.
#include "wattle/async.hpp"

#include <uv.h>

#include <deque>

#include "tests/unit/vm/vm_test.h"

namespace wattle::testing {
namespace {

constexpr const char* kSum = R"((module
  (import "host" "get" (func $get (param i32) (result i32)))
  (func (export "sum") (param $n i32) (result i32) (local $total i32)
    (loop $again
      (local.set $total (i32.add (local.get $total) (call $get (local.get $n))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $total))
  (func (export "overflow") (param i32) (result i32)
    (drop (call $get (local.get 0))) (call $deep (local.get 0)))
  (func $deep (param i32) (result i32) (i32.add (call $deep (local.get 0)) (i32.const 1)))
  (func (export "trap") (param i32) (result i32) (i32.div_u (call $get (local.get 0)) (i32.const 0)))
  (func (export "forever") (param i32) (result i32) (drop (call $get (i32.const 0))) (loop $l (br $l)) (unreachable))))";

struct Waiting {
  int32_t argument;
  Completion done;
};

struct AsyncWorld : World {
  std::deque<Waiting> waiting;
  Func get = hostAsync(store, {{ValType::i32()}, {ValType::i32()}},
                       [this](Caller&, std::span<const Val> args, Completion done) -> Result<void> {
                         waiting.push_back({args[0].i32(), std::move(done)});
                         return {};
                       });
  Instance instance = instantiate(kSum, {get});

  AsyncCall start(const char* name, int32_t n) { return *callAsync(*instance.func(name), {n}); }
  // Completes the one that waits longest, with its argument.
  void step() {
    Waiting next = std::move(waiting.front());
    waiting.pop_front();
    auto went = next.done.resume({next.argument});
    EXPECT_TRUE(went) << went.error().message;
  }
};

TEST(Async, SuspendsAndGoesOn) {
  AsyncWorld w;
  AsyncCall call = w.start("sum", 3);
  EXPECT_FALSE(call.isDone());
  EXPECT_FALSE(call.take());
  bool told = false;
  call.whenDone([&] { told = true; });
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(told);
    ASSERT_EQ(w.waiting.size(), 1u);
    w.step();
  }
  EXPECT_TRUE(told);
  ASSERT_TRUE(call.isDone());
  EXPECT_EQ((*call.take())[0].i32(), 6);
  EXPECT_FALSE(call.take());
}

TEST(Async, CallsInterleaveAndOrdinaryOnesRunMeanwhile) {
  AsyncWorld w;
  auto plain = w.instantiate(
      R"((module (func (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))))");
  std::vector<AsyncCall> calls;
  for (int i = 1; i <= 50; ++i) calls.push_back(w.start("sum", i));
  while (!w.waiting.empty()) {
    w.step();
    EXPECT_EQ((*plain.func("double")->call({21}))[0].i32(), 42);
  }
  for (int i = 1; i <= 50; ++i) EXPECT_EQ((*calls[static_cast<size_t>(i - 1)].take())[0].i32(), i * (i + 1) / 2);
}

TEST(Async, CompletedAtOnceNeedsNoSuspension) {
  World w;
  Func at =
      hostAsync(w.store, {{ValType::i32()}, {ValType::i32()}},
                [](Caller&, std::span<const Val> args, Completion done) { return done.resume({args[0].i32() * 2}); });
  auto i = w.instantiate(kSum, {at});
  AsyncCall call = *callAsync(*i.func("sum"), {4});
  ASSERT_TRUE(call.isDone());
  EXPECT_EQ((*call.take())[0].i32(), 20);
}

TEST(Async, TrapsErrorsAndOverflowEndTheCallAlone) {
  AsyncWorld w;
  AsyncCall other = w.start("sum", 1);
  AsyncCall trap = w.start("trap", 1), overflow = w.start("overflow", 1), failed = w.start("sum", 1);
  Waiting first = w.waiting.front();
  w.waiting.pop_front();
  w.step();
  EXPECT_EQ(trap.take().error().trap, TrapCode::IntegerDivideByZero);
  w.step();
  EXPECT_EQ(overflow.take().error().trap, TrapCode::StackOverflow);
  EXPECT_TRUE(w.waiting.front().done.fail(Error::make(ErrorKind::Io, "the disk is gone")));
  EXPECT_EQ(failed.take().error().message, "the disk is gone");
  EXPECT_TRUE(first.done.resume({7}));
  EXPECT_EQ((*other.take())[0].i32(), 7);
}

TEST(Async, WrongUseIsAnError) {
  AsyncWorld w;
  auto direct = w.instance.func("sum")->call({1});  // not through callAsync
  ASSERT_FALSE(direct);
  EXPECT_NE(direct.error().message.find("callAsync"), std::string::npos);
  AsyncCall call = w.start("sum", 1);
  Completion done = w.waiting.front().done;
  EXPECT_TRUE(done.isPending());
  EXPECT_TRUE(done.resume({}));  // too few results: the guest's call fails
  EXPECT_NE(call.take().error().message.find("0 results, not 1"), std::string::npos);
  EXPECT_FALSE(done.resume({1}));
  EXPECT_FALSE(done.isPending());
}

TEST(Async, CannotSuspendAcrossAnotherHostFunction) {
  AsyncWorld w;
  std::string message;
  Func between = Func::host(w.store, {{ValType::i32()}, {ValType::i32()}},
                            [&](Caller&, std::span<const Val> args, std::span<Val> results) -> Result<void> {
                              auto inner = w.instance.func("sum")->call(args);
                              message = inner ? "" : inner.error().message;
                              results[0] = 1;
                              return {};
                            });
  auto outer = w.instantiate(kSum, {between});
  AsyncCall call = *callAsync(*outer.func("sum"), {1});
  ASSERT_TRUE(call.isDone());
  EXPECT_NE(message.find("another host function"), std::string::npos);
}

TEST(Async, CallsStartedInHostFunctionsOutliveThem) {
  AsyncWorld w;
  std::optional<AsyncCall> inner;
  Func starter = Func::host(w.store, {{ValType::i32()}, {ValType::i32()}},
                            [&](Caller&, std::span<const Val> args, std::span<Val> results) -> Result<void> {
                              if (!inner) {
                                inner = w.start("sum", 2);
                                w.step();  // goes on while the guest that called us stands below
                              }
                              results[0] = args[0];
                              return {};
                            });
  auto outer = w.instantiate(kSum, {starter});
  EXPECT_EQ((*outer.func("sum")->call({2}))[0].i32(), 3);
  ASSERT_FALSE(inner->isDone());
  w.step();
  EXPECT_EQ((*inner->take())[0].i32(), 3);
  // The limit of the stack is the thread's own again.
  EXPECT_EQ(outer.func("overflow")->call({1}).error().trap, TrapCode::StackOverflow);
}

TEST(Async, DroppedCallsAreCancelled) {
  AsyncWorld w;
  {
    AsyncCall call = w.start("sum", 5);
    w.step();
  }
  ASSERT_EQ(w.waiting.size(), 1u);
  EXPECT_FALSE(w.waiting.front().done.isPending());
  EXPECT_FALSE(w.waiting.front().done.resume({1}));
  w.waiting.clear();
  AsyncCall call = w.start("sum", 5);
  call.cancel();
  ASSERT_TRUE(call.isDone());
  EXPECT_EQ(call.take().error().message, "the call was cancelled");
}

TEST(Async, TheStoreMayGoFirst) {
  std::optional<AsyncCall> call;
  std::deque<Waiting> waiting;
  {
    AsyncWorld w;
    call = w.start("sum", 5);
    waiting = std::move(w.waiting);
  }
  ASSERT_TRUE(call->isDone());
  EXPECT_FALSE(call->take());
  EXPECT_FALSE(waiting.front().done.resume({1}));
}

TEST(Async, DeadlinesAndInterruptionStopWhatGoesOn) {
  AsyncWorld w;
  AsyncCall call = w.start("forever", 0);
  ASSERT_TRUE(w.store.setDeadline(std::chrono::milliseconds(5)));
  w.step();
  EXPECT_EQ(call.take().error().trap, TrapCode::Interrupted);
  w.store.clearInterrupt();
}

TEST(Async, FuelIsCountedThroughSuspension) {
  Config config;
  config.fuel = true;
  World plain(config);
  Func direct = Func::host(plain.store, {{ValType::i32()}, {ValType::i32()}},
                           [](Caller&, std::span<const Val> args, std::span<Val> results) -> Result<void> {
                             results[0] = args[0];
                             return {};
                           });
  auto spent = [](Store& store, auto&& body) {
    EXPECT_TRUE(store.addFuel(1000));
    const uint64_t before = *store.fuel();
    body();
    return before - *store.fuel();
  };
  auto i = plain.instantiate(kSum, {direct});
  const uint64_t expected = spent(plain.store, [&] { EXPECT_TRUE(i.func("sum")->call({3})); });
  Completion* done = nullptr;
  std::optional<Completion> kept;
  Func get = hostAsync(plain.store, {{ValType::i32()}, {ValType::i32()}},
                       [&](Caller&, std::span<const Val>, Completion c) -> Result<void> {
                         kept = std::move(c);
                         done = &*kept;
                         return {};
                       });
  auto j = plain.instantiate(kSum, {get});
  EXPECT_EQ(spent(plain.store,
                  [&] {
                    AsyncCall call = *callAsync(*j.func("sum"), {3});
                    while (!call.isDone()) {
                      Completion next = *done;
                      EXPECT_TRUE(next.resume({1}));
                    }
                  }),
            expected);
}

TEST(Async, CollectionsFindWhatSuspendedGuestsHold) {
  World w(Config{}, StoreLimits{.gcStress = 1});
  std::deque<Completion> waiting;
  Func pause = hostAsync(w.store, {{}, {}}, [&](Caller&, std::span<const Val>, Completion done) -> Result<void> {
    waiting.push_back(std::move(done));
    return {};
  });
  auto i = w.instantiate(R"((module
    (type $node (struct (field i32) (field (ref null $node))))
    (import "host" "pause" (func $pause))
    (func (export "run") (param $n i32) (result i32) (local $a (ref null $node)) (local $b (ref null $node))
      (local.set $a (struct.new $node (local.get $n) (ref.null $node)))
      (call $pause)
      (local.set $b (struct.new $node (i32.const 1) (local.get $a)))
      (call $pause)
      (i32.add (struct.get $node 0 (local.get $b)) (struct.get $node 0 (struct.get $node 1 (local.get $b)))))
    (func (export "churn") (local $i i32)
      (loop $l
        (drop (struct.new $node (i32.const -1) (ref.null $node)))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 50)))))))",
                         {pause});
  std::vector<AsyncCall> calls;
  for (int n = 0; n < 20; ++n) calls.push_back(*callAsync(*i.func("run"), {n * 100}));
  while (!waiting.empty()) {
    ASSERT_TRUE(i.func("churn")->call({}));
    w.store.collect();
    Completion next = std::move(waiting.front());
    waiting.pop_front();
    ASSERT_TRUE(next.resume({}));
  }
  for (int n = 0; n < 20; ++n) EXPECT_EQ((*calls[static_cast<size_t>(n)].take())[0].i32(), n * 100 + 1);
}

// Thousands in flight on one thread, woken by timers.
// Completed deep within the callback that is to complete: what made the reference has returned long before the guest has
// it.
TEST(Async, NotedReferencesLiveUntilTheyAreAwaited) {
  World w(Config{}, StoreLimits{.gcStress = 1});
  std::optional<Instance> i;
  std::optional<Completion> open;
  Func give = Func::host(w.store, {{}, {}}, [&](Caller&, std::span<const Val>, std::span<Val>) -> Result<void> {
    auto made = i->func("make")->call({7});
    if (!made) return std::unexpected(made.error());
    return open->resume(*made);
  });
  Func get = hostAsync(w.store, {{}, {ValType{Kind::Ref, true, false, Heap::Any}}},
                       [&](Caller&, std::span<const Val>, Completion done) -> Result<void> {
                         open = done;
                         auto given = i->func("within")->call({});
                         if (!given) return std::unexpected(given.error());
                         auto churned = i->func("churn")->call({});
                         if (!churned) return std::unexpected(churned.error());
                         w.store.collect();
                         return {};
                       });
  i = w.instantiate(R"((module
    (type $node (struct (field i32)))
    (import "host" "get" (func $get (result anyref)))
    (import "host" "give" (func $give))
    (func (export "make") (param $n i32) (result anyref) (struct.new $node (local.get $n)))
    (func (export "within") (call $give))
    (func (export "churn") (local $i i32)
      (loop $l
        (drop (struct.new $node (i32.const -1)))
        (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 50)))))
    (func (export "run") (result i32) (struct.get $node 0 (ref.cast (ref $node) (call $get))))))",
                    {get, give});
  AsyncCall call = *callAsync(*i->func("run"), {});
  ASSERT_TRUE(call.isDone());
  auto results = call.take();
  ASSERT_TRUE(results) << results.error().message;
  EXPECT_EQ((*results)[0].i32(), 7);
}

TEST(Async, FiveThousandOnOneEventLoop) {
  World w;
  uv_loop_t loop;
  ASSERT_EQ(uv_loop_init(&loop), 0);
  struct Timer {
    uv_timer_t handle;
    Completion done;
  };
  size_t inFlight = 0, most = 0;
  Func sleep = hostAsync(w.store, {{ValType::i32()}, {ValType::i32()}},
                         [&](Caller&, std::span<const Val> args, Completion done) -> Result<void> {
                           auto* timer = new Timer{{}, std::move(done)};
                           uv_timer_init(&loop, &timer->handle);
                           timer->handle.data = &inFlight;
                           most = std::max(most, ++inFlight);
                           uv_timer_start(
                               &timer->handle,
                               [](uv_timer_t* handle) {
                                 auto* timer = reinterpret_cast<Timer*>(handle);
                                 --*static_cast<size_t*>(handle->data);
                                 Completion done = std::move(timer->done);
                                 uv_close(reinterpret_cast<uv_handle_t*>(handle),
                                          [](uv_handle_t* closed) { delete reinterpret_cast<Timer*>(closed); });
                                 EXPECT_TRUE(done.resume({1}));
                               },
                               static_cast<uint64_t>(20 + args[0].i32() % 7), 0);
                           return {};
                         });
  auto i = w.instantiate(kSum, {sleep});
  constexpr int kCalls = 5000;
  std::vector<AsyncCall> calls;
  for (int n = 0; n < kCalls; ++n) {
    auto call = callAsync(*i.func("sum"), {3}, {.stackBytes = 64 << 10});
    ASSERT_TRUE(call) << call.error().message;
    calls.push_back(std::move(*call));
  }
  EXPECT_EQ(most, static_cast<size_t>(kCalls));
  uv_run(&loop, UV_RUN_DEFAULT);
  EXPECT_EQ(uv_loop_close(&loop), 0);
  for (auto& call : calls) EXPECT_EQ((*call.take())[0].i32(), 3);
}

}  // namespace
}  // namespace wattle::testing
