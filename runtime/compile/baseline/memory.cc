// Addresses that need a bounds check.
#include "runtime/compile/baseline/memory.h"

namespace wattle::compile::baseline {

bool Compiler::isGuarded(uint32_t memory) const {
  const frontend::MemoryType& type = module_.memories[memory].type;
  return ctx_.settings.guarded && !type.is64 && type.pageSizeLog2 == 16;
}

// What address() leaves: constant addresses, other memories, far offsets, checks.
Compiler::Address Compiler::otherAddress(const MemArg& arg, uint32_t accessBytes, Operand index) {
  Address a;
  if (!isGuarded(arg.memory) || arg.offset >= kUncheckedOffsets) return checkedAddress(arg, accessBytes, index);
  if (arg.memory == 0 && index.isConst()) {
    const uint64_t at = static_cast<uint32_t>(index.value()) + arg.offset;
    if (at <= INT32_MAX) {
      a.mem = Mem(memory0Base(), static_cast<int32_t>(at));
      return a;
    }
  }
  const Gpr r = use(index);
  if (index.where() == Where::Gpr) a.held = r;
  a.mem = Mem(memoryBaseFor(arg.memory, a), r, 1, static_cast<int32_t>(arg.offset));
  return a;
}

// index + offset + size <= the memory's size, without wrapping. The result may be based on the scratch register, so the
// caller uses it at once.
Compiler::Address Compiler::checkedAddress(const MemArg& arg, uint32_t bytes, Operand index) {
  Address a;
  const Gpr r = use(index);
  if (index.where() == Where::Gpr) a.held = r;
  a.extra = allocGpr();
  const int32_t slot = static_cast<int32_t>(ctx_.layout->memory(arg.memory));
  as_.mov(w64, a.extra, Mem(kContext, slot + static_cast<int32_t>(offsetof(abi::VMMemorySlot, memory))));
  uint64_t beyond;
  if (__builtin_add_overflow(arg.offset, static_cast<uint64_t>(bytes), &beyond)) {
    as_.test(w64, Gpr::rsp, Gpr::rsp);  // never zero
    trapIf(Cond::ne, TrapReason::MemoryOutOfBounds);
  }
  if (beyond <= INT32_MAX) {
    as_.mov(w64, kScratch, r);
    as_.add(w64, kScratch, static_cast<int32_t>(beyond));
  } else {
    as_.movImm64(kScratch, beyond);
    as_.add(w64, kScratch, r);
  }
  if (module_.memories[arg.memory].type.is64) trapIf(Cond::b, TrapReason::MemoryOutOfBounds);
  as_.cmp(w64, kScratch, Mem(a.extra, offsetof(abi::VMMemory, byteSize)));
  trapIf(Cond::a, TrapReason::MemoryOutOfBounds);
  Gpr base = a.extra;
  if (arg.memory == 0) {
    base = memory0Base();
  } else {
    as_.mov(w64, a.extra, Mem(a.extra, offsetof(abi::VMMemory, base)));
  }
  if (arg.offset <= INT32_MAX - 64) {
    a.mem = Mem(base, r, 1, static_cast<int32_t>(arg.offset));
  } else {
    as_.add(w64, kScratch, base);
    a.mem = Mem(kScratch, -static_cast<int32_t>(bytes));
  }
  return a;
}

}  // namespace wattle::compile::baseline
