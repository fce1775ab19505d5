// Modules whose sizes are absurd, declared or real: an error or a module that works, and the host goes on.
#include <gmock/gmock.h>

#include "tests/unit/vm/vm_test.h"

namespace wattle::testing {
namespace {

using Bytes = std::vector<uint8_t>;

void append(Bytes& to, const Bytes& more) { to.insert(to.end(), more.begin(), more.end()); }

void leb(Bytes& to, uint64_t value) {
  while (value >= 0x80) {
    to.push_back(static_cast<uint8_t>(value | 0x80));
    value >>= 7;
  }
  to.push_back(static_cast<uint8_t>(value));
}

Bytes sized(const Bytes& contents) {
  Bytes out;
  leb(out, contents.size());
  append(out, contents);
  return out;
}

// A section of a count and then `items`.
Bytes section(uint8_t id, uint64_t count, const Bytes& items) {
  Bytes contents;
  leb(contents, count);
  append(contents, items);
  Bytes out{id};
  append(out, sized(contents));
  return out;
}

Bytes module(std::initializer_list<Bytes> sections) {
  Bytes out{0, 'a', 's', 'm', 1, 0, 0, 0};
  for (const auto& s : sections) append(out, s);
  return out;
}

const Bytes kNoType = section(1, 1, {0x60, 0, 0});
const Bytes kOneFunction = section(3, 1, {0});

void expectGoesOn(const Engine& engine) {
  Store store(engine);
  EXPECT_EQ(callI32(instantiate(store, engine, R"((module (func (export "f") (result i32) (i32.const 42))))"), "f"),
            42);
}

// One of the kinds that are the module's fault.
void expectRefused(const Engine& engine, const Bytes& bytes, const char* what) {
  for (bool validate : {false, true}) {
    const auto valid = Module::validate(engine, bytes);
    auto compiled = Module::compile(engine, bytes);
    ASSERT_FALSE(validate ? valid.has_value() : compiled.has_value()) << what;
    const Error& error = validate ? valid.error() : compiled.error();
    EXPECT_THAT(error.kind, ::testing::AnyOf(ErrorKind::Malformed, ErrorKind::Invalid, ErrorKind::Limit))
        << what << ": " << error.message;
    EXPECT_FALSE(error.message.empty());
  }
  expectGoesOn(engine);
}

TEST(Absurd, CountsBeyondWhatFollows) {
  Engine engine;
  for (uint8_t id = 1; id <= 13; ++id) {
    if (id == 8 || id == 12) continue;
    for (uint64_t count : {1'000'000ull, 0xffffffffull}) {
      expectRefused(engine, module({section(id, count, {})}), "a section's count");
    }
  }
  expectRefused(engine, module({{12, 5, 0xff, 0xff, 0xff, 0xff, 0x0f}}), "data count");
  expectRefused(engine, module({{12, 1, 3}}), "data count without data");
  expectRefused(engine, module({{8, 5, 0xff, 0xff, 0xff, 0xff, 0x0f}}), "start");
  for (uint8_t id = 0; id <= 13; ++id)
    expectRefused(engine, module({{id, 0xff, 0xff, 0xff, 0xff, 0x0f}}), "section size");
}

TEST(Absurd, VectorsWithinSections) {
  Engine engine;
  const Bytes huge{0xff, 0xff, 0xff, 0xff, 0x0f};
  Bytes params{0x60}, segment{0x00, 0x41, 0, 0x0b}, data{0x00, 0x41, 0, 0x0b}, name, fields{0x5f};
  for (auto* bytes : {&params, &segment, &data, &name, &fields}) append(*bytes, huge);
  expectRefused(engine, module({section(1, 1, params)}), "parameters");
  expectRefused(engine, module({section(1, 1, fields)}), "fields");
  expectRefused(engine, module({section(4, 1, {0x70, 0, 0}), section(9, 1, segment)}), "an element segment");
  expectRefused(engine, module({section(5, 1, {0, 1}), section(11, 1, data)}), "a data segment");
  expectRefused(engine, module({section(2, 1, name)}), "a name");
}

TEST(Absurd, TypesRecurseToNoEnd) {
  Engine engine;
  Bytes group{0x4e, 0xff, 0xff, 0xff, 0xff, 0x0f};
  expectRefused(engine, module({section(1, 1, group)}), "a recursion group");
  expectRefused(engine, module({section(1, 1, {0x60, 1, 0x63, 0xff, 0xff, 0x03, 0})}), "a type index");
}

TEST(Absurd, Locals) {
  Engine engine;
  Bytes many{1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 0x0b};
  expectRefused(engine, module({kNoType, kOneFunction, section(10, 1, sized(many))}), "2^32 locals");
  Bytes twice{2, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7e, 0x0b};
  expectRefused(engine, module({kNoType, kOneFunction, section(10, 1, sized(twice))}), "2^33 locals");
}

TEST(Absurd, AsManyLocalsAsAllowedRun) {
  Engine engine;
  Store store(engine);
  Bytes body{1};
  leb(body, 50'000);
  append(body, {0x7e, 0x0b});
  auto module = Module::compile(
      engine, testing::module({kNoType, kOneFunction, section(7, 1, {1, 'f', 0, 0}), section(10, 1, sized(body))}));
  ASSERT_TRUE(module) << module.error().message;
  auto i = Instance::create(store, *module, {});
  ASSERT_TRUE(i);
  EXPECT_TRUE(i->func("f")->call({}));
  expectGoesOn(engine);
}

TEST(Absurd, Parameters) {
  Engine engine;
  for (size_t count : {1001u, 100'000u}) {
    Bytes type{0x60};
    leb(type, count);
    type.insert(type.end(), count, 0x7f);
    type.push_back(0);
    expectRefused(engine, module({section(1, 1, type)}), "parameters");
  }
  Store store(engine);
  std::string params = "(param";
  for (int n = 0; n < 1000; ++n) params += " i32";
  auto i = instantiate(store, engine, "(module (func (export \"f\") " + params + ") (result i32) (local.get 999)))");
  std::vector<Val> args(1000, Val(0));
  args[999] = Val(42);
  auto result = i.func("f")->call(args);
  ASSERT_TRUE(result);
  EXPECT_EQ((*result)[0].i32(), 42);
}

TEST(Absurd, Functions) {
  Engine engine;
  constexpr size_t kMany = 1'000'001;
  Bytes bodies;
  for (size_t i = 0; i < kMany; ++i) append(bodies, {2, 0, 0x0b});
  expectRefused(engine, module({kNoType, section(3, kMany, Bytes(kMany, 0)), section(10, kMany, bodies)}), "functions");
}

// A table of half a million labels, and one that says that it has 2^32.
TEST(Absurd, BranchTables) {
  Engine engine;
  Store store(engine);
  auto withTable = [](uint64_t count, size_t real) {
    Bytes body{0, 0x02, 0x40, 0x41, 7, 0x0e};
    leb(body, count);
    body.insert(body.end(), real + 1, 0);
    append(body, {0x0b, 0x0b});
    return module({kNoType, kOneFunction, section(7, 1, {1, 'f', 0, 0}), section(10, 1, sized(body))});
  };
  expectRefused(engine, withTable(0xffffffff, 10), "a branch table");
  expectRefused(engine, withTable(10'000'000, 1'000'000), "a branch table");
  auto module = Module::compile(engine, withTable(60'000, 60'000));
  ASSERT_TRUE(module) << module.error().message;
  auto i = Instance::create(store, *module, {});
  ASSERT_TRUE(i);
  EXPECT_TRUE(i->func("f")->call({}));
}

TEST(Absurd, NestedBlocks) {
  Engine engine;
  Store store(engine);
  Bytes body{0};
  constexpr size_t kDeep = 100'000;
  for (size_t n = 0; n < kDeep; ++n) append(body, {0x02, 0x40});
  body.insert(body.end(), kDeep + 1, 0x0b);
  auto module = Module::compile(
      engine, testing::module({kNoType, kOneFunction, section(7, 1, {1, 'f', 0, 0}), section(10, 1, sized(body))}));
  if (module) {
    EXPECT_TRUE(Instance::create(store, *module, {})->func("f")->call({}));
  } else {
    EXPECT_EQ(module.error().kind, ErrorKind::Limit);
  }
  body.resize(kDeep);  // none is closed
  expectRefused(engine, testing::module({kNoType, kOneFunction, section(10, 1, sized(body))}), "open blocks");
}

TEST(Absurd, MemoriesBeyondTheStoresLimit) {
  Engine engine;
  Store store(engine, {.maxMemoryBytes = 1 << 20});
  for (const char* text : {"(module (memory 65536))", "(module (memory i64 0x1000000000000))", "(module (memory 17))",
                           "(module (memory 17 65536 shared))"}) {
    auto made = tryInstantiate(store, engine, text);
    ASSERT_FALSE(made) << text;
    EXPECT_EQ(made.error().kind, ErrorKind::Resource) << made.error().message;
  }
  EXPECT_TRUE(tryInstantiate(store, engine, "(module (memory 16 65536))"));
  MemoryType most{.minPages = 65536};
  EXPECT_EQ(Memory::create(store, most).error().kind, ErrorKind::Resource);
  expectGoesOn(engine);
}

TEST(Absurd, MemoriesBeyondTheAddressSpace) {
  Engine engine;
  Store store(engine);
  auto made = tryInstantiate(store, engine, "(module (memory i64 0x800000000000))");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind, ErrorKind::Resource);
  expectGoesOn(engine);
}

TEST(Absurd, TablesBeyondTheStoresLimit) {
  Engine engine;
  Store store(engine);
  for (const char* text : {"(module (table 0xffffffff funcref))", "(module (table i64 0xffffffffffffffff funcref))",
                           "(module (table 10000001 externref))"}) {
    auto made = tryInstantiate(store, engine, text);
    ASSERT_FALSE(made) << text;
    EXPECT_EQ(made.error().kind, ErrorKind::Resource) << made.error().message;
  }
  Store generous(engine, {.maxTableElements = ~0ull});
  auto made = tryInstantiate(generous, engine, "(module (table i64 0xffffffffffffffff funcref))");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().kind, ErrorKind::Resource) << made.error().message;
  TableType type{.element = ValType::funcref(), .min = ~0ull, .is64 = true};
  EXPECT_EQ(Table::create(generous, type, Val::null(ValType::funcref())).error().kind, ErrorKind::Resource);
  // Eight bytes each: these sizes in bytes are small numbers again, modulo 2^64.
  type.min = 1;
  auto table = Table::create(generous, type, Val::null(ValType::funcref()));
  ASSERT_TRUE(table);
  for (uint64_t delta : {1ull << 60, 1ull << 61, 1ull << 62, (1ull << 61) + 1, ~0ull - 1}) {
    EXPECT_FALSE(table->grow(delta, Val::null(ValType::funcref()))) << delta;
    EXPECT_EQ(table->size(), 1u);
  }
  expectGoesOn(engine);
}

}  // namespace
}  // namespace wattle::testing
