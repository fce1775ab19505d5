// Texts that are refused, and why: the messages start as the conformance suite wants them.
#include <gtest/gtest.h>

#include <string>

#include "frontend/text/wat.h"

namespace wattle::frontend {
namespace {

std::string refusal(std::string_view source) {
  Result<std::vector<uint8_t>> result = parseWat(source);
  return result ? "accepted" : result.error().message;
}

TEST(WatErrors, Tokens) {
  EXPECT_EQ(refusal("(func get_local 0)"), "unknown operator get_local");
  EXPECT_EQ(refusal("(func i32.const0)"), "unknown operator i32.const0");
  EXPECT_EQ(refusal("(func module)"), "unexpected token module");
  EXPECT_EQ(refusal("(func"), "unexpected token: end of input");
  EXPECT_EQ(refusal("(func))"), "unexpected token )");
  EXPECT_EQ(refusal("(func) \"unclosed"), "unclosed string literal");
  EXPECT_EQ(refusal("(func (i32.load offset=x))"), "unknown operator offset=x");
}

TEST(WatErrors, Names) {
  EXPECT_EQ(refusal("(func call $f)"), "unknown function $f");
  EXPECT_EQ(refusal("(func local.get $x)"), "unknown local $x");
  EXPECT_EQ(refusal("(func br $l)"), "unknown label $l");
  EXPECT_EQ(refusal("(func (block $l) (br $l))"), "unknown label $l");
  EXPECT_EQ(refusal("(func (type $t))"), "unknown type $t");
  EXPECT_EQ(refusal("(func $f) (func $\"f\")"), "duplicate func $f");
  EXPECT_EQ(refusal("(func (param $x i32) (local $x i32))"), "duplicate local $x");
  EXPECT_EQ(refusal("(type (struct (field $a i32) (field $a i32)))"), "duplicate field $a");
  EXPECT_EQ(refusal("(import \"\\ff\" \"\" (func))"), "malformed UTF-8 encoding");
}

TEST(WatErrors, Structure) {
  EXPECT_EQ(refusal("(func) (import \"\" \"\" (memory 1))"), "import after function");
  EXPECT_EQ(refusal("(tag) (table (import \"\" \"\") 1 funcref)"), "import after tag");
  EXPECT_EQ(refusal("(start 0) (start 0)"), "multiple start sections");
  EXPECT_EQ(refusal("(func block $a end $b)"), "mismatching label");
  EXPECT_EQ(refusal("(func block end $b)"), "mismatching label");
  EXPECT_EQ(refusal("(func i32.const 0 if $a else $b end)"), "mismatching label");
  EXPECT_EQ(refusal("(func end)"), "unexpected token end");
  EXPECT_EQ(refusal("(func else)"), "unexpected token else");
  EXPECT_EQ(refusal("(func (if (i32.const 0) nop (then)))"), "unexpected token nop");
  EXPECT_EQ(refusal("(func (if (then) (else) (else)))"), "unexpected token else");
  EXPECT_EQ(refusal("(func (try (do) (catch 0) (delegate 0)))"), "unexpected token delegate");
  EXPECT_EQ(refusal("(func (i32.add block end))"), "unexpected token block");
  EXPECT_EQ(refusal("(func (result i32) (param i32))"), "unexpected token param");
  EXPECT_EQ(refusal("(func (local i32) (param i32))"), "unexpected token param");
}

TEST(WatErrors, TypeUses) {
  EXPECT_EQ(refusal("(type (func)) (func (type 0) (param i32))"), "inline function type does not match type 0");
  EXPECT_EQ(refusal("(type (struct)) (func (type 0) (result i32))"), "inline function type does not match type 0");
  EXPECT_EQ(refusal("(func (type 7) (result i32))"), "unknown type 7");
  EXPECT_EQ(refusal("(func (type 7))"), "accepted");  // for validation to refuse
  EXPECT_EQ(refusal("(func (block (param $x i32)))"), "unexpected token $x");
  EXPECT_EQ(refusal("(func (param i8))"), "unexpected token i8");
}

TEST(WatErrors, Literals) {
  EXPECT_EQ(refusal("(func i32.const 0x100000000)"), "constant out of range: 0x100000000");
  EXPECT_EQ(refusal("(func i32.const)"), "unexpected token )");
  EXPECT_EQ(refusal("(func i32.const 1.0)"), "unexpected token 1.0");
  EXPECT_EQ(refusal("(func i32.const 1__0)"), "unknown operator 1__0");
  EXPECT_EQ(refusal("(func f32.const 1e39)"), "constant out of range: 1e39");
  EXPECT_EQ(refusal("(func v128.const i32x4 1 2 3)"), "wrong number of lane literals");
  EXPECT_EQ(refusal("(func v128.const i64x2 1 2 3)"), "wrong number of lane literals");
  EXPECT_EQ(refusal("(func i8x16.shuffle 0 1)"), "invalid lane length");
  EXPECT_EQ(refusal("(func i8x16.extract_lane_s 256)"), "i8 constant out of range: 256");
  EXPECT_EQ(refusal("(func i32.load align=3)"), "alignment must be a power of two");
  EXPECT_EQ(refusal("(func i32.load align=0)"), "alignment must be a power of two");
  EXPECT_EQ(refusal("(func call 4294967296)"), "i32 constant out of range: 4294967296");
  EXPECT_EQ(refusal("(memory i64 18446744073709551616)"), "i64 constant out of range: 18446744073709551616");
  EXPECT_EQ(refusal("(memory 0 (pagesize 3))"), "invalid custom page size");
}

TEST(WatErrors, Annotations) {
  EXPECT_EQ(refusal("(func (@custom \"a\"))"), "misplaced @custom annotation");
  EXPECT_EQ(refusal("(func (nop (@name \"a\")))"), "misplaced @name annotation");
  EXPECT_EQ(refusal("(@metadata.code.branch_hint \"\\00\") (func)"),
            "@metadata.code.branch_hint annotation: not in a function");
  EXPECT_EQ(refusal("(@custom 1)"), "@custom annotation: missing section name");
  EXPECT_EQ(refusal("(@custom \"a\" (before))"), "@custom annotation: malformed section kind");
  EXPECT_EQ(refusal("(module (@name \"a\") (@name \"b\"))"), "@name annotation: multiple module");
}

TEST(WatErrors, OffsetsPointAtTheToken) {
  std::string source = "(module\n  (func nop\n    bad))";
  Result<std::vector<uint8_t>> result = parseWat(source);
  ASSERT_FALSE(result.has_value());
  LineColumn at = lineColumn(source, result.error().offset);
  EXPECT_EQ(at.line, 3u);
  EXPECT_EQ(at.column, 5u);
  EXPECT_EQ(result.error().kind, ErrorKind::Malformed);
}

TEST(WatErrors, TruncationAnywhereIsRefused) {
  std::string source =
      "(module $m (func $f (param i32) (result i32) (if (result i32) (local.get 0) (then (i32.const 1)) (else "
      "(i32.const 2)))) (data \"x\"))";
  for (size_t length = 1; length < source.size(); ++length) {
    EXPECT_NE(refusal(source.substr(0, length)), "accepted") << length;
  }
}

}  // namespace
}  // namespace wattle::frontend
