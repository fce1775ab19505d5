#include "runtime/vm/store.h"

#include "runtime/vm/fiber.h"
#include "runtime/vm/function.h"
#include "runtime/vm/instance.h"

namespace wattle::vm {

Object::Object(Store& store) : store_(&store), next_(store.objects_) {
  store.objects_ = this;
  ++store.objectCount_;
}

void Object::unlink() {
  Object** link = &store_->objects_;
  while (*link != this) link = &(*link)->next_;
  *link = next_;
  --store_->objectCount_;
}

Store::Store(std::shared_ptr<Engine> engine, const StoreLimits& limits)
    : engine_(std::move(engine)), cells_(std::make_shared<StoreCells>()), limits_(limits) {
  cells_->context.store = this;
  cells_->context.gcCursor = cells_->context.gcLimit = 0;
}

Store::~Store() {
  // Each ends, and takes itself off the list.
  while (!suspendedFibers.empty()) suspendedFibers.back()->cancel();
  closing_ = true;
  cells_->context.entryLimit = 0;  // so that entry code asks, and is told that the store is gone
  setDeadline(std::chrono::nanoseconds(0));
  cells_->context.store = nullptr;
  Object* all = objects_;
  objects_ = nullptr;
  dispose(all);
  auto values = std::move(externs_);
}

uint8_t* Store::gcBase() const {
  alignas(16) static constexpr uint8_t kNone[64] = {};  // null is read as an object of no type, never written
  return gc_ ? gc_->base() : const_cast<uint8_t*>(kNone);
}

GcHeap* Store::gcHeap() {
  if (gc_) return gc_.get();
  gc_ = GcHeap::create(*this, limits_.maxGcHeapBytes, limits_.gcStress);
  if (!gc_) return nullptr;
  for (Object* o = objects_; o; o = o->next_) {
    if (auto* instance = dynamic_cast<Instance*>(o)) instance->context()->gcHeap = gc_->base();
  }
  return gc_.get();
}

Result<HostFunction*> Store::hostFunction(const std::shared_ptr<const HostDefinition>& definition) {
  auto known = hostFunctions_.find(definition.get());
  if (known != hostFunctions_.end()) return known->second;
  auto made = HostFunction::create(*this, definition);
  if (made) hostFunctions_.emplace(definition.get(), *made);
  return made;
}

}  // namespace wattle::vm
