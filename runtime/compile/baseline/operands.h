// The parts of operands.cc that nearly every instruction goes through, for inlining.
#pragma once

#include "runtime/compile/baseline/compiler.h"

namespace wattle::compile::baseline {

inline void Compiler::load(Gpr dst, const Operand& o) {
  switch (o.where()) {
    case Where::Gpr:
      if (o.gpr() != dst) as_.mov(widthOf(o.type()), dst, o.gpr());
      break;
    case Where::Const: as_.movImm64(dst, static_cast<uint64_t>(o.value())); break;
    case Where::Slot: as_.mov(widthOf(o.type()), dst, slotMem(o.index())); break;
    case Where::Local: as_.mov(widthOf(o.type()), dst, Mem(Gpr::rbp, homes_[o.index()].slot)); break;
    case Where::Pin:
      validate(o);
      if (o.gpr() != dst) as_.mov(widthOf(o.type()), dst, o.gpr());
      break;
    case Where::Flags:
      as_.setcc(o.cond(), dst);
      as_.movzx8(dst, dst);
      break;
    case Where::Xmm: as_.mov(w64, dst, o.xmm()); break;
  }
}

inline Gpr Compiler::toTemp(Operand& o) {
  if (o.where() == Where::Gpr) return o.gpr();
  Gpr r = allocGpr();
  load(r, o);
  o.comesTo(r);
  return r;
}

inline uint8_t Compiler::targetPin(bool wantFloat) {
  const uint8_t* next = decoder_->nextBytes();
  if (next[0] != 0x21 && next[0] != 0x22) return kNone;
  uint32_t local = next[1];
  if (local >= 0x80 || local >= homes_.count()) return kNone;
  const LocalHome& home = homes_[local];
  if (home.pin() == kNoPin || isFloat(home.type()) != wantFloat) return kNone;
  if (localRefs_) {
    for (const Operand* o = top_; o-- > stack_.data();) {
      if (o->isLocal() && o->index() == local) return kNone;
    }
  }
  return home.pin();
}

inline void Compiler::localSet(uint32_t i, ValType) {
  useLocal(i);
  Operand o = pop();
  const LocalHome& home = homes_[i];
  if (o.isLocal() && o.index() == i) return;
  if (localRefs_) materializeLocal(i);
  if (i == truth_.local) truth_.local = kNone32;
  if (home.pin() == kNoPin) {
    store(Mem(Gpr::rbp, home.slot), o);
  } else {
    isFloat(home.type()) ? load(static_cast<Xmm>(home.pin()), o) : load(static_cast<Gpr>(home.pin()), o);
    if (home.isVolatile()) {
      facts_.valid |= home.factBit();
      facts_.clean &= ~home.factBit();
    }
  }
  release(o);
}

}  // namespace wattle::compile::baseline
