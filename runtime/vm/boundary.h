// Where the public API meets the implementation, which may run out of memory anywhere: that becomes an error like any
// other.
#pragma once

#include <new>
#include <stdexcept>
#include <system_error>
#include <type_traits>
#include <utility>

#include "wattle/error.hpp"

namespace wattle::vm {

// Its text needs no memory of its own (it fits into the string).
inline Error outOfMemory() { return Error::make(ErrorKind::Resource, "out of memory"); }

// What the body gives, or failed(error) if it runs out of something. bad_alloc and length_error come of sizes that a
// guest chose, system_error of a system that has no more threads or locks to give.
template <class Body, class Failed>
std::invoke_result_t<Body> contain(Body&& body, Failed&& failed) noexcept {
  try {
    return std::forward<Body>(body)();
  } catch (const std::bad_alloc&) {
    return failed(outOfMemory());
  } catch (const std::length_error&) {
    return failed(outOfMemory());
  } catch (const std::system_error&) {
    return failed(Error::make(ErrorKind::Resource, "no resources"));
  }
}

// For a function of the API, which returns a Result.
template <class Body>
std::invoke_result_t<Body> atBoundary(Body&& body) noexcept {
  return contain(std::forward<Body>(body), [](Error&& error) { return std::unexpected(std::move(error)); });
}

// For what generated code calls: `otherwise` is how it says that there is no memory.
template <class Body>
std::invoke_result_t<Body> orElse(std::invoke_result_t<Body> otherwise, Body&& body) noexcept {
  return contain(std::forward<Body>(body), [&](Error&&) { return std::move(otherwise); });
}

// Appends, or says that there is no memory for it.
template <class Vector>
bool appended(Vector& vector, const typename Vector::value_type& value) noexcept {
  return orElse(false, [&] {
    vector.push_back(value);
    return true;
  });
}

}  // namespace wattle::vm
