// The body scan says what the decoder, which knows every instruction, finds as well: for bodies of all sizes side by
// side, and for each alone.
#include "runtime/compile/baseline/prescan.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "frontend/binary/module_decoder.h"
#include "frontend/text/wat.h"
#include "frontend/validate/function_decoder.h"

namespace wattle::compile::baseline {
namespace {

using frontend::MemArg;
using frontend::Op;
using frontend::ValType;

// What a scan has to find, from the decoder.
class Witness : public frontend::NullSink {
 public:
  struct Label {
    bool isLoop = false;
  };
  using Decoder = frontend::FunctionDecoder<Witness>;
  void attach(Decoder& decoder) { decoder_ = &decoder; }
  void begin(std::span<const ValType> locals) { weights.assign(locals.size(), 0); }
  void localGet(uint32_t i, ValType) { use(i, false); }
  void localSet(uint32_t i, ValType) { use(i, true); }
  void localTee(uint32_t i, ValType) { use(i, true); }
  template <Op>
  void memory(const MemArg&) {
    usesMemory = true;
  }
  template <class C>
  void loop(C& c) {
    c.label.isLoop = true;
    open_.push_back({loops.size(), weight_, seen});
    loops.emplace_back();
    seen = {};
    if (weight_ < 4096) weight_ *= 8;
  }
  template <class C>
  void end(C& c, bool) {
    if (!c.label.isLoop) return;
    loops[open_.back().index] = seen;
    seen.add(open_.back().seen);
    weight_ = open_.back().weight;
    open_.pop_back();
  }
  void call(uint32_t) { seen.calls = true; }
  void callIndirect(uint32_t, uint32_t) { seen.calls = true; }
  void memoryFill(uint32_t) { seen.calls = true; }
  void constV128(const std::array<uint8_t, 16>&) { hasVectors = true; }

  std::vector<uint32_t> weights;
  std::vector<Prescan::Seen> loops;
  Prescan::Seen seen;
  bool usesMemory = false, hasVectors = false;

 private:
  struct Open {
    size_t index;
    uint32_t weight;
    Prescan::Seen seen;
  };
  void use(uint32_t i, bool writes) {
    weights[i] += weight_;
    seen.used |= Prescan::Loop::bitOf(i);
    if (writes) seen.written |= Prescan::Loop::bitOf(i);
  }
  Decoder* decoder_ = nullptr;
  std::vector<Open> open_;
  uint32_t weight_ = 1;
};

// Text of random instructions, all of them reachable.
class Writer {
 public:
  Writer(unsigned seed, unsigned locals) : random_(seed), locals_(locals) {}
  std::string statements(int count, int depth) {
    std::string out;
    for (int i = 0; i < count; ++i) out += statement(depth);
    return out;
  }

 private:
  unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }
  std::string local() { return std::to_string(below(3) ? below(std::min(locals_, 6u)) : below(locals_)); }
  std::string number(int bits) {
    const uint64_t any = (static_cast<uint64_t>(random_()) << 32 | random_()) >> below(64);
    return std::to_string(bits == 32 ? static_cast<int64_t>(static_cast<int32_t>(any)) : static_cast<int64_t>(any));
  }
  std::string value(int depth) {
    switch (depth > 0 ? below(9) : below(3)) {
      case 0: return "(i32.const " + number(32) + ")";
      case 1:
      case 2: return "(local.get " + local() + ")";
      case 3: return "(i32.load offset=" + std::to_string(random_() >> below(32)) + value(depth - 1) + ")";
      case 4: return "(local.tee " + local() + value(depth - 1) + ")";
      case 5: return "(i32.wrap_i64 (i64.const " + number(64) + "))";
      case 6: return "(call_indirect (type $t) " + value(depth - 1) + value(depth - 1) + ")";
      case 7: return "(i32x4.extract_lane 1 (v128.const i64x2 " + number(64) + " 7))";
      default: return "(i32.add " + value(depth - 1) + value(depth - 1) + ")";
    }
  }
  std::string statement(int depth) {
    switch (depth > 0 ? below(9) : below(4)) {
      case 0: return "(local.set " + local() + value(3) + ")";
      case 1: return "(i32.store16 offset=4 " + value(2) + value(2) + ")";
      case 2: return "(drop (call $f" + value(1) + "))";
      case 3: return below(4) ? "(nop)" : "(memory.fill " + value(1) + value(1) + value(1) + ")";
      case 4: return "(loop " + statements(1 + static_cast<int>(below(4)), depth - 1) + ")";
      case 5: return "(block (br_if 0 " + value(1) + ")" + statements(2, depth - 1) + ")";
      case 6: return "(if " + value(2) + "(then " + statements(1, depth - 1) + ") (else " + statements(1, 0) + "))";
      case 7: return "(drop (block (result i64) " + statements(1, depth - 1) + "(i64.const 1)))";
      default: return "(block (block (br_table 0 1 0 " + value(1) + ")) " + statements(1, depth - 1) + ")";
    }
  }
  std::mt19937 random_;
  unsigned locals_;
};

std::string randomModule(unsigned functions) {
  std::string text = "(module (memory 1) (table 1 funcref) (type $t (func (param i32) (result i32)))";
  for (unsigned f = 0; f < functions; ++f) {
    const unsigned locals = f % 7 == 3 ? 20000 : 1 + f % 90;
    text += f ? "(func (param i32) (result i32) (local" : "(func $f (param i32) (result i32) (local";
    for (unsigned i = 1; i < locals; ++i) text += " i32";
    text += ")" + Writer(f, locals).statements(f % 5 == 0 ? 1 : static_cast<int>(f % 40), 5) + "(i32.const 1))";
  }
  return text + ")";
}

struct Bodies {
  explicit Bodies(const std::string& text) {
    auto binary = frontend::parseWat(text);
    EXPECT_TRUE(binary);
    bytes = std::move(*binary);
    auto decoded = frontend::decodeModule(bytes);
    EXPECT_TRUE(decoded);
    module = std::move(*decoded);
    for (const auto& f : module.functions)
      all.push_back({std::span(bytes).subspan(f.body.offset, f.body.size),
                     static_cast<uint32_t>(module.types[f.typeIndex].func.params.size())});
  }
  std::vector<uint8_t> bytes;
  frontend::ModuleInfo module;
  std::vector<Prescan::Body> all;
};

void expectFound(const Prescan& scan, const Bodies& bodies, uint32_t function) {
  Witness witness;
  Witness::Decoder decoder(bodies.module, bodies.bytes, witness);
  ASSERT_FALSE(decoder.run(function));
  ASSERT_TRUE(scan.complete());
  for (uint32_t i = 0; i < witness.weights.size(); ++i) ASSERT_EQ(scan.weight(i), witness.weights[i]) << "local " << i;
  EXPECT_EQ(scan.usesMemory(), witness.usesMemory);
  EXPECT_EQ(scan.hasVectors(), witness.hasVectors);
  EXPECT_EQ(scan.hasCalls(), witness.seen.calls);
  EXPECT_EQ(scan.hasLoops(), !witness.loops.empty());
  uint32_t cursor = 0, offset = 0;
  for (const auto& expected : witness.loops) {
    const Prescan::Loop* loop = scan.loopAt(offset, cursor);
    ASSERT_NE(loop, nullptr);
    EXPECT_EQ(loop->seen.used, expected.used);
    EXPECT_EQ(loop->seen.written, expected.written);
    EXPECT_EQ(loop->seen.calls, expected.calls);
    offset = loop->offset + 1;
  }
}

TEST(Prescan, FindsWhatTheDecoderFinds) {
  const Bodies bodies(randomModule(300));
  std::vector<Prescan> together(bodies.all.size());
  Prescan::runAll(bodies.all, together.data());
  Prescan alone;
  for (uint32_t i = 0; i < bodies.all.size(); ++i) {
    SCOPED_TRACE(i);
    expectFound(together[i], bodies, i);
    Prescan::runAll({&bodies.all[i], 1}, &alone);
    expectFound(alone, bodies, i);
    if (::testing::Test::HasFailure()) return;
  }
}

// What is no body ends as incomplete, and nothing beyond its end counts: under a sanitizer each is a copy of its own.
TEST(Prescan, TruncatedBodies) {
  const Bodies bodies(randomModule(30));
  for (uint32_t i = 0; i < bodies.all.size(); ++i) {
    const auto whole = bodies.all[i].bytes;
    for (size_t size = 0; size < whole.size(); size += 1 + size / 16) {
      std::vector<uint8_t> part(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
      part.shrink_to_fit();
      const Prescan::Body body{part, bodies.all[i].locals};
      Prescan scan;
      Prescan::runAll({&body, 1}, &scan);
      EXPECT_FALSE(scan.complete()) << i << " of " << size;
    }
  }
}

TEST(Prescan, BytesAtRandom) {
  std::mt19937 random(5);
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::vector<uint8_t>> parts(1 + random() % 4);
    std::vector<Prescan::Body> all;
    for (auto& part : parts) {
      part.resize(random() % 300);
      for (auto& byte : part) byte = static_cast<uint8_t>(random() % 3 ? random() % 0x45 : random());
      if (!part.empty()) part[0] = 0;
      all.push_back({part, 3});
    }
    std::vector<Prescan> together(all.size());
    Prescan::runAll(all, together.data());
    for (size_t i = 0; i < all.size(); ++i) {
      Prescan alone;
      Prescan::runAll({&all[i], 1}, &alone);
      if (!alone.isOf(parts[i].data() + 1, 3)) continue;  // it never began
      EXPECT_EQ(together[i].complete(), alone.complete());
      for (uint32_t local = 0; local < 3; ++local) EXPECT_EQ(together[i].weight(local), alone.weight(local));
      EXPECT_EQ(together[i].hasCalls(), alone.hasCalls());
      EXPECT_EQ(together[i].usesMemory(), alone.usesMemory());
    }
  }
}

}  // namespace
}  // namespace wattle::compile::baseline
