// What a test has to know of the process it runs in.
#pragma once

#include <cstddef>
#include <fstream>
#include <string>

#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WATTLE_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WATTLE_SANITIZED 1
#endif

namespace wattle::process {

// Sanitizers have their own idea of memory.
#ifdef WATTLE_SANITIZED
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif
// Mappings that a sanitizer makes for itself meanwhile.
inline constexpr size_t kOthersMappings = kSanitized ? 4000 : 0;

inline size_t countMappings() {
  std::ifstream maps("/proc/self/maps");
  size_t lines = 0;
  for (std::string line; std::getline(maps, line);) ++lines;
  return lines;
}

inline size_t residentBytes() {
  std::ifstream statm("/proc/self/statm");
  size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * 4096;
}

}  // namespace wattle::process
