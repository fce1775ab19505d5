// What the compilers know of a module, put together.
#pragma once

#include "runtime/compile/baseline/compiler.h"

namespace wattle::compile {

// `module`, `bytes` and `layout` must outlive the result.
inline baseline::ModuleContext moduleContext(const frontend::ModuleInfo& module, std::span<const uint8_t> bytes, const abi::Layout& layout,
                                             const Settings& settings) {
  bool anyVectors = false;
  for (const frontend::SubType& type : module.types) {
    for (const auto* list : {&type.func.params, &type.func.results}) {
      for (frontend::ValType t : *list) anyVectors |= t.kind() == frontend::ValKind::V128;
    }
  }
  return {&module, bytes, &layout, settings, x64::cpuFeatures(), anyVectors};
}

}  // namespace wattle::compile
