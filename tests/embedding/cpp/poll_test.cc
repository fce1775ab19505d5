// Interruption through poll pages belongs to threads, not to stores: who shares a thread, who moves to another one.
#include <asm/prctl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "tests/unit/vm/vm_test.h"
#include "wattle/async.hpp"

namespace wattle::testing {
namespace {

// sum(n) = 1 + ... + n, in a loop; call() calls the host and then loops for ever.
constexpr const char* kLoops = R"((module (import "h" "f" (func $f))
  (func (export "sum") (param i32) (result i32) (local i32)
    (loop $l (local.set 1 (i32.add (local.get 1) (local.get 0)))
             (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1))
  (func (export "loop") (loop $l (br $l)))
  (func (export "call") (call $f) (loop $l (br $l)))))";

struct Guest : World {
  explicit Guest(std::function<void()> host = [] {}) : instance(instantiate(kLoops, {Func::wrap(store, host)})) {}
  Instance instance;
};

TEST(Poll, AnInterruptedGuestDoesNotStopOthersOnItsThread) {
  Guest inner;
  Guest* outer = nullptr;
  int rounds = 0;
  Guest guest([&] {
    outer->store.interruptHandle().interrupt();
    for (; rounds < 3; ++rounds) EXPECT_EQ(callI32(inner.instance, "sum", {1000}), 500500);
  });
  outer = &guest;
  EXPECT_EQ(callError(guest.instance, "call").trap, TrapCode::Interrupted) << "its turn comes when they have returned";
  EXPECT_EQ(rounds, 3);
  EXPECT_EQ(callI32(inner.instance, "sum", {1000}), 500500);
  guest.store.clearInterrupt();
  EXPECT_EQ(callI32(guest.instance, "sum", {1000}), 500500);
}

TEST(Poll, AnInterruptionOutlivesOtherGuestsOnTheThread) {
  Guest a, b;
  EXPECT_EQ(callI32(a.instance, "sum", {10}), 55);
  a.store.interruptHandle().interrupt();
  EXPECT_EQ(callI32(b.instance, "sum", {1000}), 500500) << "and disarms the page";
  EXPECT_EQ(callError(a.instance, "sum", {10}).trap, TrapCode::Interrupted);
  EXPECT_EQ(callError(a.instance, "loop").trap, TrapCode::Interrupted);
}

TEST(Poll, FollowsTheStoreToAnotherThread) {
  Guest guest;
  EXPECT_EQ(callI32(guest.instance, "sum", {10}), 55);
  std::thread([&] {
    ASSERT_TRUE(guest.store.setDeadline(std::chrono::milliseconds(3)));
    EXPECT_EQ(callError(guest.instance, "loop").trap, TrapCode::Interrupted);
    guest.store.clearInterrupt();
  }).join();
  ASSERT_TRUE(guest.store.setDeadline(std::chrono::milliseconds(3)));
  EXPECT_EQ(callError(guest.instance, "loop").trap, TrapCode::Interrupted);
}

// While its host function waits for another thread that calls the same store.
TEST(Poll, ComesBackFromAThreadThatTheStoreWasLentTo) {
  for (bool before : {false, true}) {
    Guest* self = nullptr;
    Guest guest([&] {
      std::thread([&] {
        EXPECT_EQ(callI32(self->instance, "sum", {1000}), 500500);
        if (before) self->store.interruptHandle().interrupt();
      }).join();
      if (!before) self->store.interruptHandle().interrupt();
    });
    self = &guest;
    EXPECT_EQ(callError(guest.instance, "call").trap, TrapCode::Interrupted) << before;
  }
}

TEST(Poll, FindsASuspendedGuestWhenItGoesOn) {
  Guest other;
  World w;
  std::vector<Completion> waiting;
  Func get = hostAsync(w.store, {}, [&](Caller&, std::span<const Val>, Completion done) -> Result<void> {
    waiting.push_back(std::move(done));
    return {};
  });
  Instance i = w.instantiate(kLoops, {get});
  auto call = callAsync(*i.func("call"), {});
  ASSERT_TRUE(call);
  ASSERT_EQ(waiting.size(), 1u);
  w.store.interruptHandle().interrupt();
  EXPECT_EQ(callI32(other.instance, "sum", {1000}), 500500);
  ASSERT_TRUE(waiting[0].resume({}));
  auto result = call->take();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().trap, TrapCode::Interrupted);
}

// A guest in a fiber that is resumed by another guest's host function: both on one thread.
TEST(Poll, StaysArmedForTheGuestThatResumedAFiber) {
  World w;
  std::vector<Completion> waiting;
  Func get = hostAsync(w.store, {}, [&](Caller&, std::span<const Val>, Completion done) -> Result<void> {
    waiting.push_back(std::move(done));
    return {};
  });
  Instance i = w.instantiate(R"((module (import "h" "f" (func $f))
    (func (export "sum") (param i32) (result i32) (local i32) (call $f)
      (loop $l (local.set 1 (i32.add (local.get 1) (local.get 0)))
               (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (local.get 1))))",
                             {get});
  auto call = callAsync(*i.func("sum"), {1000});
  ASSERT_TRUE(call);
  Guest* outer = nullptr;
  Guest guest([&] {
    outer->store.interruptHandle().interrupt();
    EXPECT_TRUE(waiting[0].resume({}));
  });
  outer = &guest;
  EXPECT_EQ(callError(guest.instance, "call").trap, TrapCode::Interrupted);
  auto result = call->take();
  ASSERT_TRUE(result);
  EXPECT_EQ((*result)[0].i32(), 500500);
}

uintptr_t gsBase() {
  uintptr_t base = 0;
  EXPECT_EQ(syscall(SYS_arch_prctl, ARCH_GET_GS, &base), 0);
  return base;
}

TEST(Poll, AThreadWhoseGsIsTakenMayCompareInstead) {
  Guest guest;
  std::thread([&] {
    uint64_t theirs = 7;
    ASSERT_EQ(syscall(SYS_arch_prctl, ARCH_SET_GS, &theirs), 0);
    auto refused = guest.instance.func("sum")->call({10});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::Resource);
    EXPECT_NE(refused.error().message.find("LoopCheck"), std::string::npos) << refused.error().message;
    Config config;
    config.loopCheck = LoopCheck::Compare;
    World w(config);
    Instance i = w.instantiate(kLoops, {Func::wrap(w.store, [] {})});
    EXPECT_EQ(callI32(i, "sum", {1000}), 500500);
    ASSERT_TRUE(w.store.setDeadline(std::chrono::milliseconds(3)));
    EXPECT_EQ(callError(i, "loop").trap, TrapCode::Interrupted);
    EXPECT_EQ(gsBase(), reinterpret_cast<uintptr_t>(&theirs));
  }).join();
  EXPECT_EQ(callI32(guest.instance, "sum", {1000}), 500500);
}

// The stack of a thread that has ended serves the next one, so entry code finds everything as it was; but that thread has
// only run guests that compare.
TEST(Poll, AThreadOnTheStackOfAnother) {
  constexpr size_t kStack = 1 << 20;
  void* stack = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(stack, MAP_FAILED);
  auto onStack = [&](std::function<void()> body) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    ASSERT_EQ(pthread_attr_setstack(&attributes, stack, kStack), 0);
    pthread_t thread;
    auto run = [](void* b) -> void* {
      (*static_cast<std::function<void()>*>(b))();
      return nullptr;
    };
    ASSERT_EQ(pthread_create(&thread, &attributes, run, &body), 0);
    pthread_join(thread, nullptr);
    pthread_attr_destroy(&attributes);
  };
  Guest guest;
  Config config;
  config.loopCheck = LoopCheck::Compare;
  World w(config);
  Instance comparing = w.instantiate(kLoops, {Func::wrap(w.store, [] {})});
  onStack([&] { EXPECT_EQ(callI32(guest.instance, "sum", {1000}), 500500); });
  onStack([&] {
    ASSERT_EQ(syscall(SYS_arch_prctl, ARCH_SET_GS, 0), 0);
    EXPECT_EQ(callI32(comparing, "sum", {1000}), 500500);
    EXPECT_EQ(callI32(guest.instance, "sum", {1000}), 500500);
    ASSERT_TRUE(guest.store.setDeadline(std::chrono::milliseconds(3)));
    EXPECT_EQ(callError(guest.instance, "loop").trap, TrapCode::Interrupted);
  });
  munmap(stack, kStack);
}

// Guests on several threads are interrupted at any moment; each interruption is met, and nothing else is disturbed.
TEST(Poll, ManyThreads) {
  std::atomic<int> met{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      Guest guest, calm;
      for (int round = 0; round < 50; ++round) {
        std::thread other([handle = guest.store.interruptHandle(), round] {
          for (int spin = 0; spin < round * 50; ++spin) asm volatile("pause");
          handle.interrupt();
        });
        met += callError(guest.instance, "loop").trap == TrapCode::Interrupted;
        other.join();
        guest.store.clearInterrupt();
        EXPECT_EQ(callI32(calm.instance, "sum", {1000}), 500500);
        EXPECT_EQ(callI32(guest.instance, "sum", {1000}), 500500);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(met, 200);
}

}  // namespace
}  // namespace wattle::testing
