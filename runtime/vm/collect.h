// Finding the objects of a store that something still reaches. Used by Object::trace implementations.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/vm/object.h"
#include "runtime/vm/types.h"

namespace wattle::vm {

class Tracer {
 public:
  explicit Tracer(Store& store) : store_(store) {}
  void mark(Object* object) {
    if (object->marked_) return;
    object->marked_ = true;
    pending_.push_back(object);
  }
  // A reference of this kind; null is none.
  void mark(uint64_t reference, RefKind kind);
  // The instance or host function that the address lies in, or nullptr.
  Object* find(uintptr_t address);
  // Traces what is marked until nothing new turns up.
  void drain();

 private:
  struct Extent {
    uintptr_t begin;
    uintptr_t end;
    Object* object;
  };
  Store& store_;
  std::optional<std::vector<Extent>> extents_;  // ascending; made at first need
  std::vector<Object*> pending_;
};

}  // namespace wattle::vm
