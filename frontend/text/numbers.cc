#include "frontend/text/numbers.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <limits>
#include <string>

#include "frontend/text/lexer.h"

namespace wattle::frontend::text {
namespace {

bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isHexDigit(char c) { return isDigit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f'); }
uint32_t digitValue(char c) { return static_cast<uint32_t>(isDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10); }
bool isHex(std::string_view text) { return text.starts_with("0x"); }

// Takes digits with single underscores between them from the front of `text`; false when there is none.
bool takeDigits(std::string_view& text, bool hex) {
  auto accepts = [hex](char c) { return hex ? isHexDigit(c) : isDigit(c); };
  if (text.empty() || !accepts(text[0])) return false;
  size_t at = 1;
  while (at < text.size()) {
    if (text[at] == '_' && at + 1 < text.size() && accepts(text[at + 1])) ++at;
    if (!accepts(text[at])) break;
    ++at;
  }
  text.remove_prefix(at);
  return true;
}

bool takeSign(std::string_view& text) {
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return false;
  text.remove_prefix(1);
  return true;
}

// Sign and magnitude of a literal.
struct Signed {
  bool negative = false;
  std::string_view magnitude;
};

Signed splitSign(std::string_view text) {
  Signed result{text.starts_with('-'), text};
  takeSign(result.magnitude);
  return result;
}

// The shape of a binary floating-point format: digits of the significand (with the hidden one) and exponent range.
struct Format {
  int precision;
  int maxExponent;  // of the leading digit
  int minExponent;  // of the leading digit of a normal number
  uint64_t exponentMask() const { return static_cast<uint64_t>(2 * maxExponent + 1) << (precision - 1); }
  uint64_t canonicalNan() const { return exponentMask() | uint64_t{1} << (precision - 2); }
};
constexpr Format kFormat32{24, 127, -126};
constexpr Format kFormat64{53, 1023, -1022};

// A decimal number of any length, saturated far beyond any exponent that matters.
int64_t parseExponent(std::string_view text) {
  constexpr int64_t kHuge = int64_t{1} << 40;
  auto [negative, digits] = splitSign(text);
  int64_t value = 0;
  for (char c : digits) {
    if (c != '_' && value < kHuge) value = value * 10 + (c - '0');
  }
  return negative ? -value : value;
}

// Rounds `significand` * 2^`exponent` (plus less than one unit if `sticky`) to nearest, ties to even. Needs a
// significand of at least precision + 2 bits, or no sticky part.
std::optional<uint64_t> roundBinary(uint64_t significand, int64_t exponent, bool sticky, const Format& format) {
  if (significand == 0) return 0;
  int leadingZeros = std::countl_zero(significand);
  significand <<= leadingZeros;
  exponent += 63 - leadingZeros;  // now the value is 1.xxx * 2^exponent
  if (exponent > format.maxExponent) return std::nullopt;
  int64_t dropped = 64 - format.precision;
  bool subnormal = exponent < format.minExponent;
  if (subnormal) dropped += format.minExponent - exponent;
  if (dropped > 64) return 0;
  uint64_t kept = dropped == 64 ? 0 : significand >> dropped;
  uint64_t half = uint64_t{1} << (dropped - 1);
  uint64_t rest = dropped == 64 ? significand : significand & (2 * half - 1);
  if (rest > half || (rest == half && (sticky || (kept & 1)))) ++kept;
  // The hidden bit adds one to the biased exponent, and so does a carry out of the rounding.
  uint64_t biased = subnormal ? 0 : static_cast<uint64_t>(exponent + format.maxExponent - 1);
  uint64_t bits = (biased << (format.precision - 1)) + kept;
  return bits >= format.exponentMask() ? std::nullopt : std::optional(bits);
}

std::optional<uint64_t> parseHexFloat(std::string_view text, const Format& format) {
  text.remove_prefix(2);
  size_t p = text.find_first_of("pP");
  int64_t exponent = p == text.npos ? 0 : parseExponent(text.substr(p + 1));
  uint64_t significand = 0;
  bool sticky = false, afterPoint = false;
  for (char c : text.substr(0, p)) {
    if (c == '_') continue;
    if (c == '.') {
      afterPoint = true;
      continue;
    }
    if (significand >> 60) {
      sticky |= c != '0';
      if (!afterPoint) exponent += 4;
    } else {
      significand = significand << 4 | digitValue(c);
      if (afterPoint) exponent -= 4;
    }
  }
  return roundBinary(significand, exponent, sticky, format);
}

// The decimal exponent of the leading non-zero digit, roughly: enough to tell overflow from underflow.
int64_t decimalMagnitude(std::string_view text) {
  size_t e = text.find_first_of("eE");
  int64_t exponent = e == text.npos ? 0 : parseExponent(text.substr(e + 1));
  std::string_view digits = text.substr(0, e);
  size_t first = digits.find_first_not_of("0._"), point = std::min(digits.find('.'), digits.size());
  if (first == digits.npos) return 0;
  return exponent + static_cast<int64_t>(point) - static_cast<int64_t>(first);
}

template <class Float, class Bits>
std::optional<uint64_t> parseDecimalFloat(std::string_view text) {
  std::string plain;
  if (text.contains('_')) {
    plain.assign(text);
    std::erase(plain, '_');
    text = plain;
  }
  Float value = 0;
  auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec == std::errc::result_out_of_range) {
    if (decimalMagnitude(text) > 0) return std::nullopt;
    return 0;
  }
  if (value == std::numeric_limits<Float>::infinity()) return std::nullopt;
  return std::bit_cast<Bits>(value);
}

template <class Float, class Bits>
std::optional<uint64_t> parseFloatAs(std::string_view text, const Format& format) {
  auto [negative, magnitude] = splitSign(text);
  std::optional<uint64_t> bits;
  if (magnitude == "inf") {
    bits = format.exponentMask();
  } else if (magnitude == "nan") {
    bits = format.canonicalNan();
  } else if (magnitude.starts_with("nan:")) {
    bits = parseNat(magnitude.substr(4), (uint64_t{1} << (format.precision - 1)) - 1);
    if (bits == 0) return std::nullopt;
    if (bits) *bits |= format.exponentMask();
  } else if (isHex(magnitude)) {
    bits = parseHexFloat(magnitude, format);
  } else {
    bits = parseDecimalFloat<Float, Bits>(magnitude);
  }
  if (bits && negative) *bits |= uint64_t{1} << (sizeof(Bits) * 8 - 1);
  return bits;
}

}  // namespace

std::optional<TokenKind> classifyNumber(std::string_view text) {
  bool hasSign = takeSign(text);
  if (text == "inf" || text == "nan") return TokenKind::Float;
  bool isNan = text.starts_with("nan:0x");
  if (isNan) text.remove_prefix(4);
  bool hex = isHex(text);
  if (hex) text.remove_prefix(2);
  if (!takeDigits(text, hex)) return std::nullopt;
  if (text.empty()) return isNan ? TokenKind::Float : hasSign ? TokenKind::Int : TokenKind::Nat;
  if (isNan) return std::nullopt;
  if (text[0] == '.') {
    text.remove_prefix(1);
    takeDigits(text, hex);
  }
  if (!text.empty() && (text[0] | 0x20) == (hex ? 'p' : 'e')) {
    text.remove_prefix(1);
    takeSign(text);
    if (!takeDigits(text, false)) return std::nullopt;
  }
  return text.empty() ? std::optional(TokenKind::Float) : std::nullopt;
}

std::optional<uint64_t> parseNat(std::string_view text, uint64_t max) {
  uint64_t base = isHex(text) ? 16 : 10;
  if (base == 16) text.remove_prefix(2);
  uint64_t value = 0;
  for (char c : text) {
    if (c == '_') continue;
    uint64_t digit = digitValue(c);
    if (value > (max - digit) / base || digit > max) return std::nullopt;
    value = value * base + digit;
  }
  return value;
}

std::optional<uint64_t> parseInteger(std::string_view text, unsigned bits) {
  uint64_t max = ~uint64_t{0} >> (64 - bits);
  auto [negative, magnitude] = splitSign(text);
  if (!negative) return parseNat(magnitude, text.starts_with('+') ? max / 2 : max);
  std::optional<uint64_t> value = parseNat(magnitude, max / 2 + 1);
  return value ? std::optional((0 - *value) & max) : std::nullopt;
}

std::optional<uint64_t> parseFloat(std::string_view text, unsigned bits) {
  return bits == 32 ? parseFloatAs<float, uint32_t>(text, kFormat32) : parseFloatAs<double, uint64_t>(text, kFormat64);
}

}  // namespace wattle::frontend::text
