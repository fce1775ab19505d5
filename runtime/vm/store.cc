#include "runtime/vm/store.h"

#include "runtime/vm/function.h"

namespace wattle::vm {

Object::Object(Store& store) : store_(&store), next_(store.objects_) {
  store.objects_ = this;
  ++store.objectCount_;
}

Store::Store(std::shared_ptr<Engine> engine, const StoreLimits& limits)
    : engine_(std::move(engine)), cells_(std::make_shared<StoreCells>()), limits_(limits) {
  cells_->context.store = this;
}

Store::~Store() {
  closing_ = true;
  setDeadline(std::chrono::nanoseconds(0));
  cells_->context.store = nullptr;
  Object* all = objects_;
  objects_ = nullptr;
  dispose(all);
  auto values = std::move(externs_);
}

Result<HostFunction*> Store::hostFunction(const std::shared_ptr<const HostDefinition>& definition) {
  auto known = hostFunctions_.find(definition.get());
  if (known != hostFunctions_.end()) return known->second;
  auto made = HostFunction::create(*this, definition);
  if (made) hostFunctions_.emplace(definition.get(), *made);
  return made;
}

}  // namespace wattle::vm
