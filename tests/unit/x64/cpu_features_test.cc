#include "runtime/compile/x64/cpu_features.h"

#include <gtest/gtest.h>

namespace wattle::x64 {
namespace {

using enum CpuFeature;

TEST(X64CpuFeatures, AgreeWithTheCompilersOwnDetection) {
  CpuFeatures f = cpuFeatures();
  EXPECT_EQ(f.has(sse3), !!__builtin_cpu_supports("sse3"));
  EXPECT_EQ(f.has(ssse3), !!__builtin_cpu_supports("ssse3"));
  EXPECT_EQ(f.has(sse41), !!__builtin_cpu_supports("sse4.1"));
  EXPECT_EQ(f.has(sse42), !!__builtin_cpu_supports("sse4.2"));
  EXPECT_EQ(f.has(popcnt), !!__builtin_cpu_supports("popcnt"));
  EXPECT_EQ(f.has(avx), !!__builtin_cpu_supports("avx"));
  EXPECT_EQ(f.has(avx2), !!__builtin_cpu_supports("avx2"));
  EXPECT_EQ(f.has(fma), !!__builtin_cpu_supports("fma"));
  EXPECT_EQ(f.has(bmi1), !!__builtin_cpu_supports("bmi"));
  EXPECT_EQ(f.has(bmi2), !!__builtin_cpu_supports("bmi2"));
  EXPECT_EQ(f.has(lzcnt), !!__builtin_cpu_supports("lzcnt"));
  EXPECT_EQ(f.has(avx512), __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"));
  EXPECT_TRUE(f.meetsBaseline());
}

TEST(X64CpuFeatures, BitsAreStable) {
  EXPECT_EQ(CpuFeatures().with(sse3).bits(), 1u);
  EXPECT_EQ(CpuFeatures().with(avx).bits(), 1u << 6);
  EXPECT_EQ(CpuFeatures().with(fsrm).bits(), 1u << 17);
  EXPECT_EQ(CpuFeatures::baseline().toString(), "sse3 ssse3 sse4.1");
  EXPECT_STREQ(name(avxVnni), "avx-vnni");
}

TEST(X64CpuFeatures, TakingAwayIsTransitive) {
  CpuFeatures all((uint64_t{1} << kCpuFeatureCount) - 1);
  CpuFeatures none = all.without(avx);
  for (CpuFeature f : {avx, avx2, fma, avxVnni, avx512, avx512Bitalg, avx512Vbmi}) EXPECT_FALSE(none.has(f)) << name(f);
  for (CpuFeature f : {sse42, popcnt, bmi1, bmi2, lzcnt, erms}) EXPECT_TRUE(none.has(f)) << name(f);
  EXPECT_FALSE(all.without(sse3).has(avx512));
  EXPECT_TRUE(all.covers(none));
  EXPECT_FALSE(none.covers(all));
}

TEST(X64CpuFeatures, OverrideOnlyTakesAway) {
  CpuFeatures before = cpuFeatures();
  {
    CpuFeaturesOverride o(CpuFeatures::baseline());
    EXPECT_EQ(cpuFeatures(), CpuFeatures::baseline());
    CpuFeaturesOverride p{CpuFeatures((uint64_t{1} << kCpuFeatureCount) - 1)};
    EXPECT_EQ(cpuFeatures(), before);
  }
  EXPECT_EQ(cpuFeatures(), before);
}

}  // namespace
}  // namespace wattle::x64
