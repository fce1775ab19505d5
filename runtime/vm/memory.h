// A linear memory of a store (spec "Runtime Structure / Memory Instances").
#pragma once

#include <cstdint>
#include <vector>

#include "frontend/module.h"
#include "runtime/compile/abi/vmcontext.h"
#include "runtime/vm/object.h"
#include "sandbox/linear_memory.h"
#include "wattle/error.hpp"

namespace wattle::vm {

class Memory final : public Object, public abi::VMMemory {
 public:
  static Result<Memory*> create(Store& store, const frontend::MemoryType& type, sandbox::Bounds bounds);
  static Memory* from(abi::VMMemory* memory) { return static_cast<Memory*>(memory); }

  const frontend::MemoryType& declaredType() const { return type_; }
  // With the present size as minimum, as imports are matched (spec "Runtime / External Typing").
  frontend::MemoryType currentType() const;
  sandbox::Bounds bounds() const { return linear_.bounds(); }
  uint64_t size() const { return byteSize.load(std::memory_order_relaxed); }
  uint64_t pages() const { return size() >> type_.pageSizeLog2; }
  std::span<uint8_t> bytes() { return {base, size()}; }
  // The old size in pages, or -1 (and nothing has changed).
  int64_t grow(uint64_t deltaPages);
  // The next access would be at [at, at + n): is it within?
  bool contains(uint64_t at, uint64_t n) const { return n <= size() && at <= size() - n; }

  // Contexts that cache the base. Only a checked memory moves, so only it keeps them.
  void addUser(abi::VMContext* context);
  void removeUser(abi::VMContext* context);

  void close() override;

 private:
  Memory(Store& store, const frontend::MemoryType& type, uint64_t maxBytes, sandbox::LinearMemory linear);
  void publish();

  frontend::MemoryType type_;
  uint64_t maxBytes_;  // declared maximum or the address type's, and the store's limit
  sandbox::LinearMemory linear_;
  std::vector<abi::VMContext*> users_;
};

}  // namespace wattle::vm
