/* wattle.h: linking by name, callers, WASI. */
#define _POSIX_C_SOURCE 200809L
#include <unistd.h>

#include "check.h"

static int finalized = 0;
static void finalize(void* env) { ++*(int*)env; }

static wasm_trap_t* log_text(void* env, const wattle_caller_t* caller, const wasm_val_vec_t* args,
                             wasm_val_vec_t* results) {
  (void)results;
  (void)env;
  wasm_memory_t* memory = wattle_caller_memory(caller);
  wasm_extern_t* base = wattle_caller_export(caller, "base");
  CHECK(wattle_caller_export(caller, "nothing") == NULL);
  REQUIRE(memory && base && wasm_extern_as_global(base));
  wasm_val_t offset;
  wasm_global_get(wasm_extern_as_global(base), &offset);
  const char* at = wasm_memory_data(memory) + offset.of.i32 + args->data[0].of.i32;
  CHECK(memcmp(at, "hello", 5) == 0);
  wasm_memory_delete(memory);
  wasm_extern_delete(base);
  return NULL;
}

static wasm_trap_t* without_caller(void* env, const wattle_caller_t* caller, const wasm_val_vec_t* args,
                                   wasm_val_vec_t* results) {
  (void)env;
  (void)args;
  (void)results;
  CHECK(wattle_caller_memory(caller) == NULL && wattle_caller_export(caller, "x") == NULL);
  return wattle_trap_new_exit(3);
}

static void names(wasm_engine_t* engine) {
  wattle_linker_t* linker = wattle_linker_new(engine);
  wasm_functype_t* type = wasm_functype_new_1_0(wasm_valtype_new_i32());
  wattle_linker_define_func(linker, "host", "log", type, log_text, &finalized, finalize);
  wasm_functype_delete(type);
  for (int round = 0; round < 2; ++round) {
    wasm_store_t* store = wasm_store_new(engine);
    wasm_instance_t* library = instantiate(store,
        "(module (func (export \"five\") (result i32) (i32.const 5)) (global (export \"zero\") i32 (i32.const 0)))", NULL);
    wattle_linker_define_instance(linker, "library", library);
    wasm_val_t initial = WASM_I32_VAL(8);
    wasm_globaltype_t* globaltype = wasm_globaltype_new(wasm_valtype_new_i32(), WASM_CONST);
    wasm_global_t* base = wasm_global_new(store, globaltype, &initial);
    wasm_globaltype_delete(globaltype);
    wattle_linker_define(linker, "host", "base", wasm_global_as_extern(base));
    wasm_module_t* module = compile(store,
        "(module (import \"host\" \"log\" (func $log (param i32))) (import \"library\" \"five\" (func $five (result i32)))"
        " (import \"host\" \"base\" (global $base i32)) (export \"base\" (global $base))"
        " (memory (export \"memory\") 1) (data (i32.const 13) \"hello\")"
        " (func (export \"run\") (call $log (call $five))))");
    wasm_instance_t* instance = NULL;
    REQUIRE_OK(wattle_linker_instantiate(linker, store, module, &instance));
    wasm_extern_t* run = wattle_instance_export(instance, "run");
    REQUIRE_NO_TRAP(wasm_func_call(wasm_extern_as_func(run), NULL, NULL));
    wasm_extern_delete(run);
    wasm_extern_t* five = wattle_linker_get(linker, store, "library", "five");
    wasm_extern_t* exported = wattle_instance_export(library, "five");
    CHECK(wasm_extern_same(five, exported));
    CHECK(wattle_linker_get(linker, store, "library", "six") == NULL);
    wasm_extern_delete(five);
    wasm_extern_delete(exported);
    wasm_module_t* back = wattle_instance_module(instance);
    wasm_exporttype_vec_t exports;
    wasm_module_exports(back, &exports);
    CHECK(exports.size == 3);
    wasm_exporttype_vec_delete(&exports);
    wasm_module_delete(back);
    wasm_module_delete(module);

    module = compile(store, "(module (import \"host\" \"log\" (func)) (import \"x\" \"y\" (memory 1)))");
    wasm_instance_t* none = NULL;
    wattle_error_t* error = wattle_linker_instantiate(linker, store, module, &none);
    REQUIRE(error && none == NULL);
    CHECK(wattle_error_kind(error) == WATTLE_ERROR_LINK);
    wasm_message_t message;
    wattle_error_message(error, &message);
    CHECK(strstr(message.data, "host.log") && strstr(message.data, "x.y"));
    wasm_byte_vec_delete(&message);
    wattle_error_delete(error);
    wasm_module_delete(module);
    wasm_global_delete(base);
    wasm_instance_delete(instance);
    wasm_instance_delete(library);
    wasm_store_delete(store);
    CHECK(finalized == 0);
  }
  wattle_linker_delete(linker);
  CHECK(finalized == 1);

  wasm_store_t* store = wasm_store_new(engine);
  type = wasm_functype_new_0_0();
  wasm_func_t* func = wattle_func_new(store, type, without_caller, &finalized, finalize);
  wasm_functype_delete(type);
  wasm_trap_t* trap = wasm_func_call(func, NULL, NULL);
  wattle_error_t* error = wattle_trap_error(trap);
  wasm_trap_delete(trap);
  int status = 0;
  CHECK(wattle_error_exit_status(error, &status) && status == 3);
  trap = wattle_error_as_trap(error);
  error = wattle_trap_error(trap);
  CHECK(wattle_error_kind(error) == WATTLE_ERROR_EXIT);
  wattle_error_delete(error);
  wasm_trap_delete(trap);
  wasm_func_delete(func);
  wasm_store_delete(store);
  CHECK(finalized == 2);
}

/* Writes its second argument, its environment and its input to standard output, "err" to standard error, looks at its
 * first directory, and exits with the number of its arguments. */
static const char* const kProgram =
    "(module"
    " (import \"wasi_snapshot_preview1\" \"args_sizes_get\" (func $args_sizes (param i32 i32) (result i32)))"
    " (import \"wasi_snapshot_preview1\" \"args_get\" (func $args (param i32 i32) (result i32)))"
    " (import \"wasi_snapshot_preview1\" \"environ_get\" (func $environ (param i32 i32) (result i32)))"
    " (import \"wasi_snapshot_preview1\" \"fd_read\" (func $read (param i32 i32 i32 i32) (result i32)))"
    " (import \"wasi_snapshot_preview1\" \"fd_write\" (func $write (param i32 i32 i32 i32) (result i32)))"
    " (import \"wasi_snapshot_preview1\" \"fd_prestat_dir_name\" (func $prestat (param i32 i32 i32) (result i32)))"
    " (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))"
    " (memory (export \"memory\") 1)"
    " (func $put (param $fd i32) (param $at i32) (param $size i32)"
    "  (i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $size))"
    "  (if (call $write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)) (then (unreachable))))"
    " (data (i32.const 3000) \"err\")"
    " (func (export \"_start\")"
    "  (if (call $args_sizes (i32.const 16) (i32.const 20)) (then (unreachable)))"
    "  (if (call $args (i32.const 100) (i32.const 200)) (then (unreachable)))"
    "  (call $put (i32.const 1) (i32.load (i32.const 104)) (i32.const 5))"
    "  (if (call $environ (i32.const 100) (i32.const 1000)) (then (unreachable)))"
    "  (call $put (i32.const 1) (i32.load (i32.const 100)) (i32.const 8))"
    "  (i32.store (i32.const 0) (i32.const 2000)) (i32.store (i32.const 4) (i32.const 100))"
    "  (if (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)) (then (unreachable)))"
    "  (call $put (i32.const 1) (i32.const 2000) (i32.load (i32.const 8)))"
    "  (call $put (i32.const 2) (i32.const 3000) (i32.const 3))"
    "  (if (call $prestat (i32.const 3) (i32.const 4000) (i32.const 5)) (then (unreachable)))"
    "  (call $put (i32.const 1) (i32.const 4000) (i32.const 5))"
    "  (call $exit (i32.load (i32.const 16)))))";

static bool sink(void* env, const uint8_t* bytes, size_t size) {
  char* text = env;
  strncat(text, (const char*)bytes, size);
  return true;
}

static void clear(void* env) { *(char*)env = 0; }

static void run_program(wasm_engine_t* engine, wattle_wasi_t* wasi, int status) {
  wasm_store_t* store = wasm_store_new(engine);
  wattle_linker_t* linker = wattle_linker_new(engine);
  REQUIRE_OK(wattle_linker_define_wasi(linker, wasi));
  wasm_module_t* module = compile(store, kProgram);
  wasm_instance_t* instance = NULL;
  REQUIRE_OK(wattle_linker_instantiate(linker, store, module, &instance));
  wasm_extern_t* start = wattle_instance_export(instance, "_start");
  wasm_trap_t* trap = wasm_func_call(wasm_extern_as_func(start), NULL, NULL);
  REQUIRE(trap);
  wattle_error_t* error = wattle_trap_error(trap);
  int found = -1;
  CHECK(wattle_error_exit_status(error, &found) && found == status);
  if (found != status) CHECK(trap_says(wasm_trap_copy(trap), "?"));
  wattle_error_delete(error);
  wasm_trap_delete(trap);
  wasm_extern_delete(start);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wattle_linker_delete(linker);
  wasm_store_delete(store);
}

static void wasi(wasm_engine_t* engine) {
  wattle_wasi_config_t* config = wattle_wasi_config_new();
  wattle_wasi_config_arg(config, "program");
  wattle_wasi_config_arg(config, "hello");
  wattle_wasi_config_env(config, "NAME", "old");
  wattle_wasi_config_env(config, "NAME", "new");
  wasm_byte_vec_t input;
  wasm_name_new_from_string(&input, "input");
  wattle_wasi_config_stdin_bytes(config, &input);
  wasm_byte_vec_delete(&input);
  wattle_wasi_config_capture_stdout(config);
  wattle_wasi_config_capture_stderr(config);
  wattle_error_t* error = wattle_wasi_config_preopen_dir(config, "/nowhere/at/all", "/none", true);
  CHECK(error && wattle_error_kind(error) == WATTLE_ERROR_IO);
  wattle_error_delete(error);
  REQUIRE_OK(wattle_wasi_config_preopen_dir(config, "/tmp", "/data", true));
  for (int round = 0; round < 2; ++round) { /* one configuration, two guests */
    wattle_wasi_t* wasi = NULL;
    REQUIRE_OK(wattle_wasi_new(config, &wasi));
    run_program(engine, wasi, 2);
    wasm_byte_vec_t out;
    wattle_wasi_take_stdout(wasi, &out);
    CHECK(name_is(&out, "helloNAME=newinput/data"));
    wasm_byte_vec_delete(&out);
    wattle_wasi_take_stdout(wasi, &out);
    CHECK(out.size == 0);
    wattle_wasi_take_stderr(wasi, &out);
    CHECK(name_is(&out, "err"));
    wasm_byte_vec_delete(&out);
    wattle_wasi_delete(wasi);
  }
  static char text[100];
  wattle_wasi_config_stdout_to(config, sink, text, clear);
  wattle_wasi_t* wasi = NULL;
  REQUIRE_OK(wattle_wasi_new(config, &wasi));
  wattle_wasi_config_delete(config);
  run_program(engine, wasi, 2);
  CHECK(strcmp(text, "helloNAME=newinput/data") == 0);
  wasm_byte_vec_t nothing;
  wattle_wasi_take_stdout(wasi, &nothing); /* not captured any more */
  CHECK(nothing.size == 0);
  wattle_wasi_cancel(wasi);
  wattle_wasi_clear_cancel(wasi);
  wattle_wasi_delete(wasi);
  CHECK(text[0] == 0);
}

static uint64_t real_time(void* env) { return *(uint64_t*)env; }
static uint64_t monotonic_time(void* env) { return *(uint64_t*)env + 1; }
static void count_up(void* env, uint8_t* bytes, size_t size) {
  (void)env;
  for (size_t i = 0; i < size; ++i) bytes[i] = (uint8_t)(i + 1);
}

static wasm_val_t call0(const wasm_instance_t* instance, const char* name) {
  wasm_extern_t* export = wattle_instance_export(instance, name);
  wasm_val_t out[1] = {WASM_INIT_VAL};
  wasm_val_vec_t args = WASM_EMPTY_VEC, results = WASM_ARRAY_VEC(out);
  REQUIRE_NO_TRAP(wasm_func_call(wasm_extern_as_func(export), &args, &results));
  wasm_extern_delete(export);
  return out[0];
}

/* A guest whose world is of the host's making. */
static void reproducible(wasm_engine_t* engine) {
  static uint64_t now = 123456789;
  wattle_wasi_config_t* config = wattle_wasi_config_new();
  wattle_wasi_config_clocks(config, real_time, monotonic_time, &now);
  wattle_wasi_config_random(config, count_up, NULL);
  wattle_wasi_config_max_open_files(config, 8);
  uint16_t port = 0;
  REQUIRE_OK(wattle_wasi_config_listen_tcp(config, "127.0.0.1", 0, &port));
  CHECK(port != 0);
  wattle_error_t* error = wattle_wasi_config_listen_tcp(config, "127.0.0.1", port, NULL);
  CHECK(error != NULL); /* taken */
  wattle_error_delete(error);
  wattle_wasi_t* wasi = NULL;
  REQUIRE_OK(wattle_wasi_new(config, &wasi));
  wattle_wasi_config_delete(config);
  wasm_store_t* store = wasm_store_new(engine);
  wattle_linker_t* linker = wattle_linker_new(engine);
  REQUIRE_OK(wattle_linker_define_wasi(linker, wasi));
  wattle_wasi_delete(wasi); /* the linker keeps it */
  wasm_module_t* module = compile(store,
      "(module (import \"wasi_snapshot_preview1\" \"clock_time_get\" (func $clock (param i32 i64 i32) (result i32)))"
      " (import \"wasi_snapshot_preview1\" \"random_get\" (func $random (param i32 i32) (result i32)))"
      " (memory (export \"memory\") 1)"
      " (func (export \"real\") (result i64) (drop (call $clock (i32.const 0) (i64.const 0) (i32.const 0)))"
      "  (i64.load (i32.const 0)))"
      " (func (export \"mono\") (result i64) (drop (call $clock (i32.const 1) (i64.const 0) (i32.const 0)))"
      "  (i64.load (i32.const 0)))"
      " (func (export \"random\") (result i64) (drop (call $random (i32.const 0) (i32.const 4)))"
      "  (i64.load32_u (i32.const 0))))");
  wasm_instance_t* instance = NULL;
  REQUIRE_OK(wattle_linker_instantiate(linker, store, module, &instance));
  CHECK(call0(instance, "real").of.i64 == 123456789);
  CHECK(call0(instance, "mono").of.i64 == 123456790);
  CHECK(call0(instance, "random").of.i64 == 0x04030201);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wattle_linker_delete(linker);
  wasm_store_delete(store);
}

int main(void) {
  wasm_engine_t* engine = wasm_engine_new();
  names(engine);
  wasi(engine);
  reproducible(engine);
  wasm_engine_delete(engine);
  return report();
}
