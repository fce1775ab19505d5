// Functions: calls out of C and into it.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "runtime/capi/host_env.h"
#include "runtime/vm/function.h"
#include "runtime/vm/store.h"
#include "runtime/vm/types.h"

namespace wattle::capi {

namespace {

Error argument(std::string message) { return Error::make(ErrorKind::Argument, std::move(message)); }

// --- Guest to host --------------------------------------------------------------------------------------------------

struct HostCall {
  // One of these.
  wasm_func_callback_t plain = nullptr;
  wasm_func_callback_with_env_t withEnv = nullptr;
  wattle_callback_t withCaller = nullptr;
  HostEnv env{};
  FuncType type{};

  wasm_trap_t* call(Caller& caller, const wasm_val_vec_t* args, wasm_val_vec_t* results) const {
    if (plain) return plain(args, results);
    if (withEnv) return withEnv(env.get(), args, results);
    wattle_caller_t handle{caller};
    return withCaller(env.get(), &handle, args, results);
  }
};

Result<void> callHost(const HostCall& host, Caller& caller, std::span<const Val> args, std::span<Val> results) {
  Store& store = caller.store();
  Vals in(args.size());
  for (size_t i = 0; i < args.size(); ++i) fromVal(store, args[i], in[i]);
  Vals out(results.size());
  for (size_t i = 0; i < results.size(); ++i) out[i] = zeroVal(host.type.results[i]);
  if (wasm_trap_t* trap = host.call(caller, in.vec(), out.vec())) {
    out.forget();  // not filled
    return std::unexpected(errorOf(trap));
  }
  for (size_t i = 0; i < results.size(); ++i) {
    auto value = toVal(store, out[i], host.type.results[i]);
    if (!value) {
      value.error().message = fmt::format("result {} of a host function: {}", i, value.error().message);
      return std::unexpected(std::move(value.error()));
    }
    results[i] = *value;
  }
  return {};
}

HostCallback callbackOf(const wasm_functype_t& type, HostCall&& call) {
  call.type = fromType(type);
  return [host = std::make_shared<HostCall>(std::move(call))](Caller& caller, auto args, auto results) {
    return callHost(*host, caller, args, results);
  };
}

wasm_func_t* makeHost(wasm_store_t* store, const wasm_functype_t* type, HostCall&& call) {
  auto func = Func::host(store->store, fromType(*type), callbackOf(*type, std::move(call)));
  return func.impl() ? new wasm_func_t(std::move(func)) : nullptr;
}

// --- Host to guest --------------------------------------------------------------------------------------------------

bool isPlain(frontend::ValType type) { return !type.isRef() && type.kind() != frontend::ValKind::V128; }

wasm_valkind_t numberKind(frontend::ValKind kind) {
  switch (kind) {
    case frontend::ValKind::I32: return WASM_I32;
    case frontend::ValKind::I64: return WASM_I64;
    case frontend::ValKind::F32: return WASM_F32;
    default: return WASM_F64;
  }
}

// A call of numbers only, which is most: no store, no roots.
class Call {
 public:
  Call(const Func& func, const wasm_val_vec_t* args, wasm_val_vec_t* results)
      : func_(func),
        entry_(vm::TypeRegistry::process().entry(func.impl()->typeId)),
        args_(args),
        results_(results),
        raw_(entry_.valueCount) {}

  Result<void> run() {
    if (auto wrong = checkCount()) return std::unexpected(std::move(*wrong));
    const auto& [params, results] = entry_.type.func;
    if (!std::ranges::all_of(params, isPlain) || !std::ranges::all_of(results, isPlain)) return runWithReferences();
    for (size_t i = 0; i < params.size(); ++i) {
      if (args_->data[i].kind != numberKind(params[i].kind())) [[unlikely]]
        return wrongArgument(i);
      raw_.data()[i].words[0] = numberBits(args_->data[i]);
    }
    if (auto called = func_.callRaw({raw_.data(), entry_.valueCount}); !called) [[unlikely]]
      return called;
    for (size_t i = 0; i < room(results.size()); ++i) {
      results_->data[i].kind = numberKind(results[i].kind());
      results_->data[i].of.i64 = raw_.data()[i].i64;
    }
    return {};
  }

 private:
  std::optional<Error> checkCount() const {
    size_t params = entry_.type.func.params.size(), given = args_ ? args_->size : 0;
    if (given == params) return std::nullopt;
    return argument(fmt::format("the function takes {} arguments, not {}", params, given));
  }

  // A caller who wants only the trap leaves no room for results.
  size_t room(size_t count) const { return std::min(count, results_ ? results_->size : 0); }

  std::unexpected<Error> wrongArgument(size_t i) const {
    const auto& type = entry_.type.func.params[i];
    return std::unexpected(argument(fmt::format("argument {}: expected {}", i, toString(vm::toApi(type)))));
  }

  Result<void> runWithReferences() {
    Store* store = liveStore(func_.impl()->owner());
    if (!store) return std::unexpected(argument("the store of this function is gone"));
    RootScope scope(*store);
    const auto& [params, results] = entry_.type.func;
    for (size_t i = 0; i < params.size(); ++i) {
      auto value = toVal(*store, args_->data[i], vm::toApi(params[i]));
      if (!value) {
        value.error().message = fmt::format("argument {}: {}", i, value.error().message);
        return std::unexpected(std::move(value.error()));
      }
      raw_.data()[i].words = {value->low(), value->high()};
    }
    if (auto called = func_.callRaw({raw_.data(), entry_.valueCount}); !called) return called;
    Vals out(room(results.size()));
    for (size_t i = 0; i < out.size(); ++i) {
      const auto& words = raw_.data()[i].words;
      fromVal(*store, Val::fromBits(vm::toApi(results[i]), words[0], words[1]), out[i]);
    }
    std::copy_n(out.vec()->data, out.size(), results_->data);
    out.forget();
    return {};
  }

  const Func& func_;
  const vm::TypeEntry& entry_;
  const wasm_val_vec_t* args_;
  wasm_val_vec_t* results_;
  vm::SmallBuffer<RawVal, 10> raw_;  // without the heap while there are few
};

}  // namespace

HostCallback hostCallback(const wasm_functype_t& type, wattle_callback_t callback, void* env,
                          void (*finalizer)(void*)) {
  return callbackOf(type, {.withCaller = callback, .env = HostEnv(env, finalizer)});
}

}  // namespace wattle::capi

using namespace wattle::capi;

wasm_func_t* wasm_func_new(wasm_store_t* store, const wasm_functype_t* type, wasm_func_callback_t callback) {
  return orNothing([&] { return makeHost(store, type, {.plain = callback}); });
}

wasm_func_t* wasm_func_new_with_env(wasm_store_t* store, const wasm_functype_t* type,
                                    wasm_func_callback_with_env_t callback, void* env, void (*finalizer)(void*)) {
  return orNothing([&] { return makeHost(store, type, {.withEnv = callback, .env = HostEnv(env, finalizer)}); });
}

wasm_functype_t* wasm_func_type(const wasm_func_t* func) {
  return orNothing([&] { return makeType(func->handle.type()); });
}
size_t wasm_func_param_arity(const wasm_func_t* func) { return func->handle.impl()->type().params.size(); }
size_t wasm_func_result_arity(const wasm_func_t* func) { return func->handle.impl()->type().results.size(); }

wasm_trap_t* wasm_func_call(const wasm_func_t* func, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  return wattle::vm::orElse(outOfMemoryTrap(), [&]() -> wasm_trap_t* {
    auto called = Call(func->handle, args, results).run();
    if (called) [[likely]]
      return nullptr;
    return makeTrap(std::move(called.error()));
  });
}
