// i8x16.shuffle, i8x16.swizzle and shifts by constants against a model: every pattern has code of its own.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/simd/vector_test.h"

namespace wattle::testing {
namespace {

using Lanes = std::array<uint8_t, 16>;

std::string list(const Lanes& lanes) {
  std::string s;
  for (uint8_t l : lanes) s += fmt::format(" {}", l);
  return s;
}

V128 shuffled(const V128& a, const V128& b, const Lanes& lanes) {
  V128 r;
  for (unsigned i = 0; i < 16; ++i) r.bytes[i] = lanes[i] < 16 ? a.bytes[lanes[i]] : b.bytes[lanes[i] - 16];
  return r;
}

// Patterns of groups of 1, 2, 4 and 8 bytes, interleavings, rotations, blends, extensions; and changes of single bytes.
std::vector<Lanes> patterns() {
  std::vector<Lanes> all;
  auto add = [&](auto&& f) {
    Lanes p;
    for (unsigned i = 0; i < 16; ++i) p[i] = static_cast<uint8_t>(f(i) & 31);
    all.push_back(p);
  };
  Values values(5);
  for (unsigned start = 0; start < 32; ++start) {
    add([&](unsigned i) { return i + start; });
    add([&](unsigned) { return start; });
    add([&](unsigned i) { return (i + start) % 16; });
    add([&](unsigned i) { return start + i / 2 * 2; });
    add([&](unsigned i) { return i + start < 16 ? i + start : 16; });
    add([&](unsigned i) { return i < start ? 17 : i - start; });
  }
  for (unsigned width : {1u, 2u, 4u, 8u}) {
    for (unsigned from : {0u, 8u, 16u, 24u}) {
      for (unsigned other : {0u, 8u, 16u, 24u}) {
        add([&](unsigned i) { return i / width / 2 * width + i % width + (i / width & 1 ? other : from); });
      }
    }
    for (int k = 0; k < 60; ++k) {
      Lanes groups, side;
      for (unsigned g = 0; g < 16; ++g) {
        groups[g] = static_cast<uint8_t>(values.below(32 / width));
        side[g] = static_cast<uint8_t>(values.below(2));
      }
      add([&](unsigned i) { return groups[i / width] * width + i % width; });
      add([&](unsigned i) { return (groups[i / width] * width + i % width) % 16; });
      add([&](unsigned i) { return i + 16u * side[i / width]; });  // blends
      add([&](unsigned i) { return side[i / width] ? 16 + (groups[i / width] * width + i % width) % 16 : i; });
      add([&](unsigned i) { return side[i / width] ? i : 16 + (groups[i / width] * width + i % width) % 16; });
      add([&](unsigned i) { return side[i / width] ? i + 16 : (groups[i / width] * width + i % width) % 16; });
      add([&](unsigned i) { return i < 8 ? i : 8 + (groups[i / width] * width + i % width) % 8; });
      add([&](unsigned i) { return i >= 8 ? i : (groups[i / width] * width + i % width) % 8; });
      add([&](unsigned i) {
        return i < 8 ? groups[i / width] * width % 16 + i % width : 16 + groups[i / width] * width % 16 + i % width;
      });
    }
    for (unsigned to = 2 * width; to <= 16; to *= 2) {  // zero extensions
      for (unsigned zero : {16u, 31u}) {
        add([&](unsigned i) { return i % to < width ? i / to * width + i % to : zero; });
        add([&](unsigned i) { return i % to < width ? i / to * width + i % to + 16 : zero - 16; });
      }
    }
  }
  for (unsigned first : {0u, 1u, 2u, 3u}) {
    for (unsigned step : {2u, 4u}) add([&](unsigned i) { return first + i * step; });
    add([&](unsigned i) { return i / 2 * 4 + i % 2 + first; });
    add([&](unsigned i) { return (i / 2 * 4 + i % 2 + first) ^ 16; });
  }
  const size_t regular = all.size();
  for (size_t i = 0; i < regular; i += 3) {
    Lanes p = all[i];
    p[values.below(16)] = static_cast<uint8_t>(values.below(32));
    all.push_back(p);
  }
  for (int i = 0; i < 200; ++i) {
    const unsigned range = i % 2 ? 32 : 16;
    add([&](unsigned) { return values.below(range); });
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

struct Variant {
  const char* name;
  const char* before;
  const char* operands;
  const char* after;
  bool second;  // the second operand is b; else see `fixed`
  int fixed;    // 0: a, 1: zero, 2: ones
};
constexpr Variant kVariants[] = {
    {"plain", "", "local.get $a local.get $b", "", true, 0},
    {"to a", "", "local.get $a local.get $b", "local.set $a local.get $a", true, 0},
    {"to b", "", "local.get $a local.get $b", "local.set $b local.get $b", true, 0},
    {"temps", "", "local.get $a local.get $z v128.or local.get $b local.get $z v128.or", "", true, 0},
    {"itself", "", "local.get $a local.get $a", "", false, 0},
    {"itself, in place", "", "local.get $a local.get $a", "local.set $a local.get $a", false, 0},
    {"zero", "", "local.get $a v128.const i64x2 0 0", "", false, 1},
    {"constant", "", "local.get $a v128.const i64x2 -1 -1", "", false, 2},
    {"slots", "", "local.get $a local.get $z v128.or local.get $b block (param v128 v128) (result v128)", "end", true,
     0},
};

TEST(SimdShuffle, Patterns) {
  const std::vector<Lanes> all = patterns();
  Values values(3);
  const V128 a = values.vector(), b{{101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116}};
  V128 distinct;
  for (unsigned i = 0; i < 16; ++i) distinct.bytes[i] = static_cast<uint8_t>(i + 0xe1);
  for (const Processor& processor : processors()) {
    x64::CpuFeaturesOverride override(processor.features);
    Engine engine;
    for (size_t from = 0; from < all.size(); from += 256) {
      const size_t to = std::min(all.size(), from + 256);
      std::string text = "(module\n";
      for (size_t i = from; i < to; ++i) {
        for (unsigned v = 0; v < std::size(kVariants); ++v) {
          const Variant& variant = kVariants[v];
          text += fmt::format(
              "(func (export \"{}.{}\") (param $a v128) (param $b v128) (result v128) (local $z v128) {} "
              "i8x16.shuffle{} {})\n",
              i, v, variant.operands, list(all[i]), variant.after);
        }
      }
      Store store(engine);
      Instance instance = instantiate(store, engine, text + ")");
      if (HasFailure()) return;
      for (size_t i = from; i < to; ++i) {
        for (unsigned v = 0; v < std::size(kVariants); ++v) {
          const Variant& variant = kVariants[v];
          for (const V128& x : {a, distinct}) {
            auto result = instance.func(fmt::format("{}.{}", i, v))->call({x, b});
            ASSERT_TRUE(result);
            V128 second = b;
            if (!variant.second) {
              second = x;
              if (variant.fixed) second.bytes.fill(variant.fixed == 1 ? 0 : 0xff);
            }
            ASSERT_EQ(lanesOf(result->front().v128()), lanesOf(shuffled(x, second, all[i])))
                << variant.name << list(all[i]) << " on " << processor.name;
          }
        }
      }
    }
  }
}

TEST(SimdShuffle, SwizzleByConstants) {
  Values values(4);
  for (const Processor& processor : processors()) {
    x64::CpuFeaturesOverride override(processor.features);
    Engine engine;
    Store store(engine);
    std::string text = "(module\n";
    std::vector<Lanes> all;
    for (unsigned i = 0; i < 200; ++i) {
      Lanes p;
      for (uint8_t& l : p) l = static_cast<uint8_t>(values.below(i % 2 ? 24 : 256));
      if (i < 17) {
        for (unsigned k = 0; k < 16; ++k) p[k] = static_cast<uint8_t>(k + i);
      }
      if (i >= 17 && i < 33) {
        for (unsigned k = 0; k < 16; ++k) p[k] = static_cast<uint8_t>(k - (i - 16));
      }
      text += fmt::format(
          "(func (export \"{}\") (param $a v128) (result v128) local.get $a v128.const i8x16{} i8x16.swizzle)\n", i,
          list(p));
      all.push_back(p);
    }
    Instance instance = instantiate(store, engine, text + ")");
    if (HasFailure()) return;
    const V128 a = values.vector();
    for (unsigned i = 0; i < all.size(); ++i) {
      auto result = instance.func(std::to_string(i))->call({a});
      ASSERT_TRUE(result);
      V128 want;
      for (unsigned k = 0; k < 16; ++k) want.bytes[k] = all[i][k] < 16 ? a.bytes[all[i][k]] : 0;
      ASSERT_EQ(lanesOf(result->front().v128()), lanesOf(want)) << list(all[i]) << " on " << processor.name;
    }
  }
}

// One lane of `bytes` bytes, shifted.
uint64_t shiftedLane(uint64_t lane, unsigned bytes, char kind, unsigned count) {
  const unsigned bits = 8 * bytes;
  count %= bits;
  const uint64_t mask = bits == 64 ? ~0ull : (1ull << bits) - 1;
  if (kind == 'l') return lane << count & mask;
  if (kind == 'u') return lane >> count;
  const int64_t wide = static_cast<int64_t>(lane << (64 - bits)) >> (64 - bits);
  return static_cast<uint64_t>(wide >> count) & mask;
}

TEST(SimdShuffle, ShiftsByConstants) {
  struct Shape {
    const char* name;
    unsigned bytes;
  };
  constexpr Shape kShapes[] = {{"i8x16", 1}, {"i16x8", 2}, {"i32x4", 4}, {"i64x2", 8}};
  struct Kind {
    const char* name;
    char kind;
  };
  constexpr Kind kKinds[] = {{"shl", 'l'}, {"shr_u", 'u'}, {"shr_s", 's'}};
  Values values(11);
  std::vector<V128> inputs;
  for (int i = 0; i < 12; ++i) inputs.push_back(values.vector());
  for (const Processor& processor : processors()) {
    x64::CpuFeaturesOverride override(processor.features);
    Engine engine;
    Store store(engine);
    std::string text = "(module\n";
    for (const Shape& s : kShapes) {
      for (const Kind& k : kKinds) {
        for (unsigned count = 0; count <= 66; ++count) {
          text += fmt::format(
              "(func (export \"{0}{1}{2}\") (param v128) (result v128) local.get 0 i32.const {2} {0}.{1})\n", s.name,
              k.name, count);
          text += fmt::format(
              "(func (export \"{0}{1}{2}t\") (param v128) (result v128) local.get 0 i32.const {2} {0}.{1} "
              "local.tee 0)\n",
              s.name, k.name, count);
        }
        text +=
            fmt::format("(func (export \"{0}{1}\") (param v128 i32) (result v128) local.get 0 local.get 1 {0}.{1})\n",
                        s.name, k.name);
      }
    }
    Instance instance = instantiate(store, engine, text + ")");
    if (HasFailure()) return;
    for (const Shape& s : kShapes) {
      for (const Kind& k : kKinds) {
        for (unsigned count = 0; count <= 66; ++count) {
          for (const V128& in : inputs) {
            V128 want;
            for (unsigned i = 0; i < 16; i += s.bytes) {
              uint64_t lane = 0;
              std::memcpy(&lane, &in.bytes[i], s.bytes);
              lane = shiftedLane(lane, s.bytes, k.kind, count);
              std::memcpy(&want.bytes[i], &lane, s.bytes);
            }
            const std::string what = fmt::format("{}.{} by {} on {}", s.name, k.name, count, processor.name);
            const std::string name = fmt::format("{}{}", s.name, k.name);
            ASSERT_EQ(lanesOf(instance.func(fmt::format("{}{}", name, count))->call({in})->front().v128()),
                      lanesOf(want))
                << what;
            ASSERT_EQ(lanesOf(instance.func(fmt::format("{}{}t", name, count))->call({in})->front().v128()),
                      lanesOf(want))
                << what;
            ASSERT_EQ(lanesOf(instance.func(name)->call({in, count})->front().v128()), lanesOf(want)) << what;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace wattle::testing
