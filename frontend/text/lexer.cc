#include "frontend/text/lexer.h"

#include <array>

#include "frontend/text/numbers.h"
#include "frontend/text/utf8.h"

namespace wattle::frontend::text {
namespace {

constexpr std::array<bool, 256> kIdChars = [] {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[c] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[c] = table[c - 'a' + 'A'] = true;
  for (char c : std::string_view("!#$%&'*+-./:<=>?@\\^_`|~")) table[static_cast<uint8_t>(c)] = true;
  return table;
}();

bool isIdChar(char c) { return kIdChars[static_cast<uint8_t>(c)]; }
bool isLower(char c) { return c >= 'a' && c <= 'z'; }

int hexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Value and end of the "{hex}" of a \u escape that starts at `at`; end is 0 when it is malformed.
struct CodePoint {
  uint32_t value = 0;
  size_t end = 0;
};

CodePoint scanCodePoint(std::string_view text, size_t at) {
  auto charAt = [&](size_t i) { return i < text.size() ? text[i] : '\0'; };
  if (charAt(at) != '{' || hexValue(charAt(at + 1)) < 0) return {};
  CodePoint result;
  for (++at;; ++at) {
    if (int digit = hexValue(charAt(at)); digit >= 0) {
      result.value = result.value << 4 | static_cast<uint32_t>(digit);
      if (result.value > 0x10ffff) return {};
    } else if (charAt(at) != '_' || charAt(at - 1) == '_' || hexValue(charAt(at + 1)) < 0) {
      break;
    }
  }
  if (charAt(at) == '}' && isScalarValue(result.value)) result.end = at + 1;
  return result;
}

std::optional<AnnotationKind> annotationKind(std::string_view id) {
  if (id == "custom") return AnnotationKind::Custom;
  if (id == "name") return AnnotationKind::Name;
  if (id == "metadata.code.branch_hint") return AnnotationKind::BranchHint;
  return std::nullopt;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) { stream_.source = source; }

  TokenStream run() {
    stream_.tokens.reserve(source_.size() / 5 + 16);
    while (at_ < source_.size() && !failed_) step();
    if (annotationDepth_ != 0) {
      fail("unclosed annotation", source_.size());
      if (droppedFrom_ != 1) stream_.annotations.pop_back();
    }
    uint32_t end = static_cast<uint32_t>(failed_ ? stream_.error.offset : source_.size());
    stream_.tokens.push_back({end, end, failed_ ? TokenKind::Bad : TokenKind::End});
    return std::move(stream_);
  }

 private:
  char charAt(size_t i) const { return i < source_.size() ? source_[i] : '\0'; }

  void fail(const char* message, size_t offset) {
    if (failed_) return;
    failed_ = true;
    stream_.error = Error{ErrorKind::Malformed, message, offset, std::nullopt};
  }

  void step() {
    char c = source_[at_];
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
      ++at_;
    } else if (c == '(') {
      if (charAt(at_ + 1) == ';') return blockComment();
      if (startsAnnotation()) return openAnnotation();
      emit(TokenKind::Open, at_ + 1);
    } else if (c == ')') {
      emit(TokenKind::Close, at_ + 1);
    } else if (c == ';' && charAt(at_ + 1) == ';') {
      lineComment();
    } else if (c == '"' || isIdChar(c)) {
      word();
    } else if (std::string_view(",;[]{}").contains(c)) {
      emit(TokenKind::Reserved, at_ + 1);
    } else {
      fail(utf8SequenceLength(source_, at_) == 0 ? "malformed UTF-8 encoding" : "illegal character", at_);
    }
  }

  void lineComment() {
    while (at_ < source_.size() && source_[at_] != '\n' && source_[at_] != '\r' && !failed_) skipCharacter();
  }

  void blockComment() {
    size_t begin = at_;
    uint64_t depth = 0;
    while (!failed_) {
      if (at_ >= source_.size()) return fail("unclosed comment", begin);
      if (charAt(at_) == '(' && charAt(at_ + 1) == ';') {
        ++depth;
        at_ += 2;
      } else if (charAt(at_) == ';' && charAt(at_ + 1) == ')') {
        at_ += 2;
        if (--depth == 0) return;
      } else {
        skipCharacter();
      }
    }
  }

  void skipCharacter() {
    size_t length = utf8SequenceLength(source_, at_);
    if (length == 0) return fail("malformed UTF-8 encoding", at_);
    at_ += length;
  }

  // The end of the string literal that starts at `at`, or 0 after a failure.
  size_t scanString(size_t at) {
    size_t begin = at;
    for (++at; at < source_.size();) {
      char c = source_[at];
      if (c == '"') return at + 1;
      if (c == '\n') break;
      if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) {
        fail("illegal control character in string literal", at);
        return 0;
      }
      size_t next = c == '\\' ? scanEscape(at) : at + utf8SequenceLength(source_, at);
      if (next <= at) {
        fail(c == '\\' ? "illegal escape" : "malformed UTF-8 encoding", at);
        return 0;
      }
      at = next;
    }
    fail("unclosed string literal", begin);
    return 0;
  }

  // A string that spells a name: one cut short is no name.
  size_t scanName(size_t at, const char* message) {
    size_t end = scanString(at);
    if (failed_ && stream_.error.message != "malformed UTF-8 encoding") stream_.error.message = message;
    return end;
  }

  size_t scanEscape(size_t at) const {
    char c = charAt(at + 1);
    if (std::string_view("ntr\"'\\").contains(c)) return at + 2;
    if (c == 'u') return scanCodePoint(source_, at + 2).end;
    return hexValue(c) >= 0 && hexValue(charAt(at + 2)) >= 0 ? at + 3 : 0;
  }

  // A maximal run of identifier characters and strings, and what kind of token it is.
  void word() {
    size_t end = at_, strings = 0;
    while (end < source_.size() && !failed_) {
      if (isIdChar(source_[end])) {
        ++end;
      } else if (source_[end] == '"') {
        ++strings;
        bool isName = end == at_ + 1 && source_[at_] == '$';
        end = isName ? scanName(end, "empty identifier") : scanString(end);
      } else {
        break;
      }
    }
    if (failed_) return;
    std::string_view text = source_.substr(at_, end - at_);
    emit(strings == 0 ? classify(text) : classifyWithStrings(text, strings), end);
  }

  TokenKind classify(std::string_view text) {
    if (text[0] == '$') {
      if (text.size() == 1) fail("empty identifier", at_);
      return TokenKind::Id;
    }
    if (std::optional<TokenKind> number = classifyNumber(text)) return *number;
    return isLower(text[0]) ? TokenKind::Keyword : TokenKind::Reserved;
  }

  TokenKind classifyWithStrings(std::string_view text, size_t strings) {
    if (strings != 1 || text.back() != '"') return TokenKind::Reserved;
    if (text[0] == '"') return TokenKind::String;
    if (!text.starts_with("$\"")) return TokenKind::Reserved;
    std::string name = decodeString(text.substr(1));
    if (name.empty()) fail("empty identifier", at_);
    if (!isUtf8(name)) fail("malformed UTF-8 encoding", at_);
    stream_.quotedIds.emplace(static_cast<uint32_t>(at_), std::move(name));
    return TokenKind::Id;
  }

  // "(@" starts an annotation, but inside one only if an identifier follows.
  bool startsAnnotation() const {
    if (charAt(at_ + 1) != '@') return false;
    return annotationDepth_ == 0 || isIdChar(charAt(at_ + 2)) || charAt(at_ + 2) == '"';
  }

  void openAnnotation() {
    size_t begin = at_;
    std::string id = annotationId();
    if (failed_) return;
    if (annotationDepth_++ != 0) {
      if (droppedFrom_ == 0) droppedFrom_ = annotationDepth_;  // an annotation inside an annotation
      return;
    }
    std::optional<AnnotationKind> kind = annotationKind(id);
    droppedFrom_ = kind ? 0 : 1;
    uint32_t next = static_cast<uint32_t>(stream_.tokens.size());
    if (kind) stream_.annotations.push_back({*kind, next, static_cast<uint32_t>(begin), {}});
  }

  std::string annotationId() {
    size_t begin = at_ + 2, end = begin;
    std::string id;
    if (charAt(begin) == '"') {
      end = scanName(begin, "empty annotation id");
      if (failed_) return id;
      id = decodeString(source_.substr(begin, end - begin));
      if (!isUtf8(id)) fail("malformed UTF-8 encoding", begin);
    } else {
      while (isIdChar(charAt(end))) ++end;
      id = source_.substr(begin, end - begin);
    }
    if (id.empty()) fail("empty annotation id", at_);
    at_ = end;
    return id;
  }

  void emit(TokenKind kind, size_t end) {
    Token token{static_cast<uint32_t>(at_), static_cast<uint32_t>(end), kind};
    at_ = end;
    if (failed_) return;
    if (annotationDepth_ == 0) {
      stream_.tokens.push_back(token);
    } else {
      emitInAnnotation(token);
    }
  }

  void emitInAnnotation(Token token) {
    bool dropped = droppedFrom_ != 0;
    if (token.kind == TokenKind::Open) ++annotationDepth_;
    if (token.kind == TokenKind::Close) {
      if (droppedFrom_ == annotationDepth_) droppedFrom_ = 0;
      if (--annotationDepth_ == 0) token = {token.begin, token.begin, TokenKind::End};
    }
    if (!dropped) stream_.annotations.back().tokens.push_back(token);
  }

  std::string_view source_;
  TokenStream stream_;
  size_t at_ = 0;
  uint64_t annotationDepth_ = 0;  // open parentheses since the outermost annotation began; 0 outside
  uint64_t droppedFrom_ = 0;      // the depth from which contents are not kept; 0 for none
  bool failed_ = false;
};

}  // namespace

std::string_view TokenStream::idName(const Token& token) const {
  if (source[token.begin + 1] == '"') return quotedIds.at(token.begin);
  return source.substr(token.begin + 1, token.end - token.begin - 1);
}

TokenStream tokenize(std::string_view source) { return Lexer(source).run(); }

std::string decodeString(std::string_view quoted) {
  std::string out;
  out.reserve(quoted.size());
  for (size_t at = 1; at + 1 < quoted.size();) {
    char c = quoted[at++];
    if (c != '\\') {
      out.push_back(c);
      continue;
    }
    c = quoted[at++];
    if (c == 'u') {
      CodePoint point = scanCodePoint(quoted, at);
      appendUtf8(out, point.value);
      at = point.end;
    } else if (hexValue(c) >= 0) {
      out.push_back(static_cast<char>(hexValue(c) << 4 | hexValue(quoted[at++])));
    } else {
      out.push_back(c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c);
    }
  }
  return out;
}

}  // namespace wattle::frontend::text
