/* Functions: calls both ways, environments, traps and their frames. */
#include "check.h"

static wasm_trap_t* call(const wasm_func_t* func, wasm_val_t* in, size_t n, wasm_val_t* out, size_t m) {
  wasm_val_vec_t args = {n, in}, results = {m, out};
  return wasm_func_call(func, &args, &results);
}

static void numbers(wasm_store_t* store) {
  wasm_instance_t* instance = instantiate(store,
      "(module (func (export \"swap\") (param i32 i64 f32 f64) (result f64 f32 i64 i32)"
      "  (local.get 3) (local.get 2) (local.get 1) (local.get 0))"
      " (func (export \"many\") (param i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i64)"
      "  (i64.sub (local.get 11) (local.get 0))))", NULL);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  REQUIRE(exports.size == 2);
  wasm_func_t* swap = wasm_extern_as_func(exports.data[0]);
  CHECK(wasm_func_param_arity(swap) == 4 && wasm_func_result_arity(swap) == 4);
  wasm_val_t in[] = {WASM_I32_VAL(-7), WASM_I64_VAL(-1234567890123), WASM_F32_VAL(-0.5f), WASM_F64_VAL(1e300)};
  wasm_val_t out[4];
  memset(out, 0xff, sizeof out);
  REQUIRE_NO_TRAP(call(swap, in, 4, out, 4));
  CHECK(out[0].kind == WASM_F64 && out[0].of.f64 == 1e300);
  CHECK(out[1].kind == WASM_F32 && out[1].of.f32 == -0.5f);
  CHECK(out[2].kind == WASM_I64 && out[2].of.i64 == -1234567890123);
  CHECK(out[3].kind == WASM_I32 && out[3].of.i32 == -7);

  /* As many results as there is room for. */
  memset(out, 0xff, sizeof out);
  REQUIRE_NO_TRAP(call(swap, in, 4, out, 1));
  CHECK(out[0].kind == WASM_F64 && out[0].of.f64 == 1e300 && out[1].kind == 0xff);
  wasm_val_vec_t swapped = {4, in};
  REQUIRE_NO_TRAP(wasm_func_call(swap, &swapped, NULL));

  wasm_val_t many[12];
  for (int i = 0; i < 12; ++i) many[i] = (wasm_val_t)WASM_I64_VAL(i * 100 + 1);
  REQUIRE_NO_TRAP(call(wasm_extern_as_func(exports.data[1]), many, 12, out, 1));
  CHECK(out[0].of.i64 == 1100);

  /* What does not fit is a trap, and nothing runs. */
  CHECK(trap_says(call(swap, in, 3, out, 4), "takes 4 arguments, not 3"));
  in[0] = (wasm_val_t)WASM_F64_VAL(0);
  CHECK(trap_says(call(swap, in, 4, out, 4), "argument 0: expected i32"));
  wasm_trap_t* trap = wasm_func_call(swap, NULL, NULL);
  wattle_error_t* error = wattle_trap_error(trap);
  CHECK(wattle_error_kind(error) == WATTLE_ERROR_ARGUMENT);
  wattle_error_delete(error);
  wasm_trap_delete(trap);

  wasm_functype_t* type = wasm_func_type(swap);
  CHECK(wasm_functype_params(type)->size == 4 && wasm_valtype_kind(wasm_functype_results(type)->data[0]) == WASM_F64);
  wasm_functype_delete(type);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
}

struct env {
  wasm_store_t* store;
  wasm_trap_t* trap;  /* to be returned in copies */
  int calls;
};

static wasm_trap_t* plain(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  results->data[0].of.i32 = args->data[0].of.i32 * 2; /* its kind is set already */
  return NULL;
}

static wasm_trap_t* with_env(void* data, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  struct env* env = data;
  ++env->calls;
  CHECK(args->size == 2 && results->size == 2);
  if (args->data[0].of.i32 < 0) return wasm_trap_copy(env->trap);
  results->data[0] = (wasm_val_t)WASM_I32_VAL(args->data[0].of.i32 + 1);
  results->data[1] = (wasm_val_t)WASM_F64_VAL(args->data[1].of.f64 / 2);
  return NULL;
}

static wasm_trap_t* wrong_kind(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args;
  results->data[0] = (wasm_val_t)WASM_F32_VAL(1);
  return NULL;
}

static int finalized = 0;
static void finalize(void* data) {
  (void)data;
  ++finalized;
}

static const char* const kCallbacks =
    "(module $calls"
    "  (import \"\" \"plain\" (func $plain (param i32) (result i32)))"
    "  (import \"\" \"env\" (func $env (param i32 f64) (result i32 f64)))"
    "  (func $inner (param i32) (result i32) (call $env (local.get 0) (f64.const 3)) (drop))"
    "  (func (export \"run\") (param i32) (result i32) (call $plain (call $inner (local.get 0))))"
    "  (func (export \"divide\") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))"
    "  (func $deep (export \"deep\") (param i32) (result i32)"
    "    (if (i32.eqz (local.get 0)) (then (unreachable)))"
    "    (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)))))"
    "  (func $forever (export \"overflow\") (call $forever))"
    "  (export \"plain\" (func $plain)))";

static void callbacks(wasm_store_t* store) {
  struct env env = {store, NULL, 0};
  wasm_functype_t* type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  wasm_func_t* plainFunc = wasm_func_new(store, type, plain);
  wasm_func_t* wrongFunc = wasm_func_new(store, type, wrong_kind);
  wasm_functype_delete(type);
  type = wasm_functype_new_2_2(wasm_valtype_new_i32(), wasm_valtype_new_f64(), wasm_valtype_new_i32(),
                               wasm_valtype_new_f64());
  wasm_func_t* envFunc = wasm_func_new_with_env(store, type, with_env, &env, finalize);
  wasm_functype_delete(type);

  wasm_extern_t* imported[] = {wasm_func_as_extern(plainFunc), wasm_func_as_extern(envFunc)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(imported);
  wasm_instance_t* instance = instantiate(store, kCallbacks, &imports);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  REQUIRE(exports.size == 5);
  wasm_func_t* run = wasm_extern_as_func(exports.data[0]);
  wasm_val_t in[] = {WASM_I32_VAL(20), WASM_I32_VAL(0)};
  wasm_val_t out[1] = {WASM_INIT_VAL};
  REQUIRE_NO_TRAP(call(run, in, 1, out, 1));
  CHECK(out[0].of.i32 == 42 && env.calls == 1);

  /* The host's own function, called by the host; the export is the same function. */
  wasm_func_t* exported = wasm_extern_as_func(exports.data[4]);
  CHECK(wasm_func_same(exported, plainFunc) && !wasm_func_same(exported, run));
  REQUIRE_NO_TRAP(call(plainFunc, in, 1, out, 1));
  CHECK(out[0].of.i32 == 40);
  CHECK(trap_says(call(wrongFunc, in, 1, out, 1), "expected i32, got f32"));

  /* A trap of the host's comes out as the same trap, with a trace. */
  wasm_message_t message;
  wasm_name_new_from_string_nt(&message, "the host's reason");
  env.trap = wasm_trap_new(store, &message);
  wasm_name_delete(&message);
  static int info;
  wasm_trap_set_host_info_with_finalizer(env.trap, &info, finalize);
  CHECK(wasm_trap_origin(env.trap) == NULL);
  in[0].of.i32 = -1;
  wasm_trap_t* trap = call(run, in, 1, out, 1);
  REQUIRE(trap);
  CHECK(wasm_trap_same(trap, env.trap) && wasm_trap_get_host_info(trap) == &info);
  wasm_frame_vec_t trace;
  wasm_trap_trace(trap, &trace);
  CHECK(trace.size == 2 && wasm_frame_func_index(trace.data[0]) == 2 && wasm_frame_func_index(trace.data[1]) == 3);
  wasm_frame_vec_delete(&trace);
  CHECK(trap_says(trap, "the host's reason"));
  CHECK(finalized == 0);
  wasm_trap_delete(env.trap);
  CHECK(finalized == 1);

  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_func_delete(plainFunc);
  wasm_func_delete(wrongFunc);
  wasm_func_delete(envFunc);
}

static void traps(wasm_store_t* store) {
  wasm_functype_t* type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  wasm_func_t* first = wasm_func_new(store, type, plain);
  wasm_functype_delete(type);
  type = wasm_functype_new_2_2(wasm_valtype_new_i32(), wasm_valtype_new_f64(), wasm_valtype_new_i32(),
                               wasm_valtype_new_f64());
  wasm_func_t* second = wasm_func_new_with_env(store, type, with_env, NULL, NULL);
  wasm_functype_delete(type);
  wasm_extern_t* imported[] = {wasm_func_as_extern(first), wasm_func_as_extern(second)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(imported);
  wasm_instance_t* instance = instantiate(store, kCallbacks, &imports);
  wasm_func_delete(first);
  wasm_func_delete(second);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);

  wasm_val_t in[] = {WASM_I32_VAL(1), WASM_I32_VAL(0)};
  wasm_val_t out[1] = {WASM_I32_VAL(77)};
  wasm_trap_t* trap = call(wasm_extern_as_func(exports.data[1]), in, 2, out, 1);
  wattle_error_t* error = wattle_trap_error(trap);
  CHECK(wattle_error_kind(error) == WATTLE_ERROR_TRAP &&
        wattle_error_trap_code(error) == WATTLE_TRAP_INTEGER_DIVIDE_BY_ZERO);
  wattle_error_delete(error);
  CHECK(out[0].of.i32 == 77);
  CHECK(trap_says(trap, "integer divide by zero"));

  in[0].of.i32 = 3;
  trap = call(wasm_extern_as_func(exports.data[2]), in, 1, out, 1);
  REQUIRE(trap);
  wasm_frame_t* origin = wasm_trap_origin(trap);
  wasm_frame_vec_t trace;
  wasm_trap_trace(trap, &trace);
  REQUIRE(origin && trace.size == 4);
  CHECK(wasm_frame_func_index(origin) == 5 && wasm_instance_same(wasm_frame_instance(origin), instance));
  CHECK(wasm_frame_module_offset(origin) == wasm_frame_module_offset(trace.data[0]));
  /* local declarations, local.get, i32.eqz, if with its type: then the unreachable. */
  CHECK(wasm_frame_func_offset(origin) == 6);
  size_t start = wasm_frame_module_offset(origin) - wasm_frame_func_offset(origin);
  for (size_t i = 1; i < 4; ++i) {
    CHECK(wasm_frame_func_offset(trace.data[i]) > 6);
    CHECK(wasm_frame_module_offset(trace.data[i]) - wasm_frame_func_offset(trace.data[i]) == start);
  }
  wasm_name_t name;
  wattle_frame_func_name(origin, &name);
  CHECK(name_is(&name, "deep"));
  wasm_name_delete(&name);
  wattle_frame_module_name(origin, &name);
  CHECK(name_is(&name, "calls"));
  wasm_name_delete(&name);
  wasm_frame_t* copy = wasm_frame_copy(origin);
  wasm_frame_delete(origin);
  wasm_frame_vec_t traceCopy;
  wasm_frame_vec_copy(&traceCopy, &trace);
  wasm_frame_vec_delete(&trace);
  wasm_trap_delete(trap);
  CHECK(wasm_frame_func_index(copy) == 5 && wasm_instance_same(wasm_frame_instance(copy), instance));
  CHECK(traceCopy.size == 4 && wasm_frame_func_index(traceCopy.data[3]) == 5);
  wasm_frame_delete(copy);
  wasm_frame_vec_delete(&traceCopy);

  CHECK(trap_says(call(wasm_extern_as_func(exports.data[3]), NULL, 0, NULL, 0), "call stack exhausted"));
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);

  wasm_message_t message = WASM_EMPTY_VEC;
  trap = wasm_trap_new(NULL, &message);
  wasm_trap_message(trap, &message);
  CHECK(message.size == 1 && message.data[0] == 0);
  wasm_byte_vec_delete(&message);
  CHECK(wasm_ref_as_trap(wasm_trap_as_ref(trap)) == trap);
  wasm_trap_delete(trap);
  wasm_trap_delete(NULL);
  wasm_frame_delete(NULL);
}

static void instantiation(wasm_store_t* store) {
  wasm_module_t* module = compile(store, "(module (func $bad (i32.store (i32.const -1) (i32.const 0))) (memory 1)"
                                         " (start $bad))");
  wasm_trap_t* trap = NULL;
  CHECK(wasm_instance_new(store, module, NULL, &trap) == NULL);
  wasm_frame_t* origin = trap ? wasm_trap_origin(trap) : NULL;
  CHECK(origin && wasm_frame_func_index(origin) == 0);
  wasm_frame_delete(origin);
  CHECK(trap_says(trap, "out of bounds memory access"));
  CHECK(wasm_instance_new(store, module, NULL, NULL) == NULL);
  wasm_module_delete(module);

  module = compile(store, "(module (import \"a\" \"b\" (func)) (import \"c\" \"d\" (memory 1)))");
  wasm_limits_t limits = {1, 1};
  wasm_memorytype_t* type = wasm_memorytype_new(&limits);
  wasm_memory_t* memory = wasm_memory_new(store, type);
  wasm_memorytype_delete(type);
  CHECK(wasm_instance_new(store, module, NULL, &trap) == NULL);
  CHECK(trap_says(trap, "unknown import for a.b"));
  wasm_extern_t* imported[] = {wasm_memory_as_extern(memory), NULL, NULL};
  wasm_extern_vec_t imports = {1, imported};
  CHECK(wasm_instance_new(store, module, &imports, &trap) == NULL);
  CHECK(trap_says(trap, "incompatible import type for a.b"));
  imports.size = 2;
  CHECK(wasm_instance_new(store, module, &imports, &trap) == NULL);
  CHECK(trap_says(trap, "NULL"));
  wasm_memory_delete(memory);
  wasm_module_delete(module);
}

int main(void) {
  wasm_engine_t* engine = wasm_engine_new();
  wasm_store_t* store = wasm_store_new(engine);
  numbers(store);
  callbacks(store);
  traps(store);
  instantiation(store);
  wasm_store_delete(store);
  CHECK(finalized == 2); /* the environment went with the store at the latest */
  wasm_engine_delete(engine);
  return report();
}
