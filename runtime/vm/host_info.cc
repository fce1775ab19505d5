#include "runtime/vm/host_info.h"

#include "runtime/vm/store.h"

namespace wattle::vm {

namespace {

void finalize(const HostInfo& info) {
  if (info.finalizer) info.finalizer(info.data);
}

}  // namespace

void* HostInfoTable::get(const Object& object, const void* part) const {
  if (!object.hasHostInfo()) return nullptr;
  auto it = entries_.find({&object, part});
  return it == entries_.end() ? nullptr : it->second.data;
}

void HostInfoTable::set(Object& object, const void* part, HostInfo info) {
  Store* store = object.store();
  if (!store || !store->isOpen()) return finalize(info);
  HostInfo old = std::exchange(store->hostInfo.entries_[{&object, part}], info);
  object.hasHostInfo_ = true;
  finalize(old);
}

void HostInfoTable::drop(Object& object) {
  if (!object.hasHostInfo_) return;
  object.hasHostInfo_ = false;
  for (;;) {  // a finalizer may attach to other objects
    auto it = entries_.lower_bound({&object, nullptr});
    if (it == entries_.end() || it->first.first != &object) return;
    const HostInfo info = it->second;
    entries_.erase(it);
    finalize(info);
  }
}

}  // namespace wattle::vm
