// Decoding a binary module (spec "Binary Format / Modules"), with all validation but that of function bodies.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/error.h"
#include "frontend/module.h"

namespace wattle::frontend {

// Where a body is (Function::body).
struct BodyRange {
  uint32_t offset = 0;
  uint32_t size = 0;
};

// Decodes and checks everything but bodies. `bytes` must outlive the use of the ranges in the result. `bodies`: those
// of a former decoding of the same bytes, so that the code section need not be walked (a module of 40 MB has a length
// in each of its pages).
Result<ModuleInfo> decodeModule(std::span<const uint8_t> bytes, const Features& features = {},
                                std::span<const BodyRange> bodies = {});

// Checks the bodies of [first, last) (indices of defined functions included); the first error found. Any number of
// threads may check disjoint ranges of one module at once.
Result<void> validateFunctions(const ModuleInfo& module, std::span<const uint8_t> bytes, uint32_t first, uint32_t last);

// The whole of it on the calling thread: decodeModule, then every body.
Result<ModuleInfo> validateModule(std::span<const uint8_t> bytes, const Features& features = {});

// Names from the "name" section (spec "Appendix / Custom Sections"); a damaged section gives no names, never an error.
struct Names {
  std::string module;
  std::vector<std::string> functions;  // by function index; empty where unnamed
};
Names decodeNames(const ModuleInfo& module, std::span<const uint8_t> bytes);

}  // namespace wattle::frontend
