// What trace.cc does, by wabt's interpreter.   wabt_trace FILE…
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/fuzz/trace_words.h"
#include "wabt/binary-reader.h"
#include "wabt/interp/binary-reader-interp.h"
#include "wabt/interp/interp.h"

using namespace wabt;
using namespace wabt::interp;

namespace {

std::string show(const Value& v, ValueType type) {
  switch (type) {
    case ValueType::I32: return std::to_string(v.Get<s32>());
    case ValueType::I64: return std::to_string(v.Get<s64>());
    case ValueType::F32: return trace::f32(v.Get<u32>());
    case ValueType::F64: return trace::f64(v.Get<u64>());
    default: return trace::ref(v.Get<Ref>() == Ref::Null);
  }
}

std::string show(const Values& values, const ValueTypes& types) {
  std::string text;
  for (size_t i = 0; i < types.size(); ++i) text += " " + show(values[i], types[i]);
  return text;
}

const char* outcome(const Trap& trap) {
  if (trap.message() == "uncaught exception") return "exception";
  return trap.message() == "call stack exhausted" ? "overflow" : "trap";
}

bool passes(const ValueTypes& types) {
  for (const Type& type : types) {
    if (type == ValueType::V128) return false;
  }
  return true;
}

Value zero(ValueType type) {
  if (type == ValueType::FuncRef || type == ValueType::ExternRef) return Value::Make(Ref::Null);
  Value value;
  value.Set(v128(0, 0, 0, 0));
  return value;
}

class Run {
 public:
  Run() : store_(features()) {}
  static Features features() {
    Features features;
    features.EnableAll();
    features.disable_function_references();  // it takes (ref 0) for no funcref
    features.disable_gc();
    features.disable_relaxed_simd();
    return features;
  }

  void module(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::vector<uint8_t> bytes((std::istreambuf_iterator<char>(file)), {});
    ReadBinaryOptions options(features(), nullptr, false, true, true);
    Errors errors;
    ModuleDesc description;
    if (Failed(ReadBinaryInterp(path, bytes.data(), bytes.size(), options, &errors, &description)))
      return static_cast<void>(std::printf("refused\n"));
    auto module = interp::Module::New(store_, description);
    Trap::Ptr trap;
    auto instance = Instance::Instantiate(store_, module.ref(), imports(*module), &trap);
    if (!instance) return static_cast<void>(std::printf("instantiation: %s\n", trap ? outcome(*trap) : "error"));
    const auto& exports = module->export_types();
    for (size_t i = 0; i < exports.size(); ++i) {
      if (exports[i].type->kind != ExternKind::Func) continue;
      auto function = store_.UnsafeGet<interp::Func>(instance->exports()[i]);
      if (passes(function->type().params) && passes(function->type().results))
        functions_.emplace_back(exports[i].name, function);
    }
    for (size_t i = 0; i < functions_.size(); ++i) call(i);
    for (size_t i = 0; i < exports.size(); ++i) {
      const Ref what = instance->exports()[i];
      if (exports[i].type->kind == ExternKind::Memory) {
        auto memory = store_.UnsafeGet<interp::Memory>(what);
        trace::memory(exports[i].name, memory->UnsafeData(), memory->ByteSize());
      } else if (exports[i].type->kind == ExternKind::Global) {
        auto global = store_.UnsafeGet<interp::Global>(what);
        if (global->type().type == ValueType::V128) continue;
        std::printf("global %s %s\n", exports[i].name.c_str(), show(global->Get(), global->type().type).c_str());
      }
    }
  }

 private:
  void call(size_t index) {
    const auto& [name, function] = functions_[index];
    const FuncType type = function->type();
    Values arguments, results;
    for (const Type& t : type.params) arguments.push_back(zero(t));
    std::printf("call %s\n", name.c_str());
    Trap::Ptr trap;
    if (Succeeded(function->Call(store_, arguments, results, &trap)))
      std::printf("=%s\n", show(results, type.results).c_str());
    else
      std::printf("%s\n", outcome(*trap));
  }

  RefVec imports(const interp::Module& module) {
    RefVec imports;
    for (const auto& import : module.desc().imports) {
      const ExternType& type = *import.type.type;
      switch (type.kind) {
        case ExternKind::Func: imports.push_back(function(import.type.name, *cast<FuncType>(&type)).ref()); break;
        case ExternKind::Table: imports.push_back(interp::Table::New(store_, *cast<TableType>(&type)).ref()); break;
        case ExternKind::Memory: imports.push_back(interp::Memory::New(store_, *cast<MemoryType>(&type)).ref()); break;
        case ExternKind::Tag: imports.push_back(interp::Tag::New(store_, *cast<TagType>(&type)).ref()); break;
        case ExternKind::Global: {
          auto& global = *cast<GlobalType>(&type);
          Value value = zero(global.type);
          if (global.type == ValueType::ExternRef) value = Value::Make(Foreign::New(store_, nullptr)->self());
          imports.push_back(interp::Global::New(store_, global, value).ref());
          break;
        }
      }
    }
    return imports;
  }

  HostFunc::Ptr function(const std::string& name, const FuncType& type) {
    return HostFunc::New(store_, type,
                         [this, name, type](Thread&, const Values& args, Values& results, Trap::Ptr* trap) {
                           if (!passes(type.params) || !passes(type.results)) {
                             *trap = Trap::New(store_, "uncaught exception");
                             return wabt::Result::Error;
                           }
                           std::printf("%s%s\n", name.c_str(), show(args, type.params).c_str());
                           if (name.rfind("call-export", 0) == 0 && depth_ == 0 && ++reentries_ < 20) {
                             ++depth_;
                             if (auto index = args[0].Get<u32>(); index < functions_.size()) call(index);
                             --depth_;
                           }
                           results.clear();
                           for (const Type& t : type.results) results.push_back(zero(t));
                           return wabt::Result::Ok;
                         });
  }

  interp::Store store_;
  std::vector<std::pair<std::string, interp::Func::Ptr>> functions_;
  unsigned depth_ = 0, reentries_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string file = argv[i];
    std::printf("module %s\n", file.substr(file.rfind('/') + 1).c_str());
    std::fflush(stdout);
    Run().module(file);
  }
  return 0;
}
