// Tokens of the text format (spec "Text Format / Lexical Format").
//
// The whole source becomes one vector of tokens: the parser looks ahead and goes over a module twice. Annotations are
// no tokens: those that mean something to us stand in a list of their own, keyed by the token they precede, and the
// rest are checked and dropped.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "frontend/error.h"

namespace wattle::frontend::text {

enum class TokenKind : uint8_t {
  End,       // of the source, or of the range a Cursor shows
  Open,      // (
  Close,     // )
  Keyword,   // starts with a lower-case letter
  Nat,       // unsigned integer literal
  Int,       // integer literal with a sign
  Float,     // any other number literal
  String,    // with its quotes
  Id,        // $name or $"name"
  Reserved,  // a run of characters that is no token of the format
  Bad,       // where the lexer gave up: the last token of a stream with an error
};

struct Token {
  uint32_t begin = 0;
  uint32_t end = 0;
  TokenKind kind = TokenKind::End;
};

enum class AnnotationKind : uint8_t { Custom, Name, BranchHint };

struct Annotation {
  AnnotationKind kind;
  uint32_t tokenIndex;        // the token that follows the annotation
  uint32_t begin;             // byte offset of its "(@"
  std::vector<Token> tokens;  // contents, ending with an End token
};

struct TokenStream {
  std::string_view source;
  std::vector<Token> tokens;                            // ends with End, or with Bad (see `error`)
  std::vector<Annotation> annotations;                  // in order
  Error error;                                          // what a Bad token stands for
  std::unordered_map<uint32_t, std::string> quotedIds;  // by token begin: the name that $"..." spells

  std::string_view text(const Token& token) const { return source.substr(token.begin, token.end - token.begin); }
  // The name without "$" or quotes. Valid as long as the stream.
  std::string_view idName(const Token& token) const;
};

TokenStream tokenize(std::string_view source);

// The bytes a String token stands for (any bytes: \hh escapes need not be UTF-8).
std::string decodeString(std::string_view quoted);

}  // namespace wattle::frontend::text
