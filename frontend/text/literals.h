// Literals at the cursor, with the errors of the text format. Shared by instructions and scripts.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "frontend/text/cursor.h"
#include "frontend/text/wast.h"

namespace wattle::frontend::text {

// An integer literal of that many bits, as a two's complement pattern.
uint64_t parseIntegerLiteral(Cursor& cursor, unsigned bits);
// The bits of a float literal of 32 or 64 bits.
uint64_t parseFloatLiteral(Cursor& cursor, unsigned bits);

// How many number literals come next, counted up to `limit`.
unsigned countNumbers(const Cursor& cursor, unsigned limit);

constexpr unsigned laneCount(LaneShape shape) {
  switch (shape) {
    case LaneShape::I8x16: return 16;
    case LaneShape::I16x8: return 8;
    case LaneShape::I32x4:
    case LaneShape::F32x4: return 4;
    case LaneShape::I64x2:
    case LaneShape::F64x2: break;
  }
  return 2;
}
constexpr unsigned laneBits(LaneShape shape) { return 128 / laneCount(shape); }
constexpr bool isFloatShape(LaneShape shape) { return shape == LaneShape::F32x4 || shape == LaneShape::F64x2; }

// "i8x16" and so on.
LaneShape parseLaneShape(Cursor& cursor);
// What follows "v128.const": little-endian bytes.
std::array<uint8_t, 16> parseVectorLiteral(Cursor& cursor);

}  // namespace wattle::frontend::text
