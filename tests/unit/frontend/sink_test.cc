// What a sink is told, and above all what it is not.
#include "frontend/validate/sink.h"

#include <gtest/gtest.h>

#include "frontend/validate/function_decoder.h"
#include "tests/unit/frontend/bytes.h"

namespace wattle::frontend::test {
namespace {

// Writes down some of the calls.
class TraceSink : public NullSink {
 public:
  struct Label {
    int number = 0;
  };
  using Decoder = FunctionDecoder<TraceSink>;

  void attach(Decoder& decoder) { decoder_ = &decoder; }
  void begin(std::span<const ValType> locals) { trace_ = "begin" + std::to_string(locals.size()); }
  void finish() { say("finish"); }
  template <Op op>
  void simple() {
    say(std::string(frontend::name(op)));
  }
  template <Op op>
  void memory(const MemArg& arg) {
    say(std::string(frontend::name(op)) + "+" + std::to_string(arg.offset) + "@" + std::to_string(arg.memory));
  }
  void constI32(int32_t value) {
    say(std::to_string(value));
    offsets.push_back(decoder_->instructionOffset());
  }
  void drop(ValType type) { say("drop:" + toString(type)); }
  void localGet(uint32_t i, ValType) { say("get" + std::to_string(i)); }
  template <class C>
  void block(C& c) {
    enter("block", c);
  }
  template <class C>
  void loop(C& c) {
    enter("loop", c);
  }
  template <class C>
  void ifOp(C& c) {
    enter("if", c);
  }
  template <class C>
  void tryTable(C& c, std::span<const CatchClause> clauses) {
    enter("try_table/" + std::to_string(clauses.size()), c);
  }
  template <class C>
  void tryOp(C& c) {
    enter("try", c);
  }
  template <class C>
  void elseOp(C& c, bool fallthrough) {
    say("else" + std::to_string(c.label.number) + flag(fallthrough));
  }
  template <class C>
  void catchAll(C& c, bool fallthrough) {
    say("catch_all" + std::to_string(c.label.number) + flag(fallthrough));
  }
  template <class C>
  void end(C& c, bool fallthrough) {
    say("end" + std::to_string(c.label.number) + flag(fallthrough) + (c.endReachable(fallthrough) ? "" : "dead"));
  }
  void unreachable() { say("unreachable"); }
  void br(uint32_t depth) { say("br" + std::to_string(decoder_->control(depth).label.number)); }
  void brIf(uint32_t depth) { say("br_if" + std::to_string(decoder_->control(depth).label.number)); }
  void returnOp() { say("return"); }
  void call(uint32_t f) {
    say("call" + std::to_string(f));
    depth = decoder_->controlDepth();
    locals = decoder_->locals().size();
  }

  const std::string& trace() const { return trace_; }

  // What the decoder answered during the calls.
  std::vector<uint64_t> offsets;
  uint32_t depth = 0;
  size_t locals = 0;

 private:
  void say(const std::string& what) { trace_ += " " + what; }
  static const char* flag(bool set) { return set ? "+" : "-"; }
  template <class C>
  void enter(const std::string& what, C& c) {
    c.label.number = ++labels_;
    say(what + std::to_string(labels_) + "^" + std::to_string(c.height));
  }

  Decoder* decoder_ = nullptr;
  std::string trace_;
  int labels_ = 0;
};

std::string traceOf(const std::string& function) {
  const Bytes bytes =
      assemble("(module (memory 1) (func $callee (param i32 i32) (result i32) unreachable) " + function + ")");
  const auto module = decodeModule(bytes);
  if (!module) return module.error().message;
  TraceSink sink;
  FunctionDecoder<TraceSink> decoder(*module, bytes, sink);
  if (const auto error = decoder.run(1)) return error->message;
  return sink.trace();
}

TEST(Sink, ReachableCode) {
  EXPECT_EQ(traceOf("(func (param i32) (result i32) local.get 0 i32.const 5 call 0)"),
            "begin1 get0 5 call0 end0+ finish");
  EXPECT_EQ(traceOf("(func i32.const 1 i32.load offset=300 drop)"), "begin0 1 i32.load+300@0 drop:i32 end0+ finish");
}

TEST(Sink, DeadCodeIsNotReported) {
  EXPECT_EQ(traceOf("(func unreachable i32.const 1 drop block i32.const 2 drop end)"),
            "begin0 unreachable end0-dead finish");
  EXPECT_EQ(traceOf("(func block br 0 i32.const 1 drop end i32.const 2 drop)"),
            "begin0 block1^0 br1 end1- 2 drop:i32 end0+ finish");
}

// Nothing reaches the end of the block, so what follows is dead although its stack is not polymorphic.
TEST(Sink, AfterABlockThatNeverEnds) {
  EXPECT_EQ(traceOf("(func loop br 0 end i32.const 1 drop)"), "begin0 loop1^0 br1 end1-dead end0-dead finish");
  EXPECT_EQ(traceOf("(func (result i32) block (result i32) i32.const 1 return end i32.const 2 i32.add)"),
            "begin0 block1^0 1 return end1-dead end0- finish");
  EXPECT_EQ(traceOf("(func block block br 1 end i32.const 1 drop end i32.const 2 drop)"),
            "begin0 block1^0 block2^0 br1 end2-dead end1- 2 drop:i32 end0+ finish");
}

TEST(Sink, Arms) {
  EXPECT_EQ(traceOf("(func (param i32) local.get 0 if unreachable end i32.const 1 drop)"),
            "begin1 get0 if1^0 unreachable end1- 1 drop:i32 end0+ finish");
  EXPECT_EQ(traceOf("(func (param i32) local.get 0 if nop else unreachable end i32.const 1 drop)"),
            "begin1 get0 if1^0 else1+ unreachable end1- 1 drop:i32 end0+ finish");
  EXPECT_EQ(traceOf("(func (param i32) local.get 0 if return else unreachable end i32.const 1 drop)"),
            "begin1 get0 if1^0 return else1- unreachable end1-dead end0- finish");
  EXPECT_EQ(traceOf("(func try unreachable catch_all end i32.const 1 drop)"),
            "begin0 try1^0 unreachable catch_all1- end1+ 1 drop:i32 end0+ finish");
}

TEST(Sink, HeightsCountOperandsOnly) {
  EXPECT_EQ(
      traceOf(
          "(func i32.const 1 block i32.const 2 i32.const 3 block (param i32) (result i32) loop end end drop drop end "
          "drop)"),
      "begin0 1 block1^1 2 3 block2^2 loop3^3 end3+ end2+ drop:i32 drop:i32 end1+ drop:i32 end0+ finish");
}

TEST(Sink, CatchClausesReachTheirLabels) {
  EXPECT_EQ(traceOf("(func block try_table (catch_all 0) unreachable end end i32.const 1 drop)"),
            "begin0 block1^0 try_table/12^0 unreachable end2-dead end1- 1 drop:i32 end0+ finish");
}

TEST(Sink, AskingBack) {
  const Bytes bytes = assemble(R"((module (func (result i32) unreachable)
    (func (param i64) (local f32) i64.const 1 block i32.const 7 i32.const 8 i32.add drop call 0 drop end drop)))");
  const auto module = decodeModule(bytes);
  ASSERT_TRUE(module);
  TraceSink sink;
  FunctionDecoder<TraceSink> decoder(*module, bytes, sink);
  ASSERT_FALSE(decoder.run(1));
  ASSERT_EQ(sink.offsets.size(), 2u);
  EXPECT_EQ(bytes[sink.offsets[0]], 0x41);
  EXPECT_EQ(bytes[sink.offsets[0] + 1], 7);
  EXPECT_EQ(bytes[sink.offsets[1] + 1], 8);
  EXPECT_EQ(sink.depth, 2u);
  EXPECT_EQ(sink.locals, 2u);
}

// A decoder serves any number of functions, errors between them included.
TEST(Sink, Reuse) {
  const Bytes bytes =
      assemble("(module (func (result i32) i32.const 1) (func (result i32)) (func (result i32) i32.const 2))");
  const auto module = decodeModule(bytes);
  ASSERT_TRUE(module);
  TraceSink sink;
  FunctionDecoder<TraceSink> decoder(*module, bytes, sink);
  for (int round = 0; round < 3; round++) {
    EXPECT_FALSE(decoder.run(0));
    EXPECT_EQ(sink.trace(), "begin0 1 end0+ finish");
    const auto error = decoder.run(1);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->function, 1u);
    EXPECT_FALSE(decoder.run(2));
    EXPECT_EQ(sink.trace(), "begin0 2 end0+ finish");
  }
}

}  // namespace
}  // namespace wattle::frontend::test
