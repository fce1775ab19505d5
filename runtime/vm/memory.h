// A linear memory of a store (spec "Runtime Structure / Memory Instances").
//
// A shared one may belong to several stores, on as many threads: each has a Memory of its own, and all refer to one
// SharedLinear. It never moves; whoever makes it grow tells all the others their new size.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "frontend/module.h"
#include "runtime/compile/abi/vmcontext.h"
#include "runtime/vm/object.h"
#include "sandbox/linear_memory.h"
#include "wattle/error.hpp"

namespace wattle::vm {

class Memory;

// Thread safety: any thread. `linear` and `users` are guarded by the mutex, but for the base, which stays.
struct SharedLinear {
  std::mutex mutex;
  sandbox::LinearMemory linear;
  frontend::MemoryType type;
  uint64_t maxBytes = 0;
  std::vector<Memory*> users;
};

class Memory final : public Object, public abi::VMMemory {
 public:
  static Result<Memory*> create(Store& store, const frontend::MemoryType& type, sandbox::Bounds bounds,
                                std::shared_ptr<const sandbox::MemoryImage> image = {});
  static Memory* from(abi::VMMemory* memory) { return static_cast<Memory*>(memory); }
  // The memory once more, in another store.
  static Result<Memory*> create(Store& store, std::shared_ptr<SharedLinear> shared);
  // nullptr: not a shared one.
  const std::shared_ptr<SharedLinear>& sharedLinear() const { return shared_; }

  const frontend::MemoryType& declaredType() const { return type_; }
  // With the present size as minimum, as imports are matched (spec "Runtime / External Typing").
  frontend::MemoryType currentType() const;
  sandbox::Bounds bounds() const { return bounds_; }
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
  Memory(Store& store, std::shared_ptr<SharedLinear> shared);
  void publish(const sandbox::LinearMemory& linear);
  int64_t growShared(uint64_t delta);
  void charge(uint64_t bytes);

  frontend::MemoryType type_;
  uint64_t maxBytes_;             // declared maximum or the address type's, and the store's limit
  sandbox::LinearMemory linear_;  // empty: a shared one
  std::shared_ptr<SharedLinear> shared_;
  sandbox::Bounds bounds_;
  uint64_t charged_ =
      0;  // of the store's total; of a shared one: its size when it came, and what this store made it grow by
  std::vector<abi::VMContext*> users_;
};

}  // namespace wattle::vm
