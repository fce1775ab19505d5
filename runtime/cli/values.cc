#include "runtime/cli/values.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

namespace wattle::cli {

const char* const kValueHelp =
    "  i32, i64    42  -7  0xff          (signed or unsigned)\n"
    "  f32, f64    1.5  -2e9  0x1.8p3  inf  -inf  nan  nan:0x7f\n"
    "  v128        i8x16:…  i16x8:…  i32x4:1,2,3,4  i64x2:…  f32x4:…  f64x2:1.5,2.5\n"
    "  externref   any text, or null\n"
    "  others      null\n";

namespace {

struct Sign {
  bool negative = false;
  std::string_view rest;
};

Sign takeSign(std::string_view text) {
  if (text.starts_with('-')) return {true, text.substr(1)};
  if (text.starts_with('+')) return {false, text.substr(1)};
  return {false, text};
}

bool isHex(std::string_view text) { return text.starts_with("0x") || text.starts_with("0X"); }

std::optional<uint64_t> parseMagnitude(std::string_view text) {
  int base = 10;
  if (isHex(text)) {
    base = 16;
    text.remove_prefix(2);
  }
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Signed or unsigned in `bits` bits.
std::optional<uint64_t> parseInteger(std::string_view text, unsigned bits) {
  Sign sign = takeSign(text);
  auto magnitude = parseMagnitude(sign.rest);
  if (!magnitude) return std::nullopt;
  uint64_t largest = bits == 64 ? ~0ull : (1ull << bits) - 1;
  uint64_t limit = sign.negative ? 1ull << (bits - 1) : largest;
  if (*magnitude > limit) return std::nullopt;
  return (sign.negative ? 0 - *magnitude : *magnitude) & largest;
}

template <class Float, class Bits>
std::optional<uint64_t> parseFloat(std::string_view text) {
  constexpr int kMantissa = std::numeric_limits<Float>::digits - 1;
  Sign sign = takeSign(text);
  Bits signBit = sign.negative ? Bits{1} << (sizeof(Bits) * 8 - 1) : 0;
  constexpr Bits kInfinity = std::bit_cast<Bits>(std::numeric_limits<Float>::infinity());
  if (sign.rest == "inf") return signBit | kInfinity;
  if (sign.rest == "nan") return signBit | kInfinity | (Bits{1} << (kMantissa - 1));
  if (sign.rest.starts_with("nan:")) {
    auto payload = parseMagnitude(sign.rest.substr(4));
    if (!payload || *payload == 0 || *payload >> kMantissa) return std::nullopt;
    return signBit | kInfinity | static_cast<Bits>(*payload);
  }
  auto format = std::chars_format::general;
  std::string_view digits = sign.rest;
  if (isHex(digits)) {
    format = std::chars_format::hex;
    digits.remove_prefix(2);
  }
  if (digits.empty() || !(std::isxdigit(static_cast<unsigned char>(digits[0])) || digits[0] == '.'))
    return std::nullopt;
  Float value = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, format);
  if (error == std::errc::invalid_argument || end != digits.data() + digits.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) return std::nullopt;
  return signBit | std::bit_cast<Bits>(value);
}

struct Shape {
  std::string_view name;
  unsigned lanes;
  bool isFloat;
};
constexpr Shape kShapes[] = {{"i8x16", 16, false}, {"i16x8", 8, false}, {"i32x4", 4, false},
                             {"i64x2", 2, false},  {"f32x4", 4, true},  {"f64x2", 2, true}};

std::optional<uint64_t> parseLane(const Shape& shape, std::string_view text) {
  if (!shape.isFloat) return parseInteger(text, 128 / shape.lanes);
  return shape.lanes == 4 ? parseFloat<float, uint32_t>(text) : parseFloat<double, uint64_t>(text);
}

std::optional<V128> parseVector(std::string_view text) {
  size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const Shape* shape = nullptr;
  for (const Shape& candidate : kShapes) {
    if (candidate.name == text.substr(0, colon)) shape = &candidate;
  }
  if (!shape) return std::nullopt;
  text.remove_prefix(colon + 1);
  V128 vector;
  unsigned width = 16 / shape->lanes;
  for (unsigned lane = 0; lane < shape->lanes; lane++) {
    size_t comma = text.find(',');
    if ((comma == std::string_view::npos) != (lane + 1 == shape->lanes)) return std::nullopt;
    auto bits = parseLane(*shape, text.substr(0, comma));
    if (!bits) return std::nullopt;
    memcpy(vector.bytes.data() + lane * width, &*bits, width);
    if (comma != std::string_view::npos) text.remove_prefix(comma + 1);
  }
  return vector;
}

std::optional<Val> parseReference(Store& store, const ValType& type, std::string_view text) {
  if (text == "null" && type.nullable) return Val::null(type);
  if (type.heap == Heap::Extern) return store.externref(std::make_shared<std::string>(text));
  return std::nullopt;
}

std::optional<Val> parse(Store& store, const ValType& type, std::string_view text) {
  std::optional<uint64_t> bits;
  switch (type.kind) {
    case Kind::I32: bits = parseInteger(text, 32); break;
    case Kind::I64: bits = parseInteger(text, 64); break;
    case Kind::F32: bits = parseFloat<float, uint32_t>(text); break;
    case Kind::F64: bits = parseFloat<double, uint64_t>(text); break;
    case Kind::V128: {
      auto vector = parseVector(text);
      return vector ? std::optional<Val>(*vector) : std::nullopt;
    }
    case Kind::Ref: return parseReference(store, type, text);
  }
  return bits ? std::optional<Val>(Val::fromBits(type, *bits)) : std::nullopt;
}

template <class Float, class Bits>
std::string formatFloat(Float value) {
  if (!std::isnan(value)) return fmt::format("{}", value);
  constexpr int kMantissa = std::numeric_limits<Float>::digits - 1;
  Bits payload = std::bit_cast<Bits>(value) & ((Bits{1} << kMantissa) - 1);
  const char* sign = std::signbit(value) ? "-" : "";
  if (payload == Bits{1} << (kMantissa - 1)) return fmt::format("{}nan", sign);
  return fmt::format("{}nan:{:#x}", sign, payload);
}

std::string formatReference(const Store& store, const Val& value) {
  if (value.isNull()) return "null";
  if (value.type().heap == Heap::Extern) {
    auto host = store.externValue(value);
    if (host && *host) return *std::static_pointer_cast<std::string>(*host);
  }
  ValType type = value.type();
  type.nullable = false;
  return toString(type);
}

}  // namespace

Result<Val> parseValue(Store& store, const ValType& type, std::string_view text) {
  if (auto value = parse(store, type, text)) return *value;
  return std::unexpected(Error::make(ErrorKind::Argument, fmt::format("'{}' is no {}", text, toString(type))));
}

std::string formatValue(const Store& store, const Val& value) {
  switch (value.type().kind) {
    case Kind::I32: return fmt::format("{}", value.i32());
    case Kind::I64: return fmt::format("{}", value.i64());
    case Kind::F32: return formatFloat<float, uint32_t>(value.f32());
    case Kind::F64: return formatFloat<double, uint64_t>(value.f64());
    case Kind::V128: {
      auto lanes = std::bit_cast<std::array<uint32_t, 4>>(value.v128().bytes);
      return fmt::format("i32x4:{:#x},{:#x},{:#x},{:#x}", lanes[0], lanes[1], lanes[2], lanes[3]);
    }
    case Kind::Ref: return formatReference(store, value);
  }
  return "?";
}

}  // namespace wattle::cli
