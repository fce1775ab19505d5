// Number literals, exactly: every value is the literal's, correctly rounded, or an error.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace wattle::frontend::text {

enum class TokenKind : uint8_t;

// Nat, Int or Float when `text` is a number literal.
std::optional<TokenKind> classifyNumber(std::string_view text);

// Each of these takes a literal that classifyNumber accepts and gives nothing when it is out of range.
std::optional<uint64_t> parseNat(std::string_view text, uint64_t max);
// An integer of `bits` (8 to 64) bits, signed or unsigned, as a two's complement pattern of that width.
std::optional<uint64_t> parseInteger(std::string_view text, unsigned bits);
// The bits of a floating-point number of `bits` (32 or 64) bits.
std::optional<uint64_t> parseFloat(std::string_view text, unsigned bits);

}  // namespace wattle::frontend::text
