// Looking into a module: for tools such as `wattle inspect`, not for running it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "wattle/wattle.hpp"

namespace wattle {

struct SectionInfo {
  uint8_t id = 0;       // the binary format's number; 0 is a custom section
  std::string name;     // "type", "code", …; a custom section's own name
  uint64_t offset = 0;  // of its contents in the module
  uint64_t size = 0;
  uint64_t count = 0;  // entries; 0 for custom sections
};

struct FunctionInfo {
  uint32_t index = 0;   // in the function index space; imports come first and are not listed
  std::string name;     // name section, else an export's name, else empty
  std::string type;     // "(i32, i64) -> (f32)"
  uint64_t offset = 0;  // of its body in the module: local declarations, then instructions
  uint64_t size = 0;
};

// What stands where in a binary module. Checks the module's structure but not its bodies.
struct ModuleLayout {
  std::vector<SectionInfo> sections;
  std::vector<FunctionInfo> functions;
  bool hasStart = false;
};
WATTLE_API Result<ModuleLayout> moduleLayout(std::span<const uint8_t> bytes);

// The instruction at `codeOffset` and those up to the next position come from the instruction at `moduleOffset`.
struct CodePosition {
  uint32_t codeOffset = 0;
  uint64_t moduleOffset = 0;
};

struct CompiledFunction {
  uint64_t address = 0;                 // where the code stands
  std::vector<uint8_t> code;            // native instructions
  std::vector<CodePosition> positions;  // ascending by codeOffset
};

// The native code of a defined function (index in the function index space). Compiles it first where the module is
// lazy.
WATTLE_API Result<CompiledFunction> compiledFunction(const Module& module, uint32_t functionIndex);

}  // namespace wattle
