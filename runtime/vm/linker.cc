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

void Linker::define(std::string module, std::string name, Extern value) {
  impl_->modules[std::move(module)].insert_or_assign(std::move(name), std::move(value));
}

void Linker::defineFunc(std::string module, std::string name, FuncType type, HostCallback callback) {
  auto definition = vm::HostDefinition::make(type, std::move(callback), fmt::format("{}.{}", module, name));
  impl_->modules[std::move(module)].insert_or_assign(std::move(name), std::move(definition));
}

struct LinkerAccess {
  static Linker::Impl& impl(Linker& linker) { return *linker.impl_; }
};

void detail::linkHost(Linker& linker, std::string&& module, std::string&& name, HostSpec&& spec) {
  auto definition = vm::HostDefinition::make(std::move(spec), fmt::format("{}.{}", module, name));
  LinkerAccess::impl(linker).modules[std::move(module)].insert_or_assign(std::move(name), std::move(definition));
}

void Linker::defineInstance(std::string module, const Instance& instance) {
  auto& names = impl_->modules[std::move(module)];
  for (auto& [name, value] : instance.exports()) names.insert_or_assign(name, std::move(value));
}

Result<Instance> Linker::instantiate(Store& store, const Module& module) const {
  return vm::atBoundary([&]() -> Result<Instance> {
    if (!module.impl()) return std::unexpected(Error::make(ErrorKind::Argument, "the module is empty"));
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
