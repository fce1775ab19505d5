// Finding the objects of a store that something still reaches. Used by Object::trace implementations.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/vm/object.h"
#include "runtime/vm/roots.h"
#include "runtime/vm/types.h"

namespace wattle::vm {

class Tracer {
 public:
  explicit Tracer(Store& store) : store_(store) {}
  // Marks nothing, but tells of every reference that Object::trace comes by (roots.h).
  Tracer(Store& store, RootVisitor& visitor) : store_(store), visitor_(&visitor) {}
  void mark(Object* object) {
    if (visitor_ || object->marked_) return;
    object->marked_ = true;
    pending_.push_back(object);
  }
  // A reference of this kind; null is none.
  void mark(uint64_t reference, RefKind kind);
  // The instance or host function that the address lies in, or nullptr.
  Object* find(uintptr_t address);
  // A word of the stack.
  void markConservatively(uint64_t word);
  // Traces what is marked until nothing new turns up.
  void drain();

 private:
  struct Extent {
    uintptr_t begin;
    uintptr_t end;
    Object* object;
  };
  Store& store_;
  RootVisitor* visitor_ = nullptr;
  std::optional<std::vector<Extent>> extents_;  // ascending; made at first need
  std::vector<Object*> pending_;
  std::vector<uint64_t> heapObjects_;  // references to objects of the GC heap that are yet to be marked
};

}  // namespace wattle::vm
