// Loads and stores of vectors and lanes. None touches more bytes than its own.
//
// The address may be based on the scratch register (memory.h), so nothing comes between it and the access but the
// choice of dst.
#include "runtime/compile/baseline/memory.h"
#include "runtime/compile/baseline/simd_forms.h"

namespace wattle::compile::baseline {

// 64 bits, each lane made twice as wide.
void Compiler::loadExtended(const MemArg& arg, VectorUnary extend) {
  Address a = address(arg, 8);
  Xmm dst = resultXmm(targetPin(true));
  (as_.*form(extend).mem)(dst, a.mem);
  release(a);
  pushXmm(Type::V128, dst);
}

void Compiler::loadSplat(const MemArg& arg, Shape shape) {
  Address a = address(arg, laneBytes(shape));
  Xmm dst = resultXmm(targetPin(true));
  splatFromMemory(shape, dst, a.mem);
  release(a);
  pushXmm(Type::V128, dst);
}

void Compiler::loadZero(const MemArg& arg, Shape shape) {
  Address a = address(arg, laneBytes(shape));
  Xmm dst = resultXmm(targetPin(true));
  shape == Shape::I64x2 ? as_.movsd(dst, a.mem) : as_.movss(dst, a.mem);
  release(a);
  pushXmm(Type::V128, dst);
}

void Compiler::loadLane(const MemArg& arg, Shape shape, uint8_t lane) {
  Operand v = pop();
  Xmm src = useXmm(v);
  Address a = address(arg, laneBytes(shape));
  Xmm dst = vectorResult(targetPin(true), v);
  switch (shape) {
    case Shape::I8x16: as_.pinsrb(dst, src, a.mem, lane); break;
    case Shape::I16x8: as_.pinsrw(dst, src, a.mem, lane); break;
    case Shape::I32x4: as_.pinsrd(dst, src, a.mem, lane); break;
    default: lane ? as_.movhps(dst, src, a.mem) : as_.movlps(dst, src, a.mem); break;
  }
  release(a);
  giveVector(dst, v);
}

void Compiler::storeLane(const MemArg& arg, Shape shape, uint8_t lane) {
  Operand v = pop();
  Xmm src = useXmm(v);
  Address a = address(arg, laneBytes(shape));
  switch (shape) {
    case Shape::I8x16: as_.pextrb(a.mem, src, lane); break;
    case Shape::I16x8: as_.pextrw(a.mem, src, lane); break;
    case Shape::I32x4: lane ? as_.pextrd(a.mem, src, lane) : as_.movss(a.mem, src); break;
    default: lane ? as_.movhps(a.mem, src) : as_.movlps(a.mem, src); break;
  }
  release(v);
  release(a);
}

}  // namespace wattle::compile::baseline
