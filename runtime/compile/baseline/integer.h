// Integer arithmetic, comparisons and conversions.
#pragma once

#include <bit>

#include "runtime/compile/baseline/compiler.h"

namespace wattle::compile::baseline {

// op dst, b
inline void Compiler::aluOperand(AluOp op, Width w, Gpr dst, const Operand& b) {
  if (b.inRegister()) {
    validate(b);
    return as_.alu(op, w, dst, b.gpr());
  }
  if (b.isConst()) {
    if (b.fitsImm32()) return as_.alu(op, w, dst, b.imm32());
    as_.movImm64(kScratch, static_cast<uint64_t>(b.value()));
    return as_.alu(op, w, dst, kScratch);
  }
  as_.alu(op, w, dst, memOf(b));
}

template <AluOp op, Type type, bool commutative>
void Compiler::binaryAlu() {
  constexpr Width w = type == Type::I32 ? w32 : w64;
  Operand b = pop(), a = pop();
  if (commutative && a.where() != Where::Gpr && (b.where() == Where::Gpr || a.isConst())) std::swap(a, b);
  uint8_t target = targetPin(false);
  if (target != kNone) {
    Gpr t = static_cast<Gpr>(target);
    if (isPinned(b, t)) {
      if (commutative)
        std::swap(a, b);
      else if (!isPinned(a, t))
        target = kNone;  // the target is read after it would be written
    }
  }
  Gpr dst;
  if (target == kNone && a.where() == Where::Gpr) {
    dst = a.gpr();
  } else {
    dst = resultGpr(target);
    if (op == AluOp::add && a.where() != Where::Const && !isPinned(a, dst)) {
      // Three operands by lea, when the first would have to be copied anyway.
      if (a.inRegister() && (b.inRegister() || b.fitsImm32())) {
        Gpr ra = use(a);
        if (b.inRegister())
          as_.lea(w, dst, Mem(ra, use(b), 1));
        else
          as_.lea(w, dst, Mem(ra, b.imm32()));
        release(a);
        release(b);
        return pushGpr(type, dst);
      }
    }
    load(dst, a);
    release(a);
  }
  aluOperand(op, w, dst, b);
  release(b);
  pushGpr(type, dst);
}

template <Type type>
void Compiler::multiply() {
  constexpr Width w = type == Type::I32 ? w32 : w64;
  Operand b = pop(), a = pop();
  if (a.isConst() || (a.where() != Where::Gpr && b.where() == Where::Gpr)) std::swap(a, b);
  uint8_t target = targetPin(false);
  if (b.fitsImm32() && !a.isConst()) {
    if (a.inMemory()) {
      Gpr dst = resultGpr(target);
      as_.imul(w, dst, memOf(a), b.imm32());
      return pushGpr(type, dst);
    }
    Gpr ra = use(a);
    Gpr dst = target != kNone ? static_cast<Gpr>(target) : a.where() == Where::Gpr ? ra : allocGpr();
    uint64_t factor = type == Type::I32 ? static_cast<uint32_t>(b.imm32()) : static_cast<uint64_t>(b.value());
    if (std::has_single_bit(factor)) {
      if (dst != ra) as_.mov(w, dst, ra);
      if (factor > 1) as_.shl(w, dst, static_cast<uint8_t>(std::countr_zero(factor)));
    } else {
      as_.imul(w, dst, ra, b.imm32());
    }
    if (dst != ra) release(a);
    return pushGpr(type, dst);
  }
  if (target != kNone && isPinned(b, static_cast<Gpr>(target))) std::swap(a, b);
  Gpr dst;
  if (target == kNone && a.where() == Where::Gpr) {
    dst = a.gpr();
  } else {
    dst = resultGpr(target);
    load(dst, a);
    release(a);
  }
  if (b.inMemory())
    as_.imul(w, dst, memOf(b));
  else
    as_.imul(w, dst, use(b));
  release(b);
  pushGpr(type, dst);
}

template <x64::ShiftOp op, Type type>
void Compiler::shift() {
  constexpr Width w = type == Type::I32 ? w32 : w64;
  constexpr uint8_t mask = type == Type::I32 ? 31 : 63;
  Operand b = pop(), a = pop();
  uint8_t target = targetPin(false);
  if (b.isConst()) {
    uint8_t count = static_cast<uint8_t>(b.value()) & mask;
    Gpr dst = toResult(a, target);
    if (count) as_.shift(op, w, dst, count);
    return pushGpr(type, dst);
  }
  constexpr bool isRotate = op == x64::ShiftOp::rol || op == x64::ShiftOp::ror;
  if (!isRotate && ctx_.cpu.has(x64::CpuFeature::bmi2)) {
    Gpr count = use(b);
    auto emit = [&](Gpr dst, const auto& src) {
      if (op == x64::ShiftOp::shl)
        as_.shlx(w, dst, src, count);
      else if (op == x64::ShiftOp::shr)
        as_.shrx(w, dst, src, count);
      else
        as_.sarx(w, dst, src, count);
    };
    if (a.inMemory()) {
      Gpr dst = resultGpr(target);
      emit(dst, memOf(a));
      release(b);
      return pushGpr(type, dst);
    }
    Gpr src = use(a);
    Gpr dst = target != kNone ? static_cast<Gpr>(target) : a.where() == Where::Gpr ? src : allocGpr();
    emit(dst, src);
    if (dst != src) release(a);
    release(b);
    return pushGpr(type, dst);
  }
  // The count goes to rcx.
  if (b.where() != Where::Gpr || b.gpr() != Gpr::rcx) {
    if (a.isIn(Gpr::rcx)) {
      Gpr other = allocGpr();
      as_.mov(w64, other, Gpr::rcx);
      a.comesTo(other);
    } else {
      claim(Gpr::rcx);
    }
    load(Gpr::rcx, b);
    release(b);
  }
  Gpr dst = toTemp(a);
  as_.shiftCl(op, w, dst);
  freeReg(Gpr::rcx);
  pushGpr(type, dst);
}

// rdx:rax divided by a register. The quotient is in rax, the remainder in rdx. i32.div_s of INT_MIN by -1 faults in the
// processor, and the fault is the trap "integer overflow"; for rem_s the result is 0, so -1 is taken aside.
template <Type type, bool isSigned, bool remainder>
void Compiler::divide() {
  constexpr Width w = type == Type::I32 ? w32 : w64;
  Operand b = pop(), a = pop();
  if (b.isConst() && b.value() > 0 && std::has_single_bit(static_cast<uint64_t>(b.value())) && !isSigned) {
    Gpr dst = toTemp(a);
    uint8_t log2 = static_cast<uint8_t>(std::countr_zero(static_cast<uint64_t>(b.value())));
    if (!remainder) {
      if (log2) as_.shr(w, dst, log2);
    } else if (log2 < 32) {
      as_.and_(w, dst, static_cast<int32_t>((1ull << log2) - 1 <= INT32_MAX ? (1ull << log2) - 1 : 0));
    } else {
      as_.movImm64(kScratch, static_cast<uint64_t>(b.value()) - 1);
      as_.and_(w, dst, kScratch);
    }
    return pushGpr(type, dst);
  }
  // The divisor: in a register, neither rax nor rdx. (Releasing the scratch register has no effect: it is no temp.)
  const bool inPlace = b.inRegister() && b.gpr() != Gpr::rax && b.gpr() != Gpr::rdx;
  if (!inPlace) {
    load(kScratch, b);
    release(b);
    b.comesTo(kScratch);
  }
  if (a.where() != Where::Gpr || a.gpr() != Gpr::rax) {
    claim(Gpr::rax);
    load(Gpr::rax, a);
    release(a);
  }
  claim(Gpr::rdx);
  Gpr divisor = use(b);
  as_.test(w, divisor, divisor);
  trapIf(Cond::e, TrapReason::IntegerDivideByZero);
  if constexpr (isSigned && remainder) {
    as_.cmp(w, divisor, -1);
    x64::ShortJump normal = as_.jccShort(Cond::ne);
    as_.zero(Gpr::rdx);
    x64::ShortJump done = as_.jmpShort();
    as_.bind(normal);
    as_.signExtendAcc(w);
    as_.idiv(w, divisor);
    as_.bind(done);
  } else if constexpr (isSigned) {
    as_.signExtendAcc(w);
    as_.idiv(w, divisor);
  } else {
    as_.zero(Gpr::rdx);
    as_.div(w, divisor);
  }
  release(b);
  freeReg(remainder ? Gpr::rax : Gpr::rdx);
  pushGpr(type, remainder ? Gpr::rdx : Gpr::rax);
}

// --- comparisons ---------------------------------------------------------------------------------------------------

// An instruction that takes an i32 from the flags.
inline bool takesFlags(uint8_t opcode) {
  constexpr auto code = [](Op op) { return frontend::info(op).code; };
  return opcode == code(Op::BrIf) || opcode == code(Op::If) || opcode == code(Op::Select) || opcode == code(Op::I32Eqz);
}

// The condition stays in the flags when the next instruction takes it from there; also when a local takes it before.
inline void Compiler::pushCondition(Cond cond) {
  const uint8_t* next = decoder_->nextBytes();
  const bool isTee = next[0] == frontend::info(Op::LocalTee).code && next[1] < 0x80;
  if (takesFlags(isTee ? next[2] : next[0])) return push(Operand::flags(cond));
  Gpr dst = resultGpr(targetPin(false));
  as_.setcc(cond, dst);
  as_.movzx8(dst, dst);
  pushGpr(Type::I32, dst);
}

template <Type type>
void Compiler::compare(Cond cond) {
  constexpr Width w = type == Type::I32 ? w32 : w64;
  Operand b = pop(), a = pop();
  if (a.isConst() && !b.isConst()) {
    std::swap(a, b);
    cond = x64::swapOperands(cond);
  }
  if (a.inMemory() && b.fitsImm32()) {
    as_.cmp(w, memOf(a), b.imm32());
  } else {
    Gpr ra = use(a);
    if (b.isConst() && b.value() == 0)
      as_.test(w, ra, ra);
    else
      aluOperand(AluOp::cmp, w, ra, b);
  }
  release(a);
  release(b);
  pushCondition(cond);
}

template <Type type>
void Compiler::eqz() {
  constexpr Width w = type == Type::I32 ? w32 : w64;
  Operand a = pop();
  if (a.where() == Where::Flags) return pushCondition(negate(a.cond()));
  if (a.inMemory()) {
    as_.cmp(w, memOf(a), 0);
  } else {
    Gpr r = use(a);
    as_.test(w, r, r);
  }
  release(a);
  pushCondition(Cond::e);
}

// --- unary ---------------------------------------------------------------------------------------------------------

template <Type type, class F>
void Compiler::unaryInteger(F&& emit) {
  Operand a = pop();
  uint8_t target = targetPin(false);
  Gpr src = use(a);
  Gpr dst = target != kNone ? static_cast<Gpr>(target) : a.where() == Where::Gpr ? src : allocGpr();
  emit(dst, src);
  if (dst != src) release(a);
  pushGpr(type, dst);
}

// i32 values are zero-extended wherever they are, but for slots of locals: those are read with the operand's own width.
inline void Compiler::extendUnsigned() {
  Operand a = pop();
  if (a.isConst()) return push(Operand::constant(Type::I64, a.value()));
  uint8_t target = targetPin(false);
  if (target == kNone) return pushGpr(Type::I64, toTemp(a));
  load(static_cast<Gpr>(target), a);
  release(a);
  pushGpr(Type::I64, static_cast<Gpr>(target));
}

template <Type type>
void Compiler::countLeading() {
  constexpr Width w = type == Type::I32 ? w32 : w64;
  if (ctx_.cpu.has(x64::CpuFeature::lzcnt))
    return unaryInteger<type>([&](Gpr dst, Gpr src) { as_.lzcnt(w, dst, src); });
  unaryInteger<type>([&](Gpr dst, Gpr src) {
    constexpr int32_t bits = type == Type::I32 ? 32 : 64;
    as_.movImm32(kScratch, 2 * bits - 1);
    as_.bsr(w, dst, src);
    as_.cmov(Cond::e, w, dst, kScratch);
    as_.xor_(w, dst, bits - 1);
  });
}

template <Type type>
void Compiler::countTrailing() {
  constexpr Width w = type == Type::I32 ? w32 : w64;
  if (ctx_.cpu.has(x64::CpuFeature::bmi1)) return unaryInteger<type>([&](Gpr dst, Gpr src) { as_.tzcnt(w, dst, src); });
  unaryInteger<type>([&](Gpr dst, Gpr src) {
    as_.movImm32(kScratch, type == Type::I32 ? 32 : 64);
    as_.bsf(w, dst, src);
    as_.cmov(Cond::e, w, dst, kScratch);
  });
}

template <Type type>
void Compiler::popcount() {
  constexpr Width w = type == Type::I32 ? w32 : w64;
  if (ctx_.cpu.has(x64::CpuFeature::popcnt))
    return unaryInteger<type>([&](Gpr dst, Gpr src) { as_.popcnt(w, dst, src); });
  // Sums of pairs, nibbles, bytes (Hacker's Delight, 5-1).
  Operand a = pop();
  Gpr x = toTemp(a), t = allocGpr();
  auto mask = [&](uint64_t pattern) {
    as_.movImm64(kScratch, type == Type::I32 ? static_cast<uint32_t>(pattern) : pattern);
  };
  as_.mov(w, t, x);
  as_.shr(w, t, 1);
  mask(0x5555555555555555);
  as_.and_(w, t, kScratch);
  as_.sub(w, x, t);
  mask(0x3333333333333333);
  as_.mov(w, t, x);
  as_.and_(w, t, kScratch);
  as_.shr(w, x, 2);
  as_.and_(w, x, kScratch);
  as_.add(w, x, t);
  as_.mov(w, t, x);
  as_.shr(w, t, 4);
  as_.add(w, x, t);
  mask(0x0f0f0f0f0f0f0f0f);
  as_.and_(w, x, kScratch);
  mask(0x0101010101010101);
  as_.imul(w, x, kScratch);
  as_.shr(w, x, type == Type::I32 ? 24 : 56);
  freeReg(t);
  pushGpr(type, x);
}

// --- wide arithmetic (proposal): two 64-bit halves, low first ------------------------------------------------------

inline void Compiler::wideAdd(bool subtract) {
  Operand bHigh = pop(), bLow = pop(), aHigh = pop(), aLow = pop();
  Gpr low = toTemp(aLow), high = toTemp(aHigh);
  Gpr l = use(bLow), h = use(bHigh);
  as_.alu(subtract ? AluOp::sub : AluOp::add, w64, low, l);
  as_.alu(subtract ? AluOp::sbb : AluOp::adc, w64, high, h);
  release(bLow);
  release(bHigh);
  pushGpr(Type::I64, low);
  pushGpr(Type::I64, high);
}

inline void Compiler::wideMultiply(bool isSigned) {
  Operand b = pop(), a = pop();
  Gpr other = kScratch;
  load(other, b);
  release(b);
  if (a.where() != Where::Gpr || a.gpr() != Gpr::rax) {
    claim(Gpr::rax);
    load(Gpr::rax, a);
    release(a);
  }
  claim(Gpr::rdx);
  isSigned ? as_.imulWide(w64, other) : as_.mul(w64, other);
  pushGpr(Type::I64, Gpr::rax);
  pushGpr(Type::I64, Gpr::rdx);
}

}  // namespace wattle::compile::baseline
