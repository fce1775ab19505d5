// Validation of function bodies.
#include <gtest/gtest.h>

#include "tests/unit/frontend/bytes.h"

namespace wattle::frontend::test {
namespace {

struct Case {
  const char* expected;
  const char* fields;
};

void check(std::initializer_list<Case> cases) {
  for (const Case& c : cases) {
    const std::string text = "(module " + std::string(c.fields) + ")";
    expectVerdict(verdictOfText(text), c.expected, text);
  }
}

TEST(Validation, Operands) {
  check({
      {"ok", "(func (result i32) i32.const 1 i32.const 2 i32.add)"},
      {"invalid: type mismatch: instruction requires [i32 i32] but stack has [i32 i64] in i32.add",
       "(func i32.const 1 i64.const 2 i32.add drop)"},
      {"invalid: type mismatch: instruction requires [i32 i32] but stack has [i32] in i32.add",
       "(func i32.const 1 i32.add drop)"},
      // Operands of the enclosing block are out of reach.
      {"invalid: type mismatch", "(func i32.const 1 block i32.const 1 i32.add drop end drop)"},
      {"invalid: type mismatch: block requires [] but stack has [i32]", "(func i32.const 1)"},
      {"invalid: type mismatch", "(func (result i32))"},
      {"ok", "(func (result i64 i64) i64.const 1 i64.const 2 i64.const 3 i64.const 4 i64.add128)"},
      {"invalid: type mismatch", "(func drop)"},
  });
}

TEST(Validation, UnreachableCode) {
  check({
      {"ok", "(func (result i32) unreachable)"},
      {"ok", "(func (result i32) unreachable i32.add)"},
      {"ok", "(func (result i32) unreachable i64.const 1 i32.wrap_i64 i32.add)"},
      {"invalid: type mismatch", "(func (result i32) unreachable i64.const 1 i32.add)"},
      {"invalid: type mismatch: block requires [i32] but stack has [i32 i32]",
       "(func (result i32) unreachable i32.const 1 i32.const 1)"},
      {"ok", "(func unreachable select drop)"},
      {"ok", "(func (result i64) unreachable i64.const 1 i32.const 1 select)"},
      {"invalid: type mismatch", "(func unreachable i32.const 1 i64.const 1 i32.const 1 select drop)"},
      {"ok", "(func (drop (ref.as_non_null (unreachable))))"},
      {"invalid: type mismatch", "(func unreachable ref.as_non_null i32.eqz drop)"},
      // A block in dead code is checked like any other: its stack is not polymorphic.
      {"invalid: type mismatch", "(func unreachable block i32.add drop end)"},
      {"ok", "(func (result i32) block (result i32) unreachable end)"},
      // What follows a block that never ends is typed by the block's results.
      {"invalid: type mismatch", "(func (result i32) loop unreachable end)"},
      {"ok", "(func (result i32) block (result f32) unreachable br_table 0 0 end drop i32.const 1)"},
      {"invalid: unknown local 5", "(func unreachable local.get 5 drop)"},
  });
}

TEST(Validation, Branches) {
  check({
      {"invalid: unknown label 1", "(func br 1)"},
      {"ok", "(func (result i32) i32.const 1 br 0)"},
      {"invalid: type mismatch", "(func (result i32) i64.const 1 br 0)"},
      {"ok", "(func (result i32) i32.const 1 i32.const 2 br_if 0)"},
      {"ok", "(func (param i32) (result i32) block (result i32) i32.const 1 local.get 0 br_table 0 1 end)"},
      {"invalid: type mismatch",
       "(func (param i32) (result i32) block i32.const 1 local.get 0 br_table 0 1 end i32.const 0)"},
      {"invalid: type mismatch", "(func block (result i32) block unreachable br_table 0 1 end i32.const 0 end drop)"},
      {"ok", "(func (param i32) local.get 0 if end)"},
      {"invalid: type mismatch", "(func (param i32) (result i32) local.get 0 if (result i32) i32.const 1 end)"},
      {"ok", "(func (param i32) (result i32) i32.const 1 local.get 0 if (param i32) (result i32) end)"},
      {"ok", "(func (param i32) loop (param) local.get 0 br_if 0 end)"},
      {"invalid: type mismatch", "(func loop (param i32) br 0 end)"},
      // br_if gives the label's types, not those that were there.
      {"invalid: type mismatch",
       "(func (param i31ref i32) (result eqref) local.get 0 local.get 1 br_if 0 i31.get_s drop ref.null i31)"},
  });
}

TEST(Validation, Variables) {
  check({
      {"invalid: unknown global 0", "(func global.get 0 drop)"},
      {"invalid: immutable global", "(global i32 (i32.const 0)) (func i32.const 0 global.set 0)"},
      {"invalid: type mismatch", "(func (local i32) i64.const 0 local.set 0)"},
      {"ok", "(func (local i32) i32.const 0 local.tee 0 drop)"},
      {"invalid: invalid result arity", "(func i32.const 1 i32.const 1 i32.const 1 select (result i32 i32) drop)"},
      {"invalid: type mismatch", "(func (param externref) local.get 0 local.get 0 i32.const 0 select drop)"},
      {"ok", "(func (param externref) local.get 0 local.get 0 i32.const 0 select (result externref) drop)"},
  });
}

TEST(Validation, LocalsWithoutDefault) {
  check({
      {"invalid: uninitialized local", "(func (local (ref func)) local.get 0 drop)"},
      {"ok", "(func (param (ref func)) (local (ref func)) local.get 0 local.set 1 local.get 1 drop)"},
      {"invalid: uninitialized local",
       "(func (param (ref func)) (local (ref func)) block local.get 0 local.set 1 end local.get 1 drop)"},
      {"ok", "(func (param (ref func)) (local (ref func)) block local.get 0 local.set 1 local.get 1 drop end)"},
      {"invalid: uninitialized local",
       "(func (param (ref func)) (local (ref func)) i32.const 0 if local.get 0 local.set 1 else local.get 1 drop end)"},
      {"invalid: uninitialized local", "(func (local (ref func)) unreachable local.get 0 drop)"},
      {"ok", "(func (param (ref func)) (local (ref func)) local.get 0 local.tee 1 drop block local.get 1 drop end)"},
  });
}

TEST(Validation, Memory) {
  check({
      {"invalid: unknown memory 0", "(func i32.const 0 i32.load drop)"},
      {"ok", "(memory 1) (func i32.const 0 i32.load align=4 drop)"},
      {"invalid: alignment must not be larger than natural", "(memory 1) (func i32.const 0 i32.load align=8 drop)"},
      {"invalid: type mismatch", "(memory i64 1) (func i32.const 0 i32.load drop)"},
      {"ok", "(memory i64 1) (func i64.const 0 i32.load offset=0x100000000 drop)"},
      {"ok", "(memory 1) (memory i64 1) (func i64.const 0 i32.load 1 offset=1 drop)"},
      {"invalid: unknown memory 1", "(memory 1) (func i32.const 0 i32.load 1 drop)"},
      {"invalid: invalid lane index", "(memory 1) (func i32.const 0 v128.const i64x2 0 0 v128.load64_lane 2 drop)"},
      {"ok", "(memory 1) (func i32.const 0 i32.const 1 memory.atomic.notify drop)"},
      {"invalid: alignment", "(memory 1) (func i32.const 0 i64.atomic.load align=4 drop)"},
      {"ok", "(memory 1) (memory i64 1) (func i32.const 0 i64.const 0 i32.const 0 memory.copy 0 1)"},
      {"invalid: type mismatch", "(memory i64 1) (func i64.const 0 i64.const 0 i32.const 0 memory.copy)"},
      {"invalid: unknown data segment", "(memory 1) (data \"\") (func data.drop 1)"},
  });
  expectVerdict(verdict(moduleWithBody({0xfc, 9, 0})), "malformed: data count section required", "data.drop");
  expectVerdict(verdict(moduleWithBody({0x41, 0, 0x28, 0x80, 1, 0, 0x1a})), "malformed: malformed memop flags", "load");
  expectVerdict(verdict(moduleWithBody({0x41, 0, 0x28, 2, 0x80, 0x80, 0x80, 0x80, 0x10, 0x1a})),
                "invalid: offset out of range", "load");
}

TEST(Validation, CallsAndTables) {
  check({
      {"invalid: unknown function 3", "(func call 3)"},
      {"invalid: unknown table 0", "(type (func)) (func i32.const 0 call_indirect (type 0))"},
      {"invalid: type mismatch", "(type (func)) (table 1 externref) (func i32.const 0 call_indirect (type 0))"},
      {"ok", "(type (func)) (table i64 1 funcref) (func i64.const 0 call_indirect (type 0))"},
      {"invalid: type mismatch", "(func $f (result i32) (i32.const 0)) (func return_call $f)"},
      {"ok", "(func $f (result i32) (i32.const 0)) (func (result i32) return_call $f)"},
      {"invalid: undeclared function reference", "(func $f ref.func $f drop)"},
      {"ok", "(elem declare func $f) (func $f ref.func $f drop)"},
      {"invalid: type mismatch",
       "(table 1 funcref) (table 1 externref) (func (table.copy 0 1 (i32.const 0) "
       "(i32.const 0) (i32.const 0)))"},
  });
}

TEST(Validation, Exceptions) {
  check({
      {"invalid: unknown tag 0", "(func throw 0)"},
      {"ok", "(tag (param i32)) (func i32.const 0 throw 0)"},
      {"ok", "(tag (param i32)) (func (result i32) block (result i32) try_table (catch 0 0) end i32.const 1 end)"},
      {"invalid: type mismatch", "(tag (param i32)) (func block try_table (catch 0 0) end end)"},
      {"ok", "(func (result (ref exn)) try_table (catch_all_ref 0) end unreachable)"},
      {"ok", "(tag) (func try nop catch 0 rethrow 0 catch_all end)"},
      {"invalid: invalid rethrow label", "(func try rethrow 0 catch_all end)"},
      {"ok", "(func try try nop delegate 0 catch_all end)"},
      {"ok", "(func try nop delegate 0)"},
      {"invalid: unknown label", "(func try nop delegate 1)"},
  });
}

TEST(Validation, Aggregates) {
  check({
      {"ok",
       "(type (struct (field i8 i64))) (func (result i32) i32.const 1 i64.const 2 struct.new 0 struct.get_s 0 0)"},
      {"invalid: type mismatch", "(type (struct (field i8))) (func (param (ref 0)) local.get 0 struct.get 0 0 drop)"},
      {"invalid: unknown field", "(type (struct)) (func (param (ref 0)) local.get 0 struct.get 0 0 drop)"},
      {"invalid: immutable field",
       "(type (struct (field i32))) (func (param (ref 0)) local.get 0 i32.const 0 struct.set 0 0)"},
      {"invalid: immutable array",
       "(type (array i32)) (func (param (ref 0)) (array.fill 0 (local.get 0) (i32.const 0) "
       "(i32.const 0) (i32.const 0)))"},
      {"invalid: array type is not numeric or vector",
       "(type (array anyref)) (data \"\") (func (drop (array.new_data 0 0 (i32.const 0) (i32.const 0))))"},
      {"invalid: type mismatch", "(type (array (ref 0))) (func (drop (array.new_default 0 (i32.const 0))))"},
      {"ok", "(type (array i32)) (func (drop (array.new_fixed 0 2 (i32.const 0) (i32.const 0))))"},
      {"ok", "(type (array i32)) (func unreachable array.new_fixed 0 0xffffffff drop)"},
      {"invalid: type mismatch",
       "(type (array i32)) (func unreachable (i64.const 0) array.new_fixed 0 0xffffffff drop)"},
      {"invalid: type with descriptor requires descriptor allocation",
       "(rec (type (descriptor 1) (struct)) (type (describes 0) (struct))) (func struct.new 0 drop)"},
  });
}

TEST(Validation, FeatureDependentCasts) {
  const char* text = "(module (func (param eqref) (result anyref) local.get 0 br_on_cast 0 eqref anyref))";
  Features strict;
  strict.customDescriptors = false;
  EXPECT_EQ(verdictOfText(text), "ok");
  expectVerdict(verdictOfText(text, strict), "invalid: type mismatch", text);
}

TEST(Validation, Bodies) {
  EXPECT_EQ(verdict(moduleWithBody({0xff})), "malformed: illegal opcode ff");
  EXPECT_EQ(verdict(moduleWithBody({0xfd, 0x9a, 0x01})), "malformed: illegal opcode fd 9a 01");
  EXPECT_EQ(verdict(moduleWithBody({0xfc, 0x80, 0x80, 0x04})), "malformed: illegal opcode fc 80 80 04");
  expectVerdict(verdict(moduleWithBody({0x05})), "malformed: END opcode expected", "else");
  expectVerdict(verdict(moduleWithBody({0x0b, 0x01})), "malformed: section size mismatch", "bytes after the end");
  expectVerdict(verdict(moduleWithBody({0x02, 0x40})), "malformed: unexpected end", "open block");
  expectVerdict(verdict(moduleWithBody({0x02, 0x5f, 0x0b})), "malformed", "block type");
  expectVerdict(verdict(moduleWithBody({0x02, 0x09, 0x0b})), "invalid: unknown type 9", "block type");
}

// --- sizes -----------------------------------------------------------------------------------------

Bytes repeated(const Bytes& part, size_t times) {
  Bytes bytes;
  bytes.reserve(part.size() * times);
  for (size_t i = 0; i < times; i++) bytes.insert(bytes.end(), part.begin(), part.end());
  return bytes;
}

TEST(ValidationOfLargeBodies, ManyOperands) {
  const size_t n = 200'000;
  EXPECT_EQ(verdict(moduleWithBody(repeated({0x41, 0}, n) + repeated({0x1a}, n))), "ok");
  expectVerdict(verdict(moduleWithBody(repeated({0x41, 0}, n) + repeated({0x1a}, n + 1))), "invalid: type mismatch",
                "drop");
}

TEST(ValidationOfLargeBodies, DeepNesting) {
  const size_t n = 500'000;
  EXPECT_EQ(verdict(moduleWithBody(repeated({0x02, 0x40}, n) + repeated({0x0b}, n))), "ok");
}

TEST(ValidationOfLargeBodies, LongBranchTable) {
  const size_t n = 100'000;  // several windows
  const Bytes table = Bytes{0x41, 0, 0x0e} + leb(n) + repeated({0}, n + 1);
  EXPECT_EQ(verdict(moduleWithBody(table)), "ok");
  Bytes wrong = table;
  wrong[wrong.size() - 10] = 1;
  EXPECT_EQ(verdict(moduleWithBody(wrong)), "invalid: unknown label 1");
  expectVerdict(verdict(moduleWithBody(Bytes{0x41, 0, 0x0e} + leb(UINT32_MAX) + Bytes{0, 0})),
                "malformed: unexpected end", "table longer than its body");
}

TEST(ValidationOfLargeBodies, LocalsAreLimited) {
  const auto withLocals = [](const Bytes& locals) {
    return module(section(1, {1, 0x60, 0, 0}) + section(3, {1, 0}) +
                  section(10, Bytes{1} + sized(locals + Bytes{0x0b})));
  };
  EXPECT_EQ(verdict(withLocals(Bytes{1} + leb(50'000) + Bytes{0x7f})), "ok");
  expectVerdict(verdict(withLocals(Bytes{1} + leb(50'001) + Bytes{0x7f})), "limit: too many locals", "50001");
  expectVerdict(verdict(withLocals(Bytes{2} + leb(UINT32_MAX) + Bytes{0x7f} + leb(1) + Bytes{0x7f})),
                "malformed: too many locals", "2^32");
}

// --- damage ----------------------------------------------------------------------------------------

Bytes variedModule() {
  return assemble(R"((module
    (type $s (sub (struct (field i32 (mut i64)))))
    (rec (type $a (sub (descriptor $d) (struct))) (type $d (sub (describes $a) (struct))))
    (type $arr (array (mut i16)))
    (import "m" "f" (func $f (param i32) (result i64)))
    (memory 1 2) (memory i64 1) (table $t 2 funcref) (global $g (mut i32) (i32.const 5)) (tag $e (param i32))
    (elem (i32.const 0) func $f) (elem funcref (ref.null func)) (data (i32.const 0) "abc") (data "xyz")
    (export "main" (func $main))
    (func $main (param i32 i64) (result i32) (local v128 f64 (ref null $s))
      (block $out (result i32)
        (try_table (catch $e $out) (call $f (local.get 0)) (drop))
        (br_table 0 0 0 (i32.const 1) (local.get 0)))
      (if (result i32) (then (i32.load offset=300 (i32.const 70000))) (else (i32.const -1000000)))
      (local.set 2 (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 (local.get 2) (v128.const i64x2 1 2)))
      (memory.init 1 (i32.const 0) (i32.const 0) (i32.const 1))
      (struct.set $s 1 (struct.new $s (i32.const 1) (i64.const 2)) (i64.const 3))
      (drop (array.new_fixed $arr 2 (i32.const 1) (i32.const 2)))
      (drop (struct.new_desc $a (struct.new $d)))
      (drop (call_indirect (param i32) (result i64) (i32.const 1) (i32.const 0)))
      (drop (i64.atomic.rmw.add (i32.const 0) (i64.const 1)))
      (try (do (throw $e (i32.const 1))) (catch $e (drop)) (catch_all (rethrow 0)))
      (drop (select (result i64) (i64.const 1) (i64.const 2) (i32.const 0))))))");
}

TEST(Damage, EveryTruncationIsRefused) {
  const Bytes whole = variedModule();
  ASSERT_EQ(verdict(whole), "ok");
  const auto decoded = decodeModule(whole);
  std::vector<bool> boundary(whole.size() + 1);  // between sections a shorter module may be whole
  for (const SectionInfo& s : decoded->sections) boundary[s.bytes.offset + s.bytes.size] = true;
  for (size_t size = 0; size < whole.size(); size++) {
    const Bytes part(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    const std::string found = verdict(part);
    if (size == 8 || boundary[size]) continue;
    EXPECT_EQ(found.substr(0, 9), "malformed") << size << ": " << found;
  }
}

// Nothing to expect but that nothing is read or written out of bounds.
TEST(Damage, EveryByteReplaced) {
  const Bytes whole = variedModule();
  for (size_t i = 8; i < whole.size(); i++) {
    for (const uint8_t value : {0x00, 0x01, 0x0b, 0x40, 0x7f, 0x80, 0xfb, 0xff}) {
      Bytes damaged = whole;
      damaged[i] = value;
      verdict(damaged);
    }
  }
}

}  // namespace
}  // namespace wattle::frontend::test
