#include "frontend/types.h"

#include <gtest/gtest.h>

#include "frontend/op_facts.h"
#include "tests/unit/frontend/bytes.h"

namespace wattle::frontend::test {
namespace {

ModuleInfo decoded(std::string_view text) {
  auto module = decodeModule(assemble(text));
  if (!module) {
    ADD_FAILURE() << module.error().message << " in " << text;
    return {};
  }
  return std::move(*module);
}

ValType ref(uint32_t index, bool nullable = false, bool exact = false) {
  return ValType::ref(HeapType::index(index), nullable, exact);
}

TEST(Types, Spelling) {
  EXPECT_EQ(toString(kI32), "i32");
  EXPECT_EQ(toString(kV128), "v128");
  EXPECT_EQ(toString(kFuncRef), "funcref");
  EXPECT_EQ(toString(kNullExternRef), "nullexternref");
  EXPECT_EQ(toString(kI31Ref.asNonNull()), "(ref i31)");
  EXPECT_EQ(toString(ref(3, true)), "(ref null 3)");
  EXPECT_EQ(toString(ref(3, false, true)), "(ref (exact 3))");
  EXPECT_EQ(toString(FuncType{{kI32, kI64}, {kF32}}), "(i32, i64) -> (f32)");
}

TEST(Types, EquivalentGroupsShareRepresentatives) {
  const ModuleInfo module = decoded(R"((module
    (type (func (param i32)))
    (rec (type (struct (field (ref 2)))) (type (struct (field (ref 1)))))
    (type (func (param i32)))
    (rec (type (struct (field (ref 5)))) (type (struct (field (ref 4)))))
    (rec (type (struct (field (ref 7)))) (type (struct (field (ref 6) (ref 6)))))
    (type (func (param (ref 4))))
    (type (func (param (ref 1))))))");
  const uint32_t expected[] = {0, 1, 2, 0, 1, 2, 6, 7, 8, 8};
  for (uint32_t i = 0; i < 10; i++) EXPECT_EQ(module.types[i].representative, expected[i]) << i;
  EXPECT_EQ(module.types[8].func.params[0], ref(1));
  EXPECT_EQ(module.types[5].fields[0].type, ref(1));
}

TEST(Types, PlaceInTheGroupMatters) {
  const ModuleInfo module = decoded(R"((module
    (rec (type (func)) (type (func)))
    (rec (type (func)))
    (type (func))
    (rec (type (func)) (type (struct)))))");
  const uint32_t expected[] = {0, 1, 2, 2, 4, 5};
  for (uint32_t i = 0; i < 6; i++) EXPECT_EQ(module.types[i].representative, expected[i]) << i;
}

// A reference to the group itself is not the same as one to an earlier, equivalent group.
TEST(Types, InnerAndOuterReferencesDiffer) {
  const ModuleInfo module = decoded(R"((module
    (rec (type (struct (field (ref null 0)))))
    (rec (type (struct (field (ref null 0)))))
    (rec (type (struct (field (ref null 2)))))))");
  EXPECT_EQ(module.types[1].representative, 1u);
  EXPECT_EQ(module.types[2].representative, 0u);
}

TEST(Types, FinalityAndSupertypeMatter) {
  const ModuleInfo module = decoded(R"((module
    (type (sub (struct))) (type (sub final (struct))) (type (struct))
    (type (sub 0 (struct))) (type (sub 0 (struct)))))");
  const uint32_t expected[] = {0, 1, 1, 3, 3};
  for (uint32_t i = 0; i < 5; i++) EXPECT_EQ(module.types[i].representative, expected[i]) << i;
}

TEST(Types, Subtyping) {
  const ModuleInfo module = decoded(R"((module
    (type $a (sub (struct (field i32))))
    (type $b (sub $a (struct (field i32 i64))))
    (type $c (sub final $b (struct (field i32 i64 f32))))
    (type $f (func))
    (type $arr (array i8))))");
  EXPECT_EQ(module.types[2].depth, 2u);
  EXPECT_TRUE(module.isSubtype(ref(2), ref(0)));
  EXPECT_TRUE(module.isSubtype(ref(2), ref(0, true)));
  EXPECT_FALSE(module.isSubtype(ref(2, true), ref(0)));
  EXPECT_FALSE(module.isSubtype(ref(0), ref(2)));
  EXPECT_TRUE(module.isSubtype(ref(2), kStructRef));
  EXPECT_TRUE(module.isSubtype(ref(2), kEqRef));
  EXPECT_TRUE(module.isSubtype(ref(2), kAnyRef));
  EXPECT_FALSE(module.isSubtype(ref(2), kArrayRef));
  EXPECT_FALSE(module.isSubtype(ref(2), kFuncRef));
  EXPECT_TRUE(module.isSubtype(ref(4), kArrayRef));
  EXPECT_TRUE(module.isSubtype(ref(3), kFuncRef));
  EXPECT_TRUE(module.isSubtype(kNullRef, ref(2, true)));
  EXPECT_FALSE(module.isSubtype(kNullRef, ref(3, true)));
  EXPECT_TRUE(module.isSubtype(kNullFuncRef, ref(3, true)));
  EXPECT_TRUE(module.isSubtype(kI31Ref, kEqRef));
  EXPECT_FALSE(module.isSubtype(kEqRef, kI31Ref));
  EXPECT_FALSE(module.isSubtype(kExternRef, kAnyRef));
  EXPECT_TRUE(module.isSubtype(kBottom, kI32));
  EXPECT_FALSE(module.isSubtype(kI32, kI64));
}

TEST(Types, ExactReferences) {
  const ModuleInfo module = decoded("(module (type $a (sub (struct))) (type $b (sub $a (struct (field i32)))))");
  EXPECT_TRUE(module.isSubtype(ref(1, false, true), ref(1)));
  EXPECT_TRUE(module.isSubtype(ref(1, false, true), ref(0)));
  EXPECT_FALSE(module.isSubtype(ref(1, false, true), ref(0, false, true)));
  EXPECT_FALSE(module.isSubtype(ref(1), ref(1, false, true)));
  EXPECT_TRUE(module.isSubtype(kNullRef, ref(1, true, true)));
}

TEST(Types, Refused) {
  const std::pair<const char*, const char*> cases[] = {
      {"invalid: sub type 1 does not match super type 0",
       "(module (type (sub (struct (field i32)))) (type (sub 0 (struct (field i64)))))"},
      {"invalid: sub type 1 does not match super type 0",
       "(module (type (sub (struct (field (mut eqref))))) (type (sub 0 (struct (field (mut i31ref))))))"},
      {"ok", "(module (type (sub (struct (field eqref)))) (type (sub 0 (struct (field i31ref)))))"},
      {"ok", "(module (type (sub (func (param i31ref)))) (type (sub 0 (func (param eqref)))))"},
      {"invalid: sub type 1", "(module (type (sub (func (param eqref)))) (type (sub 0 (func (param i31ref)))))"},
      {"invalid: sub type 1 has final super type 0", "(module (type (struct)) (type (sub 0 (struct))))"},
      {"invalid: unknown type 0", "(module (type (sub 0 (struct))))"},
      {"invalid: unknown type 1", "(module (type (struct (field (ref 1)))) (type (struct)))"},
      {"invalid: forward use of described type",
       "(module (rec (type (describes 1) (struct)) (type (descriptor 0) (struct))))"},
  };
  for (const auto& [expected, text] : cases) expectVerdict(verdictOfText(text), expected, text);
}

TEST(Types, DepthIsLimited) {
  std::string text = "(module (type (sub (struct)))";
  for (int i = 0; i < 64; i++) text += "(type (sub " + std::to_string(i) + " (struct)))";
  expectVerdict(verdictOfText(text + ")"), "limit: sub type 64", text);
}

// Facts drawn from names and signatures.
static_assert(accessBytes(Op::I32Load) == 4 && accessBytes(Op::I64Load32S) == 4 && accessBytes(Op::F64Store) == 8);
static_assert(accessBytes(Op::I64Store8) == 1 && accessBytes(Op::V128Load) == 16 && accessBytes(Op::V128Load8x8U) == 8);
static_assert(accessBytes(Op::V128Load16Splat) == 2 && accessBytes(Op::V128Load64Zero) == 8);
static_assert(accessBytes(Op::V128Store32Lane) == 4 && accessBytes(Op::I64AtomicRmw16CmpxchgU) == 2);
static_assert(accessBytes(Op::I64AtomicRmwAdd) == 8 && accessBytes(Op::I32AtomicStore8) == 1);
static_assert(accessBytes(Op::MemoryAtomicWait64) == 8 && accessBytes(Op::MemoryAtomicNotify) == 4);
static_assert(laneCount(Op::I8x16ExtractLaneS) == 16 && laneCount(Op::F64x2ReplaceLane) == 2);
static_assert(laneCount(Op::V128Load16Lane) == 8 && naturalAlignment(Op::V128Load64Lane) == 3);
static_assert(signatureOf(Op::I64Add128).operands == 4 && signatureOf(Op::I64Add128).results == 2);
static_assert(signatureOf(Op::I32Store).address && signatureOf(Op::I32Store).results == 0);

}  // namespace
}  // namespace wattle::frontend::test
