// What a process holds, from /proc.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdio>

namespace scale {

inline uint64_t residentBytes() {
  unsigned long long total = 0, resident = 0;
  if (FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%llu %llu", &total, &resident) != 2) resident = 0;
    std::fclose(file);
  }
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

inline uint64_t mappings() {
  uint64_t lines = 0;
  if (FILE* file = std::fopen("/proc/self/maps", "r")) {
    for (int c; (c = std::fgetc(file)) != EOF;) lines += c == '\n';
    std::fclose(file);
  }
  return lines;
}

}  // namespace scale
