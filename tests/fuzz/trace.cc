// Runs modules and prints what they do, one line an event, in the words of trace.mjs: differential.sh compares the two.
//
//   wattle_trace [--checked] [--lazy] FILE…
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "wattle/wattle.hpp"

using namespace wattle;

namespace {

// NaNs of any kind are alike: the specification leaves their bits open.
std::string show(const Val& v) {
  char text[64] = "?";
  if (v.type().isRef()) return v.isNull() ? "null" : "ref";
  if (v.type() == ValType::i32()) std::snprintf(text, sizeof text, "%" PRId32, v.i32());
  else if (v.type() == ValType::i64()) std::snprintf(text, sizeof text, "%" PRId64, v.i64());
  else if (v.type() == ValType::f32()) {
    if (v.f32() != v.f32()) return "nan";
    std::snprintf(text, sizeof text, "f%08" PRIx32, static_cast<uint32_t>(v.low()));
  } else if (v.type() == ValType::f64()) {
    if (v.f64() != v.f64()) return "nan";
    std::snprintf(text, sizeof text, "d%016" PRIx64, v.low());
  }
  return text;
}

std::string show(std::span<const Val> values) {
  std::string text;
  for (const Val& v : values) text += " " + show(v);
  return text;
}

// The event at the end of a call that did not return. Reasons have other words elsewhere; that it trapped is what counts.
const char* outcome(const Error& e) {
  if (e.kind == ErrorKind::Exception) return "exception";
  return e.trap == TrapCode::StackOverflow ? "overflow" : e.kind == ErrorKind::Trap ? "trap" : "error";
}

// Functions whose types JavaScript cannot express (v128) are left out on both sides; as imports they fail when called.
bool callable(const FuncType& type) {
  for (const auto* list : {&type.params, &type.results}) {
    for (const ValType& t : *list) {
      if (t == ValType::v128() || (t.isRef() && !t.nullable)) return false;
    }
  }
  return true;
}

std::vector<Extern> makeImports(Store& store, const Module& module) {
  std::vector<Extern> imports;
  for (const ImportType& import : module.imports()) {
    if (auto* type = std::get_if<FuncType>(&import.type)) {
      std::string name = import.name;
      FuncType signature = *type;
      imports.push_back(Func::host(store, signature, [name, signature](Caller&, std::span<const Val> args, std::span<Val> results) -> Result<void> {
        if (!callable(signature)) return std::unexpected(Error::make(ErrorKind::Argument, "not callable from JavaScript"));
        std::printf("%s%s\n", name.c_str(), show(args).c_str());
        for (size_t i = 0; i < results.size(); ++i) results[i] = Val::zero(signature.results[i]);
        return {};
      }));
    } else if (auto* type = std::get_if<TableType>(&import.type)) {
      if (auto table = Table::create(store, *type, Val::null(type->element))) imports.push_back(*table);
    } else if (auto* type = std::get_if<MemoryType>(&import.type)) {
      if (auto memory = Memory::create(store, *type)) imports.push_back(*memory);
    } else if (auto* type = std::get_if<GlobalType>(&import.type)) {
      if (auto global = Global::create(store, *type, Val::zero(type->type))) imports.push_back(*global);
    } else if (auto* type = std::get_if<TagType>(&import.type)) {
      imports.push_back(Tag::create(store, type->type));
    }
  }
  return imports;
}

void runModule(const Engine& engine, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<uint8_t> bytes((std::istreambuf_iterator<char>(file)), {});
  std::printf("module %s\n", path.substr(path.rfind('/') + 1).c_str());
  auto module = Module::compile(engine, bytes);
  if (!module) {
    std::fprintf(stderr, "%s: %s\n", path.c_str(), module.error().message.c_str());
    return static_cast<void>(std::printf("refused\n"));
  }
  Store store(engine);
  auto instance = Instance::create(store, *module, makeImports(store, *module));
  if (!instance) return static_cast<void>(std::printf("instantiation: %s\n", outcome(instance.error())));
  for (auto& [name, value] : instance->exports()) {
    auto* function = std::get_if<Func>(&value);
    if (!function || !callable(function->type())) continue;
    std::vector<Val> arguments;
    for (const ValType& t : function->type().params) arguments.push_back(Val::zero(t));
    std::printf("call %s\n", name.c_str());
    auto result = function->call(arguments);
    std::printf("%s%s\n", result ? "=" : outcome(result.error()), result ? show(*result).c_str() : "");
  }
  for (auto& [name, value] : instance->exports()) {
    auto* memory = std::get_if<Memory>(&value);
    if (!memory) continue;
    uint32_t hash = 2166136261u;
    for (uint8_t byte : memory->bytes()) hash = (hash ^ byte) * 16777619u;
    std::printf("memory %s %zu %u\n", name.c_str(), memory->bytes().size(), hash);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Config config;
  std::vector<std::string> files;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument == "--checked") config.bounds = BoundsMode::Checked;
    else if (argument == "--lazy") config.lazy = true;
    else files.push_back(argument);
  }
  Engine engine(config);
  for (const std::string& file : files) runModule(engine, file);
  return 0;
}
