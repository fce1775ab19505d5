// An exception tag (spec "Runtime Structure / Tag Instances"): its identity is its address.
#pragma once

#include "runtime/compile/abi/vmcontext.h"
#include "runtime/vm/object.h"
#include "runtime/vm/type_registry.h"

namespace wattle::vm {

class Tag final : public Object, public abi::VMTag {
 public:
  Tag(Store& store, uint32_t typeId)
      : Object(store), abi::VMTag{typeId}, group_(TypeRegistry::process().hold(typeId)) {}
  static Tag* from(abi::VMTag* tag) { return static_cast<Tag*>(tag); }
  const frontend::FuncType& type() const { return TypeRegistry::process().funcType(typeId); }

 private:
  GroupRef group_;
};

}  // namespace wattle::vm
