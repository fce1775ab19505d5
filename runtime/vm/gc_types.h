// Canonical types as the GC heap and compiled code need them: the table of abi::VMTypeRow by type id.
#pragma once

#include <cstdint>

#include "frontend/types.h"
#include "runtime/compile/abi/gc.h"

namespace wattle::vm {

struct TypeEntry;

// One table in the process, at an address that never changes, since contexts hold it; committed as used.
class GcTypeTable {
 public:
  explicit GcTypeTable(uint32_t capacity);
  // How many ids have a row: less than wanted when address space is short.
  uint32_t capacity() const { return capacity_; }
  const abi::VMTypeRow* rows() const { return rows_; }
  // The types that `entry` refers to have their entries in the registry.
  void fill(const TypeEntry& entry);
  void clear(uint32_t id);

 private:
  abi::VMTypeRow* rows_ = nullptr;
  uint32_t capacity_ = 0;
};

// In canonical terms.
abi::Storage storageOf(frontend::ValType type);

}  // namespace wattle::vm
