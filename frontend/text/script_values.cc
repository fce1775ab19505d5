#include "frontend/text/script_values.h"

#include <algorithm>

#include "frontend/text/literals.h"
#include "frontend/text/types.h"

namespace wattle::frontend::text {
namespace {

constexpr ValType kNonNullExtern = kExternRef.asNonNull();
constexpr ValType kNonNullAny = kAnyRef.asNonNull();

struct NumberConst {
  std::string_view word;
  ValType type;
  unsigned bits;
  bool isFloat;
};
constexpr NumberConst kNumberConsts[] = {
    {"i32.const", kI32, 32, false},
    {"i64.const", kI64, 64, false},
    {"f32.const", kF32, 32, true},
    {"f64.const", kF64, 64, true},
};

const NumberConst* takeNumberConst(Cursor& cursor) {
  for (const NumberConst& number : kNumberConsts) {
    if (cursor.takeKeyword(number.word)) return &number;
  }
  return nullptr;
}

// The heap type after ref.null, if written.
ValType takeNullType(Cursor& cursor) {
  std::optional<HeapType> heap = cursor.is(TokenKind::Keyword) ? heapTypeOfWord(cursor.text()) : std::nullopt;
  if (!heap) return kBottom;
  cursor.advance();
  return ValType::ref(*heap, true);
}

uint64_t canonicalNan(unsigned bits) { return bits == 32 ? 0x7fc00000 : 0x7ff8000000000000; }

LanePattern parseLane(Cursor& cursor, unsigned bits, bool isFloat) {
  if (!isFloat) return {parseIntegerLiteral(cursor, bits), NanPattern::None};
  if (cursor.takeKeyword("nan:canonical")) return {canonicalNan(bits), NanPattern::Canonical};
  if (cursor.takeKeyword("nan:arithmetic")) return {canonicalNan(bits), NanPattern::Arithmetic};
  return {parseFloatLiteral(cursor, bits), NanPattern::None};
}

void parseVectorPattern(Cursor& cursor, ScriptResult& result) {
  result.kind = ScriptResult::Kind::Vector;
  result.type = kV128;
  result.shape = parseLaneShape(cursor);
  for (unsigned lane = 0; lane < laneCount(result.shape); ++lane) {
    result.lanes[lane] = parseLane(cursor, laneBits(result.shape), isFloatShape(result.shape));
  }
}

// (ref.x), (ref.x N): a reference that is an x.
void parseReferencePattern(Cursor& cursor, ScriptResult& result) {
  std::string_view word = cursor.is(TokenKind::Keyword) ? cursor.text() : "";
  if (word == "ref") {
    result.kind = ScriptResult::Kind::Ref;
    result.type = kBottom;
    return cursor.advance();
  }
  if (word == "ref.host") {
    cursor.advance();
    result.kind = ScriptResult::Kind::Host;
    result.type = kNonNullAny;
    result.number = cursor.expectU64();
    return;
  }
  std::optional<HeapType> heap = word.starts_with("ref.") ? heapTypeOfWord(word.substr(4)) : std::nullopt;
  if (!heap) return cursor.failUnexpected();
  cursor.advance();
  result.kind = ScriptResult::Kind::Ref;
  result.type = ValType::ref(*heap, false);
  if (!cursor.is(TokenKind::Nat)) return;
  result.number = cursor.expectU64();
  if (result.type == kNonNullExtern) result.kind = ScriptResult::Kind::Extern;
}

ScriptResult parsePattern(Cursor& cursor) {
  ScriptResult result;
  cursor.expectOpen();
  if (const NumberConst* number = takeNumberConst(cursor)) {
    result.type = number->type;
    result.lanes[0] = parseLane(cursor, number->bits, number->isFloat);
  } else if (cursor.takeKeyword("v128.const")) {
    parseVectorPattern(cursor, result);
  } else if (cursor.takeKeyword("ref.null")) {
    result.kind = ScriptResult::Kind::Null;
    result.type = takeNullType(cursor);
  } else {
    parseReferencePattern(cursor, result);
  }
  cursor.expectClose();
  return result;
}

}  // namespace

ScriptValue parseScriptValue(Cursor& cursor) {
  ScriptValue value;
  cursor.expectOpen();
  if (const NumberConst* number = takeNumberConst(cursor)) {
    value.type = number->type;
    value.bits[0] =
        number->isFloat ? parseFloatLiteral(cursor, number->bits) : parseIntegerLiteral(cursor, number->bits);
  } else if (cursor.takeKeyword("v128.const")) {
    value.type = kV128;
    std::array<uint8_t, 16> bytes = parseVectorLiteral(cursor);
    for (unsigned i = 0; i < 16; ++i) value.bits[i / 8] |= uint64_t{bytes[i]} << (i % 8 * 8);
  } else if (cursor.takeKeyword("ref.null")) {
    value.kind = ScriptValue::Kind::Null;
    value.type = takeNullType(cursor);
    if (value.type == kBottom) cursor.failUnexpected();
  } else if (cursor.isKeyword("ref.extern") || cursor.isKeyword("ref.host")) {
    bool isExtern = cursor.isKeyword("ref.extern");
    cursor.advance();
    value.kind = isExtern ? ScriptValue::Kind::Extern : ScriptValue::Kind::Host;
    value.type = isExtern ? kNonNullExtern : kNonNullAny;
    value.bits[0] = cursor.expectU64();
  } else {
    cursor.failUnexpected();
  }
  cursor.expectClose();
  return value;
}

ScriptResult parseScriptResult(Cursor& cursor) {
  if (!cursor.takeOpen("either")) return parsePattern(cursor);
  ScriptResult result;
  result.kind = ScriptResult::Kind::Either;
  do {
    result.alternatives.push_back(parsePattern(cursor));
  } while (cursor.is(TokenKind::Open));
  cursor.expectClose();
  return result;
}

}  // namespace wattle::frontend::text
