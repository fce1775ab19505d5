// The public API: handles of a store's objects.
#include <fmt/format.h>

#include <algorithm>

#include "runtime/vm/boundary.h"
#include "runtime/vm/call.h"
#include "runtime/vm/exceptions.h"
#include "runtime/vm/function.h"
#include "runtime/vm/global.h"
#include "runtime/vm/instance.h"
#include "runtime/vm/memory.h"
#include "runtime/vm/store.h"
#include "runtime/vm/table.h"
#include "runtime/vm/tag.h"
#include "runtime/vm/types.h"
#include "runtime/vm/values.h"
#include "wattle/wattle.hpp"

namespace wattle {

namespace {

vm::Object* objectOf(vm::Object* object) { return object; }
vm::Object* objectOf(vm::Function* function) { return function->owner(); }

std::unexpected<Error> argument(std::string message) {
  return std::unexpected(Error::make(ErrorKind::Argument, std::move(message)));
}
std::unexpected<Error> gone() { return argument("the handle is empty, or its store is gone"); }

// A reference in that hierarchy, not null.
bool isOf(vm::RefKind kind, const Val& value) {
  return vm::orElse(false, [&] {
    auto type = vm::fromApi(value.type());
    return type && type->isRef() && vm::refKind(*type) == kind && !value.isNull();
  });
}

template <class T>
bool isLive(T* impl) {
  return impl && impl->store() && impl->store()->isOpen();
}

}  // namespace

#define WATTLE_DEFINE_HANDLE(Name)                                                  \
  Name::Name(vm::Name##Impl* impl) : impl_(impl) {                                  \
    if (impl_) objectOf(impl_)->retain();                                           \
  }                                                                                 \
  Name::Name(const Name& other) : Name(other.impl_) {}                              \
  Name::Name(Name&& other) noexcept : impl_(std::exchange(other.impl_, nullptr)) {} \
  Name& Name::operator=(Name other) noexcept {                                      \
    std::swap(impl_, other.impl_);                                                  \
    return *this;                                                                   \
  }                                                                                 \
  Name::~Name() {                                                                   \
    if (impl_) objectOf(impl_)->release();                                          \
  }

WATTLE_DEFINE_HANDLE(Func)
WATTLE_DEFINE_HANDLE(Memory)
WATTLE_DEFINE_HANDLE(Table)
WATTLE_DEFINE_HANDLE(Global)
WATTLE_DEFINE_HANDLE(Tag)
WATTLE_DEFINE_HANDLE(Exception)
WATTLE_DEFINE_HANDLE(Instance)
#undef WATTLE_DEFINE_HANDLE

// --- Func ----------------------------------------------------------------------------------------------------------

Func Func::host(Store& store, const FuncType& type, HostCallback callback, std::string name) {
  return Func(vm::HostFunction::createAlone(store.impl(), type, std::move(callback), std::move(name)));
}

FuncType Func::type() const { return impl_ ? vm::toApi(impl_->type()) : FuncType(); }

Result<std::vector<Val>> Func::call(std::span<const Val> args) const {
  return vm::atBoundary([&]() -> Result<std::vector<Val>> {
    if (!impl_) return gone();
    return vm::callChecked(*impl_, args);
  });
}

Result<void> Func::callRaw(std::span<RawVal> values) const {
  return vm::atBoundary([&]() -> Result<void> {
    if (!impl_) return gone();
    return vm::callRaw(*impl_, values);
  });
}

Val Func::ref() const {
  if (!impl_) return Val::null(ValType::funcref());
  return Val::reference({Kind::Ref, false, false, Heap::Concrete, impl_->typeId}, impl_->word());
}

std::optional<Func> Func::fromRef(Store& store, const Val& value) {
  if (!isOf(vm::RefKind::Func, value)) return std::nullopt;
  auto* reference = reinterpret_cast<const abi::VMFuncRef*>(value.ref());
  if (reference->context->storeContext != &store.impl().context()) return std::nullopt;
  return Func(vm::Function::canonical(reference));
}

// --- Memory --------------------------------------------------------------------------------------------------------

Result<Memory> Memory::create(Store& store, const MemoryType& type) {
  return vm::atBoundary([&]() -> Result<Memory> {
    auto checked = vm::fromApi(type);
    if (!checked) return std::unexpected(checked.error());
    store.impl().collectIfDue();
    auto bounds = sandbox::Bounds::Checked;
    if (vm::Module::canGuard(*checked)) {
      auto mode = store.impl().engine().config.bounds;
      if (mode == BoundsMode::Guarded) bounds = sandbox::Bounds::Guarded;
      if (mode == BoundsMode::Auto) bounds = sandbox::preferredBounds();
    }
    auto made = vm::Memory::create(store.impl(), *checked, bounds);
    if (!made) return std::unexpected(std::move(made.error()));
    return Memory(*made);
  });
}

Result<Memory> Memory::create(Store& store, const SharedMemory& shared) {
  return vm::atBoundary([&]() -> Result<Memory> {
    if (!shared.impl_) return argument("no shared memory");
    store.impl().collectIfDue();
    auto made = vm::Memory::create(store.impl(), shared.impl_);
    if (!made) return std::unexpected(std::move(made.error()));
    return Memory(*made);
  });
}

std::optional<SharedMemory> Memory::share() const {
  if (!isLive(impl_) || !impl_->sharedLinear()) return std::nullopt;
  SharedMemory shared;
  shared.impl_ = impl_->sharedLinear();
  return shared;
}

MemoryType Memory::type() const { return impl_ ? vm::toApi(impl_->currentType()) : MemoryType(); }
std::span<uint8_t> Memory::bytes() const { return impl_ ? impl_->bytes() : std::span<uint8_t>(); }
uint64_t Memory::pages() const { return impl_ ? impl_->pages() : 0; }

Result<uint64_t> Memory::grow(uint64_t deltaPages) const {
  return vm::atBoundary([&]() -> Result<uint64_t> {
    if (!isLive(impl_)) return gone();
    int64_t old = impl_->grow(deltaPages);
    if (old < 0) {
      return std::unexpected(
          Error::make(ErrorKind::Resource, fmt::format("a memory of {} pages cannot grow by {}", pages(), deltaPages)));
    }
    return static_cast<uint64_t>(old);
  });
}

// --- Table ---------------------------------------------------------------------------------------------------------

Result<Table> Table::create(Store& store, const TableType& type, const Val& init) {
  return vm::atBoundary([&]() -> Result<Table> {
    auto checked = vm::fromApi(type);
    if (!checked) return std::unexpected(checked.error());
    abi::RawValue raw;
    if (auto error = vm::toRaw(store.impl(), init, checked->element, raw)) return std::unexpected(std::move(*error));
    store.impl().collectIfDue();
    auto made = vm::Table::create(store.impl(), *checked, raw.ref);
    if (!made) return std::unexpected(std::move(made.error()));
    return Table(*made);
  });
}

TableType Table::type() const { return impl_ ? vm::toApi(impl_->currentType()) : TableType(); }
uint64_t Table::size() const { return impl_ ? impl_->abi::VMTable::size : 0; }

Result<Val> Table::get(uint64_t index) const {
  return vm::atBoundary([&]() -> Result<Val> {
    if (!isLive(impl_)) return gone();
    if (index >= size()) return argument(fmt::format("index {} is beyond the table's size of {}", index, size()));
    abi::RawValue raw{};
    raw.ref = impl_->elements[index];
    return vm::handOut(*impl_->store(), raw, impl_->declaredType().element);
  });
}

Result<void> Table::set(uint64_t index, const Val& value) const {
  return vm::atBoundary([&]() -> Result<void> {
    if (!isLive(impl_)) return gone();
    if (index >= size()) return argument(fmt::format("index {} is beyond the table's size of {}", index, size()));
    abi::RawValue raw;
    if (auto error = vm::toRaw(*impl_->store(), value, impl_->declaredType().element, raw))
      return std::unexpected(std::move(*error));
    impl_->elements[index] = raw.ref;
    return {};
  });
}

Result<uint64_t> Table::grow(uint64_t delta, const Val& init) const {
  return vm::atBoundary([&]() -> Result<uint64_t> {
    if (!isLive(impl_)) return gone();
    abi::RawValue raw;
    if (auto error = vm::toRaw(*impl_->store(), init, impl_->declaredType().element, raw))
      return std::unexpected(std::move(*error));
    int64_t old = impl_->grow(delta, raw.ref);
    if (old < 0) {
      return std::unexpected(
          Error::make(ErrorKind::Resource, fmt::format("a table of {} elements cannot grow by {}", size(), delta)));
    }
    return static_cast<uint64_t>(old);
  });
}

// --- Global --------------------------------------------------------------------------------------------------------

Result<Global> Global::create(Store& store, const GlobalType& type, const Val& value) {
  return vm::atBoundary([&]() -> Result<Global> {
    auto checked = vm::fromApi(type);
    if (!checked) return std::unexpected(checked.error());
    abi::RawValue raw;
    if (auto error = vm::toRaw(store.impl(), value, checked->type, raw)) return std::unexpected(std::move(*error));
    store.impl().collectIfDue();
    return Global(new vm::Global(store.impl(), *checked, raw));
  });
}

GlobalType Global::type() const { return impl_ ? vm::toApi(impl_->type()) : GlobalType(); }

Val Global::get() const {
  if (!impl_) return {};
  if (!isLive(impl_)) return Val::zero(vm::toApi(impl_->type().type));
  return vm::handOut(*impl_->store(), *impl_->cell(), impl_->type().type);
}

Result<void> Global::set(const Val& value) const {
  return vm::atBoundary([&]() -> Result<void> {
    if (!isLive(impl_)) return gone();
    if (!impl_->type().isMutable) return argument("the global is immutable");
    abi::RawValue raw;
    if (auto error = vm::toRaw(*impl_->store(), value, impl_->type().type, raw))
      return std::unexpected(std::move(*error));
    *impl_->cell() = raw;
    return {};
  });
}

// --- Tag -----------------------------------------------------------------------------------------------------------

Tag Tag::create(Store& store, const FuncType& type) {
  return vm::orElse(Tag(), [&] {
    auto signature = vm::fromApi(type);
    if (!signature) return Tag();
    auto interned = vm::TypeRegistry::process().internFunc(*signature);
    if (!interned) return Tag();
    store.impl().collectIfDue();
    return Tag(new vm::Tag(store.impl(), interned->id));
  });
}

FuncType Tag::type() const { return impl_ ? vm::toApi(impl_->type()) : FuncType(); }

// --- Exception -----------------------------------------------------------------------------------------------------

Result<Exception> Exception::create(Store& store, const Tag& tag, std::span<const Val> values) {
  return vm::atBoundary([&]() -> Result<Exception> {
    if (!isLive(tag.impl()) || tag.impl()->store() != &store.impl()) return argument("a tag of another store");
    const auto& params = tag.impl()->type().params;
    if (values.size() != params.size()) {
      return argument(fmt::format("the tag takes {} values, not {}", params.size(), values.size()));
    }
    std::vector<abi::RawValue> raw(params.size());
    for (size_t i = 0; i < params.size(); ++i) {
      if (auto error = vm::toRaw(store.impl(), values[i], params[i], raw[i])) return std::unexpected(std::move(*error));
    }
    store.impl().collectIfDue();
    auto* made = vm::Exception::create(store.impl(), *tag.impl());
    if (!made) return std::unexpected(Error::make(ErrorKind::Resource, "out of memory"));
    std::ranges::copy(raw, made->abi::VMException::values());
    return Exception(made);
  });
}

std::optional<Exception> Exception::from(const Error& error) {
  if (error.kind != ErrorKind::Exception || !error.exception) return std::nullopt;
  return Exception(static_cast<vm::Exception*>(error.exception.get()));
}

std::optional<Exception> Exception::fromRef(Store& store, const Val& value) {
  if (!isOf(vm::RefKind::Exn, value)) return std::nullopt;
  auto* exception = vm::Exception::from(value.ref());
  if (exception->store() != &store.impl()) return std::nullopt;
  return Exception(exception);
}

Tag Exception::tag() const { return isLive(impl_) ? Tag(&impl_->tag()) : Tag(); }

std::vector<Val> Exception::values() const {
  std::vector<Val> out;
  if (!isLive(impl_)) return out;
  const auto& params = impl_->type().params;
  for (size_t i = 0; i < params.size(); ++i) {
    out.push_back(vm::handOut(*impl_->store(), impl_->abi::VMException::values()[i], params[i]));
  }
  return out;
}

Val Exception::ref() const {
  if (!impl_) return Val::null({Kind::Ref, true, false, Heap::Exn});
  return Val::reference({Kind::Ref, false, false, Heap::Exn}, impl_->word());
}

Error Exception::error() const {
  return vm::orElse(vm::outOfMemory(), [&] { return isLive(impl_) ? vm::uncaught(*impl_) : gone().error(); });
}

// --- Instance ------------------------------------------------------------------------------------------------------

Result<Instance> Instance::create(Store& store, const Module& module, std::span<const Extern> imports) {
  return vm::atBoundary([&]() -> Result<Instance> {
    if (!module.impl()) return argument("the module is empty");
    auto made = vm::Instance::create(store.impl(), module.impl(), imports);
    if (!made) return std::unexpected(std::move(made.error()));
    Instance instance(*made);
    (*made)->release();
    return instance;
  });
}

std::optional<Instance> Instance::from(const Frame& frame) {
  if (!frame.instance) return std::nullopt;
  return Instance(static_cast<vm::Instance*>(frame.instance.get()));
}

Module Instance::module() const { return Module(impl_ ? impl_->sharedModule() : nullptr); }

std::optional<Extern> Instance::get(std::string_view name) const {
  return vm::orElse(std::optional<Extern>(), [&] { return isLive(impl_) ? impl_->exported(name) : std::nullopt; });
}

std::vector<std::pair<std::string, Extern>> Instance::exports() const {
  std::vector<std::pair<std::string, Extern>> out;
  if (!isLive(impl_)) return out;
  for (const auto& e : impl_->module().info().exports) out.emplace_back(e.name, impl_->externAt(e.kind, e.index));
  return out;
}

namespace {

template <class T>
std::optional<T> exportOf(const Instance& instance, std::string_view name) {
  auto found = instance.get(name);
  auto* wanted = found ? std::get_if<T>(&*found) : nullptr;
  return wanted ? std::optional<T>(*wanted) : std::nullopt;
}

}  // namespace

std::optional<Func> Instance::func(std::string_view name) const { return exportOf<Func>(*this, name); }
std::optional<Memory> Instance::memory(std::string_view name) const { return exportOf<Memory>(*this, name); }
std::optional<Table> Instance::table(std::string_view name) const { return exportOf<Table>(*this, name); }
std::optional<Global> Instance::global(std::string_view name) const { return exportOf<Global>(*this, name); }

}  // namespace wattle
