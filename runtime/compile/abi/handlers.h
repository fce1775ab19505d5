// What the unwinder needs to know of a function's code: which registers its frame saves, and where its handlers are.
//
// CodeRange::flags says which callee-saved registers stand in the frame (at baseline/frame.h's kSavedSlot), and whether
// the function has a handler table. The table lies in the code itself, behind the function: so it is placed, linked,
// written to disk and freed with it, and lazily compiled functions need nothing more. Its offset from the function's
// entry is the displacement of a nop in the prologue, at kHandlerTableAt.
//
//   HandlerTable
//   ScopeChange[changes]   ascending; from `position` on code is within `scope`, up to the next one
//   Scope[scopes + 1]      a try: clauses [firstClause, next scope's firstClause), then those of `parent`
//   Clause[]               tested in order
//
// A handler is entered with the exception (VMException*) in rax, rbp and the callee-saved pins as at the throw; it sets
// rsp and reloads r13 and r14 itself.
#pragma once

#include <cstdint>

namespace wattle::abi {

// Bits of codecache::CodeRange::flags.
inline constexpr uint8_t kSavesRbx = 1, kSavesR12 = 2, kSavesR15 = 4;
inline constexpr uint8_t kHasHandlers = 8;

inline constexpr uint32_t kHandlerTableAt = 18;
inline constexpr uint32_t kNoScope = ~0u;
inline constexpr uint32_t kAnyTag = 0;

struct HandlerTable {
  uint32_t changes;
  uint32_t scopes;
};
struct ScopeChange {
  uint32_t position;  // offset from the function's entry
  uint32_t scope;     // or kNoScope
};
struct Scope {
  uint32_t parent;  // or kNoScope
  uint32_t firstClause;
};
struct Clause {
  uint32_t tag;      // offset of the VMTag* in the context, or kAnyTag
  uint32_t handler;  // offset from the function's entry
};

// Where execution goes on after a throw; the throw stub fills in what it finds and takes what it is to restore.
struct UnwindState {
  uint64_t rbx, r12, r15;
  uint64_t framePointer;  // of the handler's frame
  const void* handler;
  uint64_t unused;  // so that the size is a multiple of 16
};

}  // namespace wattle::abi
