#include "frontend/optimize/optimize.h"

#include <binaryen-c.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <utility>

#include "frontend/binary/module_decoder.h"
#include "frontend/optimize/isolated.h"

namespace wattle::frontend {

std::optional<OptimizeLevel> parseOptimizeLevel(std::string_view text) {
  if (text == "s") return OptimizeLevel{2, 1};
  if (text == "z") return OptimizeLevel{2, 2};
  if (text.size() == 1 && text[0] >= '0' && text[0] <= '4') return OptimizeLevel{text[0] - '0', 0};
  return std::nullopt;
}

namespace {

// Structure that Debian's Binaryen 108 would misread: its garbage-collection types are those of a draft, and it ignores
// limit flags it does not know. Instructions unknown to it it refuses itself.
std::optional<std::string> unknownToBinaryen(const ModuleInfo& module) {
  if (module.memories.size() > 1) return "several memories";
  for (const Memory& memory : module.memories) {
    if (memory.type.pageSizeLog2 != 16) return "custom page sizes";
  }
  for (const Table& table : module.tables) {
    if (table.type.is64) return "64-bit tables";
    if (table.init) return "table initializers";
    if (table.type.element != kFuncRef && table.type.element != kExternRef) return "typed references";
  }
  for (const SubType& type : module.types) {
    if (type.kind != CompositeKind::Func || type.groupSize != 1 || !type.isFinal || type.supertype != kNoIndex) {
      return "garbage-collection types";
    }
    for (const auto* list : {&type.func.params, &type.func.results}) {
      for (ValType t : *list) {
        if (t.isRef() && t != kFuncRef && t != kExternRef) return "typed references";
      }
    }
  }
  return std::nullopt;
}

// The few functions of the library that are used.
struct Binaryen {
  decltype(&BinaryenModuleRead) read = nullptr;
  decltype(&BinaryenModuleSetFeatures) setFeatures = nullptr;
  decltype(&BinaryenModuleValidate) validate = nullptr;
  decltype(&BinaryenModuleOptimize) optimize = nullptr;
  decltype(&BinaryenModuleAllocateAndWrite) write = nullptr;
  decltype(&BinaryenSetOptimizeLevel) setOptimizeLevel = nullptr;
  decltype(&BinaryenSetShrinkLevel) setShrinkLevel = nullptr;
  decltype(&BinaryenSetDebugInfo) setDebugInfo = nullptr;
  BinaryenFeatures features = 0;

  bool open() {
    void* library = dlopen("libbinaryen.so", RTLD_NOW | RTLD_LOCAL);
    if (!library) return false;
    bool complete = true;
    auto find = [&]<class F>(F& function, const char* name) {
      function = reinterpret_cast<F>(dlsym(library, name));
      complete = complete && function;
    };
    find(read, "BinaryenModuleRead");
    find(setFeatures, "BinaryenModuleSetFeatures");
    find(validate, "BinaryenModuleValidate");
    find(optimize, "BinaryenModuleOptimize");
    find(write, "BinaryenModuleAllocateAndWrite");
    find(setOptimizeLevel, "BinaryenSetOptimizeLevel");
    find(setShrinkLevel, "BinaryenSetShrinkLevel");
    find(setDebugInfo, "BinaryenSetDebugInfo");
    // Those whose binary form has not changed since the installed release.
    for (const char* name :
         {"Atomics", "BulkMemory", "MutableGlobals", "NontrappingFPToInt", "SignExt", "SIMD128", "ExceptionHandling",
          "TailCall", "ReferenceTypes", "Multivalue", "Memory64", "ExtendedConst"}) {
      decltype(&BinaryenFeatureMVP) feature = nullptr;
      find(feature, fmt::format("BinaryenFeature{}", name).c_str());
      if (feature) features |= feature();
    }
    return complete;
  }
};

// How the child ends, beside the library's own exits.
enum ChildExit { kDone = 0, kNoLibrary = 100, kInvalid = 101, kCannotWrite = 102 };

int runBinaryen(std::span<const uint8_t> bytes, OptimizeLevel level, int output) {
  Binaryen binaryen;
  if (!binaryen.open()) return kNoLibrary;
  char* input = const_cast<char*>(reinterpret_cast<const char*>(bytes.data()));
  BinaryenModuleRef module = binaryen.read(input, bytes.size());  // exits on what it does not understand
  binaryen.setFeatures(module, binaryen.features);
  if (!binaryen.validate(module)) return kInvalid;
  binaryen.setOptimizeLevel(level.optimize);
  binaryen.setShrinkLevel(level.shrink);
  binaryen.setDebugInfo(true);  // keep the name section
  binaryen.optimize(module);
  auto written = binaryen.write(module, nullptr);
  return writeAll(output, written.binary, written.binaryBytes) ? kDone : kCannotWrite;
}

std::expected<std::vector<uint8_t>, std::string> judge(IsolatedResult result) {
  if (result.exitCode == kNoLibrary) {
    return std::unexpected("libbinaryen.so is not installed (Debian package binaryen)");
  }
  if (result.exitCode != kDone) {
    return std::unexpected(
        fmt::format("Binaryen does not understand the module{}{}", result.said.empty() ? "" : ": ", result.said));
  }
  if (auto valid = validateModule(result.output); !valid) {
    return std::unexpected(fmt::format("Binaryen wrote an invalid module: {}", valid.error().message));
  }
  return std::move(result.output);
}

}  // namespace

std::expected<std::vector<uint8_t>, std::string> optimizeModule(std::span<const uint8_t> bytes, OptimizeLevel level) {
  auto info = decodeModule(bytes);
  if (!info) return std::unexpected(info.error().message);
  if (auto unknown = unknownToBinaryen(*info)) {
    return std::unexpected(fmt::format("the module has {}, which the installed Binaryen does not know", *unknown));
  }
  auto result = runIsolated([&](int output) { return runBinaryen(bytes, level, output); });
  if (!result) return std::unexpected(result.error());
  return judge(*std::move(result));
}

}  // namespace wattle::frontend
