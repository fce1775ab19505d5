#include "frontend/text/instructions.h"

#include <string>

#include "frontend/text/keywords.h"

namespace wattle::frontend::text {

void LabelStack::push(std::optional<std::string_view> name) {
  if (name) byName_[*name].push_back(static_cast<uint32_t>(labels_.size()));
  labels_.push_back(name);
}

void LabelStack::pop() {
  if (labels_.back()) byName_[*labels_.back()].pop_back();
  labels_.pop_back();
}

uint32_t LabelStack::use(Cursor& cursor) const {
  if (!cursor.is(TokenKind::Id)) return cursor.expectU32();
  auto found = byName_.find(cursor.idName());
  if (found == byName_.end() || found->second.empty()) {
    cursor.fail("unknown label $" + std::string(cursor.idName()));
    return 0;
  }
  cursor.advance();
  return static_cast<uint32_t>(labels_.size()) - 1 - found->second.back();
}

void InstructionParser::parseSequence() {
  frames_.push_back({.kind = FrameKind::Root});
  run();
}

void InstructionParser::parseFolded() {
  frames_.push_back({.kind = FrameKind::Root});
  if (!cursor_.is(TokenKind::Open)) return cursor_.failUnexpected();
  openParen();
  while (frames_.size() > 1 && !cursor_.failed()) {
    if (cursor_.is(TokenKind::Open)) {
      openParen();
    } else if (cursor_.is(TokenKind::Close)) {
      closeParen();
    } else {
      plain();
    }
  }
  frames_.clear();
}

void InstructionParser::run() {
  while (!cursor_.failed()) {
    switch (cursor_.kind()) {
      case TokenKind::Open: openParen(); break;
      case TokenKind::Close:
        if (frames_.size() == 1) return frames_.clear();
        closeParen();
        break;
      case TokenKind::End:
        if (frames_.size() == 1) return frames_.clear();
        cursor_.failUnexpected();
        break;
      default: plain(); break;
    }
  }
}

void InstructionParser::openParen() {
  Frame& top = frames_.back();
  switch (top.kind) {
    case FrameKind::FoldedIf: return openIfArm(top);
    case FrameKind::FoldedTry: return openTryArm(top);
    default: return openFolded();
  }
}

void InstructionParser::openFolded() {
  std::optional<Op> op = opAt(1);
  std::optional<uint8_t> hint = op ? takeHint(*op) : std::nullopt;
  cursor_.advance();
  if (!op) return cursor_.failUnexpected();
  switch (*op) {
    case Op::Block:
    case Op::Loop:
    case Op::TryTable: return beginBlock(*op, FrameKind::FoldedBlock, hint);
    case Op::Try: return beginBlock(*op, FrameKind::FoldedTry, hint);
    case Op::If: return beginBlock(*op, FrameKind::FoldedIf, hint);
    case Op::Else:
    case Op::End:
    case Op::Catch:
    case Op::CatchAll:
    case Op::Delegate: return cursor_.failUnexpected();
    default: break;
  }
  cursor_.advance();
  frames_.push_back(
      {.kind = FrameKind::Operands, .isBrIf = *op == Op::BrIf, .hint = hint, .deferredStart = deferred_.size()});
  writeInstruction(*op, deferred_);
}

// From a block's keyword: its label, type and frame. A folded `if` waits for its operands, with its label out of their
// sight.
void InstructionParser::beginBlock(Op op, FrameKind kind, std::optional<uint8_t> hint) {
  cursor_.advance();
  Frame frame{.kind = kind, .hint = hint, .label = cursor_.takeId(), .deferredStart = deferred_.size()};
  bool isDeferred = kind == FrameKind::FoldedIf;
  if (!isDeferred) recordHint(hint);
  writeInstruction(op, isDeferred ? deferred_ : out_);
  if (!isDeferred) labels_.push(frame.label);
  frames_.push_back(frame);
}

void InstructionParser::writeElse(Frame& frame) {
  writeInstruction(Op::Else, out_);
  frame.elseEnd = out_.size();
}

void InstructionParser::endBlock() {
  if (frames_.back().elseEnd == out_.size()) out_.truncate(out_.size() - 1);  // an `else` with nothing in it
  writeInstruction(Op::End, out_);
  labels_.pop();
  frames_.pop_back();
}

void InstructionParser::openIfArm(Frame& frame) {
  if (frame.stage == Stage::Start && cursor_.isOpen("then")) {
    takeLateHint(frame, Op::If);
    cursor_.takeOpen("then");
    flushDeferred(frame);
    labels_.push(frame.label);
    frame.stage = Stage::First;
  } else if (frame.stage == Stage::First && cursor_.takeOpen("else")) {
    writeElse(frame);
    frame.stage = Stage::Last;
  } else if (frame.stage == Stage::Start) {
    return openFolded();
  } else {
    cursor_.advance();
    return cursor_.failUnexpected();
  }
  frames_.push_back({.kind = FrameKind::FoldedArm});
}

void InstructionParser::openTryArm(Frame& frame) {
  bool mayCatch = frame.stage == Stage::First || frame.stage == Stage::Middle;
  if (frame.stage == Stage::Start && cursor_.takeOpen("do")) {
    frame.stage = Stage::First;
  } else if (mayCatch && cursor_.takeOpen("catch")) {
    writeInstruction(Op::Catch, out_);
    frame.stage = Stage::Middle;
  } else if (mayCatch && cursor_.takeOpen("catch_all")) {
    writeInstruction(Op::CatchAll, out_);
    frame.stage = Stage::Last;
  } else if (frame.stage == Stage::First && cursor_.takeOpen("delegate")) {
    labels_.pop();
    writeInstruction(Op::Delegate, out_);
    frame.stage = Stage::Delegated;
    return cursor_.expectClose();
  } else {
    cursor_.advance();
    return cursor_.failUnexpected();
  }
  frames_.push_back({.kind = FrameKind::FoldedArm});
}

void InstructionParser::closeParen() {
  Frame& top = frames_.back();
  switch (top.kind) {
    case FrameKind::Operands:
      if (top.isBrIf) takeLateHint(top, Op::BrIf);
      flushDeferred(top);
      frames_.pop_back();
      break;
    case FrameKind::FoldedArm: frames_.pop_back(); break;
    case FrameKind::FoldedBlock: endBlock(); break;
    case FrameKind::FoldedIf:
    case FrameKind::FoldedTry:
      if (top.stage == Stage::Start) return cursor_.failUnexpected();
      if (top.stage == Stage::Delegated) {
        frames_.pop_back();
      } else {
        endBlock();
      }
      break;
    default: return cursor_.failUnexpected();
  }
  cursor_.advance();
}

void InstructionParser::flushDeferred(const Frame& frame) {
  recordHint(frame.hint);
  out_.append(deferred_.bytes().subspan(frame.deferredStart));
  deferred_.truncate(frame.deferredStart);
}

void InstructionParser::plain() {
  Frame& top = frames_.back();
  if (top.kind == FrameKind::Operands || top.kind == FrameKind::FoldedIf || top.kind == FrameKind::FoldedTry) {
    return cursor_.failUnexpected();
  }
  std::optional<Op> op = opAt(0);
  if (!op) return cursor_.failUnexpected();
  std::optional<uint8_t> hint = takeHint(*op);
  switch (*op) {
    case Op::Block:
    case Op::Loop:
    case Op::TryTable: return beginBlock(*op, FrameKind::FlatBlock, hint);
    case Op::If: return beginBlock(*op, FrameKind::FlatIf, hint);
    case Op::Try: return beginBlock(*op, FrameKind::FlatTry, hint);
    case Op::Else:
    case Op::End:
    case Op::Catch:
    case Op::CatchAll:
    case Op::Delegate: return plainControl(*op, top);
    default: break;
  }
  cursor_.advance();
  recordHint(hint);
  writeInstruction(*op, out_);
}

// The words that continue or end a flat block.
void InstructionParser::plainControl(Op op, Frame& top) {
  bool inTry = top.kind == FrameKind::FlatTry;
  bool inCatch = inTry || top.kind == FrameKind::FlatCatch;
  bool inFlat = inCatch || top.kind == FrameKind::FlatBlock || top.kind == FrameKind::FlatIf ||
                top.kind == FrameKind::FlatElse || top.kind == FrameKind::FlatCatchAll;
  bool fits = op == Op::End        ? inFlat
              : op == Op::Else     ? top.kind == FrameKind::FlatIf
              : op == Op::Delegate ? inTry
                                   : inCatch;
  if (!fits) return cursor_.failUnexpected();
  cursor_.advance();
  if (op == Op::End) {
    checkLabel(top);
    return endBlock();
  }
  if (op == Op::Delegate) {
    labels_.pop();
    writeInstruction(op, out_);
    return frames_.pop_back();
  }
  if (op == Op::Else) {
    checkLabel(top);
    writeElse(top);
    top.kind = FrameKind::FlatElse;
    return;
  }
  writeInstruction(op, out_);
  checkLabel(top);
  top.kind = op == Op::Catch ? FrameKind::FlatCatch : FrameKind::FlatCatchAll;
}

void InstructionParser::checkLabel(const Frame& frame) {
  if (cursor_.is(TokenKind::Id) && frame.label != cursor_.idName()) return cursor_.fail("mismatching label");
  cursor_.takeId();
}

std::optional<uint8_t> InstructionParser::takeHint(Op op) {
  if (hints_ == nullptr) return std::nullopt;
  const Annotation* annotation = cursor_.takeAnnotation(AnnotationKind::BranchHint);
  if (annotation == nullptr) return std::nullopt;
  auto fail = [&](const char* problem, ErrorKind kind = ErrorKind::Malformed) {
    cursor_.failAt(annotation->begin, std::string("@metadata.code.branch_hint annotation: ") + problem, kind);
    return std::nullopt;
  };
  const Token& value = annotation->tokens[0];
  if (value.kind != TokenKind::String || annotation->tokens[1].kind != TokenKind::End) return fail("unexpected token");
  std::string bytes = decodeString(cursor_.stream().text(value));
  if (bytes.size() != 1 || static_cast<uint8_t>(bytes[0]) > 1) return fail("invalid value");
  if (cursor_.hasAnnotation(AnnotationKind::BranchHint)) return fail("duplicate annotation");
  if (op != Op::If && op != Op::BrIf) return fail("invalid target", ErrorKind::Invalid);
  return static_cast<uint8_t>(bytes[0]);
}

// The hint of a folded instruction may also stand behind its operands, as it stands before the instruction itself when
// that is written flat.
void InstructionParser::takeLateHint(Frame& frame, Op op) {
  if (!frame.hint) frame.hint = takeHint(op);
}

void InstructionParser::recordHint(std::optional<uint8_t> hint) {
  if (hint && hints_) hints_->push_back({static_cast<uint32_t>(out_.size()), *hint});
}

std::optional<Op> InstructionParser::opAt(uint32_t ahead) const {
  return cursor_.kind(ahead) == TokenKind::Keyword ? findOp(cursor_.text(ahead)) : std::nullopt;
}

}  // namespace wattle::frontend::text
