// Modules.
#include "runtime/capi/capi.h"

using wattle::capi::bytesOf;
using wattle::capi::makeType;
using wattle::capi::setName;

namespace {

wasm_module_t* wrap(wattle::Result<wattle::Module> module) {
  return module ? new wasm_module_t(std::move(*module)) : nullptr;
}

}  // namespace

wasm_module_t* wasm_module_new(wasm_store_t* store, const wasm_byte_vec_t* binary) {
  return wrap(wattle::Module::compile(store->engine, bytesOf(binary)));
}

bool wasm_module_validate(wasm_store_t* store, const wasm_byte_vec_t* binary) {
  return wattle::Module::validate(store->engine, bytesOf(binary)).has_value();
}

void wasm_module_imports(const wasm_module_t* module, wasm_importtype_vec_t* out) {
  auto imports = module->module().imports();
  wasm_importtype_vec_new_uninitialized(out, imports.size());
  for (size_t i = 0; i < out->size; ++i) {
    auto* type = new wasm_importtype_t{{}, {}, makeType(imports[i].type)};
    setName(type->module, imports[i].module);
    setName(type->name, imports[i].name);
    out->data[i] = type;
  }
}

void wasm_module_exports(const wasm_module_t* module, wasm_exporttype_vec_t* out) {
  auto exports = module->module().exports();
  wasm_exporttype_vec_new_uninitialized(out, exports.size());
  for (size_t i = 0; i < out->size; ++i) {
    auto* type = new wasm_exporttype_t{{}, makeType(exports[i].type)};
    setName(type->name, exports[i].name);
    out->data[i] = type;
  }
}

void wasm_module_serialize(const wasm_module_t* module, wasm_byte_vec_t* out) {
  auto bytes = module->module().serialize();
  if (!bytes) return wasm_byte_vec_new_empty(out);
  wasm_byte_vec_new(out, bytes->size(), reinterpret_cast<const char*>(bytes->data()));
}

wasm_module_t* wasm_module_deserialize(wasm_store_t* store, const wasm_byte_vec_t* bytes) {
  return wrap(wattle::Module::deserialize(store->engine, bytesOf(bytes)));
}

wasm_shared_module_t* wasm_module_share(const wasm_module_t* module) {
  return new wasm_shared_module_t{module->module()};
}
wasm_module_t* wasm_module_obtain(wasm_store_t*, const wasm_shared_module_t* shared) {
  return new wasm_module_t(shared->module);
}
void wasm_shared_module_delete(wasm_shared_module_t* shared) { delete shared; }
