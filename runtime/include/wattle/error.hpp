// Errors are values; nothing a guest does aborts the process. Nothing in Wattle's API throws, with one exception: when
// there is no memory, std::bad_alloc comes from the constructors of Engine, Store and Linker (each has a create() that
// gives an error instead) and from what gives a container or a string by value (types, names, lists of exports).
// Everything that runs a guest, compiles, links or makes an object has an error or an empty handle for it.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#define WATTLE_API __attribute__((visibility("default")))

namespace wattle {

enum class ErrorKind : uint8_t {
  Malformed,    // bytes that are no module (or a text that does not parse)
  Invalid,      // a module that does not validate
  Limit,        // beyond an implementation limit
  Link,         // instantiation: a missing or mistyped import
  Trap,         // the guest trapped; `trap` and `backtrace` are set
  Exception,    // the guest threw and nobody caught: see Exception::from
  Exit,         // the guest asked to end (WASI proc_exit); `exitCode` is set
  Resource,     // memory, code cache, address space, or a store's limit
  Argument,     // wrong use of this API: argument count or type, a handle of another store
  Io,           // a file could not be read or written
  Unsupported,  // valid WebAssembly that this build cannot run
};

// The reason of a trap. Numbers and texts are those of runtime/compile/abi/trap_reason.h.
enum class TrapCode : uint8_t {
  None,
  Unreachable,
  IntegerDivideByZero,
  IntegerOverflow,
  InvalidConversion,
  MemoryOutOfBounds,
  TableOutOfBounds,
  UndefinedElement,
  UninitializedElement,
  IndirectCallTypeMismatch,
  StackOverflow,
  NullFunctionReference,
  NullReference,
  NullI31Reference,
  NullStructReference,
  NullArrayReference,
  NullExceptionReference,
  CastFailure,
  DescriptorCastFailure,
  ArrayOutOfBounds,
  AllocationFailed,
  UnalignedAtomic,
  ExpectedSharedMemory,
  NullDescriptor,
  OutOfMemory,
  OutOfFuel,
  Interrupted,
  UncaughtException,
  HostError,
};

// One frame of a guest backtrace, innermost first. It belongs to the store's thread as handles do.
struct Frame {
  std::string module;  // the module's name, or empty
  uint32_t functionIndex = 0;
  std::string function;  // from the name section, or an export's name, or empty
  std::optional<uint64_t>
      moduleOffset;                  // byte offset of the instruction in the module; absent when its bytes were dropped
  std::shared_ptr<void> instance{};  // keeps it alive: see Instance::from
};

struct Error {
  ErrorKind kind = ErrorKind::Argument;
  std::string message;                 // one line
  std::optional<uint64_t> offset{};    // Malformed, Invalid: byte offset in the module
  std::optional<uint32_t> function{};  // Malformed, Invalid: the function at fault
  TrapCode trap = TrapCode::None;
  std::vector<Frame> backtrace{};
  int exitCode = 0;
  std::shared_ptr<void> exception{};  // Exception: keeps it alive; opaque. Else what a callback's error carried along

  static Error make(ErrorKind kind, std::string message) {
    Error error;
    error.kind = kind;
    error.message = std::move(message);
    return error;
  }
};

template <class T>
using Result = std::expected<T, Error>;

}  // namespace wattle
