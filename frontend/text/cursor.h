// A place in a token stream, and the parser's one error.
//
// The error is sticky: after the first failure the cursor shows nothing but End, so every loop over tokens ends and no
// caller has to look at a result before the outermost one does. Values read after a failure are meaningless defaults.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/error.h"
#include "frontend/text/lexer.h"

namespace wattle::frontend::text {

class Cursor {
 public:
  // Shows the tokens [begin, end) of `stream`, which must outlive the cursor, and then End.
  Cursor(const TokenStream& stream, uint32_t begin, uint32_t end);
  explicit Cursor(const TokenStream& stream);

  uint32_t position() const { return position_; }
  void seek(uint32_t position) {
    if (!failed()) position_ = position;
  }
  void advance() {
    if (position_ < end_) ++position_;
  }

  TokenKind kind(uint32_t ahead = 0) const { return token(ahead).kind; }
  bool is(TokenKind kind) const { return token().kind == kind; }
  std::string_view text(uint32_t ahead = 0) const { return stream_.text(token(ahead)); }
  std::string excerpt() const;  // the token, short enough for a message
  std::string_view idName() const { return stream_.idName(token()); }
  uint32_t offset() const { return token().begin; }
  bool isIndex(uint32_t ahead = 0) const { return kind(ahead) == TokenKind::Nat || kind(ahead) == TokenKind::Id; }
  bool isKeyword(std::string_view word, uint32_t ahead = 0) const {
    return kind(ahead) == TokenKind::Keyword && text(ahead) == word;
  }
  // At "(" followed by `word`?
  bool isOpen(std::string_view word) const { return is(TokenKind::Open) && isKeyword(word, 1); }

  bool isUnknownWord() const;  // no word of the format at all

  bool take(TokenKind kind);
  bool takeKeyword(std::string_view word);
  bool takeOpen(std::string_view word);
  std::optional<std::string_view> takeId();

  void expectOpen();
  void expectClose();
  void expectKeyword(std::string_view word);
  std::string expectString();
  std::string expectName();  // a string that is UTF-8
  uint32_t expectU32();
  uint64_t expectU64();

  // From inside a parenthesis, past the ")" that closes it.
  void skipToClose();

  void fail(std::string message, ErrorKind kind = ErrorKind::Malformed) { failAt(offset(), std::move(message), kind); }
  void failAt(uint32_t offset, std::string message, ErrorKind kind = ErrorKind::Malformed);
  void failUnexpected();  // the current token has no place here
  bool failed() const { return error_.has_value(); }
  const std::optional<Error>& error() const { return error_; }

  // The next annotation of that kind in front of the current token, each given once.
  const Annotation* takeAnnotation(AnnotationKind kind);
  bool hasAnnotation(AnnotationKind kind) const { return findAnnotation(kind) != kNone; }
  // Does an identifier or a (@name) come next?
  bool isBinding() const { return is(TokenKind::Id) || hasAnnotation(AnnotationKind::Name); }
  // Fails when an annotation of the range was not taken.
  void expectNoAnnotationsLeft();
  const TokenStream& stream() const { return stream_; }

 private:
  static constexpr size_t kNone = ~size_t{0};
  size_t findAnnotation(AnnotationKind kind) const;
  const Token& token(uint32_t ahead = 0) const {
    return position_ + ahead < end_ ? stream_.tokens[position_ + ahead] : endToken_;
  }
  uint64_t expectNat(uint64_t max, const char* type);

  const TokenStream& stream_;
  uint32_t begin_;
  uint32_t position_;
  uint32_t end_;
  Token endToken_;
  std::vector<bool> takenAnnotations_;  // as long as the stream's list, or empty when that is empty
  std::optional<Error> error_;
};

}  // namespace wattle::frontend::text
