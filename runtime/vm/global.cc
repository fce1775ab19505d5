#include "runtime/vm/global.h"

#include "runtime/vm/collect.h"
#include "runtime/vm/instance.h"
#include "runtime/vm/store.h"
#include "runtime/vm/types.h"

namespace wattle::vm {

namespace {

GroupRef holdType(frontend::ValType type) {
  return type.isRef() && type.heap().isIndex() ? TypeRegistry::process().hold(type.heap().typeIndex()) : GroupRef();
}

}  // namespace

Global::Global(Store& store, const frontend::GlobalType& type, abi::RawValue value)
    : Object(store), type_(type), typeGroup_(holdType(type.type)), value_(value) {}

Global::Global(Instance& owner, uint32_t index)
    : Object(*owner.store()),
      type_(canonical(owner.module().info().globals[index].type, owner.module().typeIds())),
      typeGroup_(holdType(type_.type)),
      owner_(&owner),
      ownerCell_(owner.globalCell(index)),
      index_(index) {}

void Global::trace(Tracer& tracer) {
  if (owner_) {
    tracer.mark(owner_);  // traces the value too
  } else if (type_.type.isRef()) {
    tracer.mark(value_.ref, refKind(type_.type));
  }
}

void Global::close() {
  // The instance still stands: closing comes before deleting.
  if (owner_) owner_->forgetGlobal(index_);
  owner_ = nullptr;
}

}  // namespace wattle::vm
