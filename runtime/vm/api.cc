// The public API: Engine, Module, Store, Caller. Thin: checks of what only an embedder can get wrong, and conversions.
#include <fmt/format.h>

#include <algorithm>

#include "frontend/text/wat.h"
#include "runtime/vm/boundary.h"
#include "runtime/vm/call.h"
#include "runtime/vm/engine.h"
#include "runtime/vm/instance.h"
#include "runtime/vm/module.h"
#include "runtime/vm/store.h"
#include "runtime/vm/traps.h"
#include "runtime/vm/types.h"
#include "runtime/vm/values.h"
#include "sandbox/signals.h"
#include "wattle/wattle.hpp"

#ifndef WATTLE_VERSION
#define WATTLE_VERSION "0"
#endif

namespace wattle {

namespace {

Result<Module> wrap(Result<std::shared_ptr<vm::Module>> module) {
  if (!module) return std::unexpected(std::move(module.error()));
  return Module(std::move(*module));
}

bool isBinary(std::span<const uint8_t> bytes) {
  constexpr uint8_t kMagic[] = {0, 'a', 's', 'm'};
  return bytes.size() >= 4 && std::equal(kMagic, kMagic + 4, bytes.data());
}

// Texts begin with a parenthesis or a comment.
bool looksLikeText(std::span<const uint8_t> bytes) {
  auto it = std::ranges::find_if(bytes, [](uint8_t c) { return c != ' ' && c != '\t' && c != '\n' && c != '\r'; });
  return it != bytes.end() && (*it == '(' || *it == ';');
}

}  // namespace

std::string_view version() { return WATTLE_VERSION; }

bool handleSignal(int signal, void* siginfo, void* ucontext) {
  return sandbox::handleSignal(signal, static_cast<siginfo_t*>(siginfo), ucontext);
}

// --- Text ----------------------------------------------------------------------------------------------------------

Result<std::vector<uint8_t>> wat2wasm(std::string_view text) {
  return vm::atBoundary([&]() -> Result<std::vector<uint8_t>> {
    auto binary = frontend::parseWat(text);
    if (binary) return std::move(*binary);
    Error error = vm::toApi(binary.error());
    auto [line, column] = frontend::lineColumn(text, binary.error().offset);
    error.message = fmt::format("{}:{}: {}", line, column, error.message);
    return std::unexpected(std::move(error));
  });
}

// --- Engine --------------------------------------------------------------------------------------------------------

Engine::Engine(const Config& config) : impl_(std::make_shared<vm::Engine>(config)) {}
Result<Engine> Engine::create(const Config& config) noexcept {
  return vm::atBoundary([&]() -> Result<Engine> { return Engine(config); });
}
const Config& Engine::config() const { return impl_->config; }

// --- Module --------------------------------------------------------------------------------------------------------

Result<Module> Module::compile(const Engine& engine, std::span<const uint8_t> bytes) {
  return vm::atBoundary(
      [&] { return wrap(vm::Module::create(engine.impl(), vm::ModuleBytes::copy(bytes, engine.impl()->pool))); });
}

Result<Module> Module::compile(const Engine& engine, std::vector<uint8_t>&& bytes) {
  return vm::atBoundary([&] { return wrap(vm::Module::create(engine.impl(), vm::ModuleBytes(std::move(bytes)))); });
}

Result<Module> Module::fromText(const Engine& engine, std::string_view text) {
  auto binary = wat2wasm(text);
  if (!binary) return std::unexpected(std::move(binary.error()));
  return compile(engine, std::move(*binary));
}

Result<Module> Module::fromFile(const Engine& engine, const std::string& path) {
  return vm::atBoundary([&]() -> Result<Module> {
    auto bytes = vm::ModuleBytes::map(path);
    if (!bytes) return std::unexpected(std::move(bytes.error()));
    if (vm::Module::isSerialized(bytes->span())) return wrap(vm::Module::deserialize(engine.impl(), std::move(*bytes)));
    if (!isBinary(bytes->span()) && looksLikeText(bytes->span())) {
      return fromText(engine, {reinterpret_cast<const char*>(bytes->span().data()), bytes->span().size()});
    }
    return wrap(vm::Module::create(engine.impl(), std::move(*bytes)));
  });
}

Result<void> Module::validate(const Engine&, std::span<const uint8_t> bytes) {
  return vm::atBoundary([&]() -> Result<void> {
    if (auto valid = frontend::validateModule(bytes); !valid) return std::unexpected(vm::toApi(valid.error()));
    return {};
  });
}

Result<std::vector<uint8_t>> Module::serialize() const {
  return vm::atBoundary([&] { return impl_->serialize(); });
}

Result<Module> Module::deserialize(const Engine& engine, std::span<const uint8_t> bytes) {
  return vm::atBoundary([&] {
    return wrap(
        vm::Module::deserialize(engine.impl(), vm::ModuleBytes(std::vector<uint8_t>(bytes.begin(), bytes.end()))));
  });
}

std::vector<ImportType> Module::imports() const {
  std::vector<ImportType> out;
  for (const auto& i : impl_->info().imports) out.push_back({i.module, i.name, impl_->externType(i.kind, i.index)});
  return out;
}

std::vector<ExportType> Module::exports() const {
  std::vector<ExportType> out;
  for (const auto& e : impl_->info().exports) out.push_back({e.name, impl_->externType(e.kind, e.index)});
  return out;
}

std::string Module::name() const { return impl_->names().module; }
std::string Module::functionName(uint32_t index) const { return impl_->functionName(index); }

// --- Store ---------------------------------------------------------------------------------------------------------

namespace {

// Stores that were dropped by a host function which one of their own guests had called: its frames need them. They go
// when their last call has come back and the thread makes or drops another store, or ends.
class Abandoned {
 public:
  void drop(std::unique_ptr<vm::Store> store) {
    if (store && store->context().activation) {
      store->cells()->interrupt();
      const bool isKept = vm::orElse(false, [&] { return stores_.push_back(std::move(store)), true; });
      if (!isKept) (void)store.release();
      return;
    }
    sweep();
  }
  void sweep() {
    if (stores_.empty()) [[likely]]
      return;
    auto all = std::exchange(stores_, {});  // destructors of the host's may drop stores
    for (auto& store : all) drop(std::move(store));
  }

 private:
  std::vector<std::unique_ptr<vm::Store>> stores_;
};
thread_local Abandoned abandoned;

}  // namespace

Store::Store(const Engine& engine, const StoreLimits& limits)
    : impl_(std::make_unique<vm::Store>(engine.impl(), limits)) {
  abandoned.sweep();
  impl_->api = this;
}

Result<Store> Store::create(const Engine& engine, const StoreLimits& limits) noexcept {
  return vm::atBoundary([&]() -> Result<Store> { return Store(engine, limits); });
}

Store::~Store() {
  if (impl_) abandoned.drop(std::move(impl_));
}

Store::Store(Store&& other) noexcept : impl_(std::move(other.impl_)) {
  if (impl_) impl_->api = this;
}

Store& Store::operator=(Store&& other) noexcept {
  std::unique_ptr<vm::Store> before = std::exchange(impl_, std::move(other.impl_));
  if (before) abandoned.drop(std::move(before));
  if (impl_) impl_->api = this;
  return *this;
}

InterruptHandle Store::interruptHandle() const {
  InterruptHandle handle;
  handle.state_ = impl_->cells();
  return handle;
}

void InterruptHandle::interrupt() const {
  if (state_) static_cast<vm::StoreCells*>(state_.get())->interrupt();
}

void Store::clearInterrupt() { impl_->clearInterrupt(); }

Result<void> Store::setDeadline(std::chrono::nanoseconds fromNow) {
  return vm::atBoundary([&]() -> Result<void> {
    if (impl_->setDeadline(fromNow)) return {};
    return std::unexpected(Error::make(ErrorKind::Resource, "cannot start the thread that keeps deadlines"));
  });
}

namespace {
Error fuelIsOff() {
  return vm::orElse(vm::outOfMemory(), [] { return Error::make(ErrorKind::Argument, "Config::fuel is off"); });
}
}  // namespace

Result<void> Store::addFuel(uint64_t units) {
  if (!impl_->engine().config.fuel) return std::unexpected(fuelIsOff());
  int64_t& fuel = impl_->context().fuel;  // counts up; what is below zero may be spent
  if (units > INT64_MAX || __builtin_sub_overflow(fuel, static_cast<int64_t>(units), &fuel)) fuel = INT64_MIN;
  return {};
}

Result<void> Store::consumeFuel(uint64_t units) {
  auto left = fuel();
  if (!left) return std::unexpected(std::move(left.error()));
  if (*left < units) return std::unexpected(vm::trapError(abi::TrapReason::OutOfFuel));
  impl_->context().fuel += static_cast<int64_t>(units);
  return {};
}

Result<uint64_t> Store::fuel() const {
  if (!impl_->engine().config.fuel) return std::unexpected(fuelIsOff());
  int64_t fuel = impl_->context().fuel;
  return fuel < 0 ? ~static_cast<uint64_t>(fuel) + 1 : 0;
}

Val Store::externref(std::shared_ptr<void> value) {
  if (!value) return Val::null(ValType::externref());
  impl_->collectIfDue();
  uint64_t word = vm::orElse(uint64_t{0}, [&] { return impl_->externs().add(std::move(value)); });
  impl_->pin(word, vm::RefKind::Extern);
  return Val::reference(ValType::externref(), word);
}

Result<std::shared_ptr<void>> Store::externValue(const Val& value) const {
  const bool isExtern =
      value.type().isRef() && (value.type().heap == Heap::Extern || value.type().heap == Heap::NoExtern);
  if (isExtern && value.isNull()) return std::shared_ptr<void>();
  return vm::atBoundary([&]() -> Result<std::shared_ptr<void>> {
    if (isExtern && impl_->externs().contains(value.ref())) return impl_->externs().value(value.ref());
    return std::unexpected(Error::make(ErrorKind::Argument, "not an external reference of this store"));
  });
}

void Store::setData(std::shared_ptr<void> data) {
  impl_->data = std::move(data);
  impl_->dataType = nullptr;
}
void Store::setTypedData(std::shared_ptr<void> data, const std::type_info& type) {
  impl_->data = std::move(data);
  impl_->dataType = &type;
}
void* Store::typedData(const std::type_info& type) const {
  return impl_->dataType && *impl_->dataType == type ? impl_->data.get() : nullptr;
}
void* Store::data() const { return impl_->data.get(); }
void Store::collect() { impl_->collect(true); }
size_t Store::objectCount() const { return impl_->objectCount(); }

RootScope::RootScope(Store& store) : store_(store.impl()), mark_(store_.pinMark()) {}
RootScope::~RootScope() { store_.unpinTo(mark_); }

// --- Caller --------------------------------------------------------------------------------------------------------

Store& Caller::store() const { return *state_->store->api; }

std::optional<Extern> Caller::get(std::string_view exportName) const {
  return state_->instance ? state_->instance->exported(exportName) : std::nullopt;
}

std::optional<Memory> Caller::memory() const {
  if (!state_->instance) return std::nullopt;
  if (auto found = state_->instance->exported("memory")) {
    if (auto* memory = std::get_if<Memory>(&*found)) return *memory;
  }
  if (state_->instance->module().info().memories.empty()) return std::nullopt;
  return Memory(state_->instance->memory(0));
}

void* Caller::data() const { return state_->store->data.get(); }

}  // namespace wattle
