// What the processor and the operating system let us use.
#pragma once

#include <cstdint>
#include <string>

namespace wattle::x64 {

// The numbers are part of the keys of the disk cache: append only.
enum class CpuFeature : uint8_t {
  sse3,
  ssse3,
  sse41,
  sse42,
  popcnt,
  cx16,  // cmpxchg16b
  avx,
  avx2,
  fma,
  bmi1,
  bmi2,
  lzcnt,
  avxVnni,
  avx512,        // F, BW, DQ and VL
  avx512Bitalg,  // vpopcntb, vpopcntw (with avx512)
  avx512Vbmi,    // vpermb, vpermi2b (with avx512)
  erms,          // fast rep movsb
  fsrm,          // fast also when short
};
inline constexpr unsigned kCpuFeatureCount = 18;

class CpuFeatures {
 public:
  constexpr CpuFeatures() = default;
  constexpr explicit CpuFeatures(uint64_t bits) : bits_(bits) {}

  constexpr bool has(CpuFeature f) const { return bits_ >> static_cast<unsigned>(f) & 1; }
  constexpr CpuFeatures with(CpuFeature f) const { return CpuFeatures(bits_ | bit(f)); }
  // Also takes away what cannot be without f (AVX2 without AVX and so on).
  CpuFeatures without(CpuFeature f) const;
  // Whether code for `needed` runs here.
  constexpr bool covers(CpuFeatures needed) const { return (needed.bits_ & ~bits_) == 0; }
  // The least that the compilers need: up to SSE4.1.
  constexpr bool meetsBaseline() const { return covers(baseline()); }
  static constexpr CpuFeatures baseline() {
    return CpuFeatures(bit(CpuFeature::sse3) | bit(CpuFeature::ssse3) | bit(CpuFeature::sse41));
  }
  // Stable from run to run and from version to version.
  constexpr uint64_t bits() const { return bits_; }
  // "sse3 ssse3 sse4.1 ..."
  std::string toString() const;

  friend constexpr bool operator==(CpuFeatures, CpuFeatures) = default;

 private:
  static constexpr uint64_t bit(CpuFeature f) { return uint64_t{1} << static_cast<unsigned>(f); }
  uint64_t bits_ = 0;
};

const char* name(CpuFeature f);

// The machine's, found out once; or what an override says. Any thread.
CpuFeatures cpuFeatures();

// While it lives, cpuFeatures() is the given set cut down to what the machine has. Not nested from several threads.
class CpuFeaturesOverride {
 public:
  explicit CpuFeaturesOverride(CpuFeatures f);
  ~CpuFeaturesOverride();
  CpuFeaturesOverride(const CpuFeaturesOverride&) = delete;
  CpuFeaturesOverride& operator=(const CpuFeaturesOverride&) = delete;

 private:
  uint64_t before_;
};

}  // namespace wattle::x64
