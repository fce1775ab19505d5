#include "runtime/vm/host_info.h"

#include <vector>

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
  object.hasHostInfo_ = true;
  HostInfo old = std::exchange(store->hostInfo.entries_[{&object, part}], info);
  finalize(old);
}

void HostInfoTable::drop(Object& object) {
  if (!object.hasHostInfo_) return;
  object.hasHostInfo_ = false;
  std::vector<HostInfo> gone;
  auto first = entries_.lower_bound({&object, nullptr});
  auto last = first;
  for (; last != entries_.end() && last->first.first == &object; ++last) gone.push_back(last->second);
  entries_.erase(first, last);
  for (const HostInfo& info : gone) finalize(info);
}

}  // namespace wattle::vm
