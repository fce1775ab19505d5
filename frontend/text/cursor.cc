#include "frontend/text/cursor.h"

#include <algorithm>

#include "frontend/text/keywords.h"
#include "frontend/text/numbers.h"
#include "frontend/text/utf8.h"

namespace wattle::frontend::text {
namespace {

std::string_view annotationName(AnnotationKind kind) {
  switch (kind) {
    case AnnotationKind::Custom: return "@custom";
    case AnnotationKind::Name: return "@name";
    case AnnotationKind::BranchHint: break;
  }
  return "@metadata.code.branch_hint";
}

}  // namespace

Cursor::Cursor(const TokenStream& stream, uint32_t begin, uint32_t end)
    : stream_(stream), begin_(begin), position_(begin), end_(end), takenAnnotations_(stream.annotations.size()) {
  uint32_t offset = end < stream.tokens.size() ? stream.tokens[end].begin : stream.tokens.back().end;
  endToken_ = {offset, offset, TokenKind::End};
}

Cursor::Cursor(const TokenStream& stream) : Cursor(stream, 0, static_cast<uint32_t>(stream.tokens.size())) {}

std::string Cursor::excerpt() const {
  constexpr size_t kMax = 60;
  std::string_view all = text();
  return std::string(all.substr(0, kMax)) + (all.size() > kMax ? "..." : "");
}

bool Cursor::take(TokenKind kind) {
  if (!is(kind)) return false;
  advance();
  return true;
}

bool Cursor::takeKeyword(std::string_view word) {
  if (!isKeyword(word)) return false;
  advance();
  return true;
}

bool Cursor::takeOpen(std::string_view word) {
  if (!isOpen(word)) return false;
  position_ += 2;
  return true;
}

std::optional<std::string_view> Cursor::takeId() {
  if (!is(TokenKind::Id)) return std::nullopt;
  std::string_view name = idName();
  advance();
  return name;
}

void Cursor::expectOpen() {
  if (!take(TokenKind::Open)) failUnexpected();
}

void Cursor::expectClose() {
  if (!take(TokenKind::Close)) failUnexpected();
}

void Cursor::expectKeyword(std::string_view word) {
  if (!takeKeyword(word)) failUnexpected();
}

std::string Cursor::expectString() {
  if (!is(TokenKind::String)) {
    failUnexpected();
    return {};
  }
  std::string value = decodeString(text());
  advance();
  return value;
}

std::string Cursor::expectName() {
  uint32_t begin = offset();
  std::string value = expectString();
  if (!isUtf8(value)) failAt(begin, "malformed UTF-8 encoding");
  return value;
}

uint64_t Cursor::expectNat(uint64_t max, const char* type) {
  if (!is(TokenKind::Nat)) {
    failUnexpected();
    return 0;
  }
  std::optional<uint64_t> value = parseNat(text(), max);
  if (!value) fail(std::string(type) + " constant out of range: " + excerpt());
  advance();
  return value.value_or(0);
}

uint32_t Cursor::expectU32() { return static_cast<uint32_t>(expectNat(UINT32_MAX, "i32")); }
uint64_t Cursor::expectU64() { return expectNat(UINT64_MAX, "i64"); }

void Cursor::skipToClose() {
  for (uint64_t depth = 1; depth != 0; advance()) {
    if (is(TokenKind::Open)) ++depth;
    if (is(TokenKind::Close)) --depth;
    if (is(TokenKind::End) || is(TokenKind::Bad)) return failUnexpected();
  }
}

void Cursor::failAt(uint32_t offset, std::string message, ErrorKind kind) {
  if (failed()) return;
  error_ = Error{kind, std::move(message), offset, std::nullopt};
  position_ = end_;
}

void Cursor::failUnexpected() {
  if (failed()) return;
  if (is(TokenKind::Bad)) {
    error_ = stream_.error;
    position_ = end_;
    return;
  }
  if (is(TokenKind::End)) return fail("unexpected token: end of input");
  fail((isUnknownWord() ? "unknown operator " : "unexpected token ") + excerpt());
}

bool Cursor::isUnknownWord() const {
  return is(TokenKind::Reserved) || (is(TokenKind::Keyword) && !isKnownKeyword(text()));
}

size_t Cursor::findAnnotation(AnnotationKind kind) const {
  const std::vector<Annotation>& all = stream_.annotations;
  if (all.empty()) return kNone;
  auto it = std::ranges::lower_bound(all, position_, {}, &Annotation::tokenIndex);
  for (; it != all.end() && it->tokenIndex == position_; ++it) {
    size_t index = static_cast<size_t>(it - all.begin());
    if (it->kind == kind && !takenAnnotations_[index]) return index;
  }
  return kNone;
}

const Annotation* Cursor::takeAnnotation(AnnotationKind kind) {
  size_t index = findAnnotation(kind);
  if (index == kNone) return nullptr;
  takenAnnotations_[index] = true;
  return &stream_.annotations[index];
}

void Cursor::expectNoAnnotationsLeft() {
  for (size_t i = 0; i < takenAnnotations_.size(); ++i) {
    const Annotation& annotation = stream_.annotations[i];
    if (takenAnnotations_[i] || annotation.tokenIndex < begin_ || annotation.tokenIndex >= end_) continue;
    if (annotation.kind == AnnotationKind::BranchHint) {
      return failAt(annotation.begin, "@metadata.code.branch_hint annotation: not in a function");
    }
    return failAt(annotation.begin, "misplaced " + std::string(annotationName(annotation.kind)) + " annotation");
  }
}

}  // namespace wattle::frontend::text
