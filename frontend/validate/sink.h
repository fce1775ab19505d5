// What a FunctionDecoder tells its sink: the seam between decoding-with-validation and everything that consumes bodies.
//
// FunctionDecoder<Sink> (function_decoder.h) walks one body, checks it, and calls the sink once per instruction,
// *after* the instruction has been found valid and *only where control can reach*. So a sink never sees ill-typed or
// dead code, needs no polymorphic stack, and may keep an operand stack of its own that is always exactly as deep as the
// validator's. Calls are resolved statically: a sink derives from NullSink and hides the methods it cares for.
//
// Control. `Control` records are owned by the decoder, in a stack; each carries a `Sink::Label` for the sink's own use.
//  - block/loop/ifOp/tryTable are called on entry, with the parameters on top of the operand stack (for `if`, the i32
//    condition has to be popped by the sink, above the parameters).
//  - br*, and any instruction that can branch, name their targets by relative depth; `decoder.control(depth)` gives the
//    record.
//  - elseOp(c, fallthrough) is called between the arms; `fallthrough` says whether the end of the first arm is
//    reachable, in which case the results are on top of the operand stack. After it the operand stack is as at entry of
//    the `if` (parameters on top).
//  - end(c, fallthrough) closes a block that was entered. When the point after it is reachable (fallthrough, or some
//    branch went to the label, or an `if` without `else`), the stack holds what was below the block plus the results;
//    otherwise the sink will not be called again until an enclosing else/end.
//  - after an instruction that does not fall through (br, br_table, return, unreachable, throw, return_call…) the sink
//    is called next at the else/catch/end of the innermost block that was entered.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "frontend/module.h"
#include "frontend/opcodes.h"
#include "frontend/types.h"

namespace wattle::frontend {

struct MemArg {
  uint64_t offset = 0;
  uint32_t memory = 0;
  uint32_t alignLog2 = 0;  // a hint, but for atomics exact
};

enum class ControlKind : uint8_t { Function, Block, Loop, If, Else, TryTable, Try, Catch, CatchAll };

// try_table catch clauses (spec 3.0 "Instructions / Control").
struct CatchClause {
  enum class Kind : uint8_t { Catch, CatchRef, CatchAll, CatchAllRef } kind = Kind::Catch;
  uint32_t tag = 0;    // Catch, CatchRef
  uint32_t depth = 0;  // label, relative to the enclosing block of the try_table
};

struct ControlRecord {
  ControlKind kind = ControlKind::Block;  // during elseOp, catchOp and catchAll still that of the arm which ends
  bool entered = true;                    // entry was reachable: the sink saw it
  bool unreachable = false;               // the current point in this block is dead
  bool branchedTo = false;   // a reachable branch targets the label, or an arm before the current one falls through
  bool polymorphic = false;  // validator's: the operand stack is of any height (after br, unreachable, ...)
  uint32_t height = 0;       // validator's stack height below the parameters
  uint32_t initHeight = 0;   // of the local-initialisation log
  std::span<const ValType> params;
  std::span<const ValType> results;
  // What a branch to this label carries.
  std::span<const ValType> labelTypes() const { return kind == ControlKind::Loop ? params : results; }
  // In end(c, fallthrough) and delegate(c, depth, fallthrough): whether the point after the block is reachable.
  bool endReachable(bool fallthrough) const {
    return fallthrough || kind == ControlKind::If || (branchedTo && kind != ControlKind::Loop);
  }
};

template <class Label>
struct Control : ControlRecord {
  Control() {}  // one of its own, so that making a record does not zero it all first
  Label label;
};

// Does nothing with everything: the validation-only sink, and the base of the others. Op arguments of templates are
// compile-time constants, so a sink may select its code with `if constexpr` or a constexpr table, without a second
// run-time dispatch.
struct NullSink {
  struct Label {};
  using Ctl = Control<Label>;

  // --- function ----------------------------------------------------------------------------------
  // `locals` are parameters and declared locals together; called once before the first instruction.
  void begin(std::span<const ValType> /*locals*/) {}
  void finish() {}  // after the final `end` (which is reported as end() of the ControlKind::Function record)

  // --- families with a fixed signature in opcodes.def --------------------------------------------
  template <Op>
  void simple() {}  // Imm::None: numeric, vector, comparison, conversion, wide arithmetic
  template <Op>
  void lane(uint8_t /*lane*/) {}  // Imm::Lane: extract_lane, replace_lane
  template <Op>
  void memory(const MemArg&) {}  // Imm::MemArg: loads, stores, vector loads, atomics
  template <Op>
  void memoryLane(const MemArg&, uint8_t) {}  // Imm::MemArgLane
  void shuffle(const std::array<uint8_t, 16>&) {}
  void constI32(int32_t) {}
  void constI64(int64_t) {}
  void constF32(uint32_t /*bits*/) {}
  void constF64(uint64_t /*bits*/) {}
  void constV128(const std::array<uint8_t, 16>&) {}
  void atomicFence() {}

  // --- parametric, variables ---------------------------------------------------------------------
  void drop(ValType) {}
  void select(ValType) {}
  void localGet(uint32_t, ValType) {}
  void localSet(uint32_t, ValType) {}
  void localTee(uint32_t, ValType) {}
  void globalGet(uint32_t) {}
  void globalSet(uint32_t) {}

  // --- control -----------------------------------------------------------------------------------
  template <class C>
  void block(C&) {}
  template <class C>
  void loop(C&) {}
  template <class C>
  void ifOp(C&) {}
  template <class C>
  void elseOp(C&, bool /*fallthrough*/) {}
  template <class C>
  void end(C&, bool /*fallthrough*/) {}
  void unreachable() {}
  void br(uint32_t /*depth*/) {}
  void brIf(uint32_t /*depth*/) {}
  void brTable(std::span<const uint32_t> /*depths, default last*/) {}
  void returnOp() {}
  void call(uint32_t /*function*/) {}
  void callIndirect(uint32_t /*type*/, uint32_t /*table*/) {}
  void callRef(uint32_t /*type*/) {}
  void returnCall(uint32_t) {}
  void returnCallIndirect(uint32_t, uint32_t) {}
  void returnCallRef(uint32_t) {}

  // --- exceptions --------------------------------------------------------------------------------
  template <class C>
  void tryTable(C&, std::span<const CatchClause>) {}
  void throwOp(uint32_t /*tag*/) {}
  void throwRef() {}
  template <class C>
  void tryOp(C&) {}  // legacy
  template <class C>
  void catchOp(C&, uint32_t /*tag*/, bool /*fallthrough*/) {}
  template <class C>
  void catchAll(C&, bool /*fallthrough*/) {}
  template <class C>
  void delegate(C&, uint32_t /*depth*/, bool /*fallthrough*/) {
  }  // closes the try; depth as encoded (0 = enclosing block)
  void rethrow(uint32_t /*depth*/) {}

  // --- references --------------------------------------------------------------------------------
  void refNull(ValType) {}
  void refIsNull(ValType) {}
  void refFunc(uint32_t) {}
  void refAsNonNull(ValType) {}
  void refEq() {}
  void brOnNull(uint32_t /*depth*/, ValType) {}
  void brOnNonNull(uint32_t /*depth*/, ValType) {}
  void refTest(ValType /*operand*/, ValType /*target*/) {}
  void refCast(ValType /*operand*/, ValType /*target*/) {}
  void brOnCast(uint32_t /*depth*/, ValType /*operand*/, ValType /*target*/, bool /*onFail*/) {}
  void anyConvertExtern(ValType /*operand*/) {}
  void externConvertAny(ValType /*operand*/) {}
  void refI31() {}
  void i31Get(bool /*isSigned*/) {}
  // custom descriptors
  void refGetDesc(uint32_t /*type*/, bool /*exactResult*/) {}
  void refCastDescEq(ValType /*operand*/, ValType /*target*/) {}
  void brOnCastDescEq(uint32_t /*depth*/, ValType /*operand*/, ValType /*target*/, bool /*onFail*/) {}

  // --- tables and bulk memory --------------------------------------------------------------------
  void tableGet(uint32_t) {}
  void tableSet(uint32_t) {}
  void tableSize(uint32_t) {}
  void tableGrow(uint32_t) {}
  void tableFill(uint32_t) {}
  void tableCopy(uint32_t /*dst*/, uint32_t /*src*/) {}
  void tableInit(uint32_t /*table*/, uint32_t /*segment*/) {}
  void elemDrop(uint32_t) {}
  void memorySize(uint32_t) {}
  void memoryGrow(uint32_t) {}
  void memoryFill(uint32_t) {}
  void memoryCopy(uint32_t /*dst*/, uint32_t /*src*/) {}
  void memoryInit(uint32_t /*memory*/, uint32_t /*segment*/) {}
  void dataDrop(uint32_t) {}

  // --- aggregates --------------------------------------------------------------------------------
  void structNew(uint32_t /*type*/, bool /*default*/, bool /*withDescriptor*/) {}
  enum class Extend : uint8_t { None, Signed, Unsigned };
  void structGet(uint32_t /*type*/, uint32_t /*field*/, Extend) {}
  void structSet(uint32_t /*type*/, uint32_t /*field*/) {}
  void arrayNew(uint32_t /*type*/, bool /*default*/) {}
  void arrayNewFixed(uint32_t /*type*/, uint32_t /*count*/) {}
  void arrayNewData(uint32_t /*type*/, uint32_t /*segment*/) {}
  void arrayNewElem(uint32_t /*type*/, uint32_t /*segment*/) {}
  void arrayGet(uint32_t /*type*/, Extend) {}
  void arraySet(uint32_t /*type*/) {}
  void arrayLen() {}
  void arrayFill(uint32_t /*type*/) {}
  void arrayCopy(uint32_t /*dstType*/, uint32_t /*srcType*/) {}
  void arrayInitData(uint32_t /*type*/, uint32_t /*segment*/) {}
  void arrayInitElem(uint32_t /*type*/, uint32_t /*segment*/) {}
};

}  // namespace wattle::frontend
