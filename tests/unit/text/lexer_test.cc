#include "frontend/text/lexer.h"

#include <gtest/gtest.h>

#include <string>

#include "frontend/text/utf8.h"

namespace wattle::frontend::text {
namespace {

std::string kinds(std::string_view source) {
  std::string text;
  for (const Token& token : tokenize(source).tokens) text.push_back("E()knifs$R!"[static_cast<int>(token.kind)]);
  return text;
}

std::string errorOf(std::string_view source) { return tokenize(source).error.message; }

TEST(TextLexer, Tokens) {
  EXPECT_EQ(kinds("(module $m 1 -1 1.5 \"s\")"), "(k$nifs)E");
  EXPECT_EQ(kinds("i32.const0 0drop $a$b x\"s\" \"a\"\"b\" ,"), "kR$RRRE");
  EXPECT_EQ(kinds("$\"a b\" ;; comment ( \" \n(; (; nested ;) ;) nop;;x"), "$kE");
  EXPECT_EQ(kinds("nan inf nan:0x1 nan:canonical infx"), "fffkkE");
  EXPECT_EQ(kinds(""), "E");
}

TEST(TextLexer, QuotedIdentifiersSpellTheSameName) {
  TokenStream stream = tokenize("$ab $\"a\\62\"");
  EXPECT_EQ(stream.idName(stream.tokens[0]), "ab");
  EXPECT_EQ(stream.idName(stream.tokens[1]), "ab");
}

TEST(TextLexer, Strings) {
  EXPECT_EQ(decodeString(R"("a\n\t\r\"\'\\\00\ff\u{20AC}\u{1_0000}")"),
            std::string("a\n\t\r\"'\\\0\xff\xe2\x82\xac\xf0\x90\x80\x80", 16));
  EXPECT_EQ(errorOf("\"abc"), "unclosed string literal");
  EXPECT_EQ(errorOf("\"a\nb\""), "unclosed string literal");
  EXPECT_EQ(errorOf("\"\x01\""), "illegal control character in string literal");
  for (const char* bad :
       {R"("\q")", R"("\0")", R"("\u{d800}")", R"("\u{110000}")", R"("\u{}")", R"("\u{1__0}")", R"("\u12")"}) {
    EXPECT_EQ(errorOf(bad), "illegal escape") << bad;
  }
}

TEST(TextLexer, Errors) {
  EXPECT_EQ(errorOf("(; (; ;)"), "unclosed comment");
  EXPECT_EQ(errorOf(";; \xff"), "malformed UTF-8 encoding");
  EXPECT_EQ(errorOf("\xe2\x82"), "malformed UTF-8 encoding");
  EXPECT_EQ(errorOf("\xe2\x82\xac"), "illegal character");
  EXPECT_EQ(errorOf("$"), "empty identifier");
  EXPECT_EQ(errorOf("$\"\\ff\""), "malformed UTF-8 encoding");
  EXPECT_EQ(kinds("nop \xff nop"), "k!");
}

TEST(TextLexer, Annotations) {
  TokenStream stream = tokenize("a (@name \"x\" (b) (@c d) (; ;)) (@other x ((@name))) b");
  ASSERT_EQ(stream.tokens.size(), 3u);
  ASSERT_EQ(stream.annotations.size(), 1u);
  EXPECT_EQ(stream.annotations[0].kind, AnnotationKind::Name);
  EXPECT_EQ(stream.annotations[0].tokenIndex, 1u);
  EXPECT_EQ(stream.annotations[0].tokens.size(), 5u);
  EXPECT_EQ(errorOf("(@)"), "empty annotation id");
  EXPECT_EQ(errorOf("(@x (@y)"), "unclosed annotation");
  EXPECT_TRUE(tokenize("(@name \"a\" ").annotations.empty());
}

TEST(TextLexer, DeepNestingOfCommentsAndAnnotations) {
  std::string open, close;
  for (int i = 0; i < 200000; ++i) {
    open += "(;";
    close += ";)";
  }
  EXPECT_EQ(kinds(open + close), "E");
  EXPECT_EQ(kinds("(@a " + std::string(200000, '(') + std::string(200000, ')') + ")"), "E");
}

TEST(TextUtf8, AcceptsScalarValuesInTheirShortestForm) {
  for (uint32_t point : {0u, 0x7fu, 0x80u, 0x7ffu, 0x800u, 0xd7ffu, 0xe000u, 0xffffu, 0x10000u, 0x10ffffu}) {
    std::string text;
    appendUtf8(text, point);
    EXPECT_TRUE(isUtf8(text)) << point;
    EXPECT_FALSE(isUtf8(text.substr(0, text.size() - 1)) && text.size() > 1) << point;
  }
  for (const char* bad : {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"}) {
    EXPECT_FALSE(isUtf8(bad));
  }
}

}  // namespace
}  // namespace wattle::frontend::text
