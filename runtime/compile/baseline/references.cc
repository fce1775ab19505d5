// Globals, references, tables and the bulk operations on memories and tables.
#include "runtime/compile/baseline/compiler.h"

namespace wattle::compile::baseline {

using abi::BuiltinTable;

namespace {
uint64_t pair(uint32_t low, uint32_t high) { return low | static_cast<uint64_t>(high) << 32; }
}  // namespace

// --- globals -------------------------------------------------------------------------------------------------------

void Compiler::globalGet(uint32_t i) {
  const frontend::Global& global = module_.globals[i];
  Type type = typeOf(global.type.type);
  if (!global.isImport && !global.type.isMutable && type != Type::V128 &&
      global.init.kind == frontend::ConstExpr::Kind::Value) {
    return push(Operand::constant(type, static_cast<int64_t>(global.init.value[0])));
  }
  Mem at = global.isImport ? Mem(kScratch) : Mem(kContext, static_cast<int32_t>(ctx_.layout->ownGlobal(i)));
  if (global.isImport) as_.mov(w64, kScratch, Mem(kContext, static_cast<int32_t>(ctx_.layout->importedGlobal(i))));
  uint8_t target = targetPin(isFloat(type));
  if (!isFloat(type)) {
    Gpr dst = resultGpr(target);
    as_.mov(widthOf(type), dst, at);
    return pushGpr(type, dst);
  }
  Xmm dst = resultXmm(target);
  loadXmm(as_, type, dst, at);
  pushXmm(type, dst);
}

void Compiler::globalSet(uint32_t i) {
  Operand o = pop();
  if (!module_.globals[i].isImport) {
    store(Mem(kContext, static_cast<int32_t>(ctx_.layout->ownGlobal(i))), o);
  } else {
    Gpr base = allocGpr();  // store() may need the scratch register
    as_.mov(w64, base, Mem(kContext, static_cast<int32_t>(ctx_.layout->importedGlobal(i))));
    store(Mem(base), o);
    freeReg(base);
  }
  release(o);
}

// --- references ----------------------------------------------------------------------------------------------------

void Compiler::refIsNull(ValType) {
  Operand o = pop();
  Gpr r = use(o);
  as_.test(w64, r, r);
  release(o);
  pushCondition(Cond::e);
}

void Compiler::refFunc(uint32_t function) {
  Gpr dst = resultGpr(targetPin(false));
  as_.lea(w64, dst, Mem(kContext, static_cast<int32_t>(ctx_.layout->funcRef(function))));
  pushGpr(Type::I64, dst);
}

void Compiler::refAsNonNull(ValType) {
  Operand o = pop();
  Gpr r = toTemp(o);
  as_.test(w64, r, r);
  trapIf(Cond::e, TrapReason::NullReference);
  pushGpr(Type::I64, r);
}

void Compiler::brOnNull(uint32_t depth, ValType) {
  endFuelBlock();
  Operand o = pop();
  Gpr r = toTemp(o);
  if (r == Gpr::rax) {  // where the label's value may have to go
    r = allocGpr();
    as_.mov(w64, r, Gpr::rax);
    freeReg(Gpr::rax);
  }
  as_.test(w64, r, r);
  push(Operand::flags(Cond::e));
  brIf(depth);
  pushGpr(Type::I64, r);
}

void Compiler::brOnNonNull(uint32_t depth, ValType) {
  endFuelBlock();
  Operand o = pop();
  Gpr r = toTemp(o);
  as_.test(w64, r, r);
  pushGpr(Type::I64, r);
  push(Operand::flags(Cond::ne));
  brIf(depth);
  release(pop());
}

// --- tables --------------------------------------------------------------------------------------------------------

void Compiler::tableGet(uint32_t table) {
  Operand index = pop();
  Gpr r = toTemp(index);
  as_.mov(w64, kScratch, Mem(kContext, static_cast<int32_t>(ctx_.layout->table(table))));
  as_.cmp(w64, r, Mem(kScratch, offsetof(abi::VMTable, size)));
  trapIf(Cond::ae, TrapReason::TableOutOfBounds);
  as_.mov(w64, kScratch, Mem(kScratch, offsetof(abi::VMTable, elements)));
  as_.mov(w64, r, Mem(kScratch, r, 8));
  pushGpr(Type::I64, r);
}

void Compiler::tableSet(uint32_t table) {
  Operand value = pop(), index = pop();
  Gpr v = use(value), r = use(index);
  as_.mov(w64, kScratch, Mem(kContext, static_cast<int32_t>(ctx_.layout->table(table))));
  as_.cmp(w64, r, Mem(kScratch, offsetof(abi::VMTable, size)));
  trapIf(Cond::ae, TrapReason::TableOutOfBounds);
  as_.mov(w64, kScratch, Mem(kScratch, offsetof(abi::VMTable, elements)));
  as_.mov(w64, Mem(kScratch, r, 8), v);
  release(value);
  release(index);
}

void Compiler::tableSize(uint32_t table) {
  Gpr dst = resultGpr(targetPin(false));
  as_.mov(w64, dst, Mem(kContext, static_cast<int32_t>(ctx_.layout->table(table))));
  as_.mov(w64, dst, Mem(dst, offsetof(abi::VMTable, size)));
  pushGpr(module_.tables[table].type.is64 ? Type::I64 : Type::I32, dst);
}

// The result of a builtin, from rax; -1 becomes the i32 -1 of a 32-bit table or memory.
void Compiler::pushBuiltinResult(bool is64) {
  if (!is64) as_.mov(w32, Gpr::rax, Gpr::rax);
  freeGpr_ &= ~bit(Gpr::rax);
  pushGpr(is64 ? Type::I64 : Type::I32, Gpr::rax);
}

void Compiler::tableGrow(uint32_t table) {
  callBuiltin(offsetof(BuiltinTable, TableGrow), table, 2);
  pushBuiltinResult(module_.tables[table].type.is64);
}

void Compiler::tableFill(uint32_t table) {
  callBuiltin(offsetof(BuiltinTable, TableFill), table, 3);
  trapOnStatus();
}

void Compiler::tableCopy(uint32_t dst, uint32_t src) {
  callBuiltin(offsetof(BuiltinTable, TableCopy), pair(dst, src), 3);
  trapOnStatus();
}

void Compiler::tableInit(uint32_t table, uint32_t segment) {
  callBuiltin(offsetof(BuiltinTable, TableInit), pair(table, segment), 3);
  trapOnStatus();
}

void Compiler::elemDrop(uint32_t segment) { callBuiltin(offsetof(BuiltinTable, ElemDrop), segment, 0); }

// --- memories ------------------------------------------------------------------------------------------------------

void Compiler::memorySize(uint32_t memory) {
  Gpr dst = resultGpr(targetPin(false));
  int32_t slot = static_cast<int32_t>(ctx_.layout->memory(memory));
  as_.mov(w64, dst, Mem(kContext, slot + static_cast<int32_t>(offsetof(abi::VMMemorySlot, memory))));
  as_.mov(w64, dst, Mem(dst, offsetof(abi::VMMemory, byteSize)));
  const frontend::MemoryType& type = module_.memories[memory].type;
  if (type.pageSizeLog2) as_.shr(w64, dst, type.pageSizeLog2);
  pushGpr(type.is64 ? Type::I64 : Type::I32, dst);
}

void Compiler::memoryGrow(uint32_t memory) {
  callBuiltin(offsetof(BuiltinTable, MemoryGrow), memory, 1);
  loadMemoryBase();
  pushBuiltinResult(module_.memories[memory].type.is64);
}

void Compiler::memoryFill(uint32_t memory) {
  callBuiltin(offsetof(BuiltinTable, MemoryFill), memory, 3);
  trapOnStatus();
}

void Compiler::memoryCopy(uint32_t dst, uint32_t src) {
  callBuiltin(offsetof(BuiltinTable, MemoryCopy), pair(dst, src), 3);
  trapOnStatus();
}

void Compiler::memoryInit(uint32_t memory, uint32_t segment) {
  callBuiltin(offsetof(BuiltinTable, MemoryInit), pair(memory, segment), 3);
  trapOnStatus();
}

void Compiler::dataDrop(uint32_t segment) { callBuiltin(offsetof(BuiltinTable, DataDrop), segment, 0); }

}  // namespace wattle::compile::baseline
