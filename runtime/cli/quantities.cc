#include "runtime/cli/quantities.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace wattle::cli {

namespace {

struct Quantity {
  double number = 0;
  std::string_view unit;
};

std::optional<Quantity> split(std::string_view text) {
  Quantity q;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), q.number, std::chars_format::fixed);
  if (error != std::errc{} || !(q.number >= 0)) return std::nullopt;
  q.unit = text.substr(static_cast<size_t>(end - text.data()));
  while (q.unit.starts_with(' ')) q.unit.remove_prefix(1);
  return q;
}

// The power of 1024 that a unit stands for.
std::optional<int> sizeExponent(std::string_view unit) {
  if (unit.empty() || unit == "B") return 0;
  constexpr std::string_view kLetters = "kmgt";
  char lower = static_cast<char>(unit[0] | 0x20);
  size_t place = kLetters.find(lower);
  std::string_view rest = unit.substr(1);
  if (place == std::string_view::npos || !(rest.empty() || rest == "B" || rest == "iB")) return std::nullopt;
  return static_cast<int>(place) + 1;
}

}  // namespace

std::optional<uint64_t> parseSize(std::string_view text) {
  auto q = split(text);
  if (!q) return std::nullopt;
  auto exponent = sizeExponent(q->unit);
  if (!exponent) return std::nullopt;
  double bytes = std::ldexp(q->number, 10 * *exponent);
  if (bytes >= 0x1p63) return std::nullopt;
  return static_cast<uint64_t>(bytes);
}

std::optional<std::chrono::nanoseconds> parseDuration(std::string_view text) {
  auto q = split(text);
  if (!q) return std::nullopt;
  double scale = 0;
  if (q->unit.empty() || q->unit == "s") scale = 1e9;
  if (q->unit == "ms") scale = 1e6;
  if (q->unit == "us") scale = 1e3;
  if (q->unit == "m" || q->unit == "min") scale = 60e9;
  if (q->unit == "h") scale = 3600e9;
  double count = q->number * scale;
  if (!(count >= 1 && count < 0x1p62)) return std::nullopt;
  return std::chrono::nanoseconds(static_cast<int64_t>(count));
}

std::string formatSize(uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  static constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    unit++;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

}  // namespace wattle::cli
