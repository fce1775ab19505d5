// Modules.
#include "runtime/capi/capi.h"

using namespace wattle::capi;

namespace {

template <class Body>
wasm_module_t* wrap(Body&& make) {
  return orNothing([&] {
    auto module = make();
    return module ? new wasm_module_t(std::move(*module)) : nullptr;
  });
}

}  // namespace

wasm_module_t* wasm_module_new(wasm_store_t* store, const wasm_byte_vec_t* binary) {
  return wrap([&] { return wattle::Module::compile(store->engine, bytesOf(binary)); });
}

bool wasm_module_validate(wasm_store_t* store, const wasm_byte_vec_t* binary) {
  return orNothing([&] { return wattle::Module::validate(store->engine, bytesOf(binary)).has_value(); });
}

void wasm_module_imports(const wasm_module_t* module, wasm_importtype_vec_t* out) {
  giveEach<wasm_importtype_vec_new_uninitialized, wasm_importtype_vec_delete>(
      out, [&] { return module->module().imports(); },
      [](auto*& to, auto& import) {
        to = new wasm_importtype_t{{}, {}, nullptr};
        to->type = makeType(import.type);
        setName(to->module, import.module);
        setName(to->name, import.name);
      });
}

void wasm_module_exports(const wasm_module_t* module, wasm_exporttype_vec_t* out) {
  giveEach<wasm_exporttype_vec_new_uninitialized, wasm_exporttype_vec_delete>(
      out, [&] { return module->module().exports(); },
      [](auto*& to, auto& exported) {
        to = new wasm_exporttype_t{{}, nullptr};
        to->type = makeType(exported.type);
        setName(to->name, exported.name);
      });
}

void wasm_module_serialize(const wasm_module_t* module, wasm_byte_vec_t* out) {
  giveVec<wasm_byte_vec_delete>(out, [&] {
    if (auto bytes = module->module().serialize())
      wasm_byte_vec_new(out, bytes->size(), reinterpret_cast<const char*>(bytes->data()));
  });
}

wasm_module_t* wasm_module_deserialize(wasm_store_t* store, const wasm_byte_vec_t* bytes) {
  return wrap([&] { return wattle::Module::deserialize(store->engine, bytesOf(bytes)); });
}

wasm_shared_module_t* wasm_module_share(const wasm_module_t* module) {
  return orNothing([&] { return new wasm_shared_module_t{module->module()}; });
}
wasm_module_t* wasm_module_obtain(wasm_store_t*, const wasm_shared_module_t* shared) {
  return orNothing([&] { return new wasm_module_t(shared->module); });
}
void wasm_shared_module_delete(wasm_shared_module_t* shared) { delete shared; }
