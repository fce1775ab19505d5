// Types as they are encoded (spec "Binary Format / Types"), read through a Reader. Type indices are checked against the
// scope and replaced by their representatives.
#pragma once

#include <cstdint>
#include <vector>

#include "frontend/binary/reader.h"
#include "frontend/module.h"
#include "frontend/types.h"

namespace wattle::frontend {

// What a type may refer to.
struct TypeScope {
  const std::vector<SubType>& types;
  uint32_t limit;   // indices below it exist; above types.size() while a recursion group is read
  bool exactTypes;  // custom descriptors are on

  static TypeScope of(const ModuleInfo& module) {
    return {module.types, static_cast<uint32_t>(module.types.size()), module.features.customDescriptors};
  }
};

struct HeapTypeUse {
  HeapType heap;
  bool exact = false;
};

// On failure each returns a default value and the reader holds the error.
uint32_t readTypeIndex(Reader& reader, const TypeScope& scope);  // as written
HeapTypeUse readHeapType(Reader& reader, const TypeScope& scope);
ValType readRefType(Reader& reader, const TypeScope& scope);
ValType readValType(Reader& reader, const TypeScope& scope);
ValType readStorageType(Reader& reader, const TypeScope& scope);

// A function type by index, or "unknown type" / "non-function type".
const FuncType* readFuncTypeIndex(Reader& reader, const TypeScope& scope, uint32_t& index);

}  // namespace wattle::frontend
