// Instances.
#include <fmt/format.h>

#include <algorithm>

#include "runtime/capi/capi.h"
#include "runtime/vm/instance.h"
#include "runtime/vm/store.h"

using namespace wattle::capi;

namespace {

// What is missing at the end the error of the linker names; what is too much is left alone.
wattle::Result<std::vector<wattle::Extern>> importsOf(const wasm_module_t* module, const wasm_extern_vec_t* imports) {
  const auto& wanted = module->module().impl()->info().imports;
  std::vector<wattle::Extern> out;
  if (!imports) return out;
  size_t count = std::min(imports->size, wanted.size());
  out.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    if (!imports->data[i]) {
      return std::unexpected(wattle::Error::make(
          wattle::ErrorKind::Link, fmt::format("import {}.{} is NULL", wanted[i].module, wanted[i].name)));
    }
    out.push_back(externOf(*imports->data[i]));
  }
  return out;
}

}  // namespace

wasm_instance_t* wasm_instance_new(wasm_store_t* store, const wasm_module_t* module, const wasm_extern_vec_t* imports,
                                   wasm_trap_t** trap) {
  if (trap) *trap = nullptr;
  auto failed = [trap](wattle::Error&& error) -> wasm_instance_t* {
    giveTrap(trap, std::move(error));
    return nullptr;
  };
  auto make = [&]() -> wasm_instance_t* {
    auto given = importsOf(module, imports);
    if (!given) return failed(std::move(given.error()));
    auto made = wattle::Instance::create(store->store, module->module(), *given);
    if (!made) return failed(std::move(made.error()));
    return new wasm_instance_t(std::move(*made));
  };
  return wattle::vm::contain(make, failed);
}

void wasm_instance_exports(const wasm_instance_t* instance, wasm_extern_vec_t* out) {
  auto* impl = instance->handle.impl();
  if (!impl->store() || !impl->store()->isOpen()) return wasm_extern_vec_new_empty(out);
  const auto& exports = impl->module().info().exports;
  giveEach<wasm_extern_vec_new_uninitialized, wasm_extern_vec_delete>(
      out, [&]() -> auto& { return exports; },
      [impl](auto*& to, auto& exported) { to = makeExtern(impl->externAt(exported.kind, exported.index)); });
}
