// Blocks, branches, calls and exceptions. Included by function_decoder.h.
//
// Two notions of dead code meet here. The validator's (`polymorphic`): after br, unreachable and the like, up to the
// end of the block, the operand stack has any height. The sink's (`unreachable`): control cannot come here; that
// includes all of the above, blocks inside it, and what follows a block whose end nothing reaches. `live_` is the
// latter for the current point.
#pragma once

#include "frontend/validate/function_decoder.h"

namespace wattle::frontend {

// --- frames --------------------------------------------------------------------------------------

template <class Sink>
bool FunctionDecoder<Sink>::readBlockType(Cursor& at, BlockType& type) {
  static constexpr ValType kNumeric[] = {kV128, kF64, kF32, kI64, kI32};  // 0x7b ... 0x7f
  const uint8_t lead = *at.pos;
  if (lead == 0x40) [[likely]] {
    at.pos++;
    return true;
  }
  if (lead - 0x7bu < 5) {
    at.pos++;
    type.results = {&kNumeric[lead - 0x7b], 1};
    return true;
  }
  const uint8_t* next = readBlockTypeSlow(at.pos, type);
  if (!next) return false;
  at.pos = next;
  return true;
}

// Puts a frame on the control stack, with the word kBottom below its operands. The parameters have been popped and are
// not pushed.
template <class Sink>
ValType* FunctionDecoder<Sink>::pushFrame(ValType* top, ControlKind kind, const BlockType& type) {
  const size_t depth = controls_.size();
  const size_t words = static_cast<size_t>(top - stack_.get()) - kStackPad;
  Ctl& frame = controls_.emplace_back();
  frame.kind = kind;
  frame.entered = live_;
  frame.params = type.params;
  frame.results = type.results;
  frame.initHeight = static_cast<uint32_t>(initLog_.size());
  if (depth > 0) {
    frame.height =
        static_cast<uint32_t>(words - (depth - 1));  // each frame but the function's has put one kBottom there
    *top++ = kBottom;
  }
  current_ = &frame;
  base_ = top;
  return top;
}

template <class Sink>
void FunctionDecoder<Sink>::popFrame() {
  controls_.pop_back();
  if (!controls_.empty()) useFrame();
}

// Makes the last frame the current one.
template <class Sink>
void FunctionDecoder<Sink>::useFrame() {
  Ctl& frame = controls_.back();
  current_ = &frame;
  base_ = stack_.get() + kStackPad + frame.height + (controls_.size() - 1);
  live_ = frame.entered && !frame.unreachable;
}

template <class Sink>
bool FunctionDecoder<Sink>::enter(Cursor& at, ControlKind kind, const BlockType& type) {
  if (!type.params.empty() && !popAll(at, type.params)) return false;
  at.top = pushFrame(at.top, kind, type);
  if (!type.params.empty()) pushAll(at, type.params);
  return true;
}

// The next arm of the innermost block (else, catch) begins with these operands.
template <class Sink>
void FunctionDecoder<Sink>::restartArm(Cursor& at, std::span<const ValType> operands) {
  forgetInitialised(current_->initHeight);
  at.top = base_;
  pushAll(at, operands);
  current_->unreachable = false;
  current_->polymorphic = false;
  live_ = current_->entered;
}

template <class Sink>
void FunctionDecoder<Sink>::becomeUnreachable(Cursor& at) {
  at.top = base_;
  current_->unreachable = true;
  current_->polymorphic = true;
  live_ = false;
}

// --- blocks --------------------------------------------------------------------------------------

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::Unreachable>, Cursor& at) {
  emit(at, [](Sink& sink) { sink.unreachable(); });
  becomeUnreachable(at);
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::Block>, Cursor& at) {
  BlockType type;
  if (!readBlockType(at, type) || !enter(at, ControlKind::Block, type)) return false;
  emit(at, [&](Sink& sink) { sink.block(controls_.back()); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::Loop>, Cursor& at) {
  BlockType type;
  if (!readBlockType(at, type) || !enter(at, ControlKind::Loop, type)) return false;
  emit(at, [&](Sink& sink) { sink.loop(controls_.back()); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::If>, Cursor& at) {
  BlockType type;
  if (!readBlockType(at, type) || !pop(at, kI32) || !enter(at, ControlKind::If, type)) return false;
  emit(at, [&](Sink& sink) { sink.ifOp(controls_.back()); });
  return true;
}

// The end of an arm: its results lie on the stack. Whether control comes here.
template <class Sink>
bool FunctionDecoder<Sink>::finishArm(const Cursor& at, bool& fallthrough) {
  fallthrough = live_;
  return operandsAtEnd(at.top, current_->results);
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::Else>, Cursor& at) {
  if (current_->kind != ControlKind::If) return malformed("END opcode expected: else outside an if");
  bool fallthrough;
  if (!finishArm(at, fallthrough)) return false;
  restartArm(at, current_->params);
  emit(at, [&](Sink& sink) { sink.elseOp(controls_.back(), fallthrough); });
  current_->branchedTo |= fallthrough;
  current_->kind = ControlKind::Else;
  return true;
}

// Tells the sink that the innermost block closes, with its results on the stack.
template <class Sink>
template <class Tell>
void FunctionDecoder<Sink>::tellClosed(Cursor& at, Tell&& tell) {
  if constexpr (!std::same_as<Sink, NullSink>) {
    if (!current_->entered) return;
    at.top = base_;
    pushAll(at, current_->results);
    live_ = true;
    emit(at, tell);
  }
}

// Closes the innermost block, of which the sink knows; its results go to the block around it. The new top.
template <class Sink>
ValType* FunctionDecoder<Sink>::leave(const uint8_t* pos, bool fallthrough) {
  const std::span<const ValType> results = current_->results;
  const bool dead = current_->entered && !current_->endReachable(fallthrough);
  forgetInitialised(current_->initHeight);
  Cursor at{pos, base_ - 1};  // onto the word below the operands
  popFrame();
  pushAll(at, results);
  if (dead) {
    current_->unreachable = true;
    live_ = false;
  }
  return at.top;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::End>, Cursor& at) {
  bool fallthrough;
  if (!finishArm(at, fallthrough)) return false;
  if (current_->kind == ControlKind::If && !typesMatch(current_->params, current_->results)) {
    return typeMismatch("if without else must leave its parameters as results");
  }
  tellClosed(at, [&](Sink& sink) { sink.end(controls_.back(), fallthrough); });
  if (controls_.size() > 1) {
    at.top = leave(at.pos, fallthrough);
    return true;
  }
  if constexpr (!std::same_as<Sink, NullSink>) sink_.finish();
  popFrame();
  return false;  // the end of the function: the main loop stops
}

// --- branches ------------------------------------------------------------------------------------

template <class Sink>
auto FunctionDecoder<Sink>::readLabel(Cursor& at, uint32_t& depth) -> Ctl* {
  depth = readU32(at);
  if (depth < controls_.size()) [[likely]]
    return &control(depth);
  return unknown("label", depth), nullptr;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::Br>, Cursor& at) {
  uint32_t depth;
  Ctl* target = readLabel(at, depth);
  if (!target || !popAll(at, target->labelTypes())) return false;
  emit(at, [&](Sink& sink) { sink.br(depth); });
  target->branchedTo |= live_;
  becomeUnreachable(at);
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::BrIf>, Cursor& at) {
  uint32_t depth;
  Ctl* target = readLabel(at, depth);
  if (!target || !pop(at, kI32)) return false;
  const std::span<const ValType> types = target->labelTypes();
  if (!topEquals(at.top, types)) [[unlikely]] {
    if (!popped(at, popValues(at.top, types))) return false;
    pushAll(at, types);
  }
  emit(at, [&](Sink& sink) { sink.brIf(depth); });
  target->branchedTo |= live_;
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::BrTable>, Cursor& at) {
  if (!pop(at, kI32)) return false;
  const uint32_t count = readU32(at);
  branchTargets_.clear();
  for (uint64_t i = 0; i <= count; i++) {
    if (!refill(at)) return false;
    branchTargets_.push_back(readU32(at));
  }
  uint32_t previous = kNoIndex;
  for (const uint32_t depth : branchTargets_) {
    if (depth == previous) continue;
    previous = depth;
    if (depth >= controls_.size()) return unknown("label", depth);
    Ctl& target = control(depth);
    target.branchedTo |= live_;
    if (!topEquals(at.top, target.labelTypes()) && !popValues(at.top, target.labelTypes())) return false;
  }
  // On a polymorphic stack any label's types can be had, but all must be of one length.
  const size_t arity = control(branchTargets_.back()).labelTypes().size();
  for (const uint32_t depth : branchTargets_) {
    if (control(depth).labelTypes().size() != arity) {
      return typeMismatch("br_table labels carry different numbers of values");
    }
  }
  emit(at, [&](Sink& sink) { sink.brTable(branchTargets_); });
  becomeUnreachable(at);
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::Return>, Cursor& at) {
  Ctl& function = controls_.front();
  if (!popAll(at, function.results)) return false;
  emit(at, [](Sink& sink) { sink.returnOp(); });
  function.branchedTo |= live_;
  becomeUnreachable(at);
  return true;
}

// --- calls ---------------------------------------------------------------------------------------

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::Call>, Cursor& at) {
  const uint32_t index = readU32(at);
  if (index >= module_.functionTypes.size()) [[unlikely]]
    return unknown("function", index);
  const FuncType& callee = module_.types[module_.functionTypes[index]].func;
  if (!popAll(at, callee.params)) return false;
  pushAll(at, callee.results);
  emit(at, [&](Sink& sink) { sink.call(index); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::CallIndirect>, Cursor& at) {
  uint32_t type, table;
  const FuncType* callee = readFuncTypeAt(at, type);
  if (!callee) return false;
  const Table* target = readTableAt(at, table);
  if (!target) return false;
  if (!module_.isSubtype(target->type.element, kFuncRef))
    return typeMismatch("call_indirect needs a table of functions");
  if (!pop(at, addressType(target->type.is64)) || !popAll(at, callee->params)) return false;
  pushAll(at, callee->results);
  emit(at, [&](Sink& sink) { sink.callIndirect(type, table); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::CallRef>, Cursor& at) {
  uint32_t type;
  const FuncType* callee = readFuncTypeAt(at, type);
  if (!callee || !pop(at, refTo(type)) || !popAll(at, callee->params)) return false;
  pushAll(at, callee->results);
  emit(at, [&](Sink& sink) { sink.callRef(type); });
  return true;
}

// A tail call returns what its callee returns.
template <class Sink>
bool FunctionDecoder<Sink>::callResults(const FuncType& callee) {
  if (typesMatch(callee.results, controls_.front().results)) return true;
  return typeMismatch("current function returns other types than the callee of " + instructionName());
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::ReturnCall>, Cursor& at) {
  const uint32_t index = readU32(at);
  if (index >= module_.functionTypes.size()) [[unlikely]]
    return unknown("function", index);
  const FuncType& callee = module_.types[module_.functionTypes[index]].func;
  if (!callResults(callee) || !popAll(at, callee.params)) return false;
  emit(at, [&](Sink& sink) { sink.returnCall(index); });
  becomeUnreachable(at);
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::ReturnCallIndirect>, Cursor& at) {
  uint32_t type, table;
  const FuncType* callee = readFuncTypeAt(at, type);
  if (!callee) return false;
  const Table* target = readTableAt(at, table);
  if (!target || !callResults(*callee)) return false;
  if (!module_.isSubtype(target->type.element, kFuncRef))
    return typeMismatch("call_indirect needs a table of functions");
  if (!pop(at, addressType(target->type.is64)) || !popAll(at, callee->params)) return false;
  emit(at, [&](Sink& sink) { sink.returnCallIndirect(type, table); });
  becomeUnreachable(at);
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::ReturnCallRef>, Cursor& at) {
  uint32_t type;
  const FuncType* callee = readFuncTypeAt(at, type);
  if (!callee || !callResults(*callee) || !pop(at, refTo(type)) || !popAll(at, callee->params)) return false;
  emit(at, [&](Sink& sink) { sink.returnCallRef(type); });
  becomeUnreachable(at);
  return true;
}

// --- exceptions ----------------------------------------------------------------------------------

template <class Sink>
bool FunctionDecoder<Sink>::readCatch(Cursor& at, CatchClause& clause) {
  using enum CatchClause::Kind;
  static constexpr ValType kCaught = ValType::ref(HeapType::abstract(AbstractHeap::Exn), false);
  const uint8_t kind = *at.pos++;
  if (kind > 3) return malformed("malformed catch clause");
  clause.kind = static_cast<CatchClause::Kind>(kind);
  std::vector<ValType> carried;
  if (clause.kind == Catch || clause.kind == CatchRef) {
    const FuncType* tag = readTagAt(at, clause.tag);
    if (!tag) return false;
    carried = tag->params;
  }
  if (clause.kind == CatchRef || clause.kind == CatchAllRef) carried.push_back(kCaught);
  Ctl* target = readLabel(at, clause.depth);
  if (!target) return false;
  if (!typesMatch(carried, target->labelTypes())) return typeMismatch("catch clause does not match its label");
  target->branchedTo |= live_;
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::TryTable>, Cursor& at) {
  BlockType type;
  if (!readBlockType(at, type)) return false;
  const uint32_t count = readU32(at);
  catchClauses_.clear();
  for (uint32_t i = 0; i < count; i++) {
    if (!refill(at) || !readCatch(at, catchClauses_.emplace_back())) return false;
  }
  if (!enter(at, ControlKind::TryTable, type)) return false;
  emit(at, [&](Sink& sink) { sink.tryTable(controls_.back(), catchClauses_); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::Throw>, Cursor& at) {
  uint32_t tag;
  const FuncType* type = readTagAt(at, tag);
  if (!type || !popAll(at, type->params)) return false;
  emit(at, [&](Sink& sink) { sink.throwOp(tag); });
  becomeUnreachable(at);
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::ThrowRef>, Cursor& at) {
  if (!pop(at, kExnRef)) return false;
  emit(at, [](Sink& sink) { sink.throwRef(); });
  becomeUnreachable(at);
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::Try>, Cursor& at) {
  BlockType type;
  if (!readBlockType(at, type) || !enter(at, ControlKind::Try, type)) return false;
  emit(at, [&](Sink& sink) { sink.tryOp(controls_.back()); });
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::Catch>, Cursor& at) {
  uint32_t tag;
  const FuncType* type = readTagAt(at, tag);
  if (!type) return false;
  if (current_->kind != ControlKind::Try && current_->kind != ControlKind::Catch) {
    return malformed("END opcode expected: catch outside a try");
  }
  bool fallthrough;
  if (!finishArm(at, fallthrough)) return false;
  restartArm(at, type->params);
  emit(at, [&](Sink& sink) { sink.catchOp(controls_.back(), tag, fallthrough); });
  current_->branchedTo |= fallthrough;
  current_->kind = ControlKind::Catch;
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::CatchAll>, Cursor& at) {
  if (current_->kind != ControlKind::Try && current_->kind != ControlKind::Catch) {
    return malformed("END opcode expected: catch_all outside a try");
  }
  bool fallthrough;
  if (!finishArm(at, fallthrough)) return false;
  restartArm(at, {});
  emit(at, [&](Sink& sink) { sink.catchAll(controls_.back(), fallthrough); });
  current_->branchedTo |= fallthrough;
  current_->kind = ControlKind::CatchAll;
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::Delegate>, Cursor& at) {
  const uint32_t depth = readU32(at);
  if (current_->kind != ControlKind::Try) return malformed("END opcode expected: delegate outside a try");
  if (depth + uint64_t{1} >= controls_.size()) return unknown("label", depth);
  bool fallthrough;
  if (!finishArm(at, fallthrough)) return false;
  tellClosed(at, [&](Sink& sink) { sink.delegate(controls_.back(), depth, fallthrough); });
  at.top = leave(at.pos, fallthrough);
  return true;
}

template <class Sink>
bool FunctionDecoder<Sink>::exec(OpTag<Op::Rethrow>, Cursor& at) {
  uint32_t depth;
  Ctl* target = readLabel(at, depth);
  if (!target) return false;
  if (target->kind != ControlKind::Catch && target->kind != ControlKind::CatchAll) {
    return invalid("invalid rethrow label " + std::to_string(depth));
  }
  emit(at, [&](Sink& sink) { sink.rethrow(depth); });
  becomeUnreachable(at);
  return true;
}

}  // namespace wattle::frontend
