// Functions as the host sees them.
//
// A function reference is a VMFuncRef: a part of the instance that defines the function, or of a HostFunction. There is
// no further object: vm::Function is that record under another name, and a handle to it counts as a handle of its
// owner. An imported function that is declared has a copy of the record in the importing instance, which the guest may
// use; canonical() finds the original. The host only ever sees originals, so that handles and values compare by
// identity.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "runtime/compile/abi/entry.h"
#include "runtime/vm/object.h"
#include "runtime/vm/type_registry.h"
#include "wattle/wattle.hpp"

namespace wattle::vm {

class Instance;
class HostFunction;

class Function : public abi::VMFuncRef {
 public:
  // The function that a reference means.
  static Function* canonical(const abi::VMFuncRef* reference);
  Object* owner() const { return ownerOf(context); }
  static Object* ownerOf(const abi::VMContext* context);
  Store* store() const { return owner()->store(); }
  // As a reference of the guest's.
  uint64_t word() const { return reinterpret_cast<uint64_t>(static_cast<const abi::VMFuncRef*>(this)); }
  // nullptr for a guest's function.
  HostFunction* host() const { return static_cast<HostFunction*>(context->hostFunction); }
  const frontend::FuncType& type() const { return TypeRegistry::process().funcType(typeId); }
  std::string name() const;
};

// A host function before it belongs to a store.
struct HostDefinition {
  FuncTypeRef type;
  frontend::FuncType signature;  // canonical
  HostCallback callback;
  std::string name;
  // Of one whose arguments stay in registers (wattle/typed.hpp): also a function of the System V convention, with so
  // many integer arguments, and what it works on. The callback is for calls by the host.
  const void* thunk = nullptr;
  unsigned integers = 0;
  std::shared_ptr<void> callable;

  static Result<std::shared_ptr<const HostDefinition>> make(const FuncType& type, HostCallback callback,
                                                            std::string name);
  static Result<std::shared_ptr<const HostDefinition>> make(detail::HostSpec&& spec, std::string name);
};

class HostFunction final : public Object {
 public:
  static Result<HostFunction*> create(Store& store, std::shared_ptr<const HostDefinition> definition);
  // With a definition of its own (HostDefinition::make), so no other store shares it. nullptr: an impossible type, or
  // no memory.
  static Function* createAlone(Store& store, const FuncType& type, HostCallback callback, std::string name) noexcept;
  static Function* createAlone(Store& store, detail::HostSpec&& spec, std::string name) noexcept;
  ~HostFunction() override = default;

  Function* function() { return static_cast<Function*>(&reference_); }
  const HostDefinition& definition() const { return *definition_; }
  // Whether the callback may still be called.
  bool isOpen() const { return !closed_; }
  size_t extent() const override { return sizeof(HostFunction); }
  void close() override;

 private:
  HostFunction(Store& store, std::shared_ptr<const HostDefinition> definition, const void* code);
  abi::VMHostContext context_{};
  abi::VMFuncRef reference_{};
  GroupRef type_;
  std::shared_ptr<const HostDefinition> definition_;
  bool closed_ = false;
};

}  // namespace wattle::vm
