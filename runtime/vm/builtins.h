// The C functions that compiled code calls (abi::WATTLE_BUILTINS).
#pragma once

#include <span>

#include "runtime/compile/abi/trap_reason.h"
#include "runtime/compile/abi/vmcontext.h"

namespace wattle::vm {

const abi::BuiltinTable& builtinTable();

// For work on so many bytes, in code with fuel (compile/baseline/fuel.cc). False, and nothing is charged, if there is
// not as much.
bool charge(abi::VMContext* context, uint64_t bytes);

// Active segments do what memory.init and table.init do (spec "Execution / Modules / Instantiation").
abi::TrapReason initMemory(abi::VMContext* context, uint32_t memory, std::span<const uint8_t> data, uint64_t dst,
                           uint64_t src, uint64_t n);
abi::TrapReason initTable(abi::VMContext* context, uint32_t table, uint32_t segment, uint64_t dst, uint64_t src,
                          uint64_t n);

}  // namespace wattle::vm
