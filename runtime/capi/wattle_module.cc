// wattle.h: modules.
#include "runtime/capi/wattle_capi.h"
#include "runtime/vm/module.h"

using namespace wattle::capi;

wattle_error_t* wattle_wat2wasm(const char* text, size_t size, wasm_byte_vec_t* out) {
  auto bytes = wattle::wat2wasm({text, size});
  if (!bytes) return makeError(std::move(bytes.error()));
  wasm_byte_vec_t made;
  wasm_byte_vec_new(&made, bytes->size(), reinterpret_cast<const char*>(bytes->data()));
  if (made.size != bytes->size()) return outOfMemoryError();
  *out = made;
  return nullptr;
}

wattle_error_t* wattle_module_new(wasm_store_t* store, const wasm_byte_vec_t* bytes, wasm_module_t** out) {
  return giveNew(out, [&] { return wattle::Module::compile(store->engine, bytesOf(bytes)); });
}

wattle_error_t* wattle_module_new_text(wasm_store_t* store, const char* text, size_t size, wasm_module_t** out) {
  return giveNew(out, [&] { return wattle::Module::fromText(store->engine, {text, size}); });
}

wattle_error_t* wattle_module_new_file(wasm_store_t* store, const char* path, wasm_module_t** out) {
  return giveNew(out, [&] { return wattle::Module::fromFile(store->engine, path); });
}

wattle_error_t* wattle_module_validate(wasm_store_t* store, const wasm_byte_vec_t* bytes) {
  return orError([&] { return wattle::Module::validate(store->engine, bytesOf(bytes)); });
}

void wattle_module_name(const wasm_module_t* module, wasm_name_t* out) {
  giveName(out, [&] { return module->module().name(); });
}
