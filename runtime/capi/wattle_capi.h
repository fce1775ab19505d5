// What wattle.h declares.
#pragma once

#include "runtime/capi/capi.h"
#include "wattle.h"

struct wattle_error_t {
  wattle::Error error;
};

struct wattle_limits_t {
  wattle::StoreLimits limits;
};

struct wattle_interrupt_t {
  wattle::InterruptHandle handle;
};

struct wattle_caller_t {
  wattle::Caller& caller;
};

struct wattle_linker_t {
  wattle::Linker linker;
};

struct wattle_shared_memory_t {
  wattle::SharedMemory memory;
};

namespace wattle::capi {

// A callback of the C++ API that calls the C one. The environment is finalized with its last copy. (func.cc)
HostCallback hostCallback(const wasm_functype_t& type, wattle_callback_t callback, void* env, void (*finalizer)(void*));

inline wattle_error_t* makeError(Error error) { return new wattle_error_t{std::move(error)}; }
inline wattle_error_t* makeError(ErrorKind kind, const char* message) { return makeError(Error::make(kind, message)); }
// NULL, or the error.
template <class T>
wattle_error_t* errorOrNull(Result<T>&& result) {
  return result ? nullptr : makeError(std::move(result.error()));
}
// NULL and the value, or the error.
template <class T, class Out>
wattle_error_t* give(Result<T>&& result, Out* out) {
  if (!result) return makeError(std::move(result.error()));
  *out = std::move(*result);
  return nullptr;
}
// The same for a value that a new C object holds.
template <class T, class CObject>
wattle_error_t* giveNew(Result<T>&& result, CObject** out) {
  if (!result) return makeError(std::move(result.error()));
  *out = new CObject(std::move(*result));
  return nullptr;
}

}  // namespace wattle::capi
