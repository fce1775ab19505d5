// Runs modules and prints what they do, one line an event, in the words of trace.mjs and trace_wabt.cc: differential.sh
// compares them.
//
//   wattle_trace [--checked] [--lazy] [--fuel] [--gc-stress N] FILE…
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "tests/fuzz/trace_words.h"
#include "wattle/wattle.hpp"

using namespace wattle;

namespace {

std::string show(const Val& v) {
  if (v.type().isRef()) return trace::ref(v.isNull());
  if (v.type() == ValType::i32()) return std::to_string(v.i32());
  if (v.type() == ValType::i64()) return std::to_string(v.i64());
  return v.type() == ValType::f32() ? trace::f32(static_cast<uint32_t>(v.low())) : trace::f64(v.low());
}

std::string show(std::span<const Val> values) {
  std::string text;
  for (const Val& v : values) text += " " + show(v);
  return text;
}

// The event at the end of a call that did not return. Reasons have other words elsewhere; that it trapped is what
// counts.
const char* outcome(const Error& e) {
  if (e.kind == ErrorKind::Exception) return "exception";
  return e.trap == TrapCode::StackOverflow ? "overflow" : e.kind == ErrorKind::Trap ? "trap" : "error";
}

// What JavaScript can hand over: no vectors, no references to exceptions; what goes into the guest is zero or null.
bool passes(const ValType& t, bool toGuest) {
  if (t == ValType::v128() || (t.isRef() && (t.heap == Heap::Exn || t.heap == Heap::NoExn))) return false;
  return !toGuest || !t.isRef() || t.nullable;
}
bool passes(std::span<const ValType> types, bool toGuest) {
  for (const ValType& t : types) {
    if (!passes(t, toGuest)) return false;
  }
  return true;
}
bool isCallable(const FuncType& type) { return passes(type.params, true) && passes(type.results, false); }

class Run {
 public:
  Run(const Engine& engine, const StoreLimits& limits) : engine_(engine), store_(engine, limits) {
    if (engine.config().fuel) (void)store_.addFuel(uint64_t{1} << 60);
  }

  void module(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::vector<uint8_t> bytes((std::istreambuf_iterator<char>(file)), {});
    auto module = Module::compile(engine_, bytes);
    if (!module) {
      std::fprintf(stderr, "%s: %s\n", path.c_str(), module.error().message.c_str());
      return static_cast<void>(std::printf("refused\n"));
    }
    auto instance = Instance::create(store_, *module, imports(*module));
    if (!instance) {
      std::fprintf(stderr, "%s: %s\n", path.c_str(), instance.error().message.c_str());
      return static_cast<void>(std::printf("instantiation: %s\n", outcome(instance.error())));
    }
    for (auto& [name, value] : instance->exports()) {
      auto* function = std::get_if<Func>(&value);
      if (function && isCallable(function->type())) functions_.emplace_back(name, *function);
    }
    for (size_t i = 0; i < functions_.size(); ++i) call(i);
    for (auto& [name, value] : instance->exports()) {
      if (auto* memory = std::get_if<Memory>(&value))
        trace::memory(name, memory->bytes().data(), memory->bytes().size());
      auto* global = std::get_if<Global>(&value);
      if (global && passes(global->type().type, false))
        std::printf("global %s %s\n", name.c_str(), show(global->get()).c_str());
    }
  }

 private:
  void call(size_t index) {
    const auto& [name, function] = functions_[index];
    std::vector<Val> arguments;
    for (const ValType& t : function.type().params) arguments.push_back(Val::zero(t));
    std::printf("call %s\n", name.c_str());
    auto result = function.call(arguments);
    std::printf("%s%s\n", result ? "=" : outcome(result.error()), result ? show(*result).c_str() : "");
  }

  std::vector<Extern> imports(const Module& module) {
    std::vector<Extern> imports;
    for (const ImportType& import : module.imports()) {
      if (auto* type = std::get_if<TagType>(&import.type)) {
        imports.push_back(Tag::create(store_, type->type));
        if (import.name == "wasmtag") tag_ = std::get<Tag>(imports.back());
      } else if (auto* type = std::get_if<FuncType>(&import.type)) {
        imports.push_back(function(import.name, *type));
      } else if (auto* type = std::get_if<TableType>(&import.type)) {
        if (auto table = Table::create(store_, *type, Val::null(type->element))) imports.push_back(*table);
      } else if (auto* type = std::get_if<MemoryType>(&import.type)) {
        if (auto memory = Memory::create(store_, *type)) imports.push_back(*memory);
      } else if (auto* type = std::get_if<GlobalType>(&import.type)) {
        const bool isExtern = type->type.isRef() && type->type.heap == Heap::Extern;
        auto value = isExtern ? store_.externref(std::make_shared<int>(0)) : Val::zero(type->type);
        if (auto global = Global::create(store_, *type, value)) imports.push_back(*global);
      }
    }
    return imports;
  }

  Func function(const std::string& name, const FuncType& type) {
    return Func::host(store_, type,
                      [this, name, type](Caller&, std::span<const Val> args, std::span<Val> results) -> Result<void> {
                        // JavaScript throws a TypeError, which a guest can catch.
                        if (!passes(type.params, false) || !passes(type.results, true))
                          return exception(Tag::create(store_, {}), {});
                        std::printf("%s%s\n", name.c_str(), show(args).c_str());
                        if (name == "throw" && tag_ && tag_->type() == FuncType{type.params, {}})
                          return exception(*tag_, args);
                        if (name.starts_with("call-export") && depth_ == 0 && ++reentries_ < 20) {
                          ++depth_;
                          if (auto index = static_cast<uint32_t>(args[0].i32()); index < functions_.size()) call(index);
                          --depth_;
                        }
                        for (size_t i = 0; i < results.size(); ++i) results[i] = Val::zero(type.results[i]);
                        return {};
                      });
  }

  Result<void> exception(const Tag& tag, std::span<const Val> values) {
    auto thrown = Exception::create(store_, tag, values);
    return std::unexpected(thrown ? thrown->error() : thrown.error());
  }

  const Engine& engine_;
  Store store_;
  std::optional<Tag> tag_;
  std::vector<std::pair<std::string, Func>> functions_;
  unsigned depth_ = 0, reentries_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Config config;
  StoreLimits limits;
  std::vector<std::string> files;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument == "--checked")
      config.bounds = BoundsMode::Checked;
    else if (argument == "--lazy")
      config.lazy = true;
    else if (argument == "--fuel")
      config.fuel = true;
    else if (argument == "--gc-stress" && i + 1 < argc)
      limits.gcStress = static_cast<uint32_t>(std::atoi(argv[++i]));
    else
      files.push_back(argument);
  }
  Engine engine(config);
  for (const std::string& file : files) {
    std::printf("module %s\n", file.substr(file.rfind('/') + 1).c_str());
    std::fflush(stdout);
    Run(engine, limits).module(file);
  }
  return 0;
}
