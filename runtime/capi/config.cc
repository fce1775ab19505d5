// Configuration, engine, store.
#include <memory>

#include "runtime/capi/capi.h"

using wattle::capi::orNothing;

wasm_config_t* wasm_config_new() {
  return orNothing([] { return new wasm_config_t; });
}
void wasm_config_delete(wasm_config_t* config) { delete config; }

wasm_engine_t* wasm_engine_new() {
  return orNothing([] { return new wasm_engine_t; });
}

wasm_engine_t* wasm_engine_new_with_config(wasm_config_t* config) {
  std::unique_ptr<wasm_config_t> owned(config);
  if (!owned) return wasm_engine_new();
  return orNothing([&] { return new wasm_engine_t{wattle::Engine(owned->config)}; });
}

void wasm_engine_delete(wasm_engine_t* engine) { delete engine; }

wasm_store_t* wasm_store_new(wasm_engine_t* engine) {
  return orNothing([&] { return engine ? new wasm_store_t(engine->engine, {}) : nullptr; });
}

void wasm_store_delete(wasm_store_t* store) { delete store; }
