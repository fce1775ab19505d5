// The public API: what typed functions (wattle/typed.hpp) leave to the library.
#include <fmt/format.h>

#include <algorithm>

#include "runtime/compile/abi/entry.h"
#include "runtime/vm/boundary.h"
#include "runtime/vm/call.h"
#include "runtime/vm/exceptions.h"
#include "runtime/vm/function.h"
#include "runtime/vm/memory.h"
#include "runtime/vm/store.h"
#include "runtime/vm/types.h"
#include "runtime/vm/values.h"
#include "wattle/wattle.hpp"

namespace wattle {

namespace detail {

// The layouts that typed.hpp repeats.
static_assert(sizeof(Activation) == sizeof(abi::VMActivation));
static_assert(offsetof(Activation, code) == offsetof(abi::VMActivation, code));
static_assert(offsetof(Activation, context) == offsetof(abi::VMActivation, context));
static_assert(offsetof(Activation, store) == offsetof(abi::VMActivation, store));
static_assert(offsetof(Activation, values) == offsetof(abi::VMActivation, values));
static_assert(offsetof(Activation, reason) == offsetof(abi::VMActivation, reason));
static_assert(offsetof(Activation, lender) == offsetof(abi::VMActivation, lender));
static_assert(offsetof(StoreCells, store) == offsetof(abi::VMStoreContext, store));
static_assert(offsetof(StoreCells, pins) == offsetof(abi::VMStoreContext, pins));
static_assert(offsetof(GuestContext, store) == offsetof(abi::VMContext, storeContext));
static_assert(offsetof(GuestContext, instance) == offsetof(abi::VMContext, instance));
static_assert(sizeof(HostContext) == sizeof(abi::VMHostContext));
static_assert(offsetof(HostContext, callable) == sizeof(abi::VMContext) + 8);
static_assert(sizeof(HostFrame) == sizeof(abi::HostFrame));
static_assert(offsetof(HostFrame, caller) == offsetof(abi::HostFrame, caller));
static_assert(offsetof(HostFrame, host) == offsetof(abi::HostFrame, host));
static_assert(sizeof(MemoryCell) == sizeof(abi::VMMemory));

namespace {

bool fits(Slot slot, frontend::ValType type) {
  switch (type.kind()) {
    case frontend::ValKind::I32: return slot == Slot::I32;
    case frontend::ValKind::I64: return slot == Slot::I64;
    case frontend::ValKind::F32: return slot == Slot::F32;
    case frontend::ValKind::F64: return slot == Slot::F64;
    case frontend::ValKind::V128: return slot == Slot::V128;
    case frontend::ValKind::Ref: break;
    default: return false;
  }
  switch (slot) {
    case Slot::Func: return vm::refKind(type) == vm::RefKind::Func;
    case Slot::Extern: return vm::refKind(type) == vm::RefKind::Extern;
    default: return slot == Slot::AnyRef;
  }
}

bool fits(std::span<const Slot> slots, const std::vector<frontend::ValType>& types) {
  return std::ranges::equal(slots, types, [](Slot slot, frontend::ValType type) { return fits(slot, type); });
}

std::string toString(std::span<const Slot> slots) {
  constexpr const char* kNames[] = {"i32", "i64", "f32", "f64", "v128", "funcref", "externref", "a reference"};
  std::string text;
  for (Slot slot : slots) text += fmt::format("{}{}", text.empty() ? "" : ", ", kNames[static_cast<int>(slot)]);
  return text;
}

const frontend::FuncType& typeOf(const Target& target) {
  return static_cast<const vm::Function*>(target.function)->type();
}

vm::Store& storeOf(void* cells) { return *static_cast<vm::Store*>(static_cast<abi::VMStoreContext*>(cells)->store); }

}  // namespace

Result<Target> bind(const Func& function, std::span<const Slot> params, std::span<const Slot> results, bool direct) {
  return vm::atBoundary([&]() -> Result<Target> {
    vm::Function* impl = function.impl();
    if (!impl || !impl->store() || !impl->store()->isOpen()) return std::unexpected(goneError());
    const frontend::FuncType& type = impl->type();
    if (!fits(params, type.params) || !fits(results, type.results)) {
      return std::unexpected(Error::make(
          ErrorKind::Argument, fmt::format("the function is {}, not ({}) -> ({})", wattle::toString(vm::toApi(type)),
                                           toString(params), toString(results))));
    }
    const void* entry;
    if (direct) {
      auto integers = std::ranges::count_if(params, [](Slot slot) { return !isFloatSlot(slot); });
      entry = compile::typedEntry(static_cast<unsigned>(integers), vm::entrySupport());
    } else {
      entry = reinterpret_cast<const void*>(compile::entryStub(type, vm::entrySupport()));
    }
    if (!entry) return std::unexpected(Error::make(ErrorKind::Resource, "the code cache is full"));
    return Target{impl->code,
                  impl->context,
                  &impl->store()->context(),
                  entry,
                  reinterpret_cast<const void* const*>(impl->owner()->storeCell()),
                  impl};
  });
}

Error takeError(const Activation& activation) {
  return vm::orElse(vm::outOfMemory(),
                    [&] { return vm::failure(reinterpret_cast<const abi::VMActivation&>(activation)); });
}

Error goneError() { return Error::make(ErrorKind::Argument, "the function is empty, or its store is gone"); }

Result<uint64_t> lowerReference(const Target& target, unsigned index, const Val& value) {
  return vm::atBoundary([&]() -> Result<uint64_t> {
    abi::RawValue raw;
    auto error = vm::toRaw(storeOf(target.store), value, typeOf(target).params[index], raw);
    if (!error) return raw.ref;
    error->message = fmt::format("argument {}: {}", index, error->message);
    return std::unexpected(std::move(*error));
  });
}

Val raiseResult(const Target& target, unsigned index, uint64_t word) {
  abi::RawValue raw{};
  raw.ref = word;
  return vm::handOut(storeOf(target.store), raw, typeOf(target).results[index]);
}

namespace {
vm::HostFunction& hostOf(HostFrame* frame) {
  return *static_cast<vm::HostFunction*>(reinterpret_cast<abi::HostFrame*>(frame)->host->head.hostFunction);
}
}  // namespace

Result<uint64_t> lowerHostResult(HostFrame* frame, const Val& value) {
  return vm::atBoundary([&]() -> Result<uint64_t> {
    vm::HostFunction& host = hostOf(frame);
    abi::RawValue raw;
    auto error = vm::toRaw(*host.store(), value, host.definition().signature.results[0], raw);
    if (!error) return raw.ref;
    error->message = fmt::format("result 0 of host function {}: {}", host.definition().name, error->message);
    return std::unexpected(std::move(*error));
  });
}

Val raiseArgument(HostFrame*, Slot slot, uint64_t word) {
  if (slot != Slot::Func) return Val::reference(ValType::externref(), word);
  if (word == 0) return Val::null(ValType::funcref());
  vm::Function* function = vm::Function::canonical(reinterpret_cast<const abi::VMFuncRef*>(word));
  return Val::reference(ValType::funcref(), function->word());
}

Func functionOf(const Val& value) {
  if (value.isNull()) return {};
  return Func(vm::Function::canonical(reinterpret_cast<const abi::VMFuncRef*>(value.ref())));
}

void hostFailed(HostFrame* frame, Error&& error) {
  frame->status = static_cast<uint64_t>(vm::holdHostError(*hostOf(frame).store(), std::move(error)));
}

void hostThrew(HostFrame* frame, const char* what) { hostFailed(frame, vm::hostException(what)); }

void unpin(HostFrame* frame, uint64_t mark) { hostOf(frame).store()->unpinAbove(mark); }

Func makeHost(Store& store, HostSpec&& spec, std::string&& name) {
  return Func(vm::HostFunction::createAlone(store.impl(), std::move(spec), std::move(name)));
}

Error outOfBounds(uint64_t at, uint64_t bytes, uint64_t size) {
  Error error = vm::trapError(abi::TrapReason::MemoryOutOfBounds);
  error.message += fmt::format(": {} bytes at {} of a memory of {}", bytes, at, size);
  return error;
}

}  // namespace detail

MemoryView Memory::view() const {
  return MemoryView(*this,
                    impl_ ? reinterpret_cast<const detail::MemoryCell*>(static_cast<abi::VMMemory*>(impl_)) : nullptr);
}

}  // namespace wattle
