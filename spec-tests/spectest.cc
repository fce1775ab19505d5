#include "spec-tests/spectest.h"

#include <vector>

namespace wattle::spec {

namespace {

constexpr const char* kName = "spectest";

// print_* take their arguments and say nothing: the output of a run is its results.
Result<void> ignore(Caller&, std::span<const Val>, std::span<Val>) { return {}; }

void addFunctions(Linker& linker) {
  using V = ValType;
  auto add = [&](const char* name, std::vector<ValType> params) {
    linker.defineFunc(kName, name, FuncType{std::move(params), {}}, ignore);
  };
  add("print", {});
  add("print_i32", {V::i32()});
  add("print_i64", {V::i64()});
  add("print_f32", {V::f32()});
  add("print_f64", {V::f64()});
  add("print_i32_f32", {V::i32(), V::f32()});
  add("print_f64_f64", {V::f64(), V::f64()});
}

Result<void> addGlobals(Store& store, Linker& linker) {
  const std::pair<const char*, Val> kGlobals[] = {{"global_i32", Val(int32_t{666})},
                                                  {"global_i64", Val(int64_t{666})},
                                                  {"global_f32", Val(666.6f)},
                                                  {"global_f64", Val(666.6)}};
  for (const auto& [name, value] : kGlobals) {
    auto global = Global::create(store, GlobalType{value.type(), false}, value);
    if (!global) return std::unexpected(global.error());
    linker.define(kName, name, *global);
  }
  return {};
}

Result<void> addTable(Store& store, Linker& linker, const char* name, bool is64) {
  TableType type;
  type.element = ValType::funcref();
  type.min = 10;
  type.max = 20;
  type.is64 = is64;
  auto table = Table::create(store, type, Val::null(type.element));
  if (!table) return std::unexpected(table.error());
  linker.define(kName, name, *table);
  return {};
}

Result<void> addMemory(Store& store, Linker& linker, const char* name, bool shared) {
  MemoryType type;
  type.minPages = 1;
  type.maxPages = 2;
  type.isShared = shared;
  auto memory = Memory::create(store, type);
  if (!memory) return std::unexpected(memory.error());
  linker.define(kName, name, *memory);
  return {};
}

}  // namespace

Result<void> addSpectest(Store& store, Linker& linker) {
  addFunctions(linker);
  if (auto added = addGlobals(store, linker); !added) return added;
  for (bool is64 : {false, true}) {
    if (auto added = addTable(store, linker, is64 ? "table64" : "table", is64); !added) return added;
  }
  for (bool shared : {false, true}) {
    if (auto added = addMemory(store, linker, shared ? "shared_memory" : "memory", shared); !added) return added;
  }
  return {};
}

}  // namespace wattle::spec
