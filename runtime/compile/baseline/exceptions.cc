// Exceptions: try_table, throw, throw_ref, and the legacy try, catch, catch_all, delegate, rethrow.
//
// A try costs nothing until something is thrown: entering and leaving it emits no code but what any block does. What is
// kept is a table (abi/handlers.h) behind the function's code. Since code is emitted in the order of the body, the
// scope that code is in is noted as a list of changes by position, and comes out sorted.
//
// Every place that may throw is a call. There all volatile pins are in their slots, what the operand stack held when
// the try was entered is in slots since then, and callee-saved pins are restored by the unwinder. So at any handler the
// state is the same: volatile pins invalid and clean, the exception in rax.
//
// Handlers. A legacy catch arm is its own handler; it keeps the exception in a slot below its operands, for rethrow. A
// try_table clause gets a landing pad out of line, which places the label's values and jumps. The label's facts are met
// when the try_table is entered, where the label is still unbound (or is a loop's and fixed); the pad is emitted at the
// function's end, when the label's position is known.
#include "runtime/compile/abi/handlers.h"
#include "runtime/compile/baseline/compiler.h"
#include "runtime/compile/baseline/frame.h"

namespace wattle::compile::baseline {

using abi::BuiltinTable;
using frontend::CatchClause;
using frontend::ControlKind;

namespace {

Mem payload(size_t i) { return Mem(Gpr::rax, abi::kExceptionValues + 16 * static_cast<int32_t>(i)); }

}  // namespace

// --- throwing ------------------------------------------------------------------------------------------------------

// The exception is in rax; everything that a call destroys is in the frame.
void Compiler::throwHeld() {
  as_.mov(w64, kScratch, Mem(kContext, offsetof(abi::VMContext, builtins)));
  as_.call(Mem(kScratch, offsetof(BuiltinTable, throwStub)));
  endFuelBlock();
}

void Compiler::throwOp(uint32_t tag) {
  const uint32_t n = static_cast<uint32_t>(module_.tagType(tag).params.size());
  callBuiltin(offsetof(BuiltinTable, NewException), tag, 0);
  freeGpr_ &= ~bit(Gpr::rax);
  as_.test(w64, Gpr::rax, Gpr::rax);
  trapIf(Cond::e, TrapReason::OutOfMemory);
  as_.ensure(kRoomPerInstruction + n * 48);
  for (uint32_t i = 0; i < n; ++i) store(payload(i), stack_[height() - n + i]);
  truncate(height() - n);
  throwHeld();
}

void Compiler::throwRef() {
  Operand exception = pop();
  if (exception.where() != Where::Gpr || exception.gpr() != Gpr::rax) {
    claim(Gpr::rax);
    load(Gpr::rax, exception);
    release(exception);
  }
  beforeCall(height());
  as_.test(w64, Gpr::rax, Gpr::rax);
  trapIf(Cond::e, TrapReason::NullExceptionReference);
  throwHeld();
}

void Compiler::rethrow(uint32_t depth) {
  saveVolatilePins();
  as_.mov(w64, Gpr::rax, slotMem(decoder_->control(depth).label.base));
  throwHeld();
}

// --- scopes --------------------------------------------------------------------------------------------------------

void Compiler::enterScope(Label& label) {
  scanMissed_ |= !scan_->hasTry();
  label.scope = static_cast<uint32_t>(scopes_.size());
  scopes_.push_back({scope_, {}});
  changeScope(label.scope);
}

void Compiler::changeScope(uint32_t scope) {
  scope_ = scope;
  const uint32_t here = static_cast<uint32_t>(as_.pos());
  if (!scopeChanges_.empty() && scopeChanges_.back().position == here)
    scopeChanges_.back().scope = scope;
  else
    scopeChanges_.push_back({here, scope});
}

// --- handlers ------------------------------------------------------------------------------------------------------

void Compiler::enterHandler() {
  as_.lea(w64, Gpr::rsp, Mem(Gpr::rbp, -0x7fffffff));  // patched when the frame's size is known
  framePatches_.push_back(as_.pos() - 4);
  as_.mov(w64, kContext, Mem(Gpr::rbp, kContextSlot));
  loadMemoryBase();
}

// A value from the payload to an operand slot.
void Compiler::copyPayload(size_t i, uint32_t position) {
  if (slotSize_ == 16) {
    as_.movups(kFloatScratch, payload(i));
    as_.movups(slotMem(position), kFloatScratch);
  } else {
    as_.mov(w64, kScratch, payload(i));
    as_.mov(w64, slotMem(position), kScratch);
  }
}

void Compiler::loadPayload(size_t i, Type type, Xmm dst) { loadXmm(as_, type, dst, payload(i)); }

// --- try_table -----------------------------------------------------------------------------------------------------

void Compiler::tryTable(Ctl& c, std::span<const CatchClause> clauses) {
  block(c);
  enterScope(c.label);
  for (const CatchClause& clause : clauses) {
    Ctl& target = decoder_->control(clause.depth + 1);  // the try_table itself does not count
    const bool hasTag = clause.kind == CatchClause::Kind::Catch || clause.kind == CatchClause::Kind::CatchRef;
    LandingPad pad;
    pad.scope = c.label.scope;
    pad.clause = static_cast<uint32_t>(scopes_.back().clauses.size());
    pad.withReference = clause.kind == CatchClause::Kind::CatchRef || clause.kind == CatchClause::Kind::CatchAllRef;
    if (hasTag) pad.values = module_.tagType(clause.tag).params;
    pad.base = target.label.base;
    const size_t n = pad.values.size() + pad.withReference;
    if (n > 1) slotMem(pad.base + static_cast<uint32_t>(n) - 1);  // so that the frame has these slots
    if (!isReturnLabel(clause.depth + 1)) pad.loads = meetHandler(target.label);
    if (target.label.target.bound()) {
      pad.target = target.label.target.pos;
    } else {
      pad.next = target.label.pads;
      target.label.pads = static_cast<uint32_t>(pads_.size());
    }
    pads_.push_back(pad);
    scopes_.back().clauses.push_back({hasTag ? ctx_.layout->tag(clause.tag) : abi::kAnyTag, 0});
  }
}

// As arrive(), from a handler. Returns the pins that the edge has to load.
uint32_t Compiler::meetHandler(Label& label) {
  const uint32_t all = homes_.volatilePins();
  if (!label.hasFacts) {
    label.facts = {0, all};
    label.hasFacts = true;
    return 0;
  }
  if (label.target.bound()) return label.facts.valid;
  const uint32_t loads = all & ~label.facts.clean;  // what it has only in registers
  label.facts.valid &= loads;
  return loads;
}

void Compiler::placePads(const Label& label) {
  for (uint32_t i = label.pads; i != kNone32; i = pads_[i].next) pads_[i].target = as_.pos();
}

void Compiler::emitLandingPads() {
  for (const LandingPad& pad : pads_) {
    as_.ensure(kRoomPerInstruction + pad.values.size() * 32);
    scopes_[pad.scope].clauses[pad.clause].handler = static_cast<uint32_t>(as_.pos());
    enterHandler();
    if (pad.values.size() + pad.withReference == 1) {
      if (!pad.withReference) {
        const Type type = typeOf(pad.values[0]);
        if (isFloat(type))
          loadPayload(0, type, Xmm::xmm0);
        else
          as_.mov(widthOf(type), Gpr::rax, payload(0));
      }
    } else {
      for (size_t i = 0; i < pad.values.size(); ++i) copyPayload(i, pad.base + static_cast<uint32_t>(i));
      if (pad.withReference) as_.mov(w64, slotMem(pad.base + static_cast<uint32_t>(pad.values.size())), Gpr::rax);
    }
    for (uint32_t p = pad.loads; p; p &= p - 1) reload(homes_[homes_.localOfPin(lowest(p))]);
    x64::Label target{pad.target, -1};
    as_.jmp(target);
  }
}

// --- legacy --------------------------------------------------------------------------------------------------------

void Compiler::tryOp(Ctl& c) {
  block(c);
  enterScope(c.label);
}

void Compiler::beginCatch(Ctl& c, uint32_t tagSlot, std::span<const ValType> values, bool fallthrough) {
  if (fallthrough) {
    placeResults(c);
    arrive(c.label);
    as_.jmp(c.label.target);
  }
  endFuelBlock();
  abi::Clause clause{tagSlot, static_cast<uint32_t>(as_.pos())};
  if (c.kind == ControlKind::Try) changeScope(scopes_[c.label.scope].parent);
  scopes_[c.label.scope].clauses.push_back(clause);
  facts_ = {0, homes_.volatilePins()};
  truncate(c.label.base);
  resetRegisters();
  as_.ensure(kRoomPerInstruction + values.size() * 32);
  enterHandler();
  as_.mov(w64, slotMem(c.label.base), Gpr::rax);
  push(Operand::slot(Type::I64, c.label.base));
  if (values.size() == 1) {
    const Type type = typeOf(values[0]);
    if (isFloat(type)) {
      loadPayload(0, type, Xmm::xmm0);
    } else {
      as_.mov(widthOf(type), Gpr::rax, payload(0));
    }
    return pushResults(values);
  }
  for (size_t i = 0; i < values.size(); ++i) {
    copyPayload(i, height());
    push(Operand::slot(typeOf(values[i]), height()));
  }
}

void Compiler::catchOp(Ctl& c, uint32_t tag, bool fallthrough) {
  beginCatch(c, ctx_.layout->tag(tag), module_.tagType(tag).params, fallthrough);
}

void Compiler::catchAll(Ctl& c, bool fallthrough) { beginCatch(c, abi::kAnyTag, {}, fallthrough); }

// What is thrown in the try goes on as if it were thrown in the block that `depth` names: to the clauses of the first
// try there or outside of it whose body (not: whose catch arm) this is in.
void Compiler::delegate(Ctl& c, uint32_t depth, bool fallthrough) {
  HandlerScope& scope = scopes_[c.label.scope];
  const uint32_t outer = scope.parent;
  scope.parent = abi::kNoScope;
  for (uint32_t d = depth + 1; d < decoder_->controlDepth(); ++d) {
    const Ctl& target = decoder_->control(d);
    if (target.kind != ControlKind::Try && target.kind != ControlKind::TryTable) continue;
    scope.parent = target.label.scope;
    break;
  }
  end(c, fallthrough);
  changeScope(outer);
}

// --- the table -----------------------------------------------------------------------------------------------------

void Compiler::emitHandlerTable() {
  if (scopes_.empty() || !scan_->hasTry()) return;  // no place in the prologue: scanMissed
  size_t clauses = 0;
  for (const HandlerScope& s : scopes_) clauses += s.clauses.size();
  as_.ensure(64 + scopeChanges_.size() * 8 + scopes_.size() * 8 + clauses * 8);
  as_.alignData(4);
  as_.write32(handlerTableAt_, as_.pos());
  auto put = [this](uint32_t a, uint32_t b) {
    as_.emit32(a);
    as_.emit32(b);
  };
  put(static_cast<uint32_t>(scopeChanges_.size()), static_cast<uint32_t>(scopes_.size()));
  for (const abi::ScopeChange& change : scopeChanges_) put(change.position, change.scope);
  uint32_t first = 0;
  for (const HandlerScope& s : scopes_) {
    put(s.parent, first);
    first += static_cast<uint32_t>(s.clauses.size());
  }
  put(abi::kNoScope, first);
  for (const HandlerScope& s : scopes_) {
    for (const abi::Clause& clause : s.clauses) put(clause.tag, clause.handler);
  }
}

uint8_t Compiler::rangeFlags() const {
  uint8_t flags = scopes_.empty() ? 0 : abi::kHasHandlers;
  if (homes_.usedGprPins() & bit(Gpr::rbx)) flags |= abi::kSavesRbx;
  if (homes_.usedGprPins() & bit(Gpr::r12)) flags |= abi::kSavesR12;
  if (homes_.usedGprPins() & bit(Gpr::r15)) flags |= abi::kSavesR15;
  return flags;
}

}  // namespace wattle::compile::baseline
