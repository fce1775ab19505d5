// Vector loads and stores: the right bytes, no others, and a trap where the last byte is outside.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "frontend/op_facts.h"
#include "tests/unit/simd/vector_test.h"

namespace wattle::testing {
namespace {

using frontend::Imm;
using frontend::Op;

constexpr uint32_t kPage = 65536;

struct Access {
  std::string name;  // with the lane
  std::string opName;
  unsigned bytes;
  unsigned lane;
  bool isLane, isStore;
};

std::vector<Access> accesses() {
  std::vector<Access> all;
  for (unsigned i = 0; i < static_cast<unsigned>(Op::Count); ++i) {
    const Op op = static_cast<Op>(i);
    const auto& info = frontend::info(op);
    if (info.prefix != 0xfd || (info.imm != Imm::MemArg && info.imm != Imm::MemArgLane)) continue;
    const bool isLane = info.imm == Imm::MemArgLane;
    const std::string name(info.name);
    for (unsigned lane = 0; lane < (isLane ? frontend::laneCount(op) : 1); ++lane) {
      all.push_back({isLane ? fmt::format("{} {}", name, lane) : name, name, frontend::accessBytes(op), lane, isLane,
                     name.find("store") != std::string::npos});
    }
  }
  return all;
}

// What a load makes of the bytes at `p` (and a lane load of `v`).
V128 loaded(const Access& a, const uint8_t* p, const V128& v) {
  V128 r;
  if (a.isLane) {
    r = v;
    std::memcpy(&r.bytes[a.lane * a.bytes], p, a.bytes);
  } else if (a.opName.ends_with("_splat")) {
    for (unsigned i = 0; i < 16; ++i) r.bytes[i] = p[i % a.bytes];
  } else if (a.opName.ends_with("_s") || a.opName.ends_with("_u")) {
    const unsigned from = a.opName.find("8x8") != std::string::npos    ? 1
                          : a.opName.find("16x4") != std::string::npos ? 2
                                                                       : 4;
    for (unsigned i = 0; i < 8 / from; ++i) {
      const bool negative = a.opName.ends_with("_s") && p[i * from + from - 1] & 0x80;
      std::memcpy(&r.bytes[i * from * 2], p + i * from, from);
      std::memset(&r.bytes[i * from * 2 + from], negative ? 0xff : 0, from);
    }
  } else {
    std::memcpy(r.bytes.data(), p, a.bytes);
  }
  return r;
}

void testAccesses(const Processor& processor, BoundsMode bounds, uint64_t offset) {
  x64::CpuFeaturesOverride override(processor.features);
  const std::vector<Access> all = accesses();
  std::string text = "(module (memory (export \"memory\") 1 1)\n";
  for (const Access& a : all) {
    std::string immediates = fmt::format("offset={}", offset);
    if (a.isLane) immediates += fmt::format(" {}", a.lane);
    if (a.isStore) {
      text += fmt::format("(func (export \"{}\") (param $i i32) (param $v v128) local.get $i local.get $v {} {})\n",
                          a.name, a.opName, immediates);
      text += fmt::format(
          "(func (export \"{} t\") (param $i i32) (param $v v128) local.get $i i32.const 0 i32.add local.get $v "
          "v128.not v128.not {} {})\n",
          a.name, a.opName, immediates);
      continue;
    }
    const char* value = a.isLane ? "local.get $v" : "";
    text += fmt::format("(func (export \"{}\") (param $i i32) (param $v v128) (result v128) local.get $i {} {} {})\n",
                        a.name, value, a.opName, immediates);
    text += fmt::format(
        "(func (export \"{} t\") (param $i i32) (param $v v128) (result v128) local.get $i i32.const 0 i32.add {} {} "
        "{} "
        "local.set $v local.get $v)\n",
        a.name, value, a.opName, immediates);
  }
  Config config;
  config.bounds = bounds;
  Engine engine(config);
  Store store(engine);
  Instance instance = instantiate(store, engine, text + ")");
  if (::testing::Test::HasFailure()) return;
  Values values(17);
  const V128 v = values.vector();
  std::span<uint8_t> memory = instance.memory("memory")->bytes();
  for (const Access& a : all) {
    for (const char* variant : {"", " t"}) {
      const Func f = *instance.func(a.name + variant);
      for (uint64_t at :
           {uint64_t{0} + offset, uint64_t{4096} - 3, uint64_t{kPage} - a.bytes - 1, uint64_t{kPage} - a.bytes}) {
        if (at < offset) continue;
        for (uint8_t& b : memory.subspan(kPage - 64)) b = static_cast<uint8_t>(values.word());
        const std::vector<uint8_t> before(memory.begin(), memory.end());
        auto result = f.call({static_cast<uint32_t>(at - offset), v});
        const std::string what = fmt::format("{}{} at {} on {}", a.name, variant, at, processor.name);
        ASSERT_TRUE(result) << what << ": " << result.error().message;
        std::vector<uint8_t> after = before;
        if (a.isStore)
          std::memcpy(&after[at], &v.bytes[a.isLane ? a.lane * a.bytes : 0], a.bytes);
        else
          ASSERT_EQ(lanesOf(result->front().v128()), lanesOf(loaded(a, &before[at], v))) << what;
        ASSERT_TRUE(std::equal(after.begin(), after.end(), memory.begin())) << what;
      }
      for (uint64_t at : {uint64_t{kPage} - a.bytes + 1, uint64_t{kPage}, uint64_t{0xffffffff}}) {
        if (at < offset) continue;
        auto result = f.call({static_cast<uint32_t>(at - offset), v});
        ASSERT_FALSE(result) << a.name << variant << " at " << at;
        ASSERT_EQ(result.error().trap, TrapCode::MemoryOutOfBounds);
      }
    }
  }
}

TEST(SimdMemory, BytesAndBounds) {
  for (const Processor& processor : processors()) {
    for (BoundsMode bounds : {BoundsMode::Guarded, BoundsMode::Checked}) {
      for (uint64_t offset : {0u, 5u, 65000u}) {
        testAccesses(processor, bounds, offset);
        if (HasFailure()) return;
      }
    }
  }
}

// With an offset that no displacement holds, the address is in the scratch register.
TEST(SimdMemory, FarOffsets) {
  for (const Processor& processor : processors()) {
    x64::CpuFeaturesOverride override(processor.features);
    std::string text = "(module (memory i64 1)\n";
    for (const Access& a : accesses()) {
      const std::string immediates =
          fmt::format("offset=0xfffffffffff00000{}", a.isLane ? fmt::format(" {}", a.lane) : "");
      text += fmt::format("(func (export \"{}\") (param $i i64) (param $v v128) local.get $i {} {} {} {})\n", a.name,
                          a.isStore || a.isLane ? "local.get $v" : "", a.opName, immediates, a.isStore ? "" : "drop");
    }
    Engine engine;
    Store store(engine);
    Instance instance = instantiate(store, engine, text + ")");
    if (HasFailure()) return;
    for (const Access& a : accesses()) {
      for (uint64_t i : {uint64_t{0}, uint64_t{0x100000}, ~uint64_t{0}}) {
        auto result = instance.func(a.name)->call({i, V128{}});
        ASSERT_FALSE(result) << a.name;
        ASSERT_EQ(result.error().trap, TrapCode::MemoryOutOfBounds) << a.name;
      }
    }
  }
}

}  // namespace
}  // namespace wattle::testing
