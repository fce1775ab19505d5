// What the compilers know of a module, put together.
#pragma once

#include "runtime/compile/baseline/compiler.h"

namespace wattle::compile {

// `module`, `bytes` and `layout` must outlive the result.
inline baseline::ModuleContext moduleContext(const frontend::ModuleInfo& module, std::span<const uint8_t> bytes,
                                             const abi::Layout& layout, const Settings& settings) {
  bool anyVectors = false;
  auto noteVector = [&](frontend::ValType t) { anyVectors |= t.kind() == frontend::ValKind::V128; };
  std::vector<baseline::CallShape> shapes(module.types.size());
  for (size_t i = 0; i < module.types.size(); ++i) {
    const frontend::SubType& type = module.types[i];
    if (type.kind == frontend::CompositeKind::Func) shapes[i] = baseline::CallShape(type.func);
    for (const auto* list : {&type.func.params, &type.func.results}) {
      for (frontend::ValType t : *list) noteVector(t);
    }
    for (const frontend::FieldType& field : type.fields) noteVector(field.type);
  }
  for (const frontend::Global& global : module.globals) noteVector(global.type.type);
  return {&module, bytes, &layout, settings, x64::cpuFeatures(), anyVectors, std::move(shapes)};
}

}  // namespace wattle::compile
