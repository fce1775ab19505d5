// Sizes and durations as people write them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wattle::cli {

// "65536", "64k", "64KiB", "1.5 GiB", "2G": powers of 1024. Nothing if it is no size.
std::optional<uint64_t> parseSize(std::string_view text);
// "10" (seconds), "500ms", "1.5s", "2m", "1h".
std::optional<std::chrono::nanoseconds> parseDuration(std::string_view text);
// "512 B", "1.5 KiB", "39.2 MiB".
std::string formatSize(uint64_t bytes);

}  // namespace wattle::cli
