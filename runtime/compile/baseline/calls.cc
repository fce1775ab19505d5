// Calls: guest to guest within a module, through the import table, through tables and references; tail calls; builtins.
#include "runtime/compile/baseline/compiler.h"
#include "runtime/compile/baseline/frame.h"

namespace wattle::compile::baseline {

namespace {
constexpr int32_t kCodeOf = offsetof(abi::VMFuncRef, code);
constexpr int32_t kContextOf = offsetof(abi::VMFuncRef, context);
constexpr int32_t kTypeOf = offsetof(abi::VMFuncRef, typeId);
}  // namespace

void Compiler::beforeCall(uint32_t from) {
  saveVolatilePins();
  for (uint32_t i = 0; i < from; ++i) {
    Operand& o = stack_[i];
    if (o.where() == Where::Gpr || o.where() == Where::Xmm) spill(o, i);
  }
}

// r13 belongs to the callee (which may be, or end in, another instance's function), r14 to whoever uses it.
void Compiler::afterCall() {
  endFuelBlock();
  dropVolatilePins();
  resetRegisters();
  as_.mov(w64, kContext, Mem(Gpr::rbp, kContextSlot));
  loadMemoryBase();
}

int Compiler::currentRegister(const Operand& o) const {
  return o.inRegister() && isCurrent(o) ? static_cast<int>(o.reg()) : -1;
}

// What is in registers: to the stack, and among registers all at once.
void Compiler::moveArguments(const CallShape& shape, uint32_t from) {
  RegisterMoves moves;
  FloatMoves floatMoves;
  for (uint32_t i = 0; i < shape.arguments.size(); ++i) {
    Operand& o = stack_[from + i];
    const ArgumentPlace place = shape.arguments[i];
    if (place.where == ArgumentPlace::Stack) {
      store(Mem(Gpr::rsp, static_cast<int32_t>(place.offset)), o);
    } else if (int reg = currentRegister(o); reg >= 0) {
      if (place.where == ArgumentPlace::Integer)
        moves.add(place.gpr(), static_cast<Gpr>(reg));
      else
        floatMoves.add(place.xmm(), static_cast<Xmm>(reg));
    }
  }
  moves.emit(as_, kScratch);
  floatMoves.emit(as_, kFloatScratch);
}

// What comes from memory or is constant, to a register.
void Compiler::loadArgument(const ArgumentPlace& place, const Operand& o) {
  if (o.isLocal()) {  // unpinned, or a pin whose slot is current
    Mem slot(Gpr::rbp, homes_[o.index()].slot);
    if (place.where == ArgumentPlace::Integer)
      as_.mov(widthOf(o.type()), place.gpr(), slot);
    else
      loadXmm(as_, o.type(), place.xmm(), slot);
  } else if (place.where == ArgumentPlace::Integer) {
    load(place.gpr(), o);
  } else {
    load(place.xmm(), o);
  }
}

void Compiler::emitArguments(uint32_t type, bool tail) {
  const CallShape& shape = ctx_.shapes[type];
  const uint32_t n = static_cast<uint32_t>(shape.arguments.size());
  const uint32_t from = height() - n;
  scanMissed_ |= !tail && !hasStackCheck_;
  if (tail)
    saveVolatilePins();  // below, pins may be read from their slots
  else
    beforeCall(from);
  as_.ensure(kRoomPerInstruction + n * 48);
  const uint32_t stackBytes = shape.stackBytes;
  if (stackBytes) as_.sub(w64, Gpr::rsp, static_cast<int32_t>(stackBytes));
  // A stack argument may load a pin that is out of date. Do that first: what follows has to agree on what is in
  // registers.
  for (uint32_t i = 0; i < n && stackBytes; ++i) {
    const Operand& o = stack_[from + i];
    if (shape.arguments[i].where == ArgumentPlace::Stack) validate(o);
  }
  moveArguments(shape, from);
  for (uint32_t i = 0; i < n; ++i) {
    const Operand& o = stack_[from + i];
    const ArgumentPlace& place = shape.arguments[i];
    if (place.where != ArgumentPlace::Stack && currentRegister(o) < 0) loadArgument(place, o);
  }
  if (shape.resultsArea) {
    if (tail)
      as_.mov(w64, Gpr::rdi, Mem(Gpr::rbp, kResultsSlot));
    else
      as_.lea(w64, Gpr::rdi, Mem(Gpr::rsp, static_cast<int32_t>(stackBytes)));
    if (shape.resultsArea > resultsArea_) resultsArea_ = shape.resultsArea;
  }
  truncate(from);
}

void Compiler::pushCallResults(const frontend::FuncType& type) {
  if (type.results.size() <= 1) return pushResults(type.results);
  as_.ensure(kRoomPerInstruction + type.results.size() * 32);
  ResultPlaces places(type);
  for (ValType t : type.results) {
    ResultPlace place = places.next(t);
    if (place.where == ResultPlace::Integer) {
      freeGpr_ &= ~(1u << place.reg);
      pushGpr(typeOf(t), static_cast<Gpr>(place.reg));
    } else if (place.where == ResultPlace::Float) {
      freeXmm_ &= ~(1u << place.reg);
      pushXmm(typeOf(t), static_cast<Xmm>(place.reg));
    } else {
      Mem from(Gpr::rsp, static_cast<int32_t>(place.offset));
      if (slotSize_ == 16) {
        as_.movups(kFloatScratch, from);
        as_.movups(slotMem(height()), kFloatScratch);
      } else {
        as_.mov(w64, kScratch, from);
        as_.mov(w64, slotMem(height()), kScratch);
      }
      push(Operand::slot(typeOf(t), height()));
    }
  }
}

// The values are in place: one in rax or xmm0, several in the lowest slots.
void Compiler::emitReturn() {
  const frontend::FuncType& type = module_.funcType(function_);
  if (type.results.size() > 1) {
    as_.ensure(kRoomPerInstruction + type.results.size() * 48);
    ResultPlaces places(type);
    if (places.inMemory) as_.mov(w64, kScratch, Mem(Gpr::rbp, kResultsSlot));
    for (uint32_t i = 0; i < type.results.size(); ++i) {
      ResultPlace place = places.next(type.results[i]);
      const Operand o = Operand::slot(typeOf(type.results[i]), i);
      if (place.where == ResultPlace::Integer) {
        load(static_cast<Gpr>(place.reg), o);
      } else if (place.where == ResultPlace::Float) {
        load(static_cast<Xmm>(place.reg), o);
      } else if (o.type() == Type::V128) {
        as_.movups(kFloatScratch, slotMem(i));
        as_.movups(Mem(kScratch, static_cast<int32_t>(place.offset)), kFloatScratch);
      } else {
        as_.movq(kFloatScratch, slotMem(i));
        as_.movq(Mem(kScratch, static_cast<int32_t>(place.offset)), kFloatScratch);
      }
    }
  }
  epilogue();
  as_.ret(static_cast<uint16_t>(ctx_.shapes[module_.functions[function_].typeIndex].stackBytes));
}

// Tears our frame down for a tail call. Register arguments are in place, stack arguments at [rsp]; rax is kept.
void Compiler::leaveFrame(uint32_t calleeType) {
  endFuelBlock();
  // Functions that only call each other in tail position loop like this: their prologues are where they can be
  // interrupted.
  if (!hasStackCheck_) needsStackCheck_ = true;
  const uint32_t mine = ctx_.shapes[module_.functions[function_].typeIndex].stackBytes;
  const uint32_t theirs = ctx_.shapes[calleeType].stackBytes;
  if (mine == 0 && theirs == 0) return epilogue();
  as_.ensure(kRoomPerInstruction + theirs * 4);
  // New place of the return address, so that the argument area ends where ours did.
  int32_t target = 8 + static_cast<int32_t>(mine) - static_cast<int32_t>(theirs);
  as_.mov(w64, kScratch, Mem(Gpr::rbp, 8));
  as_.mov(w64, Gpr::r10, Mem(Gpr::rbp, 0));
  for (int32_t i = 0; i < 3; ++i) {
    constexpr Gpr kSaved[] = {Gpr::rbx, Gpr::r12, Gpr::r15};
    if (homes_.usedGprPins() & bit(kSaved[i]))
      as_.mov(w64, kSaved[i], Mem(Gpr::rbp, kSavedSlot(static_cast<size_t>(i))));
  }
  // The areas may overlap; the new one is the higher, so copy from the top.
  for (int32_t at = static_cast<int32_t>(theirs) - 16; at >= 0; at -= 16) {
    as_.movups(kFloatScratch, Mem(Gpr::rsp, at));
    as_.movups(Mem(Gpr::rbp, target + 8 + at), kFloatScratch);
  }
  as_.mov(w64, Mem(Gpr::rbp, target), kScratch);
  as_.lea(w64, Gpr::rsp, Mem(Gpr::rbp, target));
  as_.mov(w64, Gpr::rbp, Gpr::r10);
}

// --- direct and imported -------------------------------------------------------------------------------------------

void Compiler::callImport(uint32_t function, uint32_t type, bool tail) {
  int32_t at = static_cast<int32_t>(ctx_.layout->functionImport(function));
  as_.mov(w64, Gpr::rax, Mem(kContext, at + static_cast<int32_t>(offsetof(abi::VMFunctionImport, code))));
  as_.mov(w64, kMemoryBase, kContext);  // a host function is told who calls
  as_.mov(w64, kContext, Mem(kContext, at + static_cast<int32_t>(offsetof(abi::VMFunctionImport, context))));
  if (tail) {
    leaveFrame(type);
    as_.jmp(Gpr::rax);
  } else {
    as_.call(Gpr::rax);
  }
}

void Compiler::call(uint32_t function) {
  const uint32_t type = module_.functions[function].typeIndex;
  emitArguments(type, false);
  if (module_.functions[function].isImport)
    callImport(function, type, false);
  else
    callSites_.push_back({static_cast<uint32_t>(as_.callRel32()), function});
  afterCall();
  pushCallResults(module_.types[type].func);
}

void Compiler::returnCall(uint32_t function) {
  const uint32_t type = module_.functions[function].typeIndex;
  emitArguments(type, true);
  if (module_.functions[function].isImport) return callImport(function, type, true);
  leaveFrame(type);
  callSites_.push_back({static_cast<uint32_t>(as_.jmpRel32()), function});
}

// --- through references --------------------------------------------------------------------------------------------

// rax is no argument register, so the reference may wait there while the arguments are placed.
void Compiler::holdFuncRef() {
  Operand ref = pop();
  if (ref.where() != Where::Gpr || ref.gpr() != Gpr::rax) {
    claim(Gpr::rax);
    load(Gpr::rax, ref);
    release(ref);
  }
}

// Most functions that are called this way are of the same instance. Comparing its context instead of loading it lets the
// processor go on into the callee: every access to memory there needs the context for its address, and would otherwise
// wait for the index, the table's element and what that points to.
void Compiler::callHeld(uint32_t type, bool tail) {
  as_.mov(w64, kMemoryBase, kContext);
  as_.cmp(w64, kContext, Mem(Gpr::rax, kContextOf));
  otherContexts_.emplace_back();
  as_.jcc(Cond::ne, otherContexts_.back().label);
  as_.bind(otherContexts_.back().back);
  if (tail) {
    leaveFrame(type);
    as_.jmp(Mem(Gpr::rax, kCodeOf));
    return;
  }
  as_.call(Mem(Gpr::rax, kCodeOf));
  afterCall();
  pushCallResults(module_.types[type].func);
}

void Compiler::emitOtherContexts() {
  for (OtherContext& other : otherContexts_) {
    as_.ensure(64);
    as_.bind(other.label);
    as_.mov(w64, kContext, Mem(Gpr::rax, kContextOf));
    as_.jmp(other.back);
  }
}

void Compiler::callRef(uint32_t type) {
  holdFuncRef();
  emitArguments(type, false);
  as_.test(w64, Gpr::rax, Gpr::rax);
  trapIf(Cond::e, TrapReason::NullFunctionReference);
  callHeld(type, false);
}

void Compiler::returnCallRef(uint32_t type) {
  holdFuncRef();
  emitArguments(type, true);
  as_.test(w64, Gpr::rax, Gpr::rax);
  trapIf(Cond::e, TrapReason::NullFunctionReference);
  callHeld(type, true);
}

void Compiler::tableFuncRef(uint32_t table) {
  holdFuncRef();  // the index
  as_.mov(w64, kScratch, Mem(kContext, static_cast<int32_t>(ctx_.layout->table(table))));
  as_.cmp(w64, Gpr::rax, Mem(kScratch, offsetof(abi::VMTable, size)));
  trapIf(Cond::ae, TrapReason::UndefinedElement);
  as_.mov(w64, kScratch, Mem(kScratch, offsetof(abi::VMTable, elements)));
  as_.mov(w64, Gpr::rax, Mem(kScratch, Gpr::rax, 8));
  as_.test(w64, Gpr::rax, Gpr::rax);
  trapIf(Cond::e, TrapReason::UninitializedElement);
}

// A final type is matched by its canonical number alone. Otherwise a subtype may stand there: equal numbers are the
// quick way.
void Compiler::checkSignature(uint32_t type) {
  auto compareIds = [&] {
    as_.mov(w64, kScratch, Mem(kContext, offsetof(abi::VMContext, typeIds)));
    as_.mov(w32, kScratch, Mem(kScratch, static_cast<int32_t>(type * 4)));
    as_.cmp(w32, kScratch, Mem(Gpr::rax, kTypeOf));
  };
  if (module_.types[type].isFinal) {
    compareIds();
    return trapIf(Cond::ne, TrapReason::IndirectCallTypeMismatch);
  }
  // Both ways leave the same state: everything a call destroys is in the frame.
  uint32_t position = height();
  as_.mov(w64, slotMem(position), Gpr::rax);
  beforeCall(position);
  compareIds();
  x64::Label same;
  as_.jcc(Cond::e, same);
  as_.mov(w32, Gpr::rdi, Mem(Gpr::rax, kTypeOf));
  as_.mov(w32, Gpr::rsi, kScratch);
  as_.mov(w64, Gpr::rax, Mem(kContext, offsetof(abi::VMContext, builtins)));
  as_.call(Mem(Gpr::rax, offsetof(abi::BuiltinTable, IsSubtype)));
  as_.test(w32, Gpr::rax, Gpr::rax);
  trapIf(Cond::e, TrapReason::IndirectCallTypeMismatch);
  as_.bind(same);
  dropVolatilePins();
  resetRegisters();
  freeGpr_ &= ~bit(Gpr::rax);
  as_.mov(w64, Gpr::rax, slotMem(position));
}

void Compiler::callIndirect(uint32_t type, uint32_t table) {
  tableFuncRef(table);
  checkSignature(type);
  emitArguments(type, false);
  callHeld(type, false);
}

void Compiler::returnCallIndirect(uint32_t type, uint32_t table) {
  tableFuncRef(table);
  checkSignature(type);
  emitArguments(type, true);
  callHeld(type, true);
}

// --- builtins ------------------------------------------------------------------------------------------------------

void Compiler::callBuiltin(size_t offset, const uint64_t* immediate, unsigned operands) {
  constexpr Gpr kArguments[] = {Gpr::rsi, Gpr::rdx, Gpr::rcx, Gpr::r8, Gpr::r9};
  const Gpr* target = kArguments + (immediate ? 1 : 0);
  uint32_t from = height() - operands;
  beforeCall(from);
  RegisterMoves moves;
  bool later[5] = {};
  for (unsigned i = 0; i < operands; ++i) {
    Operand& o = stack_[from + i];
    validate(o);
    if (o.inRegister() && o.where() != Where::Xmm)
      moves.add(target[i], o.gpr());
    else
      later[i] = true;
  }
  moves.emit(as_, kScratch);
  for (unsigned i = 0; i < operands; ++i) {
    if (later[i]) load(target[i], stack_[from + i]);
  }
  truncate(from);
  if (immediate) as_.movImm64(Gpr::rsi, *immediate);
  as_.mov(w64, Gpr::rdi, kContext);
  as_.mov(w64, Gpr::rax, Mem(kContext, offsetof(abi::VMContext, builtins)));
  as_.call(Mem(Gpr::rax, static_cast<int32_t>(offset)));
  dropVolatilePins();
  resetRegisters();
}

}  // namespace wattle::compile::baseline
