// Calls that can be suspended: a guest on a stack of its own.
//
// A fiber is to the rest of the VM what a thread is: it has a ThreadState, which `currentThread` names while the fiber
// runs. So its activations form a chain of their own, its traps unwind to its own entry, and a store that is called
// from it takes the fiber's stack for another thread's (see prepare() in call.cc).
//
//     event loop │ resume ─▶ fiber's stack: Fiber::main │ activation │ guest frames │ host stub │ hostEntry │ suspend ─┐
//                ◀───────────────────────────────────────────────────────────────────────────────────────────────────┘
//
// While it is suspended its one activation is out of the store's chain, so other calls nest as if it was not there; the
// collector searches its stack all the same (collect.cc). A fiber suspends only where no host function stands between
// it and the asynchronous one, since what such a function holds on to (RootScopes, above all) ends in the order of a
// stack.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "runtime/vm/call.h"
#include "sandbox/coroutine.h"
#include "wattle/wattle.hpp"

namespace wattle::vm {

// What a suspended fiber waits for.
struct Suspension {
  std::weak_ptr<Fiber> fiber;
  std::optional<Result<std::vector<Val>>> outcome;
};

class Fiber : public std::enable_shared_from_this<Fiber> {
 public:
  using Body = std::function<Result<std::vector<Val>>()>;
  static Result<std::shared_ptr<Fiber>> create(Store& store, size_t stackBytes, Body body);

  // Runs it until it suspends or ends.
  void resume();
  // In the fiber, from an asynchronous host function. False: something stands in between.
  bool maySuspend(const Store& store) const;
  void await(Suspension& suspension);
  // Ends it with an error, as a trap of the guest. Nothing to do if it has ended; not while it runs.
  void cancel();

  bool isDone() const { return coroutine_->isDone(); }
  bool isSuspended() const { return suspended_; }
  bool isHere() const { return std::this_thread::get_id() == home_; }
  bool awaits(const Suspension& suspension) const { return suspended_ && waitsFor_ == &suspension; }
  // An outcome is about to be left in it, before it is awaited: for as long as there is one, its values are roots.
  void note(const std::shared_ptr<Suspension>& suspension);
  void forgetNoted(const Suspension& suspension);
  Result<std::vector<Val>> take() { return std::move(*result_); }
  void whenDone(std::function<void()> callback);
  // The asynchronous host function that is about to return has left this to wait for.
  std::shared_ptr<Suspension> pending;

  // For the collector. Of a suspended one: where its words begin and end.
  uintptr_t stackPointer() const { return coroutine_->stackPointer(); }
  uintptr_t stackEnd() const;
  // Of a running one: who resumed it, and where that stack's words begin.
  ThreadState& resumer() const { return *resumer_; }
  uintptr_t resumerStackPointer() const { return coroutine_->resumerStackPointer(); }

 private:
  Fiber(Store& store, Body body);
  void main();
  void link();
  void unlink();

  Store* store_;
  Body body_;
  std::unique_ptr<sandbox::Coroutine> coroutine_;
  ThreadState thread_;
  ThreadState* resumer_ = nullptr;
  std::thread::id home_ = std::this_thread::get_id();
  bool suspended_ = false;
  Suspension* waitsFor_ = nullptr;
  uintptr_t stackLimit_ = 0;  // of the store, while suspended
  std::optional<Result<std::vector<Val>>> result_;
  std::function<void()> whenDone_;
};

}  // namespace wattle::vm
