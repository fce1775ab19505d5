// Vector instructions on processors of several ages, and values to run them on.
#pragma once

#include <array>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "frontend/opcodes.h"
#include "runtime/compile/x64/cpu_features.h"
#include "tests/unit/vm/vm_test.h"

namespace wattle::testing {

struct Processor {
  const char* name;
  x64::CpuFeatures features;
};

// This machine, and it with less and less. Entries that this machine cannot tell apart are left out.
inline std::vector<Processor> processors() {
  using x64::CpuFeature;
  std::vector<Processor> all;
  auto add = [&](const char* name, x64::CpuFeatures features) {
    if (all.empty() || all.back().features != features) all.push_back({name, features});
  };
  x64::CpuFeatures f = x64::cpuFeatures();
  add("native", f);
  add("avx2", f = f.without(CpuFeature::avx512).without(CpuFeature::avxVnni));
  add("no fma", f = f.without(CpuFeature::fma));
  add("sse4.2", f = f.without(CpuFeature::avx).without(CpuFeature::bmi2));
  add("sse4.1", f.without(CpuFeature::sse42).without(CpuFeature::popcnt));
  return all;
}

inline std::string lanesOf(const V128& v) {
  std::string s = "i8x16";
  for (uint8_t b : v.bytes) s += " " + std::to_string(b);
  return s;
}

// Vectors that are likely to matter: special floats and integers in all shapes, and noise.
class Values {
 public:
  explicit Values(uint32_t seed) : random_(seed) {}

  uint64_t word() { return random_(); }
  unsigned below(unsigned n) { return static_cast<unsigned>(random_() % n); }

  V128 vector() {
    static constexpr uint32_t kSingles[] = {0x00000000, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000,
                                            0x7fc00000, 0xffc00000, 0x7f800001, 0x7fa00000, 0x4effffff, 0x4f000000,
                                            0xcf000000, 0x4f7fffff, 0x4f800000, 0x00000001, 0x3f000000, 0xbf000000,
                                            0x7f7fffff, 0x4b000001, 0x40490fdb, 0x3fc00000, 0xcf000001, 0xbf7fffff};
    static constexpr uint64_t kDoubles[] = {
        0x0000000000000000, 0x8000000000000000, 0x3ff0000000000000, 0xbff0000000000000, 0x7ff0000000000000,
        0xfff0000000000000, 0x7ff8000000000000, 0x7ff0000000000001, 0x41dfffffffc00000, 0x41e0000000000000,
        0xc1e0000000200000, 0x41efffffffe00000, 0x41f0000000000000, 0x3fe0000000000000, 0x400921fb54442d18,
        0x7fefffffffffffff, 0x0000000000000001, 0xc1e0000000000000};
    static constexpr uint8_t kBytes[] = {0, 1, 2, 0x7f, 0x80, 0x81, 0xff, 0xfe, 0x40, 15, 16, 17, 31};
    V128 v;
    switch (below(6)) {
      case 0:
        for (unsigned i = 0; i < 4; ++i) std::memcpy(&v.bytes[4 * i], &kSingles[below(std::size(kSingles))], 4);
        break;
      case 1:
        for (unsigned i = 0; i < 2; ++i) std::memcpy(&v.bytes[8 * i], &kDoubles[below(std::size(kDoubles))], 8);
        break;
      case 2:
        for (uint8_t& b : v.bytes) b = kBytes[below(std::size(kBytes))];
        break;
      case 3:  // few different words, in equal and nearly equal pairs
        for (unsigned i = 0; i < 4; ++i) {
          uint32_t w = 0x7fffffffu + below(3);
          std::memcpy(&v.bytes[4 * i], &w, 4);
        }
        break;
      case 4:
        for (unsigned i = 0; i < 4; ++i) {
          float f = static_cast<float>(static_cast<int64_t>(word()) >> (below(50) + 14)) / 8;
          std::memcpy(&v.bytes[4 * i], &f, 4);
        }
        break;
      default:
        for (unsigned i = 0; i < 2; ++i) {
          uint64_t w = word();
          std::memcpy(&v.bytes[8 * i], &w, 8);
        }
        break;
    }
    return v;
  }

 private:
  std::mt19937_64 random_;
};

}  // namespace wattle::testing
