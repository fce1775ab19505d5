/* One engine and one shared module on several threads, each with its store. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>

#include "check.h"

enum { kThreads = 4, kRounds = 500 };

struct task {
  wasm_engine_t* engine;
  wasm_shared_module_t* shared;
  int number;
  int64_t sum;
};

static wasm_trap_t* add(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)results;
  ((struct task*)env)->sum += args->data[0].of.i64;
  return NULL;
}

static void* run(void* data) {
  struct task* task = data;
  for (int round = 0; round < kRounds; ++round) {
    wasm_store_t* store = wasm_store_new(task->engine);
    wasm_module_t* module = wasm_module_obtain(store, task->shared);
    wasm_functype_t* type = wasm_functype_new_1_0(wasm_valtype_new_i64());
    wasm_func_t* func = wasm_func_new_with_env(store, type, add, task, NULL);
    wasm_functype_delete(type);
    wasm_extern_t* imported[] = {wasm_func_as_extern(func)};
    wasm_extern_vec_t imports = WASM_ARRAY_VEC(imported);
    wasm_instance_t* instance = wasm_instance_new(store, module, &imports, NULL);
    wasm_extern_vec_t exports;
    wasm_instance_exports(instance, &exports);
    wasm_val_t in[] = {WASM_I64_VAL(task->number)};
    wasm_val_vec_t args = WASM_ARRAY_VEC(in), results = WASM_EMPTY_VEC;
    wasm_trap_delete(wasm_func_call(wasm_extern_as_func(exports.data[0]), &args, &results));
    wasm_extern_vec_delete(&exports);
    wasm_instance_delete(instance);
    wasm_func_delete(func);
    wasm_module_delete(module);
    wasm_store_delete(store);
  }
  return NULL;
}

int main(void) {
  wasm_engine_t* engine = wasm_engine_new();
  wasm_store_t* store = wasm_store_new(engine);
  wasm_module_t* module = compile(store,
      "(module (import \"\" \"add\" (func $add (param i64)))"
      " (func (export \"run\") (param i64) (call $add (local.get 0)) (call $add (local.get 0))))");
  wasm_shared_module_t* shared = wasm_module_share(module);
  wasm_module_delete(module);
  wasm_store_delete(store);
  pthread_t threads[kThreads];
  struct task tasks[kThreads];
  for (int i = 0; i < kThreads; ++i) {
    tasks[i] = (struct task){engine, shared, i + 1, 0};
    REQUIRE(pthread_create(&threads[i], NULL, run, &tasks[i]) == 0);
  }
  for (int i = 0; i < kThreads; ++i) {
    pthread_join(threads[i], NULL);
    CHECK(tasks[i].sum == 2 * kRounds * (i + 1));
  }
  wasm_shared_module_delete(shared);
  wasm_engine_delete(engine);
  return report();
}
