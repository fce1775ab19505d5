// wattle.h: calls that wait without holding a thread, over wattle/async.hpp.
//
// The results of a call are made C's as soon as it ends: the references among them are rooted by then only until
// whoever made the guest go on returns.
#include <optional>

#include "runtime/capi/host_env.h"
#include "runtime/vm/store.h"
#include "wattle/async.hpp"

using namespace wattle::capi;

struct wattle_completion_t {
  wattle::Completion completion;
  std::vector<wattle::ValType> results;
  wattle::vm::Store* store;  // alive while the completion is pending
};

struct wattle_async_call_t {
  struct State {
    std::optional<wattle::AsyncCall> call;
    std::optional<Vals> results;  // of one that is done, unless there is a trap
    Own<wasm_trap_t, wasm_trap_delete> trap;
    bool isTaken = false;
    void (*callback)(void*) = nullptr;
    void* env = nullptr;

    void finish(wattle::Store& store);
  };
  std::shared_ptr<State> state;
};

namespace {

wattle::Error argument(const char* message) { return wattle::Error::make(wattle::ErrorKind::Argument, message); }

wattle::AsyncCallback asyncCallback(wattle::FuncType type, wattle_async_callback_t callback, HostEnv env) {
  return
      [type = std::move(type), callback, env = std::move(env)](
          wattle::Caller& caller, std::span<const wattle::Val> args, wattle::Completion done) -> wattle::Result<void> {
        Vals in(args.size());
        for (size_t i = 0; i < args.size(); ++i) fromVal(caller.store(), args[i], in[i]);
        auto* completion = new wattle_completion_t{std::move(done), type.results, &caller.store().impl()};
        wattle_caller_t handle{caller};
        if (wasm_trap_t* trap = callback(env.get(), &handle, in.vec(), completion))
          return std::unexpected(errorOf(trap));
        return {};
      };
}

wattle::Result<std::vector<wattle::Val>> toVals(wattle::Store& store, const wasm_val_vec_t* values,
                                                const std::vector<wattle::ValType>& types) {
  const size_t given = values ? values->size : 0;
  if (given != types.size()) return std::unexpected(argument("the values are not as many as the function's type says"));
  std::vector<wattle::Val> out;
  for (size_t i = 0; i < given; ++i) {
    auto value = toVal(store, values->data[i], types[i]);
    if (!value) return std::unexpected(std::move(value.error()));
    out.push_back(*value);
  }
  return out;
}

}  // namespace

void wattle_async_call_t::State::finish(wattle::Store& store) {
  const bool isConverted = orNothing([&] {
    auto taken = call->take();
    if (!taken) {
      trap.reset(makeTrap(std::move(taken.error())));
      return true;
    }
    results.emplace(taken->size());
    for (size_t i = 0; i < taken->size(); ++i) fromVal(store, (*taken)[i], (*results)[i]);
    return true;
  });
  if (!isConverted) {
    results.reset();
    trap.reset(outOfMemoryTrap());
  }
  if (callback) callback(env);
}

wasm_func_t* wattle_func_new_async(wasm_store_t* store, const wasm_functype_t* type, wattle_async_callback_t callback,
                                   void* env, void (*finalizer)(void*)) {
  return orNothing([&] {
    HostEnv owned(env, finalizer);
    auto signature = fromType(*type);
    auto func = wattle::hostAsync(store->store, signature, asyncCallback(signature, callback, std::move(owned)));
    return func.impl() ? new wasm_func_t(std::move(func)) : nullptr;
  });
}

// --- Completions ----------------------------------------------------------------------------------------------------

void wattle_completion_delete(wattle_completion_t* completion) { delete completion; }
bool wattle_completion_is_pending(const wattle_completion_t* completion) { return completion->completion.isPending(); }

wattle_error_t* wattle_completion_resume(const wattle_completion_t* completion, const wasm_val_vec_t* results) {
  return orError([&]() -> wattle::Result<void> {
    if (!completion->completion.isPending()) return completion->completion.resume({});  // which says why not
    wattle::Store& store = *completion->store->api;
    wattle::RootScope scope(store);
    auto values = toVals(store, results, completion->results);
    if (!values) return std::unexpected(std::move(values.error()));
    // The host may delete the completion meanwhile.
    const wattle::Completion done = completion->completion;
    return done.resume(std::move(*values));
  });
}

wattle_error_t* wattle_completion_fail(const wattle_completion_t* completion, wasm_trap_t* trap) {
  return orError([&] {
    const wattle::Completion done = completion->completion;
    return done.fail(errorOf(trap));
  });
}

// --- Calls ----------------------------------------------------------------------------------------------------------

wattle_error_t* wattle_func_call_async(const wasm_func_t* func, const wasm_val_vec_t* args, size_t stack_bytes,
                                       wattle_async_call_t** out) {
  return orError([&]() -> wattle::Result<void> {
    wattle::Store* store = liveStore(*func);
    if (!store) return std::unexpected(argument("the store of this function is gone"));
    wattle::RootScope scope(*store);
    const auto type = func->handle.type();
    auto values = toVals(*store, args, type.params);
    if (!values) return std::unexpected(std::move(values.error()));
    auto made = std::make_unique<wattle_async_call_t>(std::make_shared<wattle_async_call_t::State>());
    auto& state = *made->state;
    auto call = wattle::callAsync(func->handle, *values, {.stackBytes = stack_bytes});
    if (!call) return std::unexpected(std::move(call.error()));
    state.call = *call;
    // A cancelled call ends within its own destructor: then nobody is there to be told.
    call->whenDone([weak = std::weak_ptr(made->state), impl = &store->impl()] {
      if (auto known = weak.lock()) known->finish(*impl->api);
    });
    *out = made.release();
    return {};
  });
}

void wattle_async_call_delete(wattle_async_call_t* call) { delete call; }
bool wattle_async_call_is_done(const wattle_async_call_t* call) { return call->state->call->isDone(); }
void wattle_async_call_cancel(wattle_async_call_t* call) {
  const auto keep = call->state;
  keep->call->cancel();
}

void wattle_async_call_when_done(wattle_async_call_t* call, void (*callback)(void*), void* env) {
  auto& state = *call->state;
  state.callback = callback;
  state.env = env;
  if (callback && state.call->isDone()) callback(env);
}

wasm_trap_t* wattle_async_call_take(wattle_async_call_t* call, wasm_val_vec_t* results) {
  auto& state = *call->state;
  auto wrong = [](const char* message) {
    return wattle::vm::orElse(outOfMemoryTrap(), [&] { return makeTrap(argument(message)); });
  };
  if (!state.call->isDone()) return wrong("the call is not done");
  if (state.isTaken) return wrong("the results have been taken");
  state.isTaken = true;
  if (state.trap) return state.trap.release();
  const size_t room = std::min(state.results->size(), results ? results->size : 0);
  for (size_t i = 0; i < room; ++i) results->data[i] = std::exchange((*state.results)[i], wasm_val_t{});
  return nullptr;
}
