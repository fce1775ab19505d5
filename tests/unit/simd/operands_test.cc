// Every vector instruction gives the same result wherever its operands are and its result goes, and on every processor.
//
// An operand may be a pinned local, a temp, an unpinned local, a frame slot or a constant; the result may go on the
// stack or to a local, also to one that is an operand. Each combination is a function of its own.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "frontend/op_facts.h"
#include "tests/unit/simd/vector_test.h"

namespace wattle::testing {
namespace {

using frontend::Imm;
using frontend::Op;
using frontend::Signature;

enum class Place : uint8_t { Pinned, Temp, Unpinned, Slot, Count };

struct Combination {
  std::array<Place, 3> places;
  int target;     // -1: the stack; 0..2: the local that is this operand; 3: another local
  bool same;      // all vector operands are the first local
  bool pressure;  // with all temps in use
};

struct Tested {
  Op op;
  Signature signature;
  unsigned lane;
};

const char* typeName(frontend::ValType t) {
  switch (t.kind()) {
    case frontend::ValKind::I32: return "i32";
    case frontend::ValKind::I64: return "i64";
    case frontend::ValKind::F32: return "f32";
    case frontend::ValKind::F64: return "f64";
    default: return "v128";
  }
}

// The value on the stack again, in a register of its own.
const char* refresh(frontend::ValType t) {
  switch (t.kind()) {
    case frontend::ValKind::I32: return "i32.const 0 i32.add";
    case frontend::ValKind::I64: return "i64.const 0 i64.add";
    case frontend::ValKind::F32: return "i32.reinterpret_f32 f32.reinterpret_i32";
    case frontend::ValKind::F64: return "i64.reinterpret_f64 f64.reinterpret_i64";
    default: return "local.get $zero v128.or";
  }
}

std::vector<Combination> combinations(const Signature& s) {
  std::vector<Combination> all;
  const unsigned n = s.operands, places = static_cast<unsigned>(Place::Count);
  bool vectorsOnly = true;
  for (unsigned i = 0; i < n; ++i) vectorsOnly &= s.operand[i] == frontend::kV128;
  unsigned count = 1;
  for (unsigned i = 0; i < n; ++i) count *= places;
  for (unsigned c = 0; c < count; ++c) {
    std::array<Place, 3> at{};
    for (unsigned i = 0, rest = c; i < n; ++i, rest /= places) at[i] = static_cast<Place>(rest % places);
    bool possible = true;  // what is in slots was there before the rest
    for (unsigned i = 1; i < n; ++i) possible &= at[i] != Place::Slot || at[i - 1] == Place::Slot;
    if (!possible) continue;
    for (int target = -1; target <= 3; ++target) {
      if (target >= 0 && target < 3) {
        const unsigned t = static_cast<unsigned>(target);
        if (t >= n || at[t] != Place::Pinned || s.operand[t] != s.result[0]) continue;
      }
      all.push_back({at, target, false, false});
      if (n > 1 && vectorsOnly && at[0] == Place::Pinned) all.push_back({at, target, true, false});
    }
    if (s.result[0] == frontend::kV128) all.push_back({at, -1, false, true});
  }
  return all;
}

// $p0.. are parameters, $zero, $t further locals, $h0..7 locals that are used more than unpinned parameters.
std::string functionText(const Tested& t, const Combination& c, const std::string& name) {
  const Signature& s = t.signature;
  const char* result = typeName(s.result[0]);
  std::string text = fmt::format("(func (export \"{}\")", name);
  for (unsigned i = 0; i < s.operands; ++i) text += fmt::format(" (param $p{} {})", i, typeName(s.operand[i]));
  text += fmt::format(" (result {}) (local $zero v128) (local $t {})", result, result);
  auto use = [&](const std::string& local, int times) {
    for (int i = 0; i < times; ++i) text += fmt::format(" local.get {} drop", local);
  };
  for (unsigned i = 0; i < 10; ++i) {
    text += fmt::format(" (local $h{} v128) (local $i{} i64)", i, i);
  }
  for (unsigned i = 0; i < 10; ++i) {
    use(fmt::format("$h{}", i), 12);
    use(fmt::format("$i{}", i), 12);
  }
  for (unsigned i = 0; i < s.operands; ++i) {
    if (c.places[i] == Place::Pinned) use(fmt::format("$p{}", i), 30);
  }
  use("$t", 30);
  use("$zero", 30);
  constexpr unsigned kHeld = 16;
  if (c.pressure) {
    for (unsigned i = 0; i < kHeld; ++i)
      text += fmt::format(" v128.const i64x2 {} {} local.get $zero v128.or", i * 77, i);
  }
  unsigned open = 0;
  for (unsigned i = 0; i < s.operands; ++i) {
    const unsigned local = c.same ? 0 : i;
    text += fmt::format(" local.get $p{}", local);
    if (c.places[i] == Place::Temp) text += fmt::format(" {}", refresh(s.operand[i]));
    if (c.places[i] == Place::Slot && (i + 1 == s.operands || c.places[i + 1] != Place::Slot)) {
      text += " block";
      for (unsigned k = 0; k <= i; ++k) text += fmt::format(" (param {})", typeName(s.operand[k]));
      text += fmt::format(" (result {})", result);
      ++open;
    }
  }
  text += fmt::format(" {}", frontend::name(t.op));
  if (frontend::info(t.op).imm == Imm::Lane) text += fmt::format(" {}", t.lane);
  if (c.target == 3)
    text += " local.set $t local.get $t";
  else if (c.target >= 0)
    text += fmt::format(" local.tee $p{0} drop local.get $p{0}", c.target);
  for (unsigned i = 0; i < open; ++i) text += " end";
  if (c.pressure) {
    uint64_t low = 0, high = 0;
    for (unsigned i = 0; i < kHeld; ++i) low ^= i * 77, high ^= i;
    text += " local.set $t";
    for (unsigned i = 1; i < kHeld; ++i) text += " v128.xor";
    text += fmt::format(" v128.const i64x2 {} {} v128.xor local.get $t v128.or", low, high);
  }
  return text + ")\n";
}

// With constants for all operands, or for all but the first.
std::string constantText(const Tested& t, const std::vector<RawVal>& args, unsigned from, const std::string& name) {
  const Signature& s = t.signature;
  std::string text = fmt::format("(func (export \"{}\")", name);
  for (unsigned i = 0; i < s.operands; ++i) text += fmt::format(" (param $p{} {})", i, typeName(s.operand[i]));
  text += fmt::format(" (result {})", typeName(s.result[0]));
  for (unsigned i = 0; i < s.operands; ++i) {
    if (i < from) {
      text += fmt::format(" local.get $p{}", i);
      continue;
    }
    switch (s.operand[i].kind()) {
      case frontend::ValKind::I32: text += fmt::format(" i32.const {}", args[i].i32); break;
      case frontend::ValKind::I64: text += fmt::format(" i64.const {}", args[i].i64); break;
      case frontend::ValKind::F32: text += fmt::format(" i32.const {} f32.reinterpret_i32", args[i].i32); break;
      case frontend::ValKind::F64: text += fmt::format(" i64.const {} f64.reinterpret_i64", args[i].i64); break;
      default: text += fmt::format(" v128.const i64x2 {} {}", args[i].words[0], args[i].words[1]); break;
    }
  }
  text += fmt::format(" {}", frontend::name(t.op));
  if (frontend::info(t.op).imm == Imm::Lane) text += fmt::format(" {}", t.lane);
  return text + ")\n";
}

// NaNs are equal: which of two comes out of an addition is nobody's concern.
bool sameResult(const Tested& t, const RawVal& a, const RawVal& b) {
  if (a.words == b.words) return true;
  const std::string_view name = frontend::name(t.op);
  const frontend::ValKind kind = t.signature.result[0].kind();
  auto nan32 = [](uint32_t w) { return (w & 0x7fffffff) > 0x7f800000; };
  auto nan64 = [](uint64_t w) { return (w & ~(1ull << 63)) > 0x7ff0000000000000; };
  if (name.starts_with("f32x4") && kind == frontend::ValKind::V128) {
    for (unsigned i = 0; i < 4; ++i) {
      uint32_t x, y;
      std::memcpy(&x, &a.bytes[4 * i], 4);
      std::memcpy(&y, &b.bytes[4 * i], 4);
      if (x != y && !(nan32(x) && nan32(y))) return false;
    }
    return true;
  }
  if (name.starts_with("f64x2") && kind == frontend::ValKind::V128) {
    for (unsigned i = 0; i < 2; ++i) {
      if (a.words[i] != b.words[i] && !(nan64(a.words[i]) && nan64(b.words[i]))) return false;
    }
    return true;
  }
  switch (kind) {
    case frontend::ValKind::I32:
    case frontend::ValKind::F32: return static_cast<uint32_t>(a.words[0]) == static_cast<uint32_t>(b.words[0]);
    case frontend::ValKind::V128: return false;
    default: return a.words[0] == b.words[0];
  }
}

std::vector<Tested> testedOps() {
  std::vector<Tested> all;
  for (unsigned i = 0; i < static_cast<unsigned>(Op::Count); ++i) {
    const Op op = static_cast<Op>(i);
    const auto& info = frontend::info(op);
    if (info.prefix != 0xfd || (info.imm != Imm::None && info.imm != Imm::Lane)) continue;
    const unsigned lanes = info.imm == Imm::Lane ? frontend::laneCount(op) : 1;
    for (unsigned lane = 0; lane < lanes; ++lane) all.push_back({op, frontend::signatureOf(op), lane});
  }
  return all;
}

std::vector<RawVal> arguments(const Signature& s, Values& values) {
  std::vector<RawVal> args(3);
  for (unsigned i = 0; i < s.operands; ++i) {
    args[i].bytes = values.vector().bytes;
    const auto kind = s.operand[i].kind();
    if (kind == frontend::ValKind::I32) args[i].words = {args[i].words[0] & 0xffffffff, 0};
    if (kind == frontend::ValKind::F32) args[i].words = {args[i].words[0] & 0xffffffff, 0};
    if (kind == frontend::ValKind::I64 || kind == frontend::ValKind::F64) args[i].words[1] = 0;
  }
  return args;
}

struct Expected {
  std::vector<RawVal> args;
  RawVal result;
};

RawVal call(const Func& f, const std::vector<RawVal>& args, const std::string& what) {
  std::vector<RawVal> values = args;
  auto outcome = f.callRaw(values);
  if (!outcome) ADD_FAILURE() << what << ": " << outcome.error().message;
  return values[0];
}

// Returns the results of the first combination.
void testOp(const Tested& t, const Processor& processor, std::vector<Expected>& expected) {
  x64::CpuFeaturesOverride override(processor.features);
  const Signature& s = t.signature;
  const bool relaxed = frontend::name(t.op).find("relaxed") != std::string_view::npos;
  Values values(static_cast<uint32_t>(t.op) + 7);
  const std::vector<Combination> all = combinations(s);
  std::string text = "(module\n";
  for (size_t i = 0; i < all.size(); ++i) text += functionText(t, all[i], std::to_string(i));
  constexpr unsigned kConstants = 6;
  std::vector<std::vector<RawVal>> sets;
  for (int k = 0; k < 24; ++k) sets.push_back(arguments(s, values));
  for (unsigned k = 0; k < kConstants; ++k) {
    for (unsigned from = 0; from < s.operands; ++from) {
      if (k < 2) {  // the constants that need no memory
        auto& last = sets[k][s.operands - 1u];
        if (s.operand[s.operands - 1u] == frontend::kV128) last.words = {0 - uint64_t{k}, 0 - uint64_t{k}};
      }
      text += constantText(t, sets[k], from, fmt::format("c{}.{}", k, from));
    }
  }
  text += ")";
  Engine engine;
  Store store(engine);
  Instance instance = instantiate(store, engine, text);
  if (::testing::Test::HasFailure()) return;
  const bool first = expected.empty();
  if (relaxed) expected.clear();
  for (size_t i = 0; i < all.size(); ++i) {
    const Combination& c = all[i];
    const std::string what =
        fmt::format("{} {} on {}, operands {} {} {}, target {}{}{}", frontend::name(t.op), t.lane, processor.name,
                    static_cast<int>(c.places[0]), static_cast<int>(c.places[1]), static_cast<int>(c.places[2]),
                    c.target, c.same ? ", all the same" : "", c.pressure ? ", all temps in use" : "");
    const auto f = instance.func(std::to_string(i));
    ASSERT_TRUE(f) << what;
    for (size_t k = 0; k < sets.size(); ++k) {
      RawVal result = call(*f, sets[k], what);
      if (c.same) {  // the plain function on equal arguments
        std::vector<RawVal> equal = {sets[k][0], sets[k][0], sets[k][0]};
        RawVal plain = call(*instance.func("0"), equal, what);
        ASSERT_TRUE(sameResult(t, result, plain)) << what;
        continue;
      }
      if (i == 0 && (first || relaxed)) expected.push_back({sets[k], result});
      const RawVal& want = expected[k].result;
      ASSERT_TRUE(sameResult(t, result, want))
          << what
          << fmt::format("\n  got  {:016x} {:016x}\n  want {:016x} {:016x}", result.words[0], result.words[1],
                         want.words[0], want.words[1]);
    }
  }
  for (unsigned k = 0; k < kConstants; ++k) {
    for (unsigned from = 0; from < s.operands; ++from) {
      const std::string what =
          fmt::format("{} {} on {}, constants {} from {}", frontend::name(t.op), t.lane, processor.name, k, from);
      RawVal result = call(*instance.func(fmt::format("c{}.{}", k, from)), sets[k], what);
      ASSERT_TRUE(sameResult(t, result, expected[k].result)) << what;
    }
  }
}

TEST(SimdOperands, AnyPlaceOnAnyProcessor) {
  const std::vector<Processor> all = processors();
  for (const Tested& t : testedOps()) {
    std::vector<Expected> expected;
    for (const Processor& p : all) {
      testOp(t, p, expected);
      if (HasFatalFailure()) break;  // the next instruction
    }
  }
}

}  // namespace
}  // namespace wattle::testing
