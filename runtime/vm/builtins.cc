// Bulk instructions and growth (spec "Execution / Instructions"). All bounds are checked before anything is written.
// None of these calls back into the guest, and none may throw: they run between frames of generated code.
#include "runtime/vm/builtins.h"

#include <algorithm>
#include <cstring>

#include "runtime/compile/compile.h"
#include "runtime/vm/boundary.h"
#include "runtime/vm/exceptions.h"
#include "runtime/vm/gc_builtins.h"
#include "runtime/vm/instance.h"
#include "runtime/vm/memory.h"
#include "runtime/vm/store.h"
#include "runtime/vm/table.h"
#include "runtime/vm/wait.h"

namespace wattle::vm {

using abi::TrapReason;
using abi::VMContext;

namespace {

// memmove and memset with a null pointer are undefined even for nothing.
void copyBytes(void* to, const void* from, uint64_t n) {
  if (n) std::memmove(to, from, n);
}

int64_t memoryGrow(VMContext* context, uint32_t memory, uint64_t deltaPages) {
  return orElse(int64_t{-1}, [&] { return Instance::of(context)->memory(memory)->grow(deltaPages); });
}

uint32_t memoryFill(VMContext* context, uint32_t memory, uint64_t dst, uint32_t value, uint64_t n) {
  Memory& m = *Instance::of(context)->memory(memory);
  if (!m.contains(dst, n)) return status(TrapReason::MemoryOutOfBounds);
  if (!charge(context, n)) return status(TrapReason::OutOfFuel);
  if (n) std::memset(m.base + dst, static_cast<int>(value & 0xff), n);
  return 0;
}

uint32_t memoryCopy(VMContext* context, uint64_t memories, uint64_t dst, uint64_t src, uint64_t n) {
  Memory& to = *Instance::of(context)->memory(low(memories));
  Memory& from = *Instance::of(context)->memory(high(memories));
  if (!to.contains(dst, n) || !from.contains(src, n)) return status(TrapReason::MemoryOutOfBounds);
  if (!charge(context, n)) return status(TrapReason::OutOfFuel);
  copyBytes(to.base + dst, from.base + src, n);
  return 0;
}

uint32_t memoryInit(VMContext* context, uint64_t memorySegment, uint64_t dst, uint64_t src, uint64_t n) {
  auto data = Instance::of(context)->dataSegment(high(memorySegment));
  if (within(src, n, data.size()) && !charge(context, n)) return status(TrapReason::OutOfFuel);
  return status(initMemory(context, low(memorySegment), data, dst, src, n));
}

void dataDrop(VMContext* context, uint32_t segment) { Instance::of(context)->dropData(segment); }

int64_t tableGrow(VMContext* context, uint32_t table, uint64_t init, uint64_t delta) {
  const int64_t old = Instance::of(context)->table(table)->grow(delta, init);
  // It cannot fail for want of fuel; what is owed ends the guest at its next block.
  if (old >= 0 && Instance::of(context)->code().settings().fuel)
    context->storeContext->fuel += static_cast<int64_t>(delta / 8);
  return old;
}

uint32_t tableFill(VMContext* context, uint32_t table, uint64_t dst, uint64_t value, uint64_t n) {
  Table& t = *Instance::of(context)->table(table);
  if (!t.contains(dst, n)) return status(TrapReason::TableOutOfBounds);
  if (!charge(context, n * 8)) return status(TrapReason::OutOfFuel);
  std::fill_n(t.elements + dst, n, value);
  return 0;
}

uint32_t tableCopy(VMContext* context, uint64_t tables, uint64_t dst, uint64_t src, uint64_t n) {
  Table& to = *Instance::of(context)->table(low(tables));
  Table& from = *Instance::of(context)->table(high(tables));
  if (!to.contains(dst, n) || !from.contains(src, n)) return status(TrapReason::TableOutOfBounds);
  if (!charge(context, n * 8)) return status(TrapReason::OutOfFuel);
  copyBytes(to.elements + dst, from.elements + src, n * sizeof(uint64_t));
  return 0;
}

uint32_t tableInit(VMContext* context, uint64_t tableSegment, uint64_t dst, uint64_t src, uint64_t n) {
  const uint64_t count = Instance::of(context)->elementCount(high(tableSegment));
  if (within(src, n, count) && !charge(context, n * 8)) return status(TrapReason::OutOfFuel);
  return status(initTable(context, low(tableSegment), high(tableSegment), dst, src, n));
}

void elemDrop(VMContext* context, uint32_t segment) { Instance::of(context)->dropElements(segment); }

// The effective address of an atomic access of `bytes`, or why there is none.
TrapReason atomicCell(Memory& memory, uint64_t address, uint64_t offset, uint32_t bytes, const uint8_t*& cell) {
  uint64_t at;
  if (__builtin_add_overflow(address, offset, &at) || !memory.contains(at, bytes)) return TrapReason::MemoryOutOfBounds;
  if (at % bytes != 0) return TrapReason::UnalignedAtomic;
  cell = memory.base + at;
  return TrapReason::None;
}

constexpr uint64_t packed(uint32_t result, TrapReason reason) {
  return static_cast<uint64_t>(result) << 32 | status(reason);
}

uint64_t atomicWait(VMContext* context, uint32_t index, uint64_t address, uint64_t expected, int64_t timeout,
                    uint64_t offset, bool wide) {
  Instance& instance = *Instance::of(context);
  Memory& memory = *instance.memory(index);
  const uint8_t* cell;
  auto reason = atomicCell(memory, address, offset, wide ? 8 : 4, cell);
  if (reason != TrapReason::None) return packed(0, reason);
  if (!memory.declaredType().isShared) return packed(0, TrapReason::ExpectedSharedMemory);
  auto result = waitOn(*instance.store()->cells(), cell, expected, wide, timeout);
  if (result == WaitResult::Interrupted) return packed(0, TrapReason::Interrupted);
  return packed(static_cast<uint32_t>(result), TrapReason::None);
}

uint64_t atomicWait32(VMContext* context, uint32_t memory, uint64_t address, uint64_t expected, int64_t timeout,
                      uint64_t offset) {
  return atomicWait(context, memory, address, expected, timeout, offset, false);
}

uint64_t atomicWait64(VMContext* context, uint32_t memory, uint64_t address, uint64_t expected, int64_t timeout,
                      uint64_t offset) {
  return atomicWait(context, memory, address, expected, timeout, offset, true);
}

// On a memory that is not shared nobody can wait.
uint64_t atomicNotify(VMContext* context, uint32_t index, uint64_t address, uint64_t count, uint64_t offset) {
  const uint8_t* cell;
  auto reason = atomicCell(*Instance::of(context)->memory(index), address, offset, 4, cell);
  if (reason != TrapReason::None) return packed(0, reason);
  return packed(notifyWaiters(cell, static_cast<uint32_t>(count)), TrapReason::None);
}

// The payload is still in the guest's frame, where the collector finds it.
abi::VMException* newException(VMContext* context, uint32_t tag) {
  Instance& instance = *Instance::of(context);
  return orElse(nullptr, [&]() -> abi::VMException* {
    instance.store()->collectIfDue();
    return Exception::create(*instance.store(), *instance.tag(tag));
  });
}

uint32_t isSubtype(uint32_t sub, uint32_t super) { return TypeRegistry::process().isSubtype(sub, super); }

const void* compileLazy(VMContext* context, uint32_t functionIndex) {
  Instance& instance = *Instance::of(context);
  return orElse(nullptr, [&]() -> const void* {
    auto code = instance.code().materialize(functionIndex);
    if (!code) return nullptr;
    Module::compiledMore(instance.sharedModule());
    return *code;
  });
}

// Code saw rsp below the limit, which may be the real one or ~0 because somebody interrupted. What somebody wanted may
// have been taken back meanwhile.
uint32_t safepoint(VMContext* context, uintptr_t stackPointer) {
  auto& store = *static_cast<Store*>(context->storeContext->store);
  if (store.cells()->interrupted.load(std::memory_order_relaxed)) return status(TrapReason::Interrupted);
  if (store.engine().config.fuel && store.context().fuel > 0) return status(TrapReason::OutOfFuel);
  if (stackPointer < store.stackLimit()) return status(TrapReason::StackOverflow);
  store.setStackLimit(store.stackLimit());
  return 0;
}

}  // namespace

bool charge(VMContext* context, uint64_t bytes) {
  if (!Instance::of(context)->code().settings().fuel) return true;
  int64_t& fuel = context->storeContext->fuel;
  const auto units = static_cast<int64_t>(bytes / 64);
  if (fuel > -units) return false;
  fuel += units;
  return true;
}

TrapReason initMemory(VMContext* context, uint32_t memory, std::span<const uint8_t> data, uint64_t dst, uint64_t src,
                      uint64_t n) {
  Memory& m = *Instance::of(context)->memory(memory);
  if (!m.contains(dst, n) || !within(src, n, data.size())) return TrapReason::MemoryOutOfBounds;
  copyBytes(m.base + dst, data.data() + src, n);
  return TrapReason::None;
}

TrapReason initTable(VMContext* context, uint32_t table, uint32_t segment, uint64_t dst, uint64_t src, uint64_t n) {
  Instance& instance = *Instance::of(context);
  Table& t = *instance.table(table);
  if (!t.contains(dst, n) || !within(src, n, instance.elementCount(segment))) return TrapReason::TableOutOfBounds;
  for (uint64_t i = 0; i < n; ++i) t.elements[dst + i] = instance.element(segment, src + i);
  return TrapReason::None;
}

const abi::BuiltinTable& builtinTable() {
  static const abi::BuiltinTable table = [] {
    abi::BuiltinTable t;
    t.safepointStub = compile::safepointStub();
    t.allocationStub = compile::allocationStub();
    addGcBuiltins(t);
    t.throwStub = compile::throwStub();
    t.MemoryGrow = memoryGrow;
    t.MemoryFill = memoryFill;
    t.MemoryCopy = memoryCopy;
    t.MemoryInit = memoryInit;
    t.DataDrop = dataDrop;
    t.TableGrow = tableGrow;
    t.TableFill = tableFill;
    t.TableCopy = tableCopy;
    t.TableInit = tableInit;
    t.ElemDrop = elemDrop;
    t.AtomicWait32 = atomicWait32;
    t.AtomicWait64 = atomicWait64;
    t.AtomicNotify = atomicNotify;
    t.NewException = newException;
    t.Unwind = unwind;
    t.IsSubtype = isSubtype;
    t.CompileLazy = compileLazy;
    t.Safepoint = safepoint;
    return t;
  }();
  return table;
}

}  // namespace wattle::vm
