// Errors of the frontend: values, never exceptions.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <utility>

namespace wattle::frontend {

// Why a module was refused. The conformance suite tells these apart.
enum class ErrorKind : uint8_t {
  Malformed,  // not a binary (or text) module at all: spec chapter "Binary Format" / "Text Format"
  Invalid,    // well-formed but ill-typed: spec chapter "Validation"
  Limit,      // an implementation limit (too many locals, too deep nesting, ...)
};

struct Error {
  ErrorKind kind = ErrorKind::Malformed;
  std::string message;               // one line, no trailing stop: "type mismatch: expected i32, found i64"
  uint64_t offset = 0;               // byte offset from the start of the module (or character offset in a text)
  std::optional<uint32_t> function;  // index of the function whose body is at fault, if any
};

template <class T>
using Result = std::expected<T, Error>;

}  // namespace wattle::frontend
