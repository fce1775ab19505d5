// A global (spec "Runtime Structure / Global Instances"), for those who need more than its cell: the API, imports, the
// collector.
//
// The value of a module's own global stands in the instance's context, where code finds it; its Global is made when
// someone asks.
#pragma once

#include <cstdint>

#include "frontend/module.h"
#include "runtime/compile/abi/vmcontext.h"
#include "runtime/vm/object.h"
#include "runtime/vm/type_registry.h"

namespace wattle::vm {

class Instance;

class Global final : public Object {
 public:
  // A global of the host.
  Global(Store& store, const frontend::GlobalType& type, abi::RawValue value);
  // A global of an instance: number `index` of its module.
  Global(Instance& owner, uint32_t index);

  const frontend::GlobalType& type() const { return type_; }  // canonical
  abi::RawValue* cell() { return owner_ ? ownerCell_ : &value_; }
  // False when the value has gone with its store.
  bool isAlive() const { return store() != nullptr; }

  void trace(Tracer& tracer) override;
  void close() override;

 private:
  frontend::GlobalType type_;
  GroupRef typeGroup_;
  Instance* owner_ = nullptr;
  abi::RawValue* ownerCell_ = nullptr;
  uint32_t index_ = 0;
  abi::RawValue value_{};
};

}  // namespace wattle::vm
