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
  void mark(Object* object);
  // A reference of this kind; null is none.
  void mark(uint64_t reference, RefKind kind);
  // The instance or host function that the address lies in, or nullptr.
  Object* find(uintptr_t address);
  // A word of the stack.
  void markConservatively(uint64_t word);
  // Has something been marked, before beginHeap(), for which there was no memory? drain() will not come to all of the
  // heap's then.
  bool hasLost() const { return heapOverflowed_; }
  // The marks of the last collection of the heap go; what stack words mean can no longer be told.
  void beginHeap();
  // Traces what is marked until nothing new turns up.
  void drain();

 private:
  struct Extent {
    uintptr_t begin;
    uintptr_t end;
    Object* object;
  };
  std::optional<std::vector<Extent>> listExtents() const;
  void markInHeap(uint64_t reference);

  Store& store_;
  RootVisitor* visitor_ = nullptr;
  std::optional<std::vector<Extent>> extents_;  // ascending; made at first need
  std::vector<Object*> pending_;
  bool overflowed_ = false;  // some marked object is not in pending_, nor has it been traced
  bool heapOverflowed_ = false;
  bool isMarkingHeap_ = false;
  std::vector<uint64_t> heapObjects_;  // references to objects of the GC heap that are yet to be marked
};

}  // namespace wattle::vm
