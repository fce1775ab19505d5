// Names to externs.
#include <fmt/format.h>

#include <map>

#include "runtime/vm/boundary.h"
#include "runtime/vm/function.h"
#include "runtime/vm/instance.h"
#include "runtime/vm/link.h"
#include "runtime/vm/store.h"
#include "wattle/wattle.hpp"

namespace wattle {

struct Linker::Impl {
  // A function to be made in each store, or why it cannot be.
  using Definition = Result<std::shared_ptr<const vm::HostDefinition>>;
  using Entry = std::variant<Extern, Definition>;
  using Names = std::map<std::string, Entry, std::less<>>;
  std::map<std::string, Names, std::less<>> modules;
  bool isComplete = true;  // false: some definition found no memory

  void add(std::string_view module, std::string_view name, Entry entry) {
    modules[std::string(module)].insert_or_assign(std::string(name), std::move(entry));
  }
  template <class Body>
  void note(Body&& body) {
    isComplete &= vm::orElse(false, [&] {
      body();
      return true;
    });
  }

  const Entry* find(std::string_view module, std::string_view name) const {
    auto names = modules.find(module);
    if (names == modules.end()) return nullptr;
    auto entry = names->second.find(name);
    return entry == names->second.end() ? nullptr : &entry->second;
  }

  static Result<Extern> resolve(Store& store, const Entry& entry) {
    if (auto* value = std::get_if<Extern>(&entry)) return *value;
    const auto& definition = std::get<Definition>(entry);
    if (!definition) return std::unexpected(definition.error());
    auto function = store.impl().hostFunction(*definition);
    if (!function) return std::unexpected(std::move(function.error()));
    return Func((*function)->function());
  }
};

Linker::Linker(const Engine&) : impl_(std::make_unique<Impl>()) {}
Linker::Linker(Linker&&) noexcept = default;
Linker& Linker::operator=(Linker&&) noexcept = default;
Linker::~Linker() = default;

Result<Linker> Linker::create(const Engine& engine) noexcept {
  return vm::atBoundary([&]() -> Result<Linker> { return Linker(engine); });
}

void Linker::define(std::string_view module, std::string_view name, Extern value) noexcept {
  impl_->note([&] { impl_->add(module, name, std::move(value)); });
}

void Linker::defineFunc(std::string_view module, std::string_view name, FuncType type, HostCallback callback) noexcept {
  impl_->note([&] {
    impl_->add(module, name, vm::HostDefinition::make(type, std::move(callback), fmt::format("{}.{}", module, name)));
  });
}

struct LinkerAccess {
  static Linker::Impl& impl(Linker& linker) { return *linker.impl_; }
};

void detail::linkHost(Linker& linker, std::string_view module, std::string_view name, HostSpec&& spec) noexcept {
  auto& impl = LinkerAccess::impl(linker);
  impl.note(
      [&] { impl.add(module, name, vm::HostDefinition::make(std::move(spec), fmt::format("{}.{}", module, name))); });
}

void detail::linkFailed(Linker& linker) noexcept { LinkerAccess::impl(linker).isComplete = false; }

void Linker::defineInstance(std::string_view module, const Instance& instance) noexcept {
  impl_->note([&] {
    for (auto& [name, value] : instance.exports()) impl_->add(module, name, std::move(value));
  });
}

Result<Instance> Linker::instantiate(Store& store, const Module& module) const {
  return vm::atBoundary([&]() -> Result<Instance> {
    if (!module.impl()) return std::unexpected(Error::make(ErrorKind::Argument, "the module is empty"));
    if (!impl_->isComplete) return std::unexpected(vm::outOfMemory());
    std::vector<Extern> found;
    std::vector<std::optional<Extern>> all;
    const auto& imports = module.impl()->info().imports;
    bool missing = false;
    for (const auto& import : imports) {
      const auto* entry = impl_->find(import.module, import.name);
      if (!entry) {
        missing = true;
        all.emplace_back();
        continue;
      }
      auto value = Impl::resolve(store, *entry);
      if (!value) return std::unexpected(std::move(value.error()));
      all.push_back(std::move(*value));
    }
    if (missing) return std::unexpected(vm::checkImports(store.impl(), *module.impl(), all).error());
    found.reserve(all.size());
    for (auto& value : all) found.push_back(std::move(*value));
    return Instance::create(store, module, found);
  });
}

std::optional<Extern> Linker::get(Store& store, std::string_view module, std::string_view name) const {
  const auto* entry = impl_->find(module, name);
  if (!entry) return std::nullopt;
  auto value = Impl::resolve(store, *entry);
  return value ? std::optional<Extern>(std::move(*value)) : std::nullopt;
}

}  // namespace wattle
