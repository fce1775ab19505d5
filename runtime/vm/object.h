// What a store owns: the base of instances, host functions, memories, tables, globals and tags.
//
// Life. An object is made by its store, which links it into one list. Handles of the API count themselves in `handles`.
// An object without handles lives on while some other object reaches it; Store::collect() finds out (collect.cc). When
// the store goes, every object is closed (what it holds is given back); those that still have handles stay behind as
// shells with `store` null until the last handle is gone, so that a handle of a dropped store is an error value, not a
// crash.
//
// Thread safety: as the store, one thread at a time. Counts are plain.
#pragma once

#include <cstddef>
#include <cstdint>

namespace wattle::vm {

class Store;
class Tracer;

class Object {
 public:
  explicit Object(Store& store);
  virtual ~Object() {
    if (store_) unlink();
  }
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  void retain() { ++handles_; }
  void release() {
    if (--handles_ == 0 && !store_) delete this;
  }
  // The store, or nullptr when it is gone.
  Store* store() const { return store_; }
  Store* const* storeCell() const { return &store_; }

  // Marks every object this one reaches.
  virtual void trace(Tracer&) {}
  // Bytes of the allocation, if the guest's references are addresses within it; else 0.
  virtual size_t extent() const { return 0; }
  // Whether the host has attached something (host_info.h).
  bool hasHostInfo() const { return hasHostInfo_; }
  // Gives back what the object holds. Runs code of the host (a callback's destructor), so everything else must still
  // stand.
  virtual void close() {}

 private:
  // One whose constructor did not come to its end.
  void unlink();
  friend class Store;
  friend class Tracer;
  friend class HostInfoTable;
  Store* store_;
  Object* next_ = nullptr;  // in the store's list
  uint32_t handles_ = 0;
  bool marked_ = false;
  bool pinned_ = false;  // in Store::pins_
  bool hasHostInfo_ = false;
};

}  // namespace wattle::vm
