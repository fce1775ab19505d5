// Binary modules written for text ones, byte by byte.
#include "frontend/text/wat.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <span>
#include <string>

namespace wattle::frontend {
namespace {

std::string hex(std::span<const uint8_t> bytes) {
  std::string text;
  char digits[4];
  for (uint8_t byte : bytes) {
    std::snprintf(digits, sizeof digits, text.empty() ? "%02x" : " %02x", byte);
    text += digits;
  }
  return text;
}

// The module's bytes after its header, or the error.
std::string assemble(std::string_view source, bool names = false) {
  Result<std::vector<uint8_t>> result = parseWat(source, WatOptions{names});
  if (!result) return "error: " + result.error().message;
  return hex(std::span(*result).subspan(8));
}

// The body of the code section's only function, without locals: what stands between "00" and the final "0b".
std::string body(std::string_view instructions) {
  std::string source = "(module (func " + std::string(instructions) + "))";
  Result<std::vector<uint8_t>> result = parseWat(source, WatOptions{false});
  if (!result) return "error: " + result.error().message;
  std::vector<uint8_t> bytes = *result;
  for (size_t at = 8; at < bytes.size(); at += 2 + bytes[at + 1]) {
    if (bytes[at] == 10) return hex(std::span(bytes).subspan(at + 5, bytes.size() - at - 6));
  }
  return "no code";
}

TEST(Wat, EmptyModules) {
  EXPECT_EQ(assemble("(module)"), "");
  EXPECT_EQ(assemble(""), "");
  EXPECT_EQ(assemble("(module $m)", true), "00 09 04 6e 61 6d 65 00 02 01 6d");
  EXPECT_EQ(assemble("(module) (module)"), "error: unexpected token (");
}

TEST(Wat, FlatAndFoldedAreTheSame) {
  EXPECT_EQ(body("i32.const 1 i32.const 2 i32.add drop"), "41 01 41 02 6a 1a");
  EXPECT_EQ(body("(drop (i32.add (i32.const 1) (i32.const 2)))"), "41 01 41 02 6a 1a");
  EXPECT_EQ(body("block $l loop br $l br 0 end end $l"), "02 40 03 40 0c 01 0c 00 0b 0b");
  EXPECT_EQ(body("(block $l (loop (br $l) (br 0)))"), "02 40 03 40 0c 01 0c 00 0b 0b");
  EXPECT_EQ(body("i32.const 0 if $a (result i32) i32.const 1 else $a i32.const 2 end $a drop"),
            "41 00 04 7f 41 01 05 41 02 0b 1a");
  EXPECT_EQ(body("(drop (if (result i32) (i32.const 0) (then (i32.const 1)) (else (i32.const 2))))"),
            "41 00 04 7f 41 01 05 41 02 0b 1a");
  EXPECT_EQ(body("(if (i32.const 0) (then) (else))"), "41 00 04 40 0b");
  EXPECT_EQ(body("(i32.const 0) if else end"), "41 00 04 40 0b");
}

TEST(Wat, InnermostLabelWins) {
  EXPECT_EQ(body("(block $l (block $l (br $l)) (br $l))"), "02 40 02 40 0c 00 0b 0c 00 0b");
  EXPECT_EQ(body("(block $l (if $l (br_if $l (i32.const 0)) (then (br $l))))"), "02 40 41 00 0d 00 04 40 0c 00 0b 0b");
  EXPECT_EQ(body("(block $l (if $m (block (result i32) (br $l)) (then (br $l))))"),
            "02 40 02 7f 0c 01 0b 04 40 0c 01 0b 0b");
}

TEST(Wat, Exceptions) {
  EXPECT_EQ(body("(block $h (try_table (catch_all $h) (catch 0 0)))"), "02 40 1f 40 02 02 00 00 00 00 0b 0b");
  EXPECT_EQ(body("(try $t (do (rethrow $t)) (catch 0 (drop)) (catch_all))"), "06 40 09 00 07 00 1a 19 0b");
  EXPECT_EQ(body("try $t rethrow $t catch 0 drop catch_all end $t"), "06 40 09 00 07 00 1a 19 0b");
  EXPECT_EQ(body("(block $b (try $t (do) (delegate $b)))"), "02 40 06 40 18 00 0b");
  EXPECT_EQ(body("block $b try $t delegate $b end"), "02 40 06 40 18 00 0b");
}

TEST(Wat, Immediates) {
  EXPECT_EQ(body("(i64.load offset=16 align=2 (i32.const -1))"), "41 7f 29 01 10");
  EXPECT_EQ(body("i32.load8_u i64.atomic.load32_u v128.load8x8_s v128.load32_zero memory.atomic.notify"),
            "2d 00 00 fe 16 02 00 fd 01 03 00 fd 5c 02 00 fe 00 02 00");
  EXPECT_EQ(body("i32.load 1 offset=1"), "28 42 01 01");
  EXPECT_EQ(body("v128.load8_lane 3 v128.load8_lane 1 3 v128.load8_lane offset=1 3"),
            "fd 54 00 00 03 fd 54 40 01 00 03 fd 54 00 01 03");
  EXPECT_EQ(body("memory.copy memory.copy 0 1 memory.init 3 memory.init 1 3"),
            "fc 0a 00 00 fc 0a 00 01 fc 08 03 00 fc 08 03 01");
  EXPECT_EQ(body("table.init 3 table.init 1 3 table.copy 1 2"), "fc 0c 03 00 fc 0c 03 01 fc 0e 01 02");
  EXPECT_EQ(body("select select (result i32) (result)"), "1b 1c 01 7f");
  EXPECT_EQ(body("br_table 0 0 br_table 0"), "0e 01 00 00 0e 00 00");
  EXPECT_EQ(body("f32.const 0x1p0 f64.const -inf"), "43 00 00 80 3f 44 00 00 00 00 00 00 f0 ff");
  EXPECT_EQ(body("v128.const i16x8 0 1 2 3 -1 5 6 0xffff"), "fd 0c 00 00 01 00 02 00 03 00 ff ff 05 00 06 00 ff ff");
  EXPECT_EQ(body("ref.test (ref 0) ref.test anyref ref.cast (ref null i31) ref.null none"),
            "fb 14 00 fb 15 6e fb 17 6c d0 71");
  EXPECT_EQ(body("br_on_cast 0 anyref (ref eq) br_on_cast_fail 0 (ref any) (ref null 0)"),
            "fb 18 01 00 6e 6d fb 19 02 00 6e 00");
  EXPECT_EQ(body("atomic.fence i64.mul_wide_u"), "fe 03 00 fc 16");
}

TEST(Wat, ImplicitTypesGoToTheEndAndAreReused) {
  // Type 0 is written, type 1 comes from the second function and serves the block too, type 2 from call_indirect.
  EXPECT_EQ(assemble("(func (param i32)) (func (result i32) i32.const 0 (block (type 1) (i32.const 1)) drop"
                     " (call_indirect (param i64) (unreachable))) (type (func (param i32)))"),
            "01 0d 03 60 01 7f 00 60 00 01 7f 60 01 7e 00 03 03 02 00 01"
            " 0a 13 02 02 00 0b 0e 00 41 00 02 01 41 01 0b 1a 00 11 02 00 0b");
  // A type in a group, or one that is not final, is no match.
  EXPECT_EQ(assemble("(rec (type (func)) (type (struct))) (type (sub (func))) (import \"\" \"\" (func))"),
            "01 10 03 4e 02 60 00 00 5f 00 50 00 60 00 00 60 00 00 02 05 01 00 00 00 03");
}

TEST(Wat, Types) {
  EXPECT_EQ(assemble("(type $s (sub (struct (field $x i8 (mut f64)) (field $y (mut (ref null $s))))))"
                     "(type (sub final $s (array anyref)))"),
            "error: unexpected token (");  // a named field has one type
  EXPECT_EQ(assemble("(type $s (sub (struct (field i8 (mut f64)) (field $y (mut (ref null $s))))))"
                     "(type (sub final $s (array (ref $s))))"),
            "01 13 02 50 00 5f 03 78 00 7c 01 63 00 01 4f 01 00 5e 64 00 00");
  EXPECT_EQ(assemble("(rec (type $a (descriptor $b) (struct)) (type $b (describes $a) (struct)))"
                     "(import \"\" \"\" (func (exact (type 2)))) (global (import \"\" \"\") (ref null (exact $a)))"),
            "01 0b 01 4e 02 4d 01 5f 00 4c 00 5f 00 02 0c 02 00 00 20 02 00 00 03 63 62 00 00");
}

TEST(Wat, FieldNamesBelongToTheirType) {
  EXPECT_EQ(assemble("(type $s (struct (field i32) (field $f i32))) (func (struct.get $s $f (unreachable)) drop)"),
            "01 0a 02 5f 02 7f 00 7f 00 60 00 00 03 02 01 01 0a 0a 01 08 00 00 fb 02 00 01 1a 0b");
  EXPECT_EQ(body("struct.get 0 $f"), "error: unknown field $f");
}

TEST(Wat, MemoriesAndTables) {
  EXPECT_EQ(assemble("(memory 1 2 shared) (memory i64 1) (memory 0 (pagesize 1))"), "05 09 03 03 01 02 04 01 08 00 00");
  EXPECT_EQ(assemble("(memory (data \"ab\" \"\\00\"))"), "05 04 01 01 01 01 0b 09 01 00 41 00 0b 03 61 62 00");
  EXPECT_EQ(assemble("(memory i64 (pagesize 1) (data \"ab\"))"), "05 05 01 0d 02 02 00 0b 08 01 00 42 00 0b 02 61 62");
  EXPECT_EQ(assemble("(table 1 2 funcref) (table i64 3 (ref null extern) (ref.null extern))"),
            "04 0d 02 70 01 01 02 40 00 6f 04 03 d0 6f 0b");
  EXPECT_EQ(assemble("(func) (table funcref (elem 0 0))"),
            "01 04 01 60 00 00 03 02 01 00 04 05 01 70 01 02 02 09 08 01 00 41 00 0b 02 00 00 0a 04 01 02 00 0b");
}

TEST(Wat, ElementSegments) {
  auto elem = [](std::string_view field) {
    std::string all = assemble("(import \"\" \"\" (func)) (table 1 funcref) (table 1 funcref) " + std::string(field));
    size_t at = all.find("70 00 01 70 00 01 09 ");
    return at == all.npos ? all : all.substr(at + 24);
  };
  EXPECT_EQ(elem("(elem (i32.const 0) 0)"), "01 00 41 00 0b 01 00");
  EXPECT_EQ(elem("(elem (offset i32.const 0) func 0)"), "01 00 41 00 0b 01 00");
  EXPECT_EQ(elem("(elem (table 1) (i32.const 0) func 0)"), "01 02 01 41 00 0b 00 01 00");
  EXPECT_EQ(elem("(elem 1 (i32.const 0) 0)"), "01 02 01 41 00 0b 00 01 00");
  EXPECT_EQ(elem("(elem func 0)"), "01 01 00 01 00");
  EXPECT_EQ(elem("(elem declare func 0)"), "01 03 00 01 00");
  EXPECT_EQ(elem("(elem (i32.const 0) funcref (ref.func 0) (item ref.null func))"),
            "01 04 41 00 0b 02 d2 00 0b d0 70 0b");
  EXPECT_EQ(elem("(elem externref (ref.null extern))"), "01 05 6f 01 d0 6f 0b");
  EXPECT_EQ(elem("(elem (i32.const 0) (ref null 0) (ref.func 0))"), "01 06 00 41 00 0b 63 00 01 d2 00 0b");
  EXPECT_EQ(elem("(elem declare funcref (ref.func 0))"), "01 07 70 01 d2 00 0b");
  EXPECT_EQ(elem("(elem (ref func) (ref.func 0))"), "01 01 00 01 00");  // the type of index lists
}

TEST(Wat, DataCountOnlyWhenCodeNeedsIt) {
  EXPECT_EQ(assemble("(data \"a\") (func)"), "01 04 01 60 00 00 03 02 01 00 0a 04 01 02 00 0b 0b 04 01 01 01 61");
  EXPECT_EQ(assemble("(data $d \"a\") (func data.drop $d)"),
            "01 04 01 60 00 00 03 02 01 00 0c 01 01 0a 07 01 05 00 fc 09 00 0b 0b 04 01 01 01 61");
}

TEST(Wat, NameSection) {
  EXPECT_EQ(assemble("(module $m (func $f (param i32) (param $x i32) (local $\"y z\" i64)) (memory $mem 0))", true)
                .substr(75),
            "00 24 04 6e 61 6d 65 00 02 01 6d 01 04 01 00 01 66 02 0b 01 00 02 01 01 78 02 03 79 20 7a 06 06 01 00 03 "
            "6d 65 6d");
  EXPECT_EQ(assemble("(module (@name \"M\") (tag $t (@name \"T\")))", true),
            "01 04 01 60 00 00 0d 03 01 00 00 00 0f 04 6e 61 6d 65 00 02 01 4d 0b 04 01 00 01 54");
}

TEST(Wat, CustomSections) {
  EXPECT_EQ(assemble("(@custom \"a\" (after func) \"x\" \"y\") (@custom \"b\" (before first)) (func) (@custom \"c\")"),
            "00 02 01 62 01 04 01 60 00 00 03 02 01 00 00 04 01 61 78 79 0a 04 01 02 00 0b 00 02 01 63");
}

TEST(Wat, BranchHintsPointAtTheBranch) {
  std::string text = assemble("(func (param i32) (@metadata.code.branch_hint \"\\01\") (if (local.get 0) (then)))");
  EXPECT_NE(text.find("01 00 01 03 01 01 0a"), text.npos)
      << text;  // one function, number 0, one hint, at 3, size 1, likely
  EXPECT_EQ(body("(@metadata.code.branch_hint \"\\01\") nop"),
            "error: @metadata.code.branch_hint annotation: invalid target");
}

TEST(Wat, NestingIsBoundedOnlyByTheText) {
  constexpr int kDepth = 100000;
  std::string folded, flat, open, ifs;
  for (int i = 0; i < kDepth; ++i) {
    folded += "(block ";
    flat += "block ";
    open += "(drop ";
    ifs += "(if ";
  }
  std::string close(kDepth, ')');
  EXPECT_TRUE(parseWat("(func " + folded + close + ")").has_value());
  EXPECT_EQ(parseWat("(func " + flat + ")").error().message, "unexpected token )");
  EXPECT_TRUE(parseWat("(func " + open + "(nop)" + close + ")").has_value());
  EXPECT_EQ(parseWat("(func " + ifs + close + ")").error().message, "unexpected token )");
  EXPECT_EQ(parseWat("(func " + std::string(kDepth, '(') + close + ")").error().message, "unexpected token (");
}

TEST(Wat, LineColumn) {
  LineColumn at = lineColumn("ab\ncd\n", 4);
  EXPECT_EQ(at.line, 2u);
  EXPECT_EQ(at.column, 2u);
  EXPECT_EQ(lineColumn("ab", 99).column, 3u);
}

}  // namespace
}  // namespace wattle::frontend
