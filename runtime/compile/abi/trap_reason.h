// Why a guest stopped. One number space for generated code, builtins, the signal handler and the public API.
#pragma once

#include <cstdint>
#include <iterator>
#include <string_view>

namespace wattle::abi {

// X(Id, "spec's words"): the text is what the conformance suite expects as a prefix.
#define WATTLE_TRAP_REASONS(X)                                          \
  X(None, "no trap")                                                    \
  X(Unreachable, "unreachable")                                         \
  X(IntegerDivideByZero, "integer divide by zero")                      \
  X(IntegerOverflow, "integer overflow")                                \
  X(InvalidConversion, "invalid conversion to integer")                 \
  X(MemoryOutOfBounds, "out of bounds memory access")                   \
  X(TableOutOfBounds, "out of bounds table access")                     \
  X(UndefinedElement, "undefined element")                              \
  X(UninitializedElement, "uninitialized element")                      \
  X(IndirectCallTypeMismatch, "indirect call type mismatch")            \
  X(StackOverflow, "call stack exhausted")                              \
  X(NullFunctionReference, "null function reference")                   \
  X(NullReference, "null reference")                                    \
  X(NullI31Reference, "null i31 reference")                             \
  X(NullStructReference, "null structure reference")                    \
  X(NullArrayReference, "null array reference")                         \
  X(NullExceptionReference, "null exception reference")                 \
  X(CastFailure, "cast failure")                                        \
  X(DescriptorCastFailure, "descriptor cast failure")                   \
  X(ArrayOutOfBounds, "out of bounds array access")                     \
  X(AllocationFailed, "allocation failed: the heap's limit is reached") \
  X(UnalignedAtomic, "unaligned atomic")                                \
  X(ExpectedSharedMemory, "expected shared memory")                     \
  X(NullDescriptor, "null descriptor reference")                        \
  X(OutOfMemory, "out of memory")                                       \
  X(OutOfFuel, "all fuel consumed")                                     \
  X(Interrupted, "interrupted")                                         \
  X(UncaughtException, "uncaught exception")                            \
  X(HostError, "host function failed")

enum class TrapReason : uint8_t {
#define WATTLE_X(id, text) id,
  WATTLE_TRAP_REASONS(WATTLE_X)
#undef WATTLE_X
  // Only in a trap site's reason byte: the reason is the number in eax (a builtin's or host stub's status).
  InRax = 255,
};

constexpr std::string_view toString(TrapReason reason) {
  constexpr std::string_view kText[] = {
#define WATTLE_X(id, text) text,
      WATTLE_TRAP_REASONS(WATTLE_X)
#undef WATTLE_X
  };
  return static_cast<unsigned>(reason) < std::size(kText) ? kText[static_cast<unsigned>(reason)] : "unknown trap";
}

}  // namespace wattle::abi
