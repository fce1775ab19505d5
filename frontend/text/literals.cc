#include "frontend/text/literals.h"

#include <algorithm>
#include <string>

#include "frontend/text/numbers.h"

namespace wattle::frontend::text {
namespace {

bool isInteger(TokenKind kind) { return kind == TokenKind::Nat || kind == TokenKind::Int; }
bool isNumber(TokenKind kind) { return isInteger(kind) || kind == TokenKind::Float; }

uint64_t finish(Cursor& cursor, std::optional<uint64_t> value) {
  if (!value) cursor.fail("constant out of range: " + cursor.excerpt());
  cursor.advance();
  return value.value_or(0);
}

constexpr std::string_view kShapeNames[] = {"i8x16", "i16x8", "i32x4", "i64x2", "f32x4", "f64x2"};

}  // namespace

uint64_t parseIntegerLiteral(Cursor& cursor, unsigned bits) {
  if (!isInteger(cursor.kind())) {
    cursor.failUnexpected();
    return 0;
  }
  return finish(cursor, parseInteger(cursor.text(), bits));
}

uint64_t parseFloatLiteral(Cursor& cursor, unsigned bits) {
  if (!isNumber(cursor.kind())) {
    cursor.failUnexpected();
    return 0;
  }
  return finish(cursor, parseFloat(cursor.text(), bits));
}

LaneShape parseLaneShape(Cursor& cursor) {
  auto found = std::ranges::find(kShapeNames, cursor.is(TokenKind::Keyword) ? cursor.text() : "");
  if (found == std::end(kShapeNames)) {
    cursor.failUnexpected();
    return LaneShape::I64x2;
  }
  cursor.advance();
  return static_cast<LaneShape>(found - std::begin(kShapeNames));
}

unsigned countNumbers(const Cursor& cursor, unsigned limit) {
  unsigned count = 0;
  while (count < limit && isNumber(cursor.kind(count))) ++count;
  return count;
}

std::array<uint8_t, 16> parseVectorLiteral(Cursor& cursor) {
  LaneShape shape = parseLaneShape(cursor);
  unsigned lanes = laneCount(shape), bits = laneBits(shape), count = countNumbers(cursor, lanes + 1);
  std::array<uint8_t, 16> bytes{};
  if (count != lanes) {
    cursor.seek(cursor.position() + count);
    if (cursor.isUnknownWord()) cursor.failUnexpected();
    cursor.fail("wrong number of lane literals");
  }
  for (unsigned lane = 0; lane < lanes; ++lane) {
    uint64_t value = isFloatShape(shape) ? parseFloatLiteral(cursor, bits) : parseIntegerLiteral(cursor, bits);
    for (unsigned i = 0; i < bits / 8; ++i) bytes[lane * bits / 8 + i] = static_cast<uint8_t>(value >> (8 * i));
  }
  return bytes;
}

}  // namespace wattle::frontend::text
