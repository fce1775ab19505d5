#include "frontend/binary/module_decoder.h"

#include <gtest/gtest.h>

#include "tests/unit/frontend/bytes.h"

namespace wattle::frontend::test {
namespace {

struct Case {
  const char* expected;
  Bytes bytes;
};

void check(const std::vector<Case>& cases) {
  for (size_t i = 0; i < cases.size(); i++) {
    expectVerdict(verdict(cases[i].bytes), cases[i].expected, "case " + std::to_string(i));
  }
}

const Bytes kTypes = section(1, {1, 0x60, 0, 0});
const Bytes kFunctions = section(3, {1, 0});
const Bytes kCode = section(10, {1, 2, 0, 0x0b});

TEST(ModuleDecoder, Header) {
  check({
      {"ok", module({})},
      {"malformed: unexpected end", {}},
      {"malformed: unexpected end", {0, 'a', 's'}},
      {"malformed: unexpected end", {0, 'a', 's', 'm', 1, 0, 0}},
      {"malformed: magic header not detected", {'a', 's', 'm', 0, 1, 0, 0, 0}},
      {"malformed: unknown binary version", {0, 'a', 's', 'm', 2, 0, 0, 0}},
      {"malformed: unknown binary version", {0, 'a', 's', 'm', 1, 0, 1, 0}},
  });
}

TEST(ModuleDecoder, SectionsAndTheirOrder) {
  check({
      {"ok", module(kTypes + kFunctions + kCode)},
      {"malformed: unexpected content after last section", module(section(2, {0}) + kTypes)},
      {"malformed: unexpected content after last section", module(kTypes + kTypes)},
      {"malformed: malformed section id", module({14, 0})},
      {"malformed: length out of bounds", module({1, 7, 2, 0x60, 0, 0})},
      {"malformed: section size mismatch", module(section(1, {1, 0x60, 0, 0, 0x60, 0, 0}))},
      {"malformed: unexpected end", module({1, 4, 2, 0x60, 0, 0})},
      {"malformed: function and code section have inconsistent lengths", module(kTypes + kFunctions)},
      {"malformed: function and code section have inconsistent lengths", module(kCode)},
      {"malformed: data count and data section have inconsistent lengths", module(section(12, {1}))},
      {"ok", module(section(12, {0}))},
      // Tags stand between memories and globals, the data count before the code.
      {"ok", module(kTypes + section(5, {1, 0, 0}) + section(13, {1, 0, 0}) + section(6, {0}))},
      {"malformed: unexpected content after last section", module(kTypes + section(6, {0}) + section(13, {1, 0, 0}))},
      {"malformed: unexpected content after last section", module(kTypes + kFunctions + kCode + section(12, {0}))},
  });
}

TEST(ModuleDecoder, CustomSectionsAnywhere) {
  const Bytes custom = section(0, name("note") + Bytes{1, 2, 3});
  const Bytes bytes = module(custom + kTypes + custom + kFunctions + kCode + custom);
  const auto module = decodeModule(bytes);
  ASSERT_TRUE(module);
  ASSERT_EQ(module->customSections.size(), 3u);
  EXPECT_EQ(module->customSections[0].name, "note");
  EXPECT_EQ(module->customSections[0].bytes.offset, 8u + 2 + 5);
  EXPECT_EQ(module->customSections[0].bytes.size, 3u);
  EXPECT_EQ(module->sections.size(), 6u);
  check({
      {"malformed: malformed UTF-8 encoding", test::module(section(0, Bytes{1, 0xff}))},
      {"malformed: length out of bounds", test::module(section(0, Bytes{9, 'a'}) + kTypes + kTypes)},
      {"malformed: unexpected end", test::module({0, 0})},
  });
}

TEST(ModuleDecoder, ImportsAndExports) {
  const Bytes importFunction = section(2, Bytes{1} + name("m") + name("f") + Bytes{0, 0});
  check({
      {"ok", module(kTypes + importFunction + section(7, Bytes{1} + name("f") + Bytes{0, 0}))},
      {"invalid: unknown function 1", module(kTypes + importFunction + section(7, Bytes{1} + name("f") + Bytes{0, 1}))},
      {"invalid: duplicate export name",
       module(kTypes + importFunction + section(7, Bytes{2} + name("f") + Bytes{0, 0} + name("f") + Bytes{0, 0}))},
      {"malformed: malformed export kind",
       module(kTypes + importFunction + section(7, Bytes{1} + name("f") + Bytes{5, 0}))},
      {"malformed: malformed import kind", module(section(2, Bytes{1} + name("m") + name("f") + Bytes{5}))},
      {"malformed: malformed UTF-8 encoding", module(section(2, Bytes{1, 1, 0xc0} + name("f") + Bytes{0, 0}))},
      {"invalid: unknown type 3", module(kTypes + section(2, Bytes{1} + name("m") + name("f") + Bytes{0, 3}))},
  });
}

TEST(ModuleDecoder, Limits) {
  check({
      {"ok", module(section(5, {1, 1, 1, 2}))},
      {"invalid: size minimum must not be greater than maximum", module(section(5, {1, 1, 2, 1}))},
      {"malformed: malformed limits flags", module(section(5, {1, 0x10, 0}))},
      {"invalid: memory size must be at most 65536 pages", module(section(5, Bytes{1, 0} + leb(65537)))},
      {"ok", module(section(5, Bytes{1, 4} + leb(uint64_t{1} << 48)))},
      {"invalid: memory size must be at most 2^48 pages",
       module(section(5, Bytes{1, 4} + leb((uint64_t{1} << 48) + 1)))},
      {"ok", module(section(5, {2, 0, 0, 0, 0}))},  // two memories
      {"invalid: shared memory must have maximum", module(section(5, {1, 2, 0}))},
      {"ok", module(section(5, {1, 3, 0, 1}))},
      {"ok", module(section(5, Bytes{1, 8} + leb(UINT32_MAX) + Bytes{0}))},  // pages of one byte
      {"invalid: memory size must be at most 2^32-1", module(section(5, Bytes{1, 8} + leb(1ull << 32) + Bytes{0}))},
      {"invalid: invalid custom page size", module(section(5, {1, 8, 0, 15}))},
      {"malformed: invalid custom page size", module(section(5, {1, 8, 0, 0x41}))},
      {"invalid: table size must be at most 2^32-1", module(section(4, Bytes{1, 0x70, 0} + leb(1ull << 32)))},
      {"ok", module(section(4, Bytes{1, 0x70, 4} + leb(1ull << 32)))},
      {"malformed: malformed limits flags", module(section(4, {1, 0x70, 2, 0}))},  // no shared tables
      {"malformed: malformed reference type", module(section(4, {1, 0x7f, 0, 0}))},
  });
}

TEST(ModuleDecoder, FeaturesTurnedOff) {
  Features none{false, false, false, false, false};
  EXPECT_EQ(verdict(module(section(5, {1, 3, 0, 1})), none), "malformed: malformed limits flags");
  EXPECT_EQ(verdict(module(section(5, {1, 8, 0, 0})), none), "malformed: malformed limits flags");
  EXPECT_EQ(verdict(moduleWithBody({0xfe, 3, 0}), none), "malformed: illegal opcode fe 03");
  EXPECT_EQ(verdict(moduleWithBody({0x06, 0x40, 0x0b}), none), "malformed: illegal opcode 06");
  EXPECT_EQ(verdict(moduleWithBody({0xfe, 3, 0})), "ok");
  EXPECT_EQ(verdict(moduleWithBody({0x06, 0x40, 0x0b})), "ok");
}

TEST(ModuleDecoder, ConstantExpressions) {
  const auto module = decodeModule(assemble(R"((module
    (global (import "m" "g") i32)
    (global i32 (i32.const -7))
    (global i64 (i64.const 9))
    (global i32 (global.get 0))
    (global i32 (i32.add (global.get 1) (i32.const 1)))
    (global funcref (ref.func $f))
    (global externref (ref.null extern))
    (global v128 (v128.const i64x2 1 2))
    (func $f)))"));
  ASSERT_TRUE(module) << module.error().message;
  const auto& g = module->globals;
  EXPECT_EQ(g[1].init.kind, ConstExpr::Kind::Value);
  EXPECT_EQ(g[1].init.value[0], 0xfffffff9u);
  EXPECT_EQ(g[2].init.value[0], 9u);
  EXPECT_EQ(g[3].init.kind, ConstExpr::Kind::GlobalGet);
  EXPECT_EQ(g[4].init.kind, ConstExpr::Kind::Bytecode);
  EXPECT_EQ(g[5].init.kind, ConstExpr::Kind::RefFunc);
  EXPECT_TRUE(module->functions[0].isDeclared);
  EXPECT_EQ(g[6].init.kind, ConstExpr::Kind::RefNull);
  EXPECT_EQ(g[7].init.value[0], 1u);
  EXPECT_EQ(g[7].init.value[1], 2u);
}

TEST(ModuleDecoder, ConstantExpressionsRefused) {
  const std::pair<const char*, const char*> cases[] = {
      {"invalid: unknown global 0", "(module (global i32 (global.get 0)))"},
      {"invalid: constant expression required",
       "(module (global (mut i32) (i32.const 0)) (global i32 (global.get 0)))"},
      {"invalid: constant expression required", "(module (global i32 (i32.clz (i32.const 0))))"},
      {"invalid: type mismatch", "(module (global i32 (i64.const 0)))"},
      {"invalid: type mismatch", "(module (global i32))"},
      {"invalid: type mismatch", "(module (global i32 (i32.const 0) (i32.const 0)))"},
      {"invalid: type mismatch", "(module (memory i64 1) (data (i32.const 0)))"},
      {"invalid: unknown memory 0", "(module (data (i32.const 0)))"},
      {"invalid: unknown table 0", "(module (elem (i32.const 0)))"},
      {"invalid: type mismatch", "(module (table 1 externref) (elem (i32.const 0) funcref))"},
      {"invalid: type mismatch", "(module (table 1 (ref func)))"},
      {"ok", "(module (table 1 (ref func) (ref.func 0)) (func))"},
      {"invalid: start function", "(module (func (param i32)) (start 0))"},
      {"invalid: non-empty tag result type", "(module (tag (result i32)))"},
  };
  for (const auto& [expected, text] : cases) expectVerdict(verdictOfText(text), expected, text);
}

TEST(ModuleDecoder, ElementSegmentForms) {
  const auto module = decodeModule(assemble(R"((module
    (table 4 funcref) (table $t i64 4 funcref)
    (elem (i32.const 0) 0 1)
    (elem func 1)
    (elem (table $t) (i64.const 1) func 0)
    (elem declare func 0)
    (elem funcref (ref.func 0) (ref.null func) (ref.func 1))
    (elem (ref func) (ref.func 0) (ref.func 1))
    (func) (func)))"));
  ASSERT_TRUE(module) << module.error().message;
  const auto& e = module->elements;
  EXPECT_EQ(e[0].mode, SegmentMode::Active);
  EXPECT_EQ(e[0].functions, (std::vector<uint32_t>{0, 1}));
  EXPECT_EQ(e[1].mode, SegmentMode::Passive);
  EXPECT_EQ(e[2].table, 1u);
  EXPECT_EQ(e[2].offset.type, kI64);
  EXPECT_EQ(e[3].mode, SegmentMode::Declarative);
  EXPECT_EQ(e[4].items.size(), 3u);
  EXPECT_TRUE(e[4].functions.empty());
  EXPECT_EQ(e[4].items[0].kind, ConstExpr::Kind::RefFunc);
  EXPECT_EQ(e[5].functions.size(), 2u);
  EXPECT_EQ(e[5].count(), 2u);
}

TEST(ModuleDecoder, HugeCounts) {
  for (const uint8_t id : {1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 13}) {
    EXPECT_EQ(verdict(module(section(id, leb(UINT32_MAX)))).substr(0, 15), "limit: too many") << int{id};
  }
  // Within the limits, but more than the module has bytes for: no memory is made ready for them.
  EXPECT_EQ(verdict(module(section(9, leb(1'000'000)))).substr(0, 9), "malformed");
}

TEST(ModuleDecoder, ErrorsSayWhere) {
  const Bytes bytes = moduleWithBody({0x01, 0x6a});
  const auto module = validateModule(bytes);
  ASSERT_FALSE(module);
  EXPECT_EQ(module.error().message, "type mismatch: instruction requires [i32 i32] but stack has [] in i32.add");
  EXPECT_EQ(module.error().function, 0u);
  EXPECT_EQ(module.error().offset, bytes.size() - 2);
}

TEST(Names, ModuleAndFunctions) {
  const Bytes bytes = assemble("(module $mod (import \"m\" \"i\" (func $imported)) (func) (func $last))");
  const auto module = decodeModule(bytes);
  ASSERT_TRUE(module);
  const Names names = decodeNames(*module, bytes);
  EXPECT_EQ(names.module, "mod");
  EXPECT_EQ(names.functions, (std::vector<std::string>{"imported", "", "last"}));
}

TEST(Names, DamagedSectionGivesNone) {
  const Bytes damaged = section(0, name("name") + Bytes{1} + sized(Bytes{9, 0, 1, 'x'}));
  const Bytes bytes = module(kTypes + kFunctions + kCode + damaged);
  const auto module = decodeModule(bytes);
  ASSERT_TRUE(module);
  EXPECT_TRUE(decodeNames(*module, bytes).functions.empty());
}

}  // namespace
}  // namespace wattle::frontend::test
