#include "frontend/text/numbers.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "frontend/text/lexer.h"

namespace wattle::frontend::text {
namespace {

uint64_t bits(double value) { return std::bit_cast<uint64_t>(value); }
uint64_t bits(float value) { return std::bit_cast<uint32_t>(value); }

TEST(TextNumbers, Classifies) {
  for (const char* nat : {"0", "00", "1_000", "0xdead_BEEF"}) EXPECT_EQ(classifyNumber(nat), TokenKind::Nat) << nat;
  for (const char* integer : {"+0", "-1_0", "-0xf"}) EXPECT_EQ(classifyNumber(integer), TokenKind::Int) << integer;
  for (const char* real :
       {"1.", "1.5", "1e3", "1E-3", "0x1p4", "0x1.8", "0x1.p-1", "-inf", "nan", "+nan:0x1", "1_0.0_1e1_0"}) {
    EXPECT_EQ(classifyNumber(real), TokenKind::Float) << real;
  }
  for (const char* bad :
       {"",   "_1", "1_",   "1__0", "0x",    "0x_1",   "1.e",           "1e",       "1e+",     "0x1p", "0x1.fp",
        ".5", "+",  "1._0", "1a",   "nan:1", "nan:0x", "nan:canonical", "infinity", "0x1p0xa", "0X1"}) {
    EXPECT_EQ(classifyNumber(bad), std::nullopt) << bad;
  }
}

TEST(TextNumbers, IntegersHaveBothRanges) {
  EXPECT_EQ(parseInteger("4294967295", 32), 0xffffffffu);
  EXPECT_EQ(parseInteger("-2147483648", 32), 0x80000000u);
  EXPECT_EQ(parseInteger("-1", 8), 0xffu);
  EXPECT_EQ(parseInteger("0xffff_ffff_ffff_ffff", 64), ~uint64_t{0});
  EXPECT_EQ(parseInteger("-0x8000000000000000", 64), uint64_t{1} << 63);
  EXPECT_EQ(parseInteger("-0", 64), 0u);
  for (const char* bad : {"4294967296", "-2147483649", "0x1_0000_0000", "-0x80000001", "99999999999999999999999"}) {
    EXPECT_EQ(parseInteger(bad, 32), std::nullopt) << bad;
  }
  EXPECT_EQ(parseInteger("18446744073709551616", 64), std::nullopt);
  EXPECT_EQ(parseInteger("-9223372036854775809", 64), std::nullopt);
  EXPECT_EQ(parseNat("65536", 65535), std::nullopt);
  EXPECT_EQ(parseNat("0", 0), 0u);
}

TEST(TextNumbers, SpecialFloats) {
  EXPECT_EQ(parseFloat("inf", 32), 0x7f800000u);
  EXPECT_EQ(parseFloat("-inf", 64), 0xfff0000000000000u);
  EXPECT_EQ(parseFloat("nan", 32), 0x7fc00000u);
  EXPECT_EQ(parseFloat("-nan", 64), 0xfff8000000000000u);
  EXPECT_EQ(parseFloat("nan:0x1", 32), 0x7f800001u);
  EXPECT_EQ(parseFloat("-nan:0x7f_ffff", 32), 0xffffffffu);
  EXPECT_EQ(parseFloat("nan:0xfffffffffffff", 64), 0x7fffffffffffffffu);
  EXPECT_EQ(parseFloat("nan:0x0", 32), std::nullopt);
  EXPECT_EQ(parseFloat("nan:0x800000", 32), std::nullopt);
  EXPECT_EQ(parseFloat("-0", 32), 0x80000000u);
  EXPECT_EQ(parseFloat("-0x0p99999999999999999999", 64), uint64_t{1} << 63);
  EXPECT_EQ(parseFloat("0e99999", 64), 0u);
}

TEST(TextNumbers, RoundsHexToNearestEven) {
  EXPECT_EQ(parseFloat("0x1.000001p0", 32), bits(1.0f));                            // a tie, to even
  EXPECT_EQ(parseFloat("0x1.000003p0", 32), bits(std::nextafter(1.0f, 2.0f)) + 1);  // a tie, up to even
  EXPECT_EQ(parseFloat("0x1.00000100000000000000000000000001p0", 32), bits(std::nextafter(1.0f, 2.0f)));
  EXPECT_EQ(parseFloat("0x1.fffffefp127", 32), bits(std::numeric_limits<float>::max()));
  EXPECT_EQ(parseFloat("0x1.ffffffp127", 32), std::nullopt);  // rounds to infinity
  EXPECT_EQ(parseFloat("0x1p128", 32), std::nullopt);
  EXPECT_EQ(parseFloat("0x1p-149", 32), 1u);
  EXPECT_EQ(parseFloat("0x1p-150", 32), 0u);  // a tie, to even
  EXPECT_EQ(parseFloat("0x1.000002p-150", 32), 1u);
  EXPECT_EQ(parseFloat("0x1p-151", 32), 0u);
  EXPECT_EQ(parseFloat("0x0.ffffffp-126", 32), 0x800000u);  // a subnormal that rounds up to a normal
  EXPECT_EQ(parseFloat("0x1p-1000000000000000000000", 64), 0u);
  EXPECT_EQ(parseFloat("0x1p1000000000000000000000", 64), std::nullopt);
  EXPECT_EQ(parseFloat("0x0.0000000000000000000000000000000000000001p160", 64), bits(1.0));
  EXPECT_EQ(parseFloat("0x10000000000000000000000000000000000000000p-160", 64), bits(1.0));
}

TEST(TextNumbers, DecimalLimits) {
  EXPECT_EQ(parseFloat("340282356779733661637539395458142568447", 32), bits(std::numeric_limits<float>::max()));
  EXPECT_EQ(parseFloat("340282356779733661637539395458142568448", 32), std::nullopt);
  EXPECT_EQ(parseFloat("1e309", 64), std::nullopt);
  EXPECT_EQ(parseFloat("-1e-400", 64), uint64_t{1} << 63);
  EXPECT_EQ(parseFloat("4.9e-324", 64), 1u);
  EXPECT_EQ(parseFloat("0." + std::string(400, '0') + "1e401", 64), bits(1.0));
  EXPECT_EQ(parseFloat("1" + std::string(400, '0') + "e-400", 64), bits(1.0));
  EXPECT_EQ(parseFloat("1_0.2_5e0_1", 64), bits(102.5));
}

// The C library reads the same notations, correctly rounded.
TEST(TextNumbers, AgreesWithTheCLibrary) {
  std::mt19937_64 random(20240611);
  char text[128];
  for (int i = 0; i < 20000; ++i) {
    double value = std::bit_cast<double>(random() & ~(uint64_t{1} << 63));
    if (!std::isfinite(value)) continue;
    std::snprintf(text, sizeof text, i % 2 ? "%.*e" : "%.*a", static_cast<int>(random() % 30), value);
    double expected64 = std::strtod(text, nullptr);
    float expected32 = std::strtof(text, nullptr);
    EXPECT_EQ(parseFloat(text, 64), std::isinf(expected64) ? std::nullopt : std::optional(bits(expected64))) << text;
    EXPECT_EQ(parseFloat(text, 32), std::isinf(expected32) ? std::nullopt : std::optional(bits(expected32))) << text;
  }
  for (int i = 0; i < 20000; ++i) {  // near the range of f32, where subnormals and ties are common
    double value =
        std::ldexp(1.0 + static_cast<double>(random() % 4096) / 4096, static_cast<int>(random() % 300) - 155);
    std::snprintf(text, sizeof text, "%.*a", static_cast<int>(random() % 8), value);
    float expected = std::strtof(text, nullptr);
    EXPECT_EQ(parseFloat(text, 32), std::isinf(expected) ? std::nullopt : std::optional(bits(expected))) << text;
  }
}

}  // namespace
}  // namespace wattle::frontend::text
