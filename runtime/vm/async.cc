// The public API's asynchronous calls (wattle/async.hpp), over Fiber.
#include "wattle/async.hpp"

#include "runtime/vm/boundary.h"
#include "runtime/vm/fiber.h"
#include "runtime/vm/function.h"
#include "runtime/vm/store.h"

namespace wattle {

namespace {
std::unexpected<Error> argument(const char* message) {
  return std::unexpected(Error::make(ErrorKind::Argument, message));
}
}  // namespace

// --- Completion ----------------------------------------------------------------------------------------------------

Result<void> Completion::complete(Result<std::vector<Val>> outcome) const {
  auto fiber = state_->fiber.lock();
  auto possible = vm::atBoundary([&]() -> Result<void> {
    if (state_->outcome) return argument("completed already, or the call was cancelled");
    if (!fiber || fiber->isDone()) return argument("the call is over");
    if (!fiber->isHere()) return argument("a call can only be completed on its store's thread");
    if (!fiber->awaits(*state_)) fiber->note(state_);
    return {};
  });
  if (!possible) return possible;
  state_->outcome = std::move(outcome);
  if (fiber->awaits(*state_)) fiber->resume();
  return {};
}

Result<void> Completion::resume(std::vector<Val> results) const { return complete(std::move(results)); }
Result<void> Completion::fail(Error error) const { return complete(std::unexpected(std::move(error))); }

bool Completion::isPending() const {
  auto fiber = state_->fiber.lock();
  return fiber && !fiber->isDone() && !state_->outcome;
}

Func hostAsync(Store& store, const FuncType& type, AsyncCallback callback, std::string name) {
  auto begin = [callback = std::move(callback)](Caller& caller, std::span<const Val> args,
                                                std::span<Val>) -> Result<void> {
    vm::Fiber* fiber = vm::threadState().fiber;
    if (!fiber || !fiber->maySuspend(caller.store().impl())) {
      return argument(
          "an asynchronous host function was called outside of callAsync, or from within another host function");
    }
    auto suspension = std::make_shared<vm::Suspension>(fiber->weak_from_this());
    struct Detach {  // from what did not begin, also by an exception
      vm::Suspension* suspension;
      ~Detach() {
        if (suspension) suspension->fiber.reset();
      }
    } detach{suspension.get()};
    auto begun = callback(caller, args, Completion(suspension));
    if (!begun) return begun;
    detach.suspension = nullptr;
    fiber->pending = std::move(suspension);
    return {};
  };
  return vm::orElse(Func(), [&] { return Func::host(store, type, std::move(begin), std::move(name)); });
}

// --- AsyncCall -----------------------------------------------------------------------------------------------------

struct AsyncCall::Owner {
  std::shared_ptr<vm::Fiber> fiber;
  bool taken = false;
  explicit Owner(std::shared_ptr<vm::Fiber> f) : fiber(std::move(f)) {}
  ~Owner() { fiber->cancel(); }
};

AsyncCall::AsyncCall(std::shared_ptr<vm::Fiber> fiber) : owner_(std::make_shared<Owner>(std::move(fiber))) {}

bool AsyncCall::isDone() const { return owner_->fiber->isDone(); }
void AsyncCall::cancel() { owner_->fiber->cancel(); }
void AsyncCall::whenDone(std::function<void()> callback) { owner_->fiber->whenDone(std::move(callback)); }

Result<std::vector<Val>> AsyncCall::take() {
  return vm::atBoundary([&]() -> Result<std::vector<Val>> {
    if (!isDone()) return argument("the call is not done");
    if (std::exchange(owner_->taken, true)) return argument("the results have been taken");
    return owner_->fiber->take();
  });
}

Result<AsyncCall> callAsync(const Func& function, std::span<const Val> args, const AsyncOptions& options) {
  return vm::atBoundary([&]() -> Result<AsyncCall> {
    vm::Store* store = function.impl() ? function.impl()->store() : nullptr;
    if (!store || !store->isOpen()) return argument("the function is empty, or its store is gone");
    auto body = [function, values = std::vector<Val>(args.begin(), args.end())] { return function.call(values); };
    auto fiber = vm::Fiber::create(*store, options.stackBytes, std::move(body));
    if (!fiber) return std::unexpected(std::move(fiber.error()));
    AsyncCall call(*fiber);
    (*fiber)->resume();
    return call;
  });
}

}  // namespace wattle
