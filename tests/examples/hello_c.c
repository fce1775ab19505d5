/* Hello in C, by the standard API (wasm.h) and what Wattle adds to it (wattle.h): here texts, errors, and linking by
 * name. */
#include <stdio.h>
#include <string.h>
#include <wattle.h>

static const char hello[] =
    "(module"
    "  (import \"host\" \"print\" (func $print (param i32 i32)))"
    "  (memory (export \"memory\") 1)"
    "  (data (i32.const 16) \"Hello from a module!\")"
    "  (func (export \"hello\") (call $print (i32.const 16) (i32.const 20))))";

struct host {
  wasm_memory_t* memory;
};

/* A callback returns NULL, or a trap for the guest. */
static wasm_trap_t* print(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  const struct host* host = env;
  size_t at = (uint32_t)args->data[0].of.i32, length = (uint32_t)args->data[1].of.i32;
  (void)results;
  if (at + length > wasm_memory_data_size(host->memory)) return wasm_trap_new(NULL, NULL);
  printf("%.*s\n", (int)length, wasm_memory_data(host->memory) + at);
  return NULL;
}

int main(void) {
  wasm_engine_t* engine = wasm_engine_new();
  wasm_store_t* store = wasm_store_new(engine);
  wasm_module_t* module = NULL;
  wattle_error_t* error = wattle_module_new_text(store, hello, strlen(hello), &module);
  if (error) {
    wasm_message_t message;
    wattle_error_message(error, &message);
    fprintf(stderr, "%s\n", message.data);
    return 1;
  }

  struct host host = {NULL};
  wasm_functype_t* type = wasm_functype_new_2_0(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  wasm_func_t* function = wasm_func_new_with_env(store, type, print, &host, NULL);
  wasm_extern_t* externs[] = {wasm_func_as_extern(function)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(externs), exports;
  wasm_instance_t* instance = wasm_instance_new(store, module, &imports, NULL);
  wasm_instance_exports(instance, &exports); /* in the order of the module: "memory", "hello" */
  host.memory = wasm_extern_as_memory(exports.data[0]);

  wasm_val_vec_t none = WASM_EMPTY_VEC;
  wasm_trap_t* trap = wasm_func_call(wasm_extern_as_func(exports.data[1]), &none, &none);
  if (trap) fprintf(stderr, "trapped\n");

  wasm_trap_delete(trap);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_func_delete(function);
  wasm_functype_delete(type);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
