// What keeps references of a store alive besides other references: the roots of a collector of things that are no
// Objects (GC heap objects; see collect.h for Objects themselves).
//
// Every Object of the store is taken for alive, so its references are roots: globals, tables, element segments,
// payloads of exceptions, what the host was handed (pins). Guest frames are not described anywhere: their words, and
// those of the host's frames between them, are visited as they lie.
#pragma once

#include <cstdint>

#include "runtime/vm/types.h"

namespace wattle::vm {

class Store;

class RootVisitor {
 public:
  virtual ~RootVisitor() = default;
  // A reference of this kind that is known to be one. Never null.
  virtual void reference(uint64_t word, RefKind kind) = 0;
  // Any word of the stack: a reference, an address within an object, or nothing of the kind.
  virtual void stackWord(uint64_t word) = 0;
};

// False, and nothing has been visited, when some of the guest's frames are on another thread's stack (a callback has
// lent the store): then nothing may be freed.
bool markRoots(Store& store, RootVisitor& visitor);

}  // namespace wattle::vm
