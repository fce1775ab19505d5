// Calls that wait without holding a thread.
//
//   auto sleep = wattle::hostAsync(store, {{ValType::i32()}, {}}, [&](Caller&, auto args, Completion done) -> Result<void> {
//     loop.after(args[0].i32(), [done] { (void)done.resume({}); });
//     return {};
//   });
//   auto call = wattle::callAsync(*instance->func("main"), {});
//   loop.run();
//   auto results = call->take();
//
// callAsync() runs the guest on a stack of its own. When the guest calls an asynchronous host function that has not
// been completed by the time its callback returns, the guest is suspended and callAsync() returns; completing goes on
// where the guest stood. Thousands of calls may be under way on one thread, in one store or in many; each takes a stack
// (touched pages only) and two mappings.
//
// A guest can be suspended only where no other host function stands between callAsync() and the asynchronous one;
// elsewhere the latter fails. Fuel, limits, deadlines and interruption count as for any call (a suspended guest notices
// when it goes on).
//
// Thread safety: everything here belongs to the store's thread, the one that called callAsync(). The event loop is the
// embedder's own.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "wattle/wattle.hpp"

namespace wattle {

namespace vm {
class Fiber;
struct Suspension;
}  // namespace vm

// What an asynchronous host function keeps until it has its results. Copies are the same.
class WATTLE_API Completion {
 public:
  // The guest goes on with these results, or with this error (which ends its call, or is thrown in it:
  // Exception::error), and runs until it is suspended again or ends, before this returns. Errors (Argument): completed
  // already; the call was cancelled, or its store is gone; another thread. While the callback still runs, it is only
  // noted.
  Result<void> resume(std::vector<Val> results) const;
  Result<void> fail(Error error) const;
  // Somebody still waits for it.
  bool isPending() const;

  explicit Completion(std::shared_ptr<vm::Suspension> state) : state_(std::move(state)) {}

 private:
  Result<void> complete(Result<std::vector<Val>> outcome) const;
  std::shared_ptr<vm::Suspension> state_;
};

// Begins something and sees to it that `done` is completed later (or does so at once). An error ends the guest's call.
using AsyncCallback = std::function<Result<void>(Caller&, std::span<const Val> args, Completion done)>;

// An impossible type makes an empty handle, as Func::host, and so does want of memory.
WATTLE_API Func hostAsync(Store& store, const FuncType& type, AsyncCallback callback, std::string name = {});

struct AsyncOptions {
  size_t stackBytes = 0;  // of the guest's stack; 0: what the store allows
};

// A call under way, or over. Owns it: when the last copy goes, a call that is suspended is cancelled, which takes the
// guest down as a trap does.
class WATTLE_API AsyncCall {
 public:
  bool isDone() const;
  // Once it is done, and only once.
  Result<std::vector<Val>> take();
  // Called when it is done, by whoever made it go on for the last time; at once if it is done already. Replaces an
  // earlier one.
  void whenDone(std::function<void()> callback);
  void cancel();

  explicit AsyncCall(std::shared_ptr<vm::Fiber> fiber);

 private:
  struct Owner;
  std::shared_ptr<Owner> owner_;
};

// Errors before anything has run: Resource (no stack), Argument (no such function). Later ones are the call's result.
WATTLE_API Result<AsyncCall> callAsync(const Func& function, std::span<const Val> args,
                                       const AsyncOptions& options = {});
inline Result<AsyncCall> callAsync(const Func& function, std::initializer_list<Val> args,
                                   const AsyncOptions& options = {}) {
  return callAsync(function, std::span(args.begin(), args.size()), options);
}

}  // namespace wattle
