#include "runtime/compile/x64/cpu_features.h"

#include <cpuid.h>

#include <array>
#include <atomic>

namespace wattle::x64 {
namespace {

using enum CpuFeature;

constexpr std::array<const char*, kCpuFeatureCount> kNames = {
    "sse3", "ssse3", "sse4.1", "sse4.2",   "popcnt", "cx16",          "avx",         "avx2", "fma",
    "bmi1", "bmi2",  "lzcnt",  "avx-vnni", "avx512", "avx512-bitalg", "avx512-vbmi", "erms", "fsrm"};
static_assert(static_cast<unsigned>(fsrm) + 1 == kCpuFeatureCount);

// A feature and the one it stands on.
struct Dependency {
  CpuFeature feature;
  CpuFeature needs;
};
// In an order such that one pass carries an absence all the way.
constexpr Dependency kDependencies[] = {
    {ssse3, sse3}, {sse41, ssse3},  {sse42, sse41}, {avx, sse42},           {avx2, avx},
    {fma, avx},    {avxVnni, avx2}, {avx512, avx2}, {avx512Bitalg, avx512}, {avx512Vbmi, avx512},
};

struct Registers {
  uint32_t a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(uint32_t leaf, uint32_t subleaf = 0) {
  Registers r;
  if (!__get_cpuid_count(leaf, subleaf, &r.a, &r.b, &r.c, &r.d)) return {};
  return r;
}

// Which register sets the operating system saves.
uint64_t xcr0() {
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
}

CpuFeatures detect() {
  CpuFeatures f;
  auto set = [&f](CpuFeature feature, uint32_t reg, unsigned bit) {
    if (reg >> bit & 1) f = f.with(feature);
  };

  Registers one = cpuid(1);
  Registers seven = cpuid(7);
  Registers extended = cpuid(0x80000001);
  set(sse3, one.c, 0);
  set(ssse3, one.c, 9);
  set(cx16, one.c, 13);
  set(sse41, one.c, 19);
  set(sse42, one.c, 20);
  set(popcnt, one.c, 23);
  set(bmi1, seven.b, 3);
  set(bmi2, seven.b, 8);
  set(erms, seven.b, 9);
  set(fsrm, seven.d, 4);
  set(lzcnt, extended.c, 5);

  bool osxsave = one.c >> 27 & 1;
  uint64_t saved = osxsave ? xcr0() : 0;
  if ((saved & 0x6) == 0x6) {  // xmm and ymm
    set(avx, one.c, 28);
    set(fma, one.c, 12);
    set(avx2, seven.b, 5);
    if (seven.a >= 1) set(avxVnni, cpuid(7, 1).a, 4);
  }
  if ((saved & 0xe6) == 0xe6) {  // opmasks and zmm, too
    constexpr uint32_t kNeeded = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
    if ((seven.b & kNeeded) == kNeeded) f = f.with(avx512);
    set(avx512Vbmi, seven.c, 1);
    set(avx512Bitalg, seven.c, 12);
  }
  // A hypervisor may hide one and show another that needs it.
  for (Dependency d : kDependencies) {
    if (!f.has(d.needs)) f = f.without(d.feature);
  }
  return f;
}

CpuFeatures machine() {
  static const CpuFeatures kMachine = detect();
  return kMachine;
}

constexpr uint64_t kNoOverride = ~uint64_t{0};
std::atomic<uint64_t> overridden{kNoOverride};

}  // namespace

const char* name(CpuFeature f) { return kNames[static_cast<unsigned>(f)]; }

CpuFeatures CpuFeatures::without(CpuFeature f) const {
  CpuFeatures r(bits_ & ~bit(f));
  for (Dependency d : kDependencies) {
    if (!r.has(d.needs)) r.bits_ &= ~bit(d.feature);
  }
  return r;
}

std::string CpuFeatures::toString() const {
  std::string s;
  for (unsigned i = 0; i < kCpuFeatureCount; ++i) {
    if (!has(static_cast<CpuFeature>(i))) continue;
    if (!s.empty()) s += ' ';
    s += kNames[i];
  }
  return s;
}

CpuFeatures cpuFeatures() {
  uint64_t mask = overridden.load(std::memory_order_relaxed);
  return CpuFeatures(machine().bits() & mask);
}

CpuFeaturesOverride::CpuFeaturesOverride(CpuFeatures f) : before_(overridden.exchange(f.bits())) {}
CpuFeaturesOverride::~CpuFeaturesOverride() { overridden.store(before_); }

}  // namespace wattle::x64
