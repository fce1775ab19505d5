/* Asynchronous host functions in C: guests that ask a slow service, and a host that answers when it can, from a plain
 * queue that stands for its event loop. To the guest it is a plain call. */
#include <stdio.h>
#include <string.h>
#include <wattle.h>

static const char guest[] =
    "(module"
    "  (import \"host\" \"lookup\" (func $lookup (param i32) (result i32)))"
    "  (func (export \"total\") (param $first i32) (result i32)"
    "    (i32.add (call $lookup (local.get $first))"
    "             (call $lookup (i32.add (local.get $first) (i32.const 1))))))";

/* What has been asked and not been answered. */
struct question {
  int32_t key;
  wattle_completion_t* done;
};
struct queue {
  struct question items[16];
  size_t begin, end;
};

/* Begins; the answer comes later. The guest is suspended when this returns. */
static wasm_trap_t* lookup(void* env, const wattle_caller_t* caller, const wasm_val_vec_t* args, wattle_completion_t* done) {
  struct queue* queue = env;
  (void)caller;
  printf("asked for %d\n", args->data[0].of.i32);
  queue->items[queue->end++ % 16] = (struct question){args->data[0].of.i32, done};
  return NULL;
}

static int failed(wattle_error_t* error) {
  if (!error) return 0;
  wasm_message_t message;
  wattle_error_message(error, &message);
  fprintf(stderr, "%s\n", message.data);
  wasm_byte_vec_delete(&message);
  wattle_error_delete(error);
  return 1;
}

/* The event loop: here the guests go on, until they ask again or end. */
static int answer_all(struct queue* queue) {
  while (queue->begin != queue->end) {
    struct question next = queue->items[queue->begin++ % 16];
    wasm_val_t result[] = {WASM_I32_VAL(next.key * 10)};
    wasm_val_vec_t results = WASM_ARRAY_VEC(result);
    wattle_error_t* error = wattle_completion_resume(next.done, &results);
    wattle_completion_delete(next.done);
    if (failed(error)) return 1;
  }
  return 0;
}

int main(void) {
  wasm_engine_t* engine = wasm_engine_new();
  wasm_store_t* store = wasm_store_new(engine);
  struct queue queue = {{{0, NULL}}, 0, 0};

  wasm_functype_t* type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  wasm_func_t* function = wattle_func_new_async(store, type, lookup, &queue, NULL);
  wasm_functype_delete(type);
  wattle_linker_t* linker = wattle_linker_new(engine);
  wattle_linker_define(linker, "host", "lookup", wasm_func_as_extern(function));
  wasm_func_delete(function);

  wasm_module_t* module = NULL;
  wasm_instance_t* instance = NULL;
  if (failed(wattle_module_new_text(store, guest, strlen(guest), &module))) return 1;
  if (failed(wattle_linker_instantiate(linker, store, module, &instance))) return 1;

  wasm_extern_t* total = wattle_instance_export(instance, "total");
  wattle_async_call_t* calls[2];
  for (int i = 0; i < 2; ++i) {
    wasm_val_t arg[] = {WASM_I32_VAL(i * 100)};
    wasm_val_vec_t args = WASM_ARRAY_VEC(arg);
    if (failed(wattle_func_call_async(wasm_extern_as_func(total), &args, 0, &calls[i]))) return 1;
    printf("call %d %s\n", i, wattle_async_call_is_done(calls[i]) ? "is done" : "waits");
  }
  if (answer_all(&queue)) return 1;
  for (int i = 0; i < 2; ++i) {
    wasm_val_t result[] = {WASM_INIT_VAL};
    wasm_val_vec_t results = WASM_ARRAY_VEC(result);
    wasm_trap_t* trap = wattle_async_call_take(calls[i], &results);
    printf("call %d: %d\n", i, trap ? -1 : result[0].of.i32);
    wasm_trap_delete(trap);
    wattle_async_call_delete(calls[i]);
  }

  wasm_extern_delete(total);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wattle_linker_delete(linker);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
