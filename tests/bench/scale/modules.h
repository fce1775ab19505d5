// Small modules for the measurements of scale: each like one tenant's script, and each different from all others.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace scale {

// A module as bytes with a number to be filled in, so that making the next one costs no parsing. It stands in the text
// as an i32.const of kHole, which is encoded in five bytes, as every value from 2^27 on is.
class Template {
 public:
  static constexpr int32_t kHole = 0x12345670;
  explicit Template(std::string_view text);
  // The module with constant(value) in each hole; valid until the next call.
  std::span<const uint8_t> with(uint32_t value);
  static int32_t constant(uint32_t value) { return (1 << 27) + static_cast<int32_t>(value); }

 private:
  std::vector<uint8_t> bytes_;
  std::vector<size_t> holes_;
};

// Imports one function, has three of its own that call each other, and a place to trap. run(x) is tick(constant) + x,
// fail(0) divides by zero.
extern const char* const kTenant;
// The same with one memory of one page, kept to itself: run(x) adds x to a counter in it, peek(a) loads from address a.
extern const char* const kTenantWithMemory;

}  // namespace scale
