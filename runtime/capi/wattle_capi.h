// What wattle.h declares.
#pragma once

#include "runtime/capi/capi.h"
#include "wattle.h"

struct wattle_error_t {
  wattle::Error error;
};

namespace wattle::capi {

inline wattle_error_t* makeError(Error error) { return new wattle_error_t{std::move(error)}; }
// NULL, or the error.
template <class T>
wattle_error_t* errorOrNull(Result<T>&& result) {
  return result ? nullptr : makeError(std::move(result.error()));
}

}  // namespace wattle::capi
