// wattle.h: functions that know their caller, exports and imports by name.
#include "runtime/capi/wattle_capi.h"

using namespace wattle::capi;

namespace {

template <class Body>
wasm_extern_t* externOrNull(Body&& find) {
  return orNothing([&] {
    auto found = find();
    return found ? makeExtern(*found) : nullptr;
  });
}

}  // namespace

wasm_func_t* wattle_func_new(wasm_store_t* store, const wasm_functype_t* type, wattle_callback_t callback, void* env,
                             void (*finalizer)(void*)) {
  return orNothing([&] {
    auto func = wattle::Func::host(store->store, fromType(*type), hostCallback(*type, callback, env, finalizer));
    return func.impl() ? new wasm_func_t(std::move(func)) : nullptr;
  });
}

wasm_extern_t* wattle_caller_export(const wattle_caller_t* caller, const char* name) {
  return externOrNull([&] { return caller->caller.get(name); });
}

wasm_memory_t* wattle_caller_memory(const wattle_caller_t* caller) {
  return orNothing([&] {
    auto memory = caller->caller.memory();
    return memory ? new wasm_memory_t(std::move(*memory)) : nullptr;
  });
}

wasm_extern_t* wattle_instance_export(const wasm_instance_t* instance, const char* name) {
  return externOrNull([&] { return instance->handle.get(name); });
}

wasm_module_t* wattle_instance_module(const wasm_instance_t* instance) {
  return orNothing([&] { return new wasm_module_t(instance->handle.module()); });
}

wattle_linker_t* wattle_linker_new(wasm_engine_t* engine) {
  return orNothing([&] { return new wattle_linker_t{wattle::Linker(engine->engine)}; });
}
void wattle_linker_delete(wattle_linker_t* linker) { delete linker; }

void wattle_linker_define(wattle_linker_t* linker, const char* module, const char* name, const wasm_extern_t* value) {
  orNothing([&] { linker->linker.define(module, name, externOf(*value)); });
}

void wattle_linker_define_func(wattle_linker_t* linker, const char* module, const char* name,
                               const wasm_functype_t* type, wattle_callback_t callback, void* env,
                               void (*finalizer)(void*)) {
  orNothing([&] {
    auto made = hostCallback(*type, callback, env, finalizer);
    linker->linker.defineFunc(module, name, fromType(*type), std::move(made));
  });
}

void wattle_linker_define_instance(wattle_linker_t* linker, const char* module, const wasm_instance_t* instance) {
  orNothing([&] { linker->linker.defineInstance(module, instance->handle); });
}

wattle_error_t* wattle_linker_instantiate(const wattle_linker_t* linker, wasm_store_t* store,
                                          const wasm_module_t* module, wasm_instance_t** out) {
  return giveNew(out, [&] { return linker->linker.instantiate(store->store, module->module()); });
}

wasm_extern_t* wattle_linker_get(const wattle_linker_t* linker, wasm_store_t* store, const char* module,
                                 const char* name) {
  return externOrNull([&] { return linker->linker.get(store->store, module, name); });
}
