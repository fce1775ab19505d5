// wattle.h: functions that know their caller, exports and imports by name.
#include "runtime/capi/wattle_capi.h"

using namespace wattle::capi;

namespace {

wasm_extern_t* externOrNull(const std::optional<wattle::Extern>& found) { return found ? makeExtern(*found) : nullptr; }

}  // namespace

wasm_func_t* wattle_func_new(wasm_store_t* store, const wasm_functype_t* type, wattle_callback_t callback, void* env,
                             void (*finalizer)(void*)) {
  auto func = wattle::Func::host(store->store, fromType(*type), hostCallback(*type, callback, env, finalizer));
  return func.impl() ? new wasm_func_t(std::move(func)) : nullptr;
}

wasm_extern_t* wattle_caller_export(const wattle_caller_t* caller, const char* name) {
  return externOrNull(caller->caller.get(name));
}

wasm_memory_t* wattle_caller_memory(const wattle_caller_t* caller) {
  auto memory = caller->caller.memory();
  return memory ? new wasm_memory_t(std::move(*memory)) : nullptr;
}

wasm_extern_t* wattle_instance_export(const wasm_instance_t* instance, const char* name) {
  return externOrNull(instance->handle.get(name));
}

wasm_module_t* wattle_instance_module(const wasm_instance_t* instance) {
  return new wasm_module_t(instance->handle.module());
}

wattle_linker_t* wattle_linker_new(wasm_engine_t* engine) {
  return new wattle_linker_t{wattle::Linker(engine->engine)};
}
void wattle_linker_delete(wattle_linker_t* linker) { delete linker; }

void wattle_linker_define(wattle_linker_t* linker, const char* module, const char* name, const wasm_extern_t* value) {
  linker->linker.define(module, name, externOf(*value));
}

void wattle_linker_define_func(wattle_linker_t* linker, const char* module, const char* name,
                               const wasm_functype_t* type, wattle_callback_t callback, void* env,
                               void (*finalizer)(void*)) {
  linker->linker.defineFunc(module, name, fromType(*type), hostCallback(*type, callback, env, finalizer));
}

void wattle_linker_define_instance(wattle_linker_t* linker, const char* module, const wasm_instance_t* instance) {
  linker->linker.defineInstance(module, instance->handle);
}

wattle_error_t* wattle_linker_instantiate(const wattle_linker_t* linker, wasm_store_t* store,
                                          const wasm_module_t* module, wasm_instance_t** out) {
  return giveNew(linker->linker.instantiate(store->store, module->module()), out);
}

wasm_extern_t* wattle_linker_get(const wattle_linker_t* linker, wasm_store_t* store, const char* module,
                                 const char* name) {
  return externOrNull(linker->linker.get(store->store, module, name));
}
