/* The same without WASI, over the C API. */
#include <stdio.h>
#include <string.h>
#include <wattle.h>

static const char text[] =
    "(module (func (export \"divide\") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1))))";

static void divide(const wasm_func_t* function, int32_t a, int32_t b) {
  wasm_val_t in[] = {WASM_I32_VAL(a), WASM_I32_VAL(b)}, out[] = {WASM_INIT_VAL};
  wasm_val_vec_t arguments = WASM_ARRAY_VEC(in), results = WASM_ARRAY_VEC(out);
  wasm_trap_t* trap = wasm_func_call(function, &arguments, &results);
  if (!trap) {
    printf("%d\n", (int)out[0].of.i32);
    return;
  }
  wasm_message_t message;
  wasm_trap_message(trap, &message);
  printf("%s\n", message.data);
  wasm_byte_vec_delete(&message);
  wasm_trap_delete(trap);
}

int main(void) {
  wasm_engine_t* engine = wasm_engine_new();
  wasm_store_t* store = wasm_store_new(engine);
  wasm_module_t* module = NULL;
  wattle_error_t* error = wattle_module_new_text(store, text, strlen(text), &module);
  if (error) return 1;
  wasm_instance_t* instance = wasm_instance_new(store, module, NULL, NULL);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);

  puts("hello");
  divide(wasm_extern_as_func(exports.data[0]), 84, 2);
  divide(wasm_extern_as_func(exports.data[0]), 1, 0);

  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
