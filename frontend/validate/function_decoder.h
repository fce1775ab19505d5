// FunctionDecoder<Sink>: decodes one function body, validates it, and tells the sink (see sink.h for what it is told).
//
//   FunctionDecoder<MySink> decoder(module, bytes, sink);   // one a thread; reused for any number of functions
//   if (auto error = decoder.run(functionIndex)) ...
//
// A sink that wants to ask back (control records, locals, offsets) has a method `void attach(Decoder&)`, which the
// constructor calls. Each instruction has one handler `exec(OpTag<Op::...>, Cursor&)`: those whose typing the signature
// column of opcodes.def gives in full share one template; the others are in
// function_decoder_{control,memory,reference,aggregate}.h. decoder_base.h says how reading and popping work.
#pragma once

#include <concepts>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

#include "frontend/op_facts.h"
#include "frontend/opcodes.h"
#include "frontend/validate/decoder_base.h"

namespace wattle::frontend {

template <Op>
struct OpTag {};

// A sink for constant expressions says `static constexpr bool kConstantOnly = true`; all other instructions are then
// errors.
template <class Sink>
concept ConstantSink = requires {
  requires Sink::kConstantOnly;
};

template <class Sink>
class FunctionDecoder : public DecoderBase {
 public:
  using Ctl = Control<typename Sink::Label>;

  // `bytes` is the whole module.
  FunctionDecoder(const ModuleInfo& module, std::span<const uint8_t> bytes, Sink& sink)
      : DecoderBase(module, bytes), sink_(sink) {
    if constexpr (requires { sink.attach(*this); }) sink.attach(*this);
  }

  // Decodes a function that is not an import. Nothing, or what is wrong with it.
  std::optional<Error> run(uint32_t functionIndex);
  // Decodes an expression that leaves one value of type `expected` and starts at `begin` and ends before `end`. Returns
  // the offset after its final `end`.
  Result<uint64_t> runExpression(uint64_t begin, uint64_t end, ValType expected);

  // The block that a branch with this relative depth goes to; 0 is the innermost. In end() and delegate() the block
  // that closes is still the innermost.
  Ctl& control(uint32_t depth) { return controls_[controls_.size() - 1 - depth]; }
  uint32_t controlDepth() const { return static_cast<uint32_t>(controls_.size()); }

 private:
  // Instructions worth a place in the main loop; the others are calls, so that the loop stays small.
  static constexpr bool isHot(Op op) {
    switch (info(op).imm) {
      case Imm::None:
        return hasSignature(op) ? info(op).prefix == 0
                                : op == Op::Nop || op == Op::Drop || op == Op::Select || op == Op::End;
      case Imm::Local:
      case Imm::Global:
      case Imm::I32:
      case Imm::I64:
      case Imm::F32:
      case Imm::F64:
      case Imm::Block: return op != Op::Try;
      case Imm::MemArg: return info(op).prefix == 0;
      case Imm::Function: return op == Op::Call;
      case Imm::Label: return op == Op::Br || op == Op::BrIf;
      default: return false;
    }
  }
  static constexpr bool isConstant(Op op);

  void loop();
  template <Op op>
  [[gnu::always_inline]] inline bool step(Cursor& at);
  template <Op op>
  [[gnu::noinline]] bool coldStep();
  [[gnu::noinline]] bool prefixed(uint8_t prefix);
  template <uint8_t prefix>
  bool prefixedStep(uint32_t code, Cursor& at);
  static constexpr bool enabled(Op op, const Features& features);
  // The case label of an opcode in the switch over one prefix: labels of other prefixes are out of the way.
  static constexpr uint32_t label(Op op, uint8_t prefix) {
    return info(op).prefix == prefix ? info(op).code : 0x10000u + static_cast<uint32_t>(op);
  }

  // Tells the sink, if the current point is reachable.
  template <class Tell>
  [[gnu::always_inline]] inline void emit(const Cursor& at, Tell&& tell) {
    if constexpr (!std::same_as<Sink, NullSink>) {
      if (live_) {
        pos_ = at.pos;
        if constexpr (requires { sink_.nextInstruction(); }) sink_.nextInstruction();
        tell(sink_);
      }
    }
  }

  // The same for what is only remembered: the sink makes nothing of it yet, and looks at no byte.
  template <class Tell>
  [[gnu::always_inline]] inline void emitQuietly(Tell&& tell) {
    if constexpr (!std::same_as<Sink, NullSink>) {
      if (live_) {
        if constexpr (requires { sink_.nextQuietInstruction(); }) sink_.nextQuietInstruction();
        tell(sink_);
      }
    }
  }

  // --- instructions with a signature -------------------------------------------------------------
  template <Op op>
  [[gnu::always_inline]] inline bool apply(Cursor& at, ValType address = kBottom);
  template <Op op>
  [[gnu::always_inline]] inline bool exec(OpTag<op>, Cursor& at);
  template <Op op>
  [[gnu::always_inline]] inline bool readMemArg(Cursor& at, MemArg& arg, ValType& address);
  template <Op op>
  bool constant(Cursor& at);

  // --- control (function_decoder_control.h) ------------------------------------------------------
  [[gnu::always_inline]] inline bool readBlockType(Cursor& at, BlockType& type);
  [[gnu::always_inline]] inline bool enter(Cursor& at, ControlKind kind, const BlockType& type);
  [[gnu::noinline]] ValType* pushFrame(ValType* top, ControlKind kind, const BlockType& type);
  void popFrame();
  void useFrame();
  void restartArm(Cursor& at, std::span<const ValType> operands);
  [[gnu::always_inline]] inline void becomeUnreachable(Cursor& at);
  [[gnu::always_inline]] inline Ctl* readLabel(Cursor& at, uint32_t& depth);
  template <class Tell>
  [[gnu::always_inline]] inline void tellClosed(Cursor& at, Tell&& tell);
  [[gnu::always_inline]] inline bool finishArm(const Cursor& at, bool& fallthrough);
  [[gnu::noinline]] ValType* leave(const uint8_t* pos, bool fallthrough);
  bool callResults(const FuncType& callee);
  bool readCatch(Cursor& at, CatchClause& clause);

  bool exec(OpTag<Op::Unreachable>, Cursor& at);
  bool exec(OpTag<Op::Nop>, Cursor& at) {
    emit(at, [](Sink&) {});  // only nextInstruction(): whoever counts instructions counts this one
    return true;
  }
  [[gnu::always_inline]] inline bool exec(OpTag<Op::Block>, Cursor& at);
  [[gnu::always_inline]] inline bool exec(OpTag<Op::Loop>, Cursor& at);
  [[gnu::always_inline]] inline bool exec(OpTag<Op::If>, Cursor& at);
  bool exec(OpTag<Op::Else>, Cursor& at);
  [[gnu::always_inline]] inline bool exec(OpTag<Op::End>, Cursor& at);
  [[gnu::always_inline]] inline bool exec(OpTag<Op::Br>, Cursor& at);
  [[gnu::always_inline]] inline bool exec(OpTag<Op::BrIf>, Cursor& at);
  bool exec(OpTag<Op::BrTable>, Cursor& at);
  bool exec(OpTag<Op::Return>, Cursor& at);
  [[gnu::always_inline]] inline bool exec(OpTag<Op::Call>, Cursor& at);
  bool exec(OpTag<Op::CallIndirect>, Cursor& at);
  bool exec(OpTag<Op::CallRef>, Cursor& at);
  bool exec(OpTag<Op::ReturnCall>, Cursor& at);
  bool exec(OpTag<Op::ReturnCallIndirect>, Cursor& at);
  bool exec(OpTag<Op::ReturnCallRef>, Cursor& at);
  bool exec(OpTag<Op::TryTable>, Cursor& at);
  bool exec(OpTag<Op::Throw>, Cursor& at);
  bool exec(OpTag<Op::ThrowRef>, Cursor& at);
  bool exec(OpTag<Op::Try>, Cursor& at);
  bool exec(OpTag<Op::Catch>, Cursor& at);
  bool exec(OpTag<Op::CatchAll>, Cursor& at);
  bool exec(OpTag<Op::Delegate>, Cursor& at);
  bool exec(OpTag<Op::Rethrow>, Cursor& at);

  // --- variables, tables, memories (function_decoder_memory.h) -----------------------------------
  [[gnu::always_inline]] inline bool exec(OpTag<Op::Drop>, Cursor& at);
  [[gnu::always_inline]] inline bool exec(OpTag<Op::Select>, Cursor& at);
  bool exec(OpTag<Op::SelectT>, Cursor& at);
  [[gnu::noinline]] ValType* selectSlow(ValType* top);
  [[gnu::always_inline]] inline bool exec(OpTag<Op::LocalGet>, Cursor& at);
  [[gnu::always_inline]] inline bool exec(OpTag<Op::LocalSet>, Cursor& at);
  [[gnu::always_inline]] inline bool exec(OpTag<Op::LocalTee>, Cursor& at);
  [[gnu::always_inline]] inline bool exec(OpTag<Op::GlobalGet>, Cursor& at);
  [[gnu::always_inline]] inline bool exec(OpTag<Op::GlobalSet>, Cursor& at);
  bool exec(OpTag<Op::TableGet>, Cursor& at);
  bool exec(OpTag<Op::TableSet>, Cursor& at);
  bool exec(OpTag<Op::TableSize>, Cursor& at);
  bool exec(OpTag<Op::TableGrow>, Cursor& at);
  bool exec(OpTag<Op::TableFill>, Cursor& at);
  bool exec(OpTag<Op::TableCopy>, Cursor& at);
  bool exec(OpTag<Op::TableInit>, Cursor& at);
  bool exec(OpTag<Op::ElemDrop>, Cursor& at);
  bool exec(OpTag<Op::MemorySize>, Cursor& at);
  bool exec(OpTag<Op::MemoryGrow>, Cursor& at);
  bool exec(OpTag<Op::MemoryFill>, Cursor& at);
  bool exec(OpTag<Op::MemoryCopy>, Cursor& at);
  bool exec(OpTag<Op::MemoryInit>, Cursor& at);
  bool exec(OpTag<Op::DataDrop>, Cursor& at);

  // --- references and casts (function_decoder_reference.h) ---------------------------------------
  struct BrCastUse {
    uint32_t depth;
    Ctl* target;
    ValType from, to, rest;  // the operand as annotated, what the cast gives, what is left when it fails
  };
  bool readTargetType(Cursor& at, bool nullable, ValType& target);
  bool readBrCast(Cursor& at, BrCastUse& use);
  bool branchWith(Cursor& at, Ctl& target, ValType carried, ValType kept);
  bool castOperand(Cursor& at, ValType target, ValType& operand);
  bool descriptorOf(ValType target, ValType& descriptor);
  bool execRefTest(Cursor& at, bool nullable);
  bool execRefCast(Cursor& at, bool nullable);
  bool execRefCastDescEq(Cursor& at, bool nullable);
  bool execBrOnCast(Cursor& at, bool onFail);
  bool execBrOnCastDescEq(Cursor& at, bool onFail);
  bool execConvert(Cursor& at, AbstractHeap from, AbstractHeap to, ValType& operand);

  bool exec(OpTag<Op::RefNull>, Cursor& at);
  bool exec(OpTag<Op::RefIsNull>, Cursor& at);
  bool exec(OpTag<Op::RefFunc>, Cursor& at);
  bool exec(OpTag<Op::RefEq>, Cursor& at);
  bool exec(OpTag<Op::RefAsNonNull>, Cursor& at);
  bool exec(OpTag<Op::BrOnNull>, Cursor& at);
  bool exec(OpTag<Op::BrOnNonNull>, Cursor& at);
  bool exec(OpTag<Op::RefTest>, Cursor& at) { return execRefTest(at, false); }
  bool exec(OpTag<Op::RefTestNull>, Cursor& at) { return execRefTest(at, true); }
  bool exec(OpTag<Op::RefCast>, Cursor& at) { return execRefCast(at, false); }
  bool exec(OpTag<Op::RefCastNull>, Cursor& at) { return execRefCast(at, true); }
  bool exec(OpTag<Op::BrOnCast>, Cursor& at) { return execBrOnCast(at, false); }
  bool exec(OpTag<Op::BrOnCastFail>, Cursor& at) { return execBrOnCast(at, true); }
  bool exec(OpTag<Op::AnyConvertExtern>, Cursor& at);
  bool exec(OpTag<Op::ExternConvertAny>, Cursor& at);
  bool exec(OpTag<Op::RefI31>, Cursor& at);
  bool exec(OpTag<Op::I31GetS>, Cursor& at);
  bool exec(OpTag<Op::I31GetU>, Cursor& at);
  bool exec(OpTag<Op::RefGetDesc>, Cursor& at);
  bool exec(OpTag<Op::RefCastDescEq>, Cursor& at) { return execRefCastDescEq(at, false); }
  bool exec(OpTag<Op::RefCastDescEqNull>, Cursor& at) { return execRefCastDescEq(at, true); }
  bool exec(OpTag<Op::BrOnCastDescEq>, Cursor& at) { return execBrOnCastDescEq(at, false); }
  bool exec(OpTag<Op::BrOnCastDescEqFail>, Cursor& at) { return execBrOnCastDescEq(at, true); }

  // --- structures and arrays (function_decoder_aggregate.h) --------------------------------------
  bool execStructNew(Cursor& at, bool isDefault, bool withDescriptor);
  bool execStructGet(Cursor& at, NullSink::Extend extend);
  bool execArrayGet(Cursor& at, NullSink::Extend extend);
  bool readField(Cursor& at, uint32_t& type, uint32_t& field, const FieldType*& found);
  const FieldType* readArray(Cursor& at, uint32_t& type);
  const FieldType* readMutableArray(Cursor& at, uint32_t& type);
  bool checkExtend(const FieldType& field, NullSink::Extend extend, const char* what);
  bool checkDataElement(const FieldType& field);
  bool checkElemElement(const FieldType& field, uint32_t segment);
  ValType refTo(uint32_t type) const;
  ValType newRef(uint32_t type) const;

  bool exec(OpTag<Op::StructNew>, Cursor& at) { return execStructNew(at, false, false); }
  bool exec(OpTag<Op::StructNewDefault>, Cursor& at) { return execStructNew(at, true, false); }
  bool exec(OpTag<Op::StructNewDesc>, Cursor& at) { return execStructNew(at, false, true); }
  bool exec(OpTag<Op::StructNewDefaultDesc>, Cursor& at) { return execStructNew(at, true, true); }
  bool exec(OpTag<Op::StructGet>, Cursor& at) { return execStructGet(at, NullSink::Extend::None); }
  bool exec(OpTag<Op::StructGetS>, Cursor& at) { return execStructGet(at, NullSink::Extend::Signed); }
  bool exec(OpTag<Op::StructGetU>, Cursor& at) { return execStructGet(at, NullSink::Extend::Unsigned); }
  bool exec(OpTag<Op::StructSet>, Cursor& at);
  bool exec(OpTag<Op::ArrayNew>, Cursor& at);
  bool exec(OpTag<Op::ArrayNewDefault>, Cursor& at);
  bool exec(OpTag<Op::ArrayNewFixed>, Cursor& at);
  bool exec(OpTag<Op::ArrayNewData>, Cursor& at);
  bool exec(OpTag<Op::ArrayNewElem>, Cursor& at);
  bool exec(OpTag<Op::ArrayGet>, Cursor& at) { return execArrayGet(at, NullSink::Extend::None); }
  bool exec(OpTag<Op::ArrayGetS>, Cursor& at) { return execArrayGet(at, NullSink::Extend::Signed); }
  bool exec(OpTag<Op::ArrayGetU>, Cursor& at) { return execArrayGet(at, NullSink::Extend::Unsigned); }
  bool exec(OpTag<Op::ArraySet>, Cursor& at);
  bool exec(OpTag<Op::ArrayLen>, Cursor& at);
  bool exec(OpTag<Op::ArrayFill>, Cursor& at);
  bool exec(OpTag<Op::ArrayCopy>, Cursor& at);
  bool exec(OpTag<Op::ArrayInitData>, Cursor& at);
  bool exec(OpTag<Op::ArrayInitElem>, Cursor& at);

  Sink& sink_;
  std::vector<Ctl> controls_;
  std::vector<uint32_t> branchTargets_;    // of the current br_table
  std::vector<CatchClause> catchClauses_;  // of the current try_table
};

}  // namespace wattle::frontend

#include "frontend/validate/function_decoder_aggregate.h"  // IWYU pragma: export
#include "frontend/validate/function_decoder_control.h"    // IWYU pragma: export
#include "frontend/validate/function_decoder_loop.h"       // IWYU pragma: export
#include "frontend/validate/function_decoder_memory.h"     // IWYU pragma: export
#include "frontend/validate/function_decoder_reference.h"  // IWYU pragma: export
#include "frontend/validate/function_decoder_signature.h"  // IWYU pragma: export
