/* wattle.h: configuration, limits, fuel, interruption. */
#define _XOPEN_SOURCE 700
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "check.h"

static bool error_is(wattle_error_t* error, wattle_errorkind_t kind, const char* text) {
  if (!error) return false;
  wasm_message_t message;
  wattle_error_message(error, &message);
  bool good = wattle_error_kind(error) == kind && strstr(message.data, text) != NULL;
  if (!good) fprintf(stderr, "error of kind %d: %s\n", wattle_error_kind(error), message.data);
  wasm_byte_vec_delete(&message);
  wattle_error_delete(error);
  return good;
}

/* The code of the trap, which is deleted. */
static wattle_trapcode_t code_of(wasm_trap_t* trap) {
  if (!trap) return WATTLE_TRAP_NONE;
  wattle_error_t* error = wattle_trap_error(trap);
  wattle_trapcode_t code = wattle_error_trap_code(error);
  wattle_error_delete(error);
  wasm_trap_delete(trap);
  return code;
}

static wasm_trap_t* run(const wasm_instance_t* instance, const char* name) {
  wasm_extern_t* export = wattle_instance_export(instance, name);
  REQUIRE(export);
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  wasm_trap_t* trap = wasm_func_call(wasm_extern_as_func(export), &none, &none);
  wasm_extern_delete(export);
  return trap;
}

static const char* const kLoops =
    "(module (func (export \"forever\") (loop $l (br $l))) (func (export \"short\"))"
    " (func $deep (export \"deep\") (call $deep)))";

static void fuel(void) {
  wasm_config_t* config = wasm_config_new();
  wattle_config_set_fuel(config, true);
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  wasm_store_t* store = wasm_store_new(engine);
  wasm_instance_t* instance = instantiate(store, kLoops, NULL);
  uint64_t left = 1;
  REQUIRE_OK(wattle_store_fuel(store, &left));
  CHECK(left == 0);
  REQUIRE_OK(wattle_store_add_fuel(store, 10000));
  CHECK(run(instance, "short") == NULL);
  REQUIRE_OK(wattle_store_fuel(store, &left));
  CHECK(left <= 10000 && left > 9000);
  REQUIRE_OK(wattle_store_consume_fuel(store, left - 100));
  CHECK(error_is(wattle_store_consume_fuel(store, 101), WATTLE_ERROR_TRAP, "fuel"));
  CHECK(code_of(run(instance, "forever")) == WATTLE_TRAP_OUT_OF_FUEL);
  CHECK(code_of(run(instance, "forever")) == WATTLE_TRAP_OUT_OF_FUEL);
  REQUIRE_OK(wattle_store_add_fuel(store, 1000));
  CHECK(run(instance, "short") == NULL);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

static void keep_bytes(void) {
  for (int keep = 0; keep < 2; ++keep) {
    wasm_config_t* config = wasm_config_new();
    wattle_config_set_keep_bytes(config, keep);
    wasm_engine_t* engine = wasm_engine_new_with_config(config);
    wasm_store_t* store = wasm_store_new(engine);
    wasm_module_t* module = compile(store, kLoops);
    wasm_byte_vec_t image;
    wasm_module_serialize(module, &image);
    CHECK((image.size != 0) == keep);
    wasm_byte_vec_delete(&image);
    wasm_instance_t* instance = instantiate(store, kLoops, NULL);
    wasm_trap_t* trap = run(instance, "deep");
    REQUIRE(trap);
    wasm_frame_t* frame = wasm_trap_origin(trap);
    REQUIRE(frame);
    CHECK((wasm_frame_module_offset(frame) != 0) == keep);
    wasm_frame_delete(frame);
    wasm_trap_delete(trap);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
  }
}

struct interrupter {
  wattle_interrupt_t* handle;
};

static void* interrupt_soon(void* data) {
  struct timespec wait = {0, 20 * 1000 * 1000};
  nanosleep(&wait, NULL);
  wattle_interrupt(((struct interrupter*)data)->handle);
  return NULL;
}

static void interruption(wasm_engine_t* engine) {
  wasm_store_t* store = wasm_store_new(engine);
  wasm_instance_t* instance = instantiate(store, kLoops, NULL);
  struct interrupter data = {wattle_store_interrupt(store)};
  pthread_t thread;
  REQUIRE(pthread_create(&thread, NULL, interrupt_soon, &data) == 0);
  CHECK(code_of(run(instance, "forever")) == WATTLE_TRAP_INTERRUPTED);
  pthread_join(thread, NULL);
  CHECK(code_of(run(instance, "forever")) == WATTLE_TRAP_INTERRUPTED);
  wattle_store_clear_interrupt(store);
  CHECK(run(instance, "short") == NULL);

  REQUIRE_OK(wattle_store_set_deadline(store, 10 * 1000 * 1000));
  CHECK(code_of(run(instance, "forever")) == WATTLE_TRAP_INTERRUPTED);
  wattle_store_clear_interrupt(store);
  REQUIRE_OK(wattle_store_set_deadline(store, 3600ull * 1000 * 1000 * 1000));
  REQUIRE_OK(wattle_store_set_deadline(store, 0));
  CHECK(run(instance, "short") == NULL);
  uint64_t left;
  CHECK(error_is(wattle_store_fuel(store, &left), WATTLE_ERROR_ARGUMENT, "fuel"));
  CHECK(error_is(wattle_store_add_fuel(store, 1), WATTLE_ERROR_ARGUMENT, "fuel"));
  wasm_instance_delete(instance);
  wasm_store_delete(store);
  wattle_interrupt(data.handle); /* outlives the store */
  wattle_interrupt_delete(data.handle);
}

static void limits(wasm_engine_t* engine) {
  wattle_limits_t* most = wattle_limits_new();
  wattle_limits_set_memory_bytes(most, 2 * MEMORY_PAGE_SIZE);
  wattle_limits_set_table_elements(most, 10);
  wattle_limits_set_instances(most, 2);
  wattle_limits_set_gc_heap_bytes(most, 1 << 20);
  wasm_store_t* store = wattle_store_new(engine, most);
  wattle_limits_delete(most);
  wasm_trap_t* trap = NULL;
  wasm_module_t* large = compile(store, "(module (memory 3))");
  CHECK(wasm_instance_new(store, large, NULL, &trap) == NULL);
  wattle_error_t* error = wattle_trap_error(trap);
  wasm_trap_delete(trap);
  CHECK(error_is(error, WATTLE_ERROR_RESOURCE, "limit"));
  wasm_module_delete(large);

  wasm_instance_t* instance = instantiate(store,
      "(module (memory (export \"m\") 1) (table (export \"t\") 1 funcref)"
      " (func (export \"grow\") (if (i32.eq (memory.grow (i32.const 2)) (i32.const -1)) (then (unreachable))))"
      " (type $a (array (mut i64)))"
      " (func (export \"gc\") (local (ref null $a))"
      "  (local.set 0 (array.new $a (i64.const 1) (i32.const 1000000)))))", NULL);
  wasm_extern_t* memory = wattle_instance_export(instance, "m");
  wasm_extern_t* table = wattle_instance_export(instance, "t");
  CHECK(wattle_instance_export(instance, "nothing") == NULL);
  CHECK(wasm_memory_grow(wasm_extern_as_memory(memory), 1) && !wasm_memory_grow(wasm_extern_as_memory(memory), 1));
  CHECK(wasm_table_grow(wasm_extern_as_table(table), 9, NULL) && !wasm_table_grow(wasm_extern_as_table(table), 1, NULL));
  CHECK(code_of(run(instance, "grow")) == WATTLE_TRAP_UNREACHABLE);
  CHECK(code_of(run(instance, "gc")) == WATTLE_TRAP_ALLOCATION_FAILED || code_of(run(instance, "gc")) == WATTLE_TRAP_OUT_OF_MEMORY);
  wasm_extern_delete(memory);
  wasm_extern_delete(table);

  wasm_instance_t* second = instantiate(store, "(module)", NULL);
  wasm_module_t* module = compile(store, "(module)");
  CHECK(wasm_instance_new(store, module, NULL, NULL) == NULL);
  wasm_instance_delete(second);
  wattle_store_collect(store);
  size_t before = wattle_store_object_count(store);
  second = wasm_instance_new(store, module, NULL, NULL);
  CHECK(second != NULL && wattle_store_object_count(store) == before + 1);
  wasm_instance_delete(second);
  wasm_module_delete(module);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
}

/* A store with one limit. */
static wasm_store_t* store_with(wasm_engine_t* engine, void (*set)(wattle_limits_t*, uint64_t), uint64_t most) {
  wattle_limits_t* limits = wattle_limits_new();
  set(limits, most);
  wasm_store_t* store = wattle_store_new(engine, limits);
  wattle_limits_delete(limits);
  return store;
}

/* Can the module be instantiated, and if not, does the error say so? */
static bool fits(wasm_store_t* store, const char* text) {
  wasm_module_t* module = compile(store, text);
  wasm_trap_t* trap = NULL;
  wasm_instance_t* instance = wasm_instance_new(store, module, NULL, &trap);
  wasm_module_delete(module);
  wasm_instance_delete(instance);
  if (instance) return true;
  CHECK(error_is(wattle_trap_error(trap), WATTLE_ERROR_RESOURCE, "limit"));
  wasm_trap_delete(trap);
  return false;
}

static void limits_of_all(wasm_engine_t* engine) {
  wasm_store_t* store = store_with(engine, wattle_limits_set_total_memory_bytes, 5 * MEMORY_PAGE_SIZE);
  CHECK(fits(store, "(module (memory 2) (memory 3))"));
  CHECK(!fits(store, "(module (memory 3) (memory 3))"));
  wasm_store_delete(store);

  store = store_with(engine, wattle_limits_set_memories, 2);
  CHECK(fits(store, "(module (memory 0) (memory 0))"));
  CHECK(!fits(store, "(module (memory 0) (memory 0) (memory 0))"));
  wasm_store_delete(store);

  store = store_with(engine, wattle_limits_set_tables, 1);
  CHECK(fits(store, "(module (table 0 funcref))"));
  CHECK(!fits(store, "(module (table 0 funcref) (table 0 funcref))"));
  wasm_store_delete(store);

  /* Half the engine's stack is enough for half as deep a recursion. */
  const char* text = "(module (func $down (export \"down\") (param i32) (if (local.get 0)"
                     " (then (call $down (i32.sub (local.get 0) (i32.const 1)))))))";
  int32_t reached[2];
  for (int small = 0; small < 2; ++small) {
    wattle_limits_t* limits = wattle_limits_new();
    if (small) wattle_limits_set_stack_bytes(limits, 512 << 10);
    store = wattle_store_new(engine, limits);
    wattle_limits_delete(limits);
    wasm_instance_t* instance = instantiate(store, text, NULL);
    wasm_extern_t* down = wattle_instance_export(instance, "down");
    int32_t low = 0, high = 1 << 20;
    while (low < high) {
      int32_t depth = low + (high - low + 1) / 2;
      wasm_val_t arg[] = {WASM_I32_VAL(depth)};
      wasm_val_vec_t args = WASM_ARRAY_VEC(arg), none = WASM_EMPTY_VEC;
      wattle_trapcode_t code = code_of(wasm_func_call(wasm_extern_as_func(down), &args, &none));
      CHECK(code == WATTLE_TRAP_NONE || code == WATTLE_TRAP_STACK_OVERFLOW);
      if (code == WATTLE_TRAP_NONE) low = depth;
      else high = depth - 1;
    }
    reached[small] = low;
    wasm_extern_delete(down);
    wasm_instance_delete(instance);
    wasm_store_delete(store);
  }
  CHECK(reached[1] > reached[0] / 3 && reached[1] < reached[0] * 2 / 3);
}

static void loop_checks(void) {
  for (int check = WATTLE_LOOP_CHECK_SEGMENT; check <= WATTLE_LOOP_CHECK_COMPARE; ++check) {
    wasm_config_t* config = wasm_config_new();
    wattle_config_set_loop_check(config, (wattle_loop_check_t)check);
    wasm_engine_t* engine = wasm_engine_new_with_config(config);
    interruption(engine);
    wasm_engine_delete(engine);
  }
}

static void configuration(void) {
  wasm_config_t* config = wasm_config_new();
  wattle_config_set_lazy(config, true);
  wattle_config_set_bounds(config, WATTLE_BOUNDS_CHECKED);
  wattle_config_set_compile_threads(config, 1);
  wattle_config_set_max_stack(config, 64 << 10);
  wattle_config_set_signal_handlers(config, true);
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  wasm_store_t* store = wasm_store_new(engine);
  wasm_engine_delete(engine); /* the store keeps it */
  wasm_instance_t* instance = instantiate(store, kLoops, NULL);
  CHECK(code_of(run(instance, "deep")) == WATTLE_TRAP_STACK_OVERFLOW);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
  CHECK(wattle_version()[0] >= '0' && wattle_version()[0] <= '9');
}

static uint64_t stat_of(const wasm_engine_t* engine, wattle_stat_t which) {
  wattle_stats_t* stats = wattle_engine_stats(engine);
  uint64_t value = wattle_stats_get(stats, which);
  wattle_stats_delete(stats);
  return value;
}

static void statistics(wasm_engine_t* engine) {
  wasm_store_t* store = wasm_store_new(engine);
  uint64_t live = stat_of(engine, WATTLE_STAT_MODULES_LIVE), created = stat_of(engine, WATTLE_STAT_MODULES_CREATED);
  uint64_t used = stat_of(engine, WATTLE_STAT_CODE_USED), sharedBefore = stat_of(engine, WATTLE_STAT_MODULES_SHARED);
  static const char* const kText = "(module (memory 1) (func (export \"statistics\")))";
  wasm_module_t* module = compile(store, kText);
  wasm_module_t* again = compile(store, kText);
  wasm_instance_t* instance = wasm_instance_new(store, module, NULL, NULL);
  CHECK(stat_of(engine, WATTLE_STAT_MODULES_LIVE) == live + 1);
  CHECK(stat_of(engine, WATTLE_STAT_MODULES_CREATED) == created + 1);
  CHECK(stat_of(engine, WATTLE_STAT_MODULES_SHARED) == sharedBefore + 1);
  CHECK(stat_of(engine, WATTLE_STAT_CODE_USED) > used);
  CHECK(stat_of(engine, WATTLE_STAT_MEMORIES_GUARDED) + stat_of(engine, WATTLE_STAT_MEMORIES_PACKED) >= 1);
  CHECK(stat_of(engine, WATTLE_STAT_DISK_CACHE_HITS) == 0);
  wattle_stats_t* stats = wattle_engine_stats(engine);
  wasm_name_t json;
  wattle_stats_json(stats, &json);
  CHECK(json.size > 2 && json.data[0] == '{' && json.data[json.size - 1] == '}');
  wasm_name_delete(&json);
  wattle_stats_delete(stats);

  uint64_t limit = stat_of(engine, WATTLE_STAT_CODE_LIMIT);
  wattle_set_code_cache_limit(1);
  CHECK(stat_of(engine, WATTLE_STAT_CODE_LIMIT) == 1);
  wasm_module_t* none = NULL;
  static const char kOther[] = "(module (func (export \"other\") (result i32) (i32.const 3)))";
  CHECK(error_is(wattle_module_new_text(store, kOther, sizeof kOther - 1, &none), WATTLE_ERROR_RESOURCE, "code cache"));
  wattle_set_code_cache_limit(limit);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_module_delete(again);
  wasm_store_delete(store);
  CHECK(stat_of(engine, WATTLE_STAT_MODULES_LIVE) == live);
}

static int handled = 0;
static void on_signal(int signal, siginfo_t* info, void* context) {
  if (!wattle_handle_signal(signal, info, context)) abort();
  ++handled;
}

/* The host has the signal handlers. */
static void ownHandlers(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
  REQUIRE(sigaction(SIGSEGV, &action, NULL) == 0);
  wasm_config_t* config = wasm_config_new();
  wattle_config_set_signal_handlers(config, false);
  wattle_config_set_bounds(config, WATTLE_BOUNDS_GUARDED);
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  wasm_store_t* store = wasm_store_new(engine);
  wasm_instance_t* instance =
      instantiate(store, "(module (memory 1) (func (export \"f\") (drop (i32.load (i32.const 0x10000)))))", NULL);
  CHECK(code_of(run(instance, "f")) == WATTLE_TRAP_MEMORY_OUT_OF_BOUNDS && handled == 1);
  wasm_instance_delete(instance);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

int main(void) {
  ownHandlers(); /* before an engine installs some */
  signal(SIGSEGV, SIG_DFL);
  fuel();
  keep_bytes();
  wasm_engine_t* engine = wasm_engine_new();
  interruption(engine);
  loop_checks();
  limits(engine);
  limits_of_all(engine);
  statistics(engine);
  wasm_engine_delete(engine);
  configuration();
  return report();
}
