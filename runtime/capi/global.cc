// Globals.
#include "runtime/vm/global.h"
#include "runtime/capi/capi.h"

using namespace wattle::capi;
using wattle::RootScope;

wasm_global_t* wasm_global_new(wasm_store_t* store, const wasm_globaltype_t* type, const wasm_val_t* value) {
  return orNothing([&]() -> wasm_global_t* {
    RootScope scope(store->store);
    auto global = fromType(*type);
    auto initial = toVal(store->store, *value, global.type);
    if (!initial) return nullptr;
    auto made = wattle::Global::create(store->store, global, *initial);
    return made ? new wasm_global_t(std::move(*made)) : nullptr;
  });
}

wasm_globaltype_t* wasm_global_type(const wasm_global_t* global) {
  return orNothing([&] { return makeType(global->handle.type()); });
}

void wasm_global_get(const wasm_global_t* global, wasm_val_t* out) {
  *out = zeroVal(global->handle.type().type);
  auto* store = liveStore(*global);
  if (!store) return;
  RootScope scope(*store);
  orNothing([&] { fromVal(*store, global->handle.get(), *out); });
}

void wasm_global_set(wasm_global_t* global, const wasm_val_t* value) {
  auto* store = liveStore(*global);
  if (!store) return;
  RootScope scope(*store);
  orNothing([&] {
    if (auto converted = toVal(*store, *value, global->handle.type().type)) (void)global->handle.set(*converted);
  });
}
