// Modules that run: each is instantiated with all imports satisfied by functions that do nothing, and its exported
// functions are called with zeros, guarded, checked and lazily compiled. All kinds of code have to agree on results,
// traps and the memory they leave behind.
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "wattle/wattle.hpp"

using namespace wattle;

namespace {

// What one run shows to the outside.
struct Trace {
  std::vector<std::string> calls;
  std::vector<uint8_t> memory;
  bool stopped = false;  // interrupted, or out of some resource: nothing to compare
};

Result<std::vector<Extern>> makeImports(Store& store, const Module& module) {
  std::vector<Extern> imports;
  for (const ImportType& import : module.imports()) {
    if (auto* type = std::get_if<FuncType>(&import.type)) {
      FuncType signature = *type;
      imports.push_back(Func::host(store, signature,
                                   [signature](Caller&, std::span<const Val>, std::span<Val> results) -> Result<void> {
                                     for (size_t i = 0; i < results.size(); ++i)
                                       results[i] = Val::zero(signature.results[i]);
                                     return {};
                                   }));
    } else if (auto* type = std::get_if<TableType>(&import.type)) {
      auto table = Table::create(store, *type, Val::null(type->element));
      if (!table) return std::unexpected(table.error());
      imports.push_back(*table);
    } else if (auto* type = std::get_if<MemoryType>(&import.type)) {
      auto memory = Memory::create(store, *type);
      if (!memory) return std::unexpected(memory.error());
      imports.push_back(*memory);
    } else if (auto* type = std::get_if<GlobalType>(&import.type)) {
      auto global = Global::create(store, *type, Val::zero(type->type));
      if (!global) return std::unexpected(global.error());
      imports.push_back(*global);
    } else if (auto* type = std::get_if<TagType>(&import.type)) {
      imports.push_back(Tag::create(store, type->type));
    }
  }
  return imports;
}

std::string describe(const Result<std::vector<Val>>& result) {
  if (!result)
    return "error " + std::to_string(static_cast<int>(result.error().kind)) + " " +
           std::to_string(static_cast<int>(result.error().trap));
  std::string text;
  for (const Val& v : *result) {
    // References are addresses; only whether they are null is comparable.
    if (v.type().isRef())
      text += v.isNull() ? "null " : "ref ";
    else if (v.type() == ValType::f32())
      text += v.f32() != v.f32() ? "nan " : std::to_string(v.low()) + " ";
    else if (v.type() == ValType::f64())
      text += v.f64() != v.f64() ? "nan " : std::to_string(v.low()) + " ";
    else if (v.type() == ValType::v128())
      text += "v128 ";  // lanes may be NaNs
    else
      text += std::to_string(v.low()) + " ";
  }
  return text;
}

bool isResource(const Error& e) {
  return e.kind == ErrorKind::Resource || e.kind == ErrorKind::Unsupported || e.trap == TrapCode::Interrupted ||
         e.trap == TrapCode::StackOverflow || e.trap == TrapCode::OutOfMemory || e.trap == TrapCode::AllocationFailed;
}

Trace run(const Engine& engine, std::span<const uint8_t> bytes) {
  Trace trace;
  trace.stopped = true;
  auto module = Module::compile(engine, bytes);
  if (!module) return trace;
  StoreLimits limits;
  limits.maxMemoryBytes = 16 << 20;
  limits.maxTableElements = 10000;
  Store store(engine, limits);
  auto imports = makeImports(store, *module);
  if (!imports || !store.setDeadline(std::chrono::milliseconds(200))) return trace;
  auto instance = Instance::create(store, *module, *imports);
  if (!instance) {
    trace.stopped = isResource(instance.error());
    trace.calls.push_back("instantiation " + std::to_string(static_cast<int>(instance.error().trap)));
    return trace;
  }
  trace.stopped = false;
  for (auto& [name, value] : instance->exports()) {
    if (auto* function = std::get_if<Func>(&value)) {
      std::vector<Val> arguments;
      bool callable = true;
      for (const ValType& t : function->type().params) {
        callable &= !t.isRef() || t.nullable;
        arguments.push_back(Val::zero(t));
      }
      if (!callable) continue;
      auto result = function->call(arguments);
      if (!result && isResource(result.error())) {
        trace.stopped = true;
        return trace;
      }
      trace.calls.push_back(name + ": " + describe(result));
    } else if (auto* memory = std::get_if<Memory>(&value)) {
      trace.memory.assign(memory->bytes().begin(), memory->bytes().end());
    }
  }
  return trace;
}

Engine makeEngine(BoundsMode bounds, bool lazy) {
  Config config;
  config.compileThreads = 1;
  config.bounds = bounds;
  config.lazy = lazy;
  return Engine(config);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Engine engines[] = {makeEngine(BoundsMode::Guarded, false), makeEngine(BoundsMode::Checked, false),
                                   makeEngine(BoundsMode::Guarded, true)};
  Trace first = run(engines[0], {data, size});
  if (first.stopped) return 0;
  for (const Engine& engine : {engines[1], engines[2]}) {
    Trace other = run(engine, {data, size});
    if (other.stopped) continue;
    if (other.calls != first.calls || other.memory != first.memory) std::abort();
  }
  return 0;
}
