// Blocks, branches and joins.
//
// At a label three things have to agree on all edges:
//   the stack below the block   immutable since the block was entered (spillAll), so always agreed
//   the label's values          one: in rax or xmm0; several: in their slots at the label's height (placeResults)
//   the volatile pins           PinFacts (locals.h): intersected over the edges until the label is bound (arrive)
#include "runtime/compile/baseline/compiler.h"
#include "runtime/compile/baseline/frame.h"

namespace wattle::compile::baseline {

bool Compiler::hasVector(std::span<const ValType> types) const {
  for (ValType t : types) {
    if (t.kind() == frontend::ValKind::V128) return true;
  }
  return false;
}

// --- facts at joins ------------------------------------------------------------------------------------------------

void Compiler::arrive(Label& label) {
  if (!label.hasFacts) {
    label.facts = facts_;
    label.hasFacts = true;
    return;
  }
  uint32_t load = 0, toSave = 0;
  if (label.target.bound()) {
    load = label.facts.valid & ~facts_.valid;
    toSave = label.facts.clean & ~facts_.clean;
  } else {
    // Weaken what the label asks for; only a pin that would be neither valid nor clean costs code.
    const PinFacts both = meet(label.facts, facts_);
    uint32_t lost = homes_.volatilePins() & ~(both.valid | both.clean);
    load = lost & label.facts.valid;
    toSave = lost & label.facts.clean & ~load;
  }
  for (uint32_t p = load; p; p &= p - 1) {
    const LocalHome& home = homes_[homes_.localOfPin(lowest(p))];
    if (!(facts_.valid & home.factBit())) reload(home);
  }
  for (uint32_t p = toSave; p; p &= p - 1) save(homes_[homes_.localOfPin(lowest(p))]);
  if (!label.target.bound()) label.facts = meet(label.facts, facts_);
}

// --- values at joins -----------------------------------------------------------------------------------------------

// The values stay on the stack (a br_if may fall through); a single one is moved, and its entry with it.
void Compiler::placeResults(const Ctl& c) {
  std::span<const ValType> types = c.labelTypes();
  if (types.empty()) return;
  if (types.size() == 1) {
    Operand o = pop();
    if (isFloat(o.type())) {
      if (o.where() != Where::Xmm || o.xmm() != Xmm::xmm0) {
        claim(Xmm::xmm0);
        load(Xmm::xmm0, o);
        release(o);
      }
      return pushXmm(o.type(), Xmm::xmm0);
    }
    if (o.where() != Where::Gpr || o.gpr() != Gpr::rax) {
      claim(Gpr::rax);
      load(Gpr::rax, o);
      release(o);
    }
    return pushGpr(o.type(), Gpr::rax);
  }
  uint32_t n = static_cast<uint32_t>(types.size());
  uint32_t from = height() - n;
  for (uint32_t i = 0; i < n; ++i) {
    Operand& o = stack_[from + i];
    if (o.where() == Where::Flags) materializeFlags(o);
    if (o.where() == Where::Slot && o.index() == c.label.base + i) continue;
    store(slotMem(c.label.base + i), o);
  }
}

void Compiler::pushResults(std::span<const ValType> types) {
  if (types.size() == 1) {
    Type type = typeOf(types[0]);
    if (isFloat(type)) {
      freeXmm_ &= ~bit(Xmm::xmm0);
      return pushXmm(type, Xmm::xmm0);
    }
    freeGpr_ &= ~bit(Gpr::rax);
    return pushGpr(type, Gpr::rax);
  }
  for (ValType t : types) push(Operand::slot(typeOf(t), height()));
}

// --- entering blocks -----------------------------------------------------------------------------------------------

void Compiler::block(Ctl& c) {
  uint32_t n = static_cast<uint32_t>(c.params.size());
  uint32_t from = decoder_->controlDepth() > 1 ? decoder_->control(1).label.base : 0;
  spillAll(from);
  c.label.base = height() - n;
}

// What back edges will have to conform to. Without calls nothing in the loop invalidates a pin: have all in registers,
// and never write slots back. With calls, only what the loop writes is like that; what it does not write is saved once,
// here, and never again, and what it does not even read need not be in its register.
void Compiler::chooseLoopFacts(const Prescan::Loop& loop) {
  for (uint32_t p = homes_.volatilePins(); p; p &= p - 1) {
    const uint32_t local = homes_.localOfPin(lowest(p)), fact = 1u << lowest(p);
    const uint64_t inMask = Prescan::Loop::bitOf(local);
    if (!loop.seen.calls || loop.seen.written & inMask) {
      if (!(facts_.valid & fact)) reload(homes_[local]);
      facts_.clean &= ~fact;
      continue;
    }
    if (!(facts_.clean & fact)) save(homes_[local]);
    if (!(loop.seen.used & inMask)) facts_.valid &= ~fact;
  }
}

void Compiler::loop(Ctl& c) {
  uint32_t n = static_cast<uint32_t>(c.params.size());
  c.label.base = height() - n;
  Operand single{};
  if (n == 1) {
    placeResults(c);
    single = pop();
  }
  uint32_t from = decoder_->controlDepth() > 1 ? decoder_->control(1).label.base : 0;
  spillAll(from);
  for (uint32_t i = 0; n > 1 && i < n; ++i) {
    Operand& o = stack_[c.label.base + i];
    if (o.where() == Where::Const) spill(o, c.label.base + i);
  }
  uint32_t offset = static_cast<uint32_t>(decoder_->instructionOffset() - bodyStart_);
  if (const Prescan::Loop* loop = scan_->loopAt(offset, loopCursor_)) chooseLoopFacts(*loop);
  c.label.facts = facts_;
  c.label.hasFacts = true;
  endFuelBlock();
  as_.bind(c.label.target);
  safepoint();
  resetRegisters();
  if (n == 1) pushResults(c.params);
}

void Compiler::ifOp(Ctl& c) {
  Operand condition = pop();
  uint32_t n = static_cast<uint32_t>(c.params.size());
  uint32_t from = decoder_->controlDepth() > 1 ? decoder_->control(1).label.base : 0;
  spillAll(from);
  c.label.base = height() - n;
  for (uint32_t i = c.label.base; i < height(); ++i) {
    if (stack_[i].where() == Where::Const) spill(stack_[i], i);  // both arms find their parameters in slots
  }
  pushBack(condition);
  Cond cond = popCondition();
  c.label.elseFacts = facts_;
  as_.jcc(negate(cond), c.label.elseLabel);
  endFuelBlock();
}

// The second arm of an `if`, or what stands for it: the parameters are in their slots.
void Compiler::beginElseArm(Ctl& c) {
  as_.bind(c.label.elseLabel);
  facts_ = c.label.elseFacts;
  truncate(c.label.base);
  resetRegisters();
  for (ValType t : c.params) push(Operand::slot(typeOf(t), height()));
}

void Compiler::elseOp(Ctl& c, bool fallthrough) {
  endFuelBlock();
  if (fallthrough) {
    placeResults(c);
    arrive(c.label);
    as_.jmp(c.label.target);
  }
  beginElseArm(c);
}

void Compiler::endFunction(Ctl& c, bool fallthrough) {
  if (fallthrough) placeResults(c);
  truncate(0);
  if (fallthrough || c.label.target.used() || c.label.pads != kNone32) {
    if (c.label.target.used()) as_.bind(c.label.target);
    placePads(c.label);
    resetRegisters();
    emitReturn();
  }
  emitOutOfLine();
}

// The edge from an `if` to its end has its code behind it, so the facts that hold on it stand as those of a first
// arrival. False: the edge would need code.
bool Compiler::mergeElseEdge(Label& label) {
  const PinFacts& edge = label.elseFacts;
  if (!label.hasFacts) {
    label.facts = edge;
    label.hasFacts = true;
    return true;
  }
  const PinFacts both = meet(label.facts, edge);
  if (homes_.volatilePins() & ~(both.valid | both.clean)) return false;
  label.facts = both;
  return true;
}

// The second arm passes the parameters through.
void Compiler::endIfWithoutElse(Ctl& c, bool fallthrough) {
  if (fallthrough) {
    placeResults(c);
    if (c.params.empty() && mergeElseEdge(c.label)) {  // both arms meet here
      arrive(c.label);
      return as_.bind(c.label.elseLabel);
    }
    arrive(c.label);
    as_.jmp(c.label.target);
  }
  beginElseArm(c);
  placeResults(c);
  arrive(c.label);
}

void Compiler::end(Ctl& c, bool fallthrough) {
  if (c.kind == frontend::ControlKind::Function) return endFunction(c, fallthrough);
  if (c.kind == frontend::ControlKind::Loop) {
    if (!fallthrough) truncate(c.label.base), resetRegisters();
    return;  // branches go to the header; what falls through is on the stack as it is
  }
  // A block that nothing branches to goes on behind its end.
  if (c.kind != frontend::ControlKind::Block || !fallthrough || c.label.target.used() || c.label.pads != kNone32)
    endFuelBlock();
  if (c.kind == frontend::ControlKind::If) {
    endIfWithoutElse(c, fallthrough);
  } else if (fallthrough) {
    placeResults(c);
    arrive(c.label);
  }
  truncate(c.label.base);
  resetRegisters();
  if (c.kind == frontend::ControlKind::Try || c.kind == frontend::ControlKind::TryTable)
    changeScope(scopes_[c.label.scope].parent);
  if (!c.label.hasFacts) return;  // nothing arrives: dead from here on
  as_.bind(c.label.target);
  if (c.label.pads != kNone32) [[unlikely]]
    placePads(c.label);
  facts_ = c.label.facts;
  pushResults(c.results);
}

// --- branches ------------------------------------------------------------------------------------------------------

Cond Compiler::popCondition() {
  Operand o = pop();
  if (o.where() == Where::Flags) return o.cond();
  if (o.isLocal() && o.index() == truth_.local && truth_.at == as_.pos()) return truth_.cond;
  if (o.inMemory()) {
    as_.cmp(w32, memOf(o), 0);
  } else {
    Gpr r = use(o);
    as_.test(w32, r, r);
  }
  release(o);
  return Cond::ne;
}

void Compiler::br(uint32_t depth) {
  endFuelBlock();
  Ctl& c = decoder_->control(depth);
  placeResults(c);
  if (!isReturnLabel(depth)) arrive(c.label);
  as_.jmp(c.label.target);
}

void Compiler::returnOp() { br(decoder_->controlDepth() - 1); }

// Values of a branch that carries several have to move only when it is taken, unless they are in place already.
bool Compiler::needsOwnEdge(const Ctl& c) const {
  size_t n = c.labelTypes().size();
  return n > 1 && height() - n != c.label.base;
}

void Compiler::brIf(uint32_t depth) {
  endFuelBlock();
  Ctl& c = decoder_->control(depth);
  Operand condition = pop();
  if (c.labelTypes().size() == 1) {
    // The value goes to its place on both ways; the condition must not be in that register, and flags are kept by
    // moves.
    if (condition.isIn(Gpr::rax) && !isFloat(top_[-1].type())) {
      as_.test(w32, Gpr::rax, Gpr::rax);
      freeReg(Gpr::rax);
      condition = Operand::flags(Cond::ne);
    }
    placeResults(c);
  }
  pushBack(condition);
  Cond cond = popCondition();
  if (c.labelTypes().size() > 1) {
    x64::Label skip;
    PinFacts before = facts_;
    as_.jcc(negate(cond), skip);
    placeResults(c);
    if (!isReturnLabel(depth)) arrive(c.label);
    as_.jmp(c.label.target);
    as_.bind(skip);
    // What the edge loaded or saved did not happen on this way.
    facts_ = before;
    return;
  }
  if (!isReturnLabel(depth)) arrive(c.label);
  as_.jcc(cond, c.label.target);
}

void Compiler::brTable(std::span<const uint32_t> depths) {
  endFuelBlock();
  Operand index = pop();
  Ctl& last = decoder_->control(depths.back());
  size_t arity = last.labelTypes().size();
  Gpr r = toTemp(index);
  if (arity == 1) {
    if (r == Gpr::rax && !isFloat(top_[-1].type())) {
      Gpr other = allocGpr();
      as_.mov(w32, other, r);
      freeReg(r);
      r = other;
    }
    placeResults(last);
  }
  // Facts: bound targets are met here once for all; the others are weakened.
  if (arity <= 1) {
    for (uint32_t depth : depths) {
      if (!isReturnLabel(depth)) arrive(decoder_->control(depth).label);
    }
  }
  uint32_t count = static_cast<uint32_t>(depths.size()) - 1;
  x64::Label table;
  as_.ensure(kRoomPerInstruction + (count + 1) * 64);
  as_.cmp(w32, r, static_cast<int32_t>(count));
  if (arity <= 1) {
    as_.jcc(Cond::ae, last.label.target);
    as_.jumpTable(r, kScratch, table);
    as_.bind(table);
    for (uint32_t i = 0; i < count; ++i) as_.rel32(decoder_->control(depths[i]).label.target);
    return;
  }
  // Several values: each target has an edge of its own that places them.
  std::vector<x64::Label> edges(count + 1);
  as_.jcc(Cond::ae, edges[count]);
  as_.jumpTable(r, kScratch, table);
  as_.bind(table);
  for (uint32_t i = 0; i < count; ++i) as_.rel32(edges[i]);
  PinFacts before = facts_;
  for (uint32_t i = 0; i <= count; ++i) {
    as_.ensure(kRoomPerInstruction + arity * 32);
    as_.bind(edges[i]);
    Ctl& c = decoder_->control(depths[i]);
    facts_ = before;
    placeResults(c);
    if (!isReturnLabel(depths[i])) arrive(c.label);
    as_.jmp(c.label.target);
  }
}

}  // namespace wattle::compile::baseline
