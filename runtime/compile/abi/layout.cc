#include <algorithm>

#include "runtime/compile/abi/vmcontext.h"

namespace wattle::abi {

Layout::Layout(const frontend::ModuleInfo& module) : importedGlobalCount_(module.importedGlobals) {
  uint32_t at = sizeof(VMContext);
  auto place = [&at](uint32_t& start, size_t count, uint32_t size) {
    start = at;
    at += static_cast<uint32_t>(count) * size;
  };
  place(functionImports_, module.importedFunctions, sizeof(VMFunctionImport));
  place(memories_, module.memories.size(), sizeof(VMMemorySlot));
  place(tables_, module.tables.size(), 8);
  place(globalImports_, module.importedGlobals, 8);
  at = (at + 15) & ~15u;
  place(globals_, module.globals.size() - module.importedGlobals, sizeof(RawValue));
  place(tags_, module.tags.size(), 8);
  for (uint32_t i = 0; i < module.functions.size(); ++i)
    if (module.functions[i].isDeclared) declared_.push_back(i);
  place(funcRefs_, declared_.size(), sizeof(VMFuncRef));
  size_ = (at + 15) & ~15u;
}

uint32_t Layout::funcRef(uint32_t functionIndex) const {
  auto it = std::lower_bound(declared_.begin(), declared_.end(), functionIndex);
  return funcRefs_ + static_cast<uint32_t>(it - declared_.begin()) * sizeof(VMFuncRef);
}

}  // namespace wattle::abi
