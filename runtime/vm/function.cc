#include "runtime/vm/function.h"

#include "runtime/vm/boundary.h"
#include "runtime/vm/builtins.h"
#include "runtime/vm/call.h"
#include "runtime/vm/instance.h"
#include "runtime/vm/store.h"
#include "runtime/vm/types.h"

namespace wattle::vm {

Object* Function::ownerOf(const abi::VMContext* context) {
  if (context->instance) return static_cast<Instance*>(context->instance);
  return static_cast<HostFunction*>(context->hostFunction);
}

Function* Function::canonical(const abi::VMFuncRef* reference) {
  if (reference->context->hostFunction) return static_cast<HostFunction*>(reference->context->hostFunction)->function();
  return static_cast<Instance*>(reference->context->instance)->function(reference->functionIndex);
}

std::string Function::name() const {
  if (host()) return host()->definition().name;
  return static_cast<Instance*>(context->instance)->module().functionName(functionIndex);
}

Result<std::shared_ptr<const HostDefinition>> HostDefinition::make(const FuncType& type, HostCallback callback,
                                                                   std::string name) {
  detail::HostSpec spec;
  spec.params = type.params;
  spec.results = type.results;
  spec.boxed = std::move(callback);
  return make(std::move(spec), std::move(name));
}

Result<std::shared_ptr<const HostDefinition>> HostDefinition::make(detail::HostSpec&& spec, std::string name) {
  auto definition = std::make_shared<HostDefinition>();
  auto signature =
      fromApi(FuncType{{spec.params.begin(), spec.params.end()}, {spec.results.begin(), spec.results.end()}});
  if (!signature) return std::unexpected(signature.error());
  auto interned = TypeRegistry::process().internFunc(*signature);
  if (!interned) return std::unexpected(interned.error());
  definition->type = std::move(*interned);
  definition->signature = std::move(*signature);
  definition->callback = std::move(spec.boxed);
  definition->thunk = spec.thunk;
  definition->integers = spec.integers;
  definition->callable = std::move(spec.callable);
  definition->name = std::move(name);
  return definition;
}

// Made with the first host function.
static const std::shared_ptr<const HostDefinition>& nothing() {
  static const auto definition = std::make_shared<const HostDefinition>();
  return definition;
}

HostFunction::HostFunction(Store& store, std::shared_ptr<const HostDefinition> definition, const void* code)
    : Object(store), type_(definition->type.group), definition_(std::move(definition)) {
  context_.head.storeContext = &store.context();
  context_.head.builtins = &builtinTable();
  context_.head.hostFunction = this;
  context_.thunk = definition_->thunk;
  context_.callable = definition_->callable.get();
  reference_ = {code, &context_.head, definition_->type.id, ~0u};
}

Result<HostFunction*> HostFunction::create(Store& store, std::shared_ptr<const HostDefinition> definition) {
  nothing();
  const void* code = hostStubFor(*definition);
  if (!code) return std::unexpected(Error::make(ErrorKind::Resource, "the code cache is full"));
  store.engine().heap.made(sizeof(HostFunction));
  return new HostFunction(store, std::move(definition), code);
}

template <class... Arguments>
static Function* makeAlone(Store& store, Arguments&&... arguments) noexcept {
  return orElse(nullptr, [&]() -> Function* {
    auto definition = HostDefinition::make(std::forward<Arguments>(arguments)...);
    if (!definition) return nullptr;
    store.collectIfDue();
    auto made = HostFunction::create(store, std::move(*definition));
    return made ? (*made)->function() : nullptr;
  });
}

Function* HostFunction::createAlone(Store& store, const FuncType& type, HostCallback callback,
                                    std::string name) noexcept {
  return makeAlone(store, type, std::move(callback), std::move(name));
}

Function* HostFunction::createAlone(Store& store, detail::HostSpec&& spec, std::string name) noexcept {
  return makeAlone(store, std::move(spec), std::move(name));
}

void HostFunction::close() {
  if (closed_) return;
  closed_ = true;
  if (store()) store()->forgetHostFunction(definition_.get());
  // Shells keep the type (and the name if there is memory), not what the callback holds.
  definition_ = orElse(nothing(), [&] {
    auto stub = std::make_shared<HostDefinition>();
    stub->signature = definition_->signature;
    stub->name = definition_->name;
    return std::shared_ptr<const HostDefinition>(std::move(stub));
  });
}

}  // namespace wattle::vm
