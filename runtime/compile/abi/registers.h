// The wasm calling convention: registers, frames, who saves what. One page that the compilers, the stubs, the unwinder
// and the signal handler share.
//
// On entry to a wasm function
//   r13            VM context of the callee (always a valid VMContext in guest code)
//   r14            of a call through the import table or a reference: the caller's VM context, for host functions to know who calls
//   integer and reference arguments, in order:  rdi rsi rdx rcx r8 r9, then the stack
//   f32, f64, v128 arguments, in order:         xmm0 .. xmm7, then the stack
//   stack arguments: 8 bytes each (v128: 16), in order from [rsp + 8]; the area is rounded up to 16 bytes and *the callee pops it*
//   (so that a tail call may have any signature)
//   rsp + 8 is a multiple of 16
// On return
//   results: the first integer in rax, the second in rdx; the first float in xmm0, the second in xmm1. All others go to the results area,
//   whose address the caller passes as a hidden first integer argument (rdi) when the signature has any such result; 16 bytes per
//   result, indexed by the result's number in the signature. (A tail call hands the pointer on: result types are equal.)
// Saved by the callee: rbx rbp r12 r15. Everything else is the caller's to save. After a call the caller reloads r13
// from its frame, since the callee may be (or end, by a tail call, in) another instance's function. In a function that
// accesses memories r14 holds the base of memory 0, loaded in the prologue and after each call; in others it is unused.
//
// Frame
//   [rbp + 16 ...]  stack arguments
//   [rbp + 8]       return address
//   [rbp]           caller's rbp                 <- backtraces walk this chain, with code cache look-ups of the return addresses
//   [rbp - 8]       r13 of this function         <- so every frame names its instance
//   [rbp - 16]      results pointer (if any), then saved rbx, r12, r15, locals, spilled operands; layout in baseline/frame.h
//
// Traps. A trap site is `ud2` followed by one byte, the TrapReason (InRax: the reason is in eax). No table is
// consulted: the signal handler reads the byte. A fault of a load or store whose address lies in a guard is
// MemoryOutOfBounds; a divide error is IntegerOverflow (zero divisors are tested beforehand). See runtime/vm/traps.cc.
//
// Interruption. gs points to the thread's poll page (sandbox/poll_page.h), of which each loop reads a word (poll.h); the
// fault of such a load in an interrupted store is Interrupted. Calls meet the stack limit, which is ~0 then.
#pragma once

#include <cstdint>

namespace wattle::abi {

inline constexpr unsigned kIntegerArguments = 6;
inline constexpr unsigned kFloatArguments = 8;
inline constexpr unsigned kResultRegisters = 2;  // of each class

}  // namespace wattle::abi
