#include "runtime/vm/link.h"

#include <fmt/format.h>

#include "runtime/vm/function.h"
#include "runtime/vm/global.h"
#include "runtime/vm/memory.h"
#include "runtime/vm/store.h"
#include "runtime/vm/table.h"
#include "runtime/vm/tag.h"
#include "runtime/vm/types.h"

namespace wattle::vm {

namespace {

bool limitsMatch(const frontend::Limits& found, const frontend::Limits& wanted) {
  if (found.min < wanted.min) return false;
  return !wanted.max || (found.max && *found.max <= *wanted.max);
}

Store* storeOf(const Extern& value) {
  return std::visit([](const auto& handle) -> Store* { return handle.impl() ? handle.impl()->store() : nullptr; },
                    value);
}

class Matcher {
 public:
  Matcher(const Module& module) : module_(module), info_(module.info()) {}

  bool matches(const frontend::Import& import, const Extern& found) const {
    if (static_cast<size_t>(import.kind) != found.index()) return false;
    switch (import.kind) {
      case frontend::ExternKind::Func: return func(import, *std::get<Func>(found).impl());
      case frontend::ExternKind::Table: return table(import, *std::get<wattle::Table>(found).impl());
      case frontend::ExternKind::Memory: return memory(import, *std::get<wattle::Memory>(found).impl());
      case frontend::ExternKind::Global: return global(import, *std::get<wattle::Global>(found).impl());
      case frontend::ExternKind::Tag: break;
    }
    return std::get<wattle::Tag>(found).impl()->typeId == module_.typeIds()[info_.tags[import.index].typeIndex];
  }

 private:
  bool func(const frontend::Import& import, const Function& found) const {
    uint32_t wanted = module_.functionTypeId(import.index);
    return import.exactFunc ? found.typeId == wanted : registry_.isSubtype(found.typeId, wanted);
  }
  bool table(const frontend::Import& import, const Table& found) const {
    auto wanted = canonical(info_.tables[import.index].type, module_.typeIds());
    auto type = found.currentType();
    return type.element == wanted.element && type.is64 == wanted.is64 && limitsMatch(type.limits, wanted.limits);
  }
  bool memory(const frontend::Import& import, const Memory& found) const {
    const auto& wanted = info_.memories[import.index].type;
    auto type = found.currentType();
    return type.is64 == wanted.is64 && type.isShared == wanted.isShared && type.pageSizeLog2 == wanted.pageSizeLog2 &&
           limitsMatch(type.limits, wanted.limits);
  }
  bool global(const frontend::Import& import, const Global& found) const {
    auto wanted = canonical(info_.globals[import.index].type, module_.typeIds());
    if (found.type().isMutable != wanted.isMutable) return false;
    return wanted.isMutable ? found.type().type == wanted.type : registry_.matches(found.type().type, wanted.type);
  }

  const Module& module_;
  const frontend::ModuleInfo& info_;
  const TypeRegistry& registry_ = TypeRegistry::process();
};

// `get(i)` gives the import's extern, or nullptr.
template <class Get>
Result<void> check(Store& store, const Module& module, Get&& get) {
  Matcher matcher(module);
  std::string problems;
  const auto& imports = module.info().imports;
  for (size_t i = 0; i < imports.size(); ++i) {
    const Extern* found = get(i);
    const char* problem = nullptr;
    if (!found) {
      problem = "unknown import";
    } else if (storeOf(*found) != &store) {
      return std::unexpected(Error::make(
          ErrorKind::Argument, fmt::format("import {}.{} is not of this store", imports[i].module, imports[i].name)));
    } else if (!matcher.matches(imports[i], *found)) {
      problem = "incompatible import type";
    }
    if (!problem) continue;
    problems += fmt::format("{}{} for {}.{}: {}", problems.empty() ? "" : "; ", problem, imports[i].module,
                            imports[i].name, toString(module.externType(imports[i].kind, imports[i].index)));
  }
  if (!problems.empty()) return std::unexpected(Error::make(ErrorKind::Link, std::move(problems)));
  return {};
}

}  // namespace

Result<void> checkImports(Store& store, const Module& module, std::span<const std::optional<Extern>> imports) {
  return check(store, module, [&](size_t i) { return i < imports.size() && imports[i] ? &*imports[i] : nullptr; });
}

Result<void> checkImports(Store& store, const Module& module, std::span<const Extern> imports) {
  if (imports.size() > module.info().imports.size()) {
    return std::unexpected(Error::make(ErrorKind::Argument, fmt::format("the module has {} imports, not {}",
                                                                        module.info().imports.size(), imports.size())));
  }
  return check(store, module, [&](size_t i) { return i < imports.size() ? &imports[i] : nullptr; });
}

}  // namespace wattle::vm
