// The C functions that compiled code calls (abi::WATTLE_BUILTINS).
#pragma once

#include <span>

#include "runtime/compile/abi/trap_reason.h"
#include "runtime/compile/abi/vmcontext.h"

namespace wattle::vm {

const abi::BuiltinTable& builtinTable();

// Two indices come in one argument (Compiler::pair); a `status` is 0 or a trap's reason.
constexpr uint32_t low(uint64_t pair) { return static_cast<uint32_t>(pair); }
constexpr uint32_t high(uint64_t pair) { return static_cast<uint32_t>(pair >> 32); }
constexpr uint32_t status(abi::TrapReason reason) { return static_cast<uint32_t>(reason); }
// Do n items from `at` on lie within `size`?
constexpr bool within(uint64_t at, uint64_t n, uint64_t size) { return n <= size && at <= size - n; }

// For work on so many bytes, in code with fuel (compile/baseline/fuel.cc). False, and nothing is charged, if there is
// not as much.
bool charge(abi::VMContext* context, uint64_t bytes);

// Active segments do what memory.init and table.init do (spec "Execution / Modules / Instantiation").
abi::TrapReason initMemory(abi::VMContext* context, uint32_t memory, std::span<const uint8_t> data, uint64_t dst,
                           uint64_t src, uint64_t n);
abi::TrapReason initTable(abi::VMContext* context, uint32_t table, uint32_t segment, uint64_t dst, uint64_t src,
                          uint64_t n);

}  // namespace wattle::vm
