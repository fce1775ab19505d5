// Binaryen's passes over a module before it is compiled.
//
// libbinaryen is opened only here, only when asked, and in a child process: its C interface ends the process on bytes
// it does not understand, and its memory is gone when it is done. The caller should be single-threaded (it forks).
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wattle::frontend {

struct OptimizeLevel {
  int optimize = 2;  // 0 to 4
  int shrink = 0;    // 1: -Os, 2: -Oz
};

// "0" to "4", "s", "z", as after -O.
std::optional<OptimizeLevel> parseOptimizeLevel(std::string_view text);

// The optimized binary of a valid module, itself validated. The error is one line and says why there is none: the
// library is missing, or the module uses something that the installed Binaryen does not know.
std::expected<std::vector<uint8_t>, std::string> optimizeModule(std::span<const uint8_t> bytes, OptimizeLevel level);

}  // namespace wattle::frontend
