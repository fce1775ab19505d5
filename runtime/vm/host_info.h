// What the host attaches to objects of a store, and is told about when they go.
#pragma once

#include <map>
#include <utility>

#include "runtime/vm/object.h"

namespace wattle::vm {

struct HostInfo {
  void* data = nullptr;
  void (*finalizer)(void*) = nullptr;
};

// By object and part of it: functions have no object of their own (function.h), so they are parts of their owner's.
// An object with host info is kept by whatever reaches it, even where it could be made anew (Instance::trace).
class HostInfoTable {
 public:
  void* get(const Object& object, const void* part) const;
  // Runs the finalizer of what was there before. Of an object whose store is gone: at once.
  static void set(Object& object, const void* part, HostInfo info);
  // The object has gone: runs its finalizers. They may call anything.
  void drop(Object& object);

 private:
  std::map<std::pair<const Object*, const void*>, HostInfo> entries_;
};

}  // namespace wattle::vm
