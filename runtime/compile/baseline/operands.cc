// The operand stack: where values are, and getting them to where an instruction wants them.
#include "runtime/compile/baseline/compiler.h"

namespace wattle::compile::baseline {

void Compiler::growStack() {
  size_t used = height();
  stack_.resize(stack_.size() * 2);
  top_ = stack_.data() + used;
  stackEnd_ = stack_.data() + stack_.size();
}

void Compiler::truncate(uint32_t newHeight) {
  while (height() > newHeight) release(pop());
}

// --- out of registers --------------------------------------------------------------------------------------------

void Compiler::spill(Operand& entry, uint32_t position) {
  localRefs_ -= entry.isLocal();
  store(slotMem(position), entry);
  release(entry);
  entry.comesToSlot(position);
}

// The deepest entry is the one that is needed last.
void Compiler::spillOneGpr() {
  for (uint32_t i = 0; i < height(); ++i) {
    if (stack_[i].where() == Where::Gpr && bit(stack_[i].gpr()) & tempGprs_) return spill(stack_[i], i);
  }
  // Every temp is held by the instruction itself: a bug of the compiler, and refused rather than miscompiled.
  refuse("expression needs too many registers");
  freeGpr_ = regs(Gpr::rax);
}

void Compiler::spillOneXmm() {
  for (uint32_t i = 0; i < height(); ++i) {
    if (stack_[i].where() == Where::Xmm && bit(stack_[i].xmm()) & tempXmms_) return spill(stack_[i], i);
  }
  refuse("expression needs too many vector registers");
  freeXmm_ = regs(Xmm::xmm0);
}

void Compiler::spillAll(uint32_t from) {
  for (uint32_t i = from; i < height(); ++i) {
    Operand& o = stack_[i];
    if (o.where() == Where::Const || o.where() == Where::Slot) continue;
    if (o.where() == Where::Flags) materializeFlags(o);
    spill(o, i);
  }
}

void Compiler::claim(Gpr r) {
  if (freeGpr_ & bit(r)) {
    freeGpr_ &= ~bit(r);
    return;
  }
  for (uint32_t i = height(); i-- > 0;) {
    Operand& o = stack_[i];
    if (o.where() != Where::Gpr || o.gpr() != r) continue;
    if (freeGpr_) {
      Gpr other = allocGpr();
      as_.mov(w64, other, r);
      o.comesTo(other);
    } else {
      spill(o, i);
      freeGpr_ &= ~bit(r);
    }
    return;
  }
}

void Compiler::claim(Xmm r) {
  if (freeXmm_ & bit(r)) {
    freeXmm_ &= ~bit(r);
    return;
  }
  for (uint32_t i = height(); i-- > 0;) {
    Operand& o = stack_[i];
    if (o.where() != Where::Xmm || o.xmm() != r) continue;
    if (freeXmm_) {
      Xmm other = allocXmm();
      as_.mov(other, r);
      o.comesTo(other);
    } else {
      spill(o, i);
      freeXmm_ &= ~bit(r);
    }
    return;
  }
}

// --- moving values -----------------------------------------------------------------------------------------------

void Compiler::loadFloatBits(Xmm dst, Type type, uint64_t bits) {
  if (bits == 0) return as_.zero(dst);
  if (type == Type::F32) {
    as_.movImm32(kScratch, static_cast<uint32_t>(bits));
    as_.movd(dst, kScratch);
  } else {
    as_.movsd(dst, pooled(bits, 0, false));
  }
}

void Compiler::load(Xmm dst, const Operand& o) {
  switch (o.where()) {
    case Where::Xmm: as_.mov(dst, o.xmm()); break;
    case Where::Const: loadFloatBits(dst, o.type(), static_cast<uint64_t>(o.value())); break;
    case Where::Slot: loadXmm(as_, o.type(), dst, slotMem(o.index())); break;
    case Where::Local: loadXmm(as_, o.type(), dst, Mem(Gpr::rbp, homes_[o.index()].slot)); break;
    case Where::Pin:
      validate(o);
      as_.mov(dst, o.xmm());
      break;
    case Where::Gpr:
    case Where::Flags: break;  // integers only
  }
}

void Compiler::store(const Mem& dst, const Operand& o) {
  switch (o.where()) {
    case Where::Const:
      if (o.type() == Type::V128 ||
          (o.type() != Type::F32 && o.type() != Type::I32 && o.value() != static_cast<int32_t>(o.value()))) {
        as_.movImm64(kScratch, static_cast<uint64_t>(o.value()));
        as_.mov(w64, dst, kScratch);
      } else if (o.type() == Type::I32 || o.type() == Type::F32) {
        // The upper half is written as well: slots are read as 64 bits where references or pairs are meant.
        if (o.imm32() >= 0) {
          as_.mov(w64, dst, o.imm32());
        } else {
          as_.movImm32(kScratch, static_cast<uint32_t>(o.value()));
          as_.mov(w64, dst, kScratch);
        }
      } else {
        as_.mov(w64, dst, o.imm32());
      }
      return;
    case Where::Gpr: as_.mov(w64, dst, o.gpr()); return;
    case Where::Xmm: break;
    case Where::Flags:
      load(kScratch, o);
      as_.mov(w64, dst, kScratch);
      return;
    default:
      if (!isFloat(o.type())) {
        const bool pinned = o.where() == Where::Pin;
        validate(o);
        Gpr r = pinned ? o.gpr() : kScratch;
        if (!pinned) as_.mov(w64, kScratch, memOf(o));
        as_.mov(w64, dst, r);
        return;
      }
  }
  Xmm r = kFloatScratch;
  if (o.inRegister()) {
    validate(o);
    r = o.xmm();
  } else {
    load(r, o);
  }
  storeXmm(as_, o.type(), dst, r);
}

Xmm Compiler::useXmm(Operand& o) {
  if (o.inRegister()) {
    validate(o);
    return o.xmm();
  }
  return toTempXmm(o);
}

Xmm Compiler::toTempXmm(Operand& o) {
  if (o.where() == Where::Xmm) return o.xmm();
  Xmm r = allocXmm();
  load(r, o);
  o.comesTo(r);
  return r;
}

Gpr Compiler::toResult(Operand& o, uint8_t target) {
  if (target == kNone) return toTemp(o);
  load(static_cast<Gpr>(target), o);
  release(o);
  return static_cast<Gpr>(target);
}

Xmm Compiler::toResultXmm(Operand& o, uint8_t target) {
  if (target == kNone) return toTempXmm(o);
  load(static_cast<Xmm>(target), o);
  release(o);
  return static_cast<Xmm>(target);
}

void Compiler::materializeFlags(Operand& o) {
  Gpr r = allocGpr();
  load(r, o);
  o.comesTo(r);
}

// --- locals ------------------------------------------------------------------------------------------------------

void Compiler::reload(const LocalHome& home) {
  Mem slot(Gpr::rbp, home.slot);
  if (!isFloat(home.type()))
    as_.mov(widthOf(home.type()), static_cast<Gpr>(home.pin()), slot);
  else
    loadXmm(as_, home.type(), static_cast<Xmm>(home.pin()), slot);
  facts_.valid |= home.factBit();
}

void Compiler::save(const LocalHome& home) {
  store(Mem(Gpr::rbp, home.slot), isFloat(home.type()) ? Operand::in(home.type(), static_cast<Xmm>(home.pin()))
                                                       : Operand::in(home.type(), static_cast<Gpr>(home.pin())));
  facts_.clean |= home.factBit();
}

void Compiler::saveVolatilePins() {
  for (uint32_t dirty = facts_.valid & ~facts_.clean; dirty; dirty &= dirty - 1)
    save(homes_[homes_.localOfPin(lowest(dirty))]);
}

void Compiler::materializeLocal(uint32_t local) {
  for (uint32_t i = height(); i-- > 0 && localRefs_ > 0;) {
    Operand& o = stack_[i];
    if (!o.isLocal() || o.index() != local) continue;
    --localRefs_;
    isFloat(o.type()) ? static_cast<void>(toTempXmm(o)) : static_cast<void>(toTemp(o));
  }
}

void Compiler::localTee(uint32_t i, ValType type) {
  useLocal(i);
  // An unpinned local that is set from a register: the register stays the cheaper source.
  Operand& o = top_[-1];
  if (homes_[i].pin() == kNoPin && (o.where() == Where::Gpr || o.where() == Where::Xmm)) {
    if (localRefs_) materializeLocal(i);
    store(Mem(Gpr::rbp, homes_[i].slot), top_[-1]);
    return;
  }
  const Operand value = o;
  localSet(i, type);
  if (value.where() == Where::Flags) {  // moves have left them alone
    truth_ = {i, value.cond(), as_.pos()};
    return push(value);
  }
  localGet(i, type);
}

void Compiler::drop(ValType) { release(pop()); }

void Compiler::select(ValType t) {
  Type type = typeOf(t);
  Cond cond = popCondition();
  Operand b = pop(), a = pop();
  const bool isTruthHeld = truth_.at == as_.pos();
  const uint8_t target = targetPin(isFloat(type));
  if (b.where() == Where::Pin && b.reg() == target) {  // it is there already
    std::swap(a, b);
    cond = negate(cond);
  }
  if (isFloat(type)) {
    Xmm dst = toResultXmm(a, target);
    validate(b);  // not within the skipped code
    x64::ShortJump keep = as_.jccShort(cond);
    load(dst, b);
    as_.bind(keep);
    release(b);
    return pushXmm(type, dst);
  }
  Width w = widthOf(type);
  Gpr dst = toResult(a, target);
  if (b.inMemory())
    as_.cmov(negate(cond), w, dst, memOf(b));
  else
    as_.cmov(negate(cond), w, dst, use(b));
  if (isTruthHeld) truth_.at = as_.pos();
  release(b);
  pushGpr(type, dst);
}

}  // namespace wattle::compile::baseline
