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

// A callback of the C++ API that calls the C one. The environment is finalized with its last copy, or at once when
// there is no memory, which is thrown. (func.cc)
HostCallback hostCallback(const wasm_functype_t& type, wattle_callback_t callback, void* env, void (*finalizer)(void*));

// Nobody owns it; deleting it does nothing.
wattle_error_t* outOfMemoryError() noexcept;
inline wattle_error_t* makeError(Error error) noexcept {
  return vm::orElse(outOfMemoryError(), [&] { return new wattle_error_t{std::move(error)}; });
}
// NULL, or the error.
template <class T>
wattle_error_t* errorOrNull(Result<T>&& result) noexcept {
  return result ? nullptr : makeError(std::move(result.error()));
}
// What the body, which gives a Result, fails of; want of memory among it.
template <class Body>
wattle_error_t* orError(Body&& body) noexcept {
  return vm::orElse(outOfMemoryError(), [&] { return errorOrNull(body()); });
}
// The same, with the value that it gives when it does not fail.
template <class Out, class Body>
wattle_error_t* give(Out* out, Body&& body) noexcept {
  return orError([&] {
    auto result = body();
    if (result) *out = std::move(*result);
    return result;
  });
}
// The same for a value that a new C object holds.
template <class CObject, class Body>
wattle_error_t* giveNew(CObject** out, Body&& body) noexcept {
  return orError([&] {
    auto result = body();
    if (result) *out = new CObject(std::move(*result));
    return result;
  });
}

}  // namespace wattle::capi
