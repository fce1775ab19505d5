// The words of a trace, which trace.mjs writes too. C++17, as wabt's headers are no C++20.
#pragma once

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <string>

namespace trace {

// NaNs of any kind are alike: the specification leaves their bits open.
inline std::string f32(uint32_t bits) {
  if ((bits & 0x7fffffff) > 0x7f800000) return "nan";
  char text[16];
  std::snprintf(text, sizeof text, "f%08" PRIx32, bits);
  return text;
}

inline std::string f64(uint64_t bits) {
  if ((bits & 0x7fffffffffffffff) > 0x7ff0000000000000) return "nan";
  char text[24];
  std::snprintf(text, sizeof text, "d%016" PRIx64, bits);
  return text;
}

inline std::string ref(bool isNull) { return isNull ? "null" : "ref"; }

inline void memory(const std::string& name, const uint8_t* bytes, size_t size) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < size; ++i) hash = (hash ^ bytes[i]) * 16777619u;
  std::printf("memory %s %zu %u\n", name.c_str(), size, hash);
}

}  // namespace trace
