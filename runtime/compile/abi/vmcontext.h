// The VM context: what compiled code knows of an instance.
//
// Code holds no address of anything. All it needs of the world hangs off one pointer, the VM context, held in a fixed
// register (see registers.h): the store's cells, the builtins, memories, tables, globals, and the *instance-scoped
// import table* that stands where other runtimes keep a PLT and a GOT per module. Offsets follow from ModuleInfo alone,
// so one body of code serves every instance of the module and may be deduplicated, written to disk, and mapped back
// unchanged.
//
//   VMContext (one allocation with the Instance)
//   +0                 fixed head: struct VMContext
//   +functionImports   { code, context } per imported function     <- a call is: load pair, indirect call
//   +memories          { base, VMMemory* } per memory
//   +tables            VMTable* per table
//   +globals           VMGlobal* per imported global, then 16 bytes per own global (the value itself)
//   +tags              VMTag* per tag
//   +funcRefs          VMFuncRef per function that is declared (Function::isDeclared), in index order
//
// Layout (below) is the only place that computes an offset.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "frontend/module.h"

namespace wattle::abi {

struct VMContext;
struct VMTypeRow;
struct BuiltinTable;
struct UnwindState;  // handlers.h

// One value in a buffer between host and guest, or in a global.
union alignas(16) RawValue {
  uint8_t bytes[16];
  int32_t i32;
  int64_t i64;
  uint32_t f32;  // bits
  uint64_t f64;  // bits
  uint64_t ref;  // 0 is null; see "references" below
  uint64_t words[2];
};
static_assert(sizeof(RawValue) == 16);

// References are 64-bit words in registers, tables, globals and frames; 0 is null.
//   function references: VMFuncRef*
//   external references: whatever the store handed out (odd/even tagging is the store's business)
//   exception references: VMException*
//   i31, struct, array references: the GC heap's 32-bit words, zero-extended

// Cells of a store that code touches. One per store; every context of the store points at it.
struct VMStoreContext {
  std::atomic<uintptr_t> stackLimit;  // prologues compare rsp with it; ~0 asks for the safepoint builtin
  int64_t fuel;                       // counts up towards 0 when code is compiled with fuel; > 0: exhausted
  struct VMActivation* activation;    // the innermost call into a guest of the store (entry.h)
  void* store;                        // vm::Store
  // The GC heap's bump allocation (vm::GcHeap): offsets from VMContext::gcHeap. Both 0 while there is no heap.
  uint64_t gcCursor;
  uint64_t gcLimit;
  uint64_t gcRequest;  // bytes that AllocateObject is asked for; where other builtins leave a reference
  struct VMException* pendingException;  // on its way from a host stub to the throw stub, or out of the guest uncaught
  // For entry code: the limit as it stands (but for interrupts) is good for calls that start at a stack pointer in
  // [entryLow, entryLow + entrySpan], on a stack whose floor is not above entryLimit.
  uintptr_t entryLimit;
  uintptr_t entryLow;
  uintptr_t entrySpan;
  struct VMThread* stackThread;  // whose stack the limit is of, while there is an activation
  uint64_t pins;                 // references that the host holds by RootScopes
};

struct VMMemory {
  uint8_t* base;
  std::atomic<uint64_t> byteSize;
};

struct VMTable {
  uint64_t* elements;  // one 64-bit reference each
  uint64_t size;
};

struct VMTag {
  uint32_t typeId;  // canonical function type
};

// An exception: its payload, one RawValue for each of the tag's parameters, follows.
struct alignas(16) VMException {
  VMTag* tag;
  RawValue* values() { return reinterpret_cast<RawValue*>(this + 1); }
};
inline constexpr int32_t kExceptionValues = sizeof(VMException);

// What a function reference points to. Lives in the context that defines (or imported) the function, or in the store
// (host functions).
struct VMFuncRef {
  const void* code;  // in the wasm calling convention; needs `context` in the context register
  VMContext* context;
  uint32_t typeId;         // process-wide canonical type id: call_indirect compares it
  uint32_t functionIndex;  // in the defining module; ~0 for a host function
};

struct VMFunctionImport {
  const void* code;
  VMContext* context;
};

struct VMMemorySlot {
  uint8_t* base;  // cached; valid for guarded memories, whose base never moves
  VMMemory* memory;
};

// Fixed head. Generated code uses offsetof of these.
struct VMContext {
  VMStoreContext* storeContext;
  const BuiltinTable* builtins;
  uint8_t* memory0Base;  // cached base of memory 0 (guarded code); nullptr without a memory
  VMMemory* memory0;
  const uint32_t* typeIds;    // canonical id by module type index
  void* instance;             // vm::Instance; nullptr for the context of a host function
  uint8_t* gcHeap;            // base of the store's GC heap; while there is none, a few zeros that null may be read at
  void* hostFunction;         // vm::HostFunction for the context of a host function, else nullptr
  const VMTypeRow* typeRows;  // of all types in the process, by canonical id (abi/gc.h)
};

// Offsets of the variable part for one module.
class Layout {
 public:
  Layout() = default;
  explicit Layout(const frontend::ModuleInfo& module);

  uint32_t functionImport(uint32_t i) const { return functionImports_ + i * sizeof(VMFunctionImport); }
  uint32_t memory(uint32_t i) const { return memories_ + i * sizeof(VMMemorySlot); }
  uint32_t table(uint32_t i) const { return tables_ + i * 8; }
  uint32_t importedGlobal(uint32_t i) const { return globalImports_ + i * 8; }  // i < importedGlobals: holds RawValue*
  uint32_t ownGlobal(uint32_t i) const { return globals_ + (i - importedGlobalCount_) * sizeof(RawValue); }
  bool isImportedGlobal(uint32_t i) const { return i < importedGlobalCount_; }
  uint32_t tag(uint32_t i) const { return tags_ + i * 8; }
  // Offset of the VMFuncRef of a declared function.
  uint32_t funcRef(uint32_t functionIndex) const;
  const std::vector<uint32_t>& declaredFunctions() const { return declared_; }  // ascending
  uint32_t size() const { return size_; }

 private:
  uint32_t functionImports_ = 0, memories_ = 0, tables_ = 0, globalImports_ = 0, globals_ = 0, tags_ = 0, funcRefs_ = 0;
  uint32_t importedGlobalCount_ = 0;
  uint32_t size_ = sizeof(VMContext);
  std::vector<uint32_t> declared_;
};

// Builtins: C functions that code calls through VMContext::builtins, in the System V convention with the context first.
// Those marked `status` return 0 or a TrapReason in eax and generated code traps on it (with the instruction's own
// location). 64-bit operands always; a 32-bit address is zero-extended by the caller.
// clang-format off
#define WATTLE_BUILTINS(X)                                                                     \
  /* memory.grow: old size in pages or -1 */                                                    \
  X(MemoryGrow, int64_t, (VMContext*, uint32_t memory, uint64_t deltaPages))                   \
  X(MemoryFill, uint32_t, (VMContext*, uint32_t memory, uint64_t dst, uint32_t value, uint64_t n)) /* status */     \
  X(MemoryCopy, uint32_t, (VMContext*, uint64_t memories /* dst | src << 32 */, uint64_t dst, uint64_t src, uint64_t n)) /* status */ \
  X(MemoryInit, uint32_t, (VMContext*, uint64_t memorySegment /* memory | segment << 32 */, uint64_t dst, uint64_t src, uint64_t n)) /* status */ \
  X(DataDrop, void, (VMContext*, uint32_t segment))                                            \
  X(TableGrow, int64_t, (VMContext*, uint32_t table, uint64_t init, uint64_t delta))           \
  X(TableFill, uint32_t, (VMContext*, uint32_t table, uint64_t dst, uint64_t value, uint64_t n)) /* status */      \
  X(TableCopy, uint32_t, (VMContext*, uint64_t tables /* dst | src << 32 */, uint64_t dst, uint64_t src, uint64_t n)) /* status */  \
  X(TableInit, uint32_t, (VMContext*, uint64_t tableSegment /* table | segment << 32 */, uint64_t dst, uint64_t src, uint64_t n)) /* status */ \
  X(ElemDrop, void, (VMContext*, uint32_t segment))                                            \
  /* memory.atomic.wait and notify: the result << 32 | status */                               \
  X(AtomicWait32, uint64_t, (VMContext*, uint32_t memory, uint64_t address, uint64_t expected, int64_t timeout, uint64_t offset)) \
  X(AtomicWait64, uint64_t, (VMContext*, uint32_t memory, uint64_t address, uint64_t expected, int64_t timeout, uint64_t offset)) \
  X(AtomicNotify, uint64_t, (VMContext*, uint32_t memory, uint64_t address, uint64_t count, uint64_t offset)) \
  /* an exception whose payload the caller fills in; nullptr: out of memory */                 \
  X(NewException, VMException*, (VMContext*, uint32_t tag))                                     \
  /* called by the throw stub, whose frame is the third argument: finds the handler. status: UncaughtException */ \
  X(Unwind, uint32_t, (UnwindState*, VMException*, uintptr_t frame, VMContext*))                \
  /* subtype test of call_indirect and casts: canonical ids */                                  \
  X(IsSubtype, uint32_t, (uint32_t sub, uint32_t super))                                       \
  /* GC objects (abi/gc.h). AllocateObject is called by the allocation stub: gcRequest bytes of zeros; 0: the heap's limit is reached */ \
  X(AllocateObject, uint64_t, (VMContext*))                                                    \
  /* the new array is left in gcRequest */                                                     \
  X(ArrayNewData, uint32_t, (VMContext*, uint64_t typeSegment /* type | segment << 32 */, uint64_t offset, uint64_t n)) /* status */ \
  X(ArrayNewElem, uint32_t, (VMContext*, uint64_t typeSegment, uint64_t offset, uint64_t n)) /* status */ \
  X(ArrayInitData, uint32_t, (VMContext*, uint64_t segment, uint64_t array, uint64_t dst, uint64_t src, uint64_t n)) /* status */ \
  X(ArrayInitElem, uint32_t, (VMContext*, uint64_t segment, uint64_t array, uint64_t dst, uint64_t src, uint64_t n)) /* status */ \
  X(ArrayCopy, uint32_t, (VMContext*, uint64_t dstArray, uint64_t dst, uint64_t srcArray, uint64_t src, uint64_t n)) /* status */ \
  /* code of a function of a lazy module, called through its slot for the first time; nullptr: out of code memory */ \
  X(CompileLazy, const void*, (VMContext*, uint32_t functionIndex))                            \
  /* why [context->storeContext->stackLimit] was crossed; called by the safepoint stub. status */ \
  X(Safepoint, uint32_t, (VMContext*, uintptr_t stackPointer))
// clang-format on

struct BuiltinTable {
  const void* safepointStub = nullptr;  // in the code cache: saves every register, calls Safepoint, traps on its status
  const void* allocationStub = nullptr;  // likewise for AllocateObject; the reference is returned in r11
  const void* throwStub = nullptr;       // in the code cache: throws the VMException in rax; called, never returns
#define WATTLE_X(name, result, params) result(*name) params = nullptr;
  WATTLE_BUILTINS(WATTLE_X)
#undef WATTLE_X
};

}  // namespace wattle::abi
