// LEB128 integers exactly as the specification bounds them ("Binary Format / Values / Integers"): at most ceil(N/7)
// bytes, and the bits of the last byte beyond N are zero (unsigned) or copies of the sign.
#pragma once

#include <cstdint>
#include <type_traits>

namespace wattle::frontend {

enum class LebStatus : uint8_t { Ok, UnexpectedEnd, TooLong, TooLarge };

constexpr const char* lebMessage(LebStatus status) {
  switch (status) {
    case LebStatus::TooLong: return "integer representation too long";
    case LebStatus::TooLarge: return "integer too large";
    default: return "unexpected end of section or function";
  }
}

// Reads an N-bit integer, signed when T is, and moves `pos` past it. On failure `value` is zero.
template <unsigned N, class T>
constexpr LebStatus readLeb(const uint8_t*& pos, const uint8_t* end, T& value) {
  using Bits = std::make_unsigned_t<T>;
  static_assert(N <= sizeof(T) * 8);
  Bits bits = 0;
  value = 0;
  for (unsigned shift = 0;; shift += 7) {
    if (shift >= N) return LebStatus::TooLong;
    if (pos >= end) return LebStatus::UnexpectedEnd;
    const uint8_t byte = *pos++;
    const unsigned left = N - shift;
    if (left < 7) {
      const unsigned unused = std::is_signed_v<T> ? (0x7fu << (left - 1)) & 0x7f : (0x7fu << left) & 0x7f;
      const unsigned set = byte & unused;
      if (set != 0 && (!std::is_signed_v<T> || set != unused)) return LebStatus::TooLarge;
    }
    bits |= static_cast<Bits>(byte & 0x7f) << shift;
    if (byte & 0x80) continue;
    if (std::is_signed_v<T> && (byte & 0x40) && shift + 7 < sizeof(T) * 8) bits |= ~Bits{0} << (shift + 7);
    value = static_cast<T>(bits);
    return LebStatus::Ok;
  }
}

}  // namespace wattle::frontend
