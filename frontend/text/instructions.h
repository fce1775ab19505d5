// Instructions, flat and folded, straight to bytes.
//
// Nesting is kept on a stack of our own, so its depth is bounded by the source's length only. A folded instruction's
// bytes wait in `deferred_` until its operands are written.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "frontend/opcodes.h"
#include "frontend/text/module_context.h"

namespace wattle::frontend::text {

// The labels in scope, innermost last.
class LabelStack {
 public:
  void push(std::optional<std::string_view> name);
  void pop();
  uint32_t use(Cursor& cursor) const;

 private:
  std::vector<std::optional<std::string_view>> labels_;
  std::unordered_map<std::string_view, std::vector<uint32_t>> byName_;  // positions in labels_, innermost last
};

class InstructionParser {
 public:
  // `out` holds the function's body from its start, or a constant expression. Without `hints`, branch hints are
  // refused.
  InstructionParser(Cursor& cursor, ModuleContext& context, ByteWriter& out, const IndexSpace& locals,
                    std::vector<BranchHint>* hints = nullptr)
      : cursor_(cursor), context_(context), out_(out), locals_(locals), hints_(hints) {}

  // Instructions up to a ")" or the end; neither that nor a final `end` is consumed or written.
  void parseSequence();
  // One folded instruction.
  void parseFolded();

 private:
  enum class FrameKind : uint8_t {
    Root,
    FlatBlock,
    FlatIf,
    FlatElse,
    FlatTry,
    FlatCatch,
    FlatCatchAll,  // until `end`
    Operands,      // of a folded plain instruction
    FoldedBlock,
    FoldedIf,   // operands, then (then ...) and (else ...)
    FoldedTry,  // (do ...), then (catch ...)s or (delegate ...)
    FoldedArm,  // within then, else, do, catch
  };
  enum class Stage : uint8_t { Start, First, Middle, Last, Delegated };  // of FoldedIf and FoldedTry: the arm before
  struct Frame {
    FrameKind kind;
    Stage stage = Stage::Start;
    bool isBrIf = false;
    std::optional<uint8_t> hint = {};
    std::optional<std::string_view> label = {};
    size_t deferredStart = 0;
    size_t elseEnd = 0;  // where `out_` ended after the block's `else`, if it has one
  };

  // Control (instructions.cc)
  void run();
  void openParen();
  void closeParen();
  void openFolded();
  void openIfArm(Frame& frame);
  void openTryArm(Frame& frame);
  void plain();
  void plainControl(Op op, Frame& top);
  void beginBlock(Op op, FrameKind kind, std::optional<uint8_t> hint);
  void writeElse(Frame& frame);
  void endBlock();
  void flushDeferred(const Frame& frame);
  void checkLabel(const Frame& frame);
  std::optional<uint8_t> takeHint(Op op);
  void takeLateHint(Frame& frame, Op op);
  void recordHint(std::optional<uint8_t> hint);
  std::optional<Op> opAt(uint32_t ahead) const;

  // Opcodes and immediates (immediates.cc)
  void writeInstruction(Op op, ByteWriter& out);
  void writeImmediates(Op op, ByteWriter& out);
  void writeIndexImmediates(Imm imm, ByteWriter& out);
  void writeSegmentImmediates(Imm imm, ByteWriter& out);
  void writeReferenceImmediates(Op op, ByteWriter& out);
  void writeBlockType(ByteWriter& out);
  void writeCatches(ByteWriter& out);
  void writeLabelTable(ByteWriter& out);
  void writeCallIndirect(ByteWriter& out);
  void writeMemArg(Op op, ByteWriter& out);
  void writeLane(ByteWriter& out);
  void writeShuffle(ByteWriter& out);
  void writeBrCast(ByteWriter& out);
  void writeField(ByteWriter& out);
  bool atMemoryBeforeLane() const;
  std::optional<uint64_t> takeAssignment(std::string_view key);
  uint32_t optionalIndex(const IndexSpace& space);
  void writeTwoOptional(const IndexSpace& space, ByteWriter& out);

  Cursor& cursor_;
  ModuleContext& context_;
  ByteWriter& out_;
  const IndexSpace& locals_;
  std::vector<BranchHint>* hints_;
  LabelStack labels_;
  std::vector<Frame> frames_;
  ByteWriter deferred_;
};

}  // namespace wattle::frontend::text
