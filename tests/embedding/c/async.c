/* wattle.h: calls that are suspended, completed, failed, cancelled. */
#include "check.h"

#define MOST 8

/* Completions that nobody has dealt with yet, with the arguments they came with. */
static struct waiting {
  wattle_completion_t* done;
  int32_t argument;
} waiting[MOST];
static size_t waiting_count = 0;
static int finalized = 0;

static wasm_trap_t* get(void* env, const wattle_caller_t* caller, const wasm_val_vec_t* args, wattle_completion_t* done) {
  (void)caller;
  CHECK(env == &finalized);
  CHECK(wattle_completion_is_pending(done));
  int32_t argument = args->data[0].of.i32;
  if (argument == -1) { /* at once */
    wasm_val_t result[] = {WASM_I32_VAL(1000)};
    wasm_val_vec_t results = WASM_ARRAY_VEC(result);
    REQUIRE_OK(wattle_completion_resume(done, &results));
    CHECK(!wattle_completion_is_pending(done));
    wattle_completion_delete(done);
    return NULL;
  }
  if (argument == -2) { /* never begun */
    wattle_completion_delete(done);
    wasm_message_t message;
    wasm_name_new_from_string_nt(&message, "cannot begin");
    wasm_trap_t* trap = wasm_trap_new(NULL, &message);
    wasm_byte_vec_delete(&message);
    return trap;
  }
  REQUIRE(waiting_count < MOST);
  waiting[waiting_count].done = done;
  waiting[waiting_count++].argument = argument;
  return NULL;
}

/* Answers with an object that nothing else holds. */
static wasm_trap_t* get_object(void* env, const wattle_caller_t* caller, const wasm_val_vec_t* args, wattle_completion_t* done) {
  (void)env;
  (void)caller;
  (void)args;
  waiting[waiting_count].done = done;
  waiting[waiting_count++].argument = 0;
  return NULL;
}

static void set_flag(void* env) { ++*(int*)env; }

static const char guest[] =
    "(module (import \"\" \"get\" (func $get (param i32) (result i32)))"
    " (import \"\" \"object\" (func $object (result externref)))"
    " (tag $e (export \"e\") (param i32))"
    " (func (export \"sum\") (param $n i32) (result i32) (local $total i32)"
    "  (loop $again"
    "   (local.set $total (i32.add (local.get $total) (call $get (local.get $n))))"
    "   (br_if $again (i32.gt_s (local.tee $n (i32.sub (local.get $n) (i32.const 1))) (i32.const 0))))"
    "  (local.get $total))"
    " (func (export \"catch\") (param i32) (result i32)"
    "  (block $h (result i32) (try_table (result i32) (catch $e $h) (call $get (local.get 0)))))"
    " (func (export \"two\") (param i32) (result externref i64) (call $object) (i64.const 7)))";

static wasm_functype_t* get_type(void) { return wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32()); }

static wattle_async_call_t* start(wasm_instance_t* instance, const char* name, int32_t argument) {
  wasm_extern_t* function = wattle_instance_export(instance, name);
  REQUIRE(function);
  wasm_val_t arg[] = {WASM_I32_VAL(argument)};
  wasm_val_vec_t args = WASM_ARRAY_VEC(arg);
  wattle_async_call_t* call = NULL;
  REQUIRE_OK(wattle_func_call_async(wasm_extern_as_func(function), &args, 0, &call));
  wasm_extern_delete(function);
  return call;
}

/* The one that waits longest goes on with the value. */
static wattle_error_t* answer(int32_t value) {
  REQUIRE(waiting_count > 0);
  wattle_completion_t* done = waiting[0].done;
  memmove(waiting, waiting + 1, --waiting_count * sizeof *waiting);
  wasm_val_t result[] = {WASM_I32_VAL(value)};
  wasm_val_vec_t results = WASM_ARRAY_VEC(result);
  wattle_error_t* error = wattle_completion_resume(done, &results);
  wattle_completion_delete(done);
  return error;
}

static wattle_completion_t* take_waiting(void) {
  REQUIRE(waiting_count == 1);
  return waiting[--waiting_count].done;
}

static int32_t result_of(wattle_async_call_t* call) {
  wasm_val_t result[] = {WASM_INIT_VAL};
  wasm_val_vec_t results = WASM_ARRAY_VEC(result);
  REQUIRE_NO_TRAP(wattle_async_call_take(call, &results));
  CHECK(result[0].kind == WASM_I32);
  wattle_async_call_delete(call);
  return result[0].of.i32;
}

static bool trapped(wattle_async_call_t* call, const char* text) {
  wasm_val_t result[] = {WASM_INIT_VAL};
  wasm_val_vec_t results = WASM_ARRAY_VEC(result);
  wasm_trap_t* trap = wattle_async_call_take(call, &results);
  wattle_async_call_delete(call);
  return trap_says(trap, text);
}

static bool says(wattle_error_t* error, const char* text) { return error && trap_says(wattle_error_as_trap(error), text); }

static void goes_on(wasm_instance_t* instance) {
  wattle_async_call_t* call = start(instance, "sum", 2);
  int told = 0;
  wattle_async_call_when_done(call, set_flag, &told);
  CHECK(!wattle_async_call_is_done(call) && waiting_count == 1 && waiting[0].argument == 2);
  wasm_val_t room[] = {WASM_INIT_VAL};
  wasm_val_vec_t results = WASM_ARRAY_VEC(room);
  CHECK(trap_says(wattle_async_call_take(call, &results), "not done"));
  REQUIRE_OK(answer(20));
  CHECK(!wattle_async_call_is_done(call) && told == 0 && waiting[0].argument == 1);
  REQUIRE_OK(answer(22));
  CHECK(wattle_async_call_is_done(call) && told == 1);
  CHECK(result_of(call) == 42);

  call = start(instance, "sum", -1); /* completed within the callback: never suspended */
  CHECK(wattle_async_call_is_done(call));
  wattle_async_call_when_done(call, set_flag, &told);
  CHECK(told == 2);
  CHECK(result_of(call) == 1000);

  /* Two at once, the later one first. */
  wattle_async_call_t* a = start(instance, "sum", 1);
  wattle_async_call_t* b = start(instance, "sum", 1);
  struct waiting first = waiting[0];
  waiting[0] = waiting[1];
  waiting[1] = first;
  REQUIRE_OK(answer(1));
  CHECK(wattle_async_call_is_done(b) && !wattle_async_call_is_done(a));
  REQUIRE_OK(answer(2));
  CHECK(result_of(b) == 1);
  CHECK(result_of(a) == 2);
}

static void goes_wrong(wasm_store_t* store, wasm_instance_t* instance) {
  CHECK(trapped(start(instance, "sum", -2), "cannot begin"));

  /* Values of another type: it still waits. */
  wattle_async_call_t* call = start(instance, "sum", 1);
  wattle_completion_t* done = take_waiting();
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  CHECK(says(wattle_completion_resume(done, &none), "not as many"));
  wasm_val_t wrong[] = {WASM_I64_VAL(1)};
  wasm_val_vec_t wrong_values = WASM_ARRAY_VEC(wrong);
  CHECK(says(wattle_completion_resume(done, &wrong_values), "expected i32"));
  CHECK(wattle_completion_is_pending(done));
  wasm_message_t message;
  wasm_name_new_from_string_nt(&message, "the network is down");
  REQUIRE_OK(wattle_completion_fail(done, wasm_trap_new(store, &message)));
  wasm_byte_vec_delete(&message);
  CHECK(!wattle_completion_is_pending(done));
  CHECK(says(wattle_completion_resume(done, &wrong_values), "completed already"));
  wattle_completion_delete(done);
  CHECK(trapped(call, "the network is down"));

  /* An exception is thrown in the guest. */
  call = start(instance, "catch", 1);
  done = take_waiting();
  wasm_extern_t* tag = wattle_instance_export(instance, "e");
  wasm_val_t payload[] = {WASM_I32_VAL(77)};
  wasm_val_vec_t values = WASM_ARRAY_VEC(payload);
  wattle_exception_t* exception = NULL;
  REQUIRE_OK(wattle_exception_new(store, wattle_extern_as_tag(tag), &values, &exception));
  REQUIRE_OK(wattle_completion_fail(done, wattle_exception_as_trap(exception)));
  wattle_exception_delete(exception);
  wasm_extern_delete(tag);
  wattle_completion_delete(done);
  CHECK(result_of(call) == 77);

  /* Cancelled; and deleted while it waits. */
  call = start(instance, "sum", 1);
  int told = 0;
  wattle_async_call_when_done(call, set_flag, &told);
  wattle_async_call_cancel(call);
  CHECK(wattle_async_call_is_done(call) && told == 1);
  CHECK(!wattle_completion_is_pending(waiting[0].done));
  CHECK(says(answer(1), "cancelled"));
  CHECK(trapped(call, "cancelled"));
  call = start(instance, "sum", 1);
  wattle_async_call_when_done(call, set_flag, &told);
  wattle_async_call_delete(call);
  CHECK(told == 1);
  CHECK(says(answer(1), "cancelled"));

  /* Where it cannot be suspended it traps. */
  wasm_extern_t* function = wattle_instance_export(instance, "sum");
  wasm_val_t arg[] = {WASM_I32_VAL(1)}, result[] = {WASM_INIT_VAL};
  wasm_val_vec_t args = WASM_ARRAY_VEC(arg), results = WASM_ARRAY_VEC(result);
  CHECK(trap_says(wasm_func_call(wasm_extern_as_func(function), &args, &results), "outside"));
  CHECK(says(wattle_func_call_async(wasm_extern_as_func(function), &none, 0, &call), "not as many"));
  wasm_extern_delete(function);
}

/* References among results outlive whatever is collected. */
static void references(wasm_store_t* store, wasm_instance_t* instance) {
  wattle_async_call_t* call = start(instance, "two", 0);
  wattle_completion_t* done = take_waiting();
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  wasm_val_t object[] = {WASM_REF_VAL(wasm_foreign_as_ref(foreign))};
  wasm_val_vec_t values = WASM_ARRAY_VEC(object);
  REQUIRE_OK(wattle_completion_resume(done, &values));
  wattle_completion_delete(done);
  wattle_store_collect(store);
  wasm_val_t room[] = {WASM_INIT_VAL, WASM_INIT_VAL};
  wasm_val_vec_t results = WASM_ARRAY_VEC(room);
  REQUIRE_NO_TRAP(wattle_async_call_take(call, &results));
  CHECK(room[1].of.i64 == 7);
  CHECK(wasm_ref_same(room[0].of.ref, wasm_foreign_as_ref(foreign)));
  CHECK(trap_says(wattle_async_call_take(call, &results), "taken"));
  wasm_val_delete(&room[0]);
  wasm_foreign_delete(foreign);
  wattle_async_call_delete(call);

  /* Results without room are dropped, as wasm_func_call does. */
  call = start(instance, "sum", -1);
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  REQUIRE_NO_TRAP(wattle_async_call_take(call, &none));
  wattle_async_call_delete(call);

  /* Results that nobody takes go with the call. */
  call = start(instance, "two", 0);
  done = take_waiting();
  foreign = wasm_foreign_new(store);
  int gone = 0;
  wasm_foreign_set_host_info_with_finalizer(foreign, &gone, set_flag);
  object[0].of.ref = wasm_foreign_as_ref(foreign);
  REQUIRE_OK(wattle_completion_resume(done, &values));
  wattle_completion_delete(done);
  wasm_foreign_delete(foreign);
  wattle_store_collect(store);
  CHECK(gone == 0);
  wattle_async_call_delete(call);
  wattle_store_collect(store);
  CHECK(gone == 1);
}

int main(void) {
  wasm_engine_t* engine = wasm_engine_new();
  wasm_store_t* store = wasm_store_new(engine);
  wasm_functype_t* type = get_type();
  wasm_func_t* function = wattle_func_new_async(store, type, get, &finalized, set_flag);
  wasm_functype_delete(type);
  type = wasm_functype_new_0_1(wasm_valtype_new_externref());
  wasm_func_t* object = wattle_func_new_async(store, type, get_object, NULL, NULL);
  wasm_functype_delete(type);
  REQUIRE(function && object);
  wasm_extern_t* import[] = {wasm_func_as_extern(function), wasm_func_as_extern(object)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(import);
  wasm_instance_t* instance = instantiate(store, guest, &imports);
  wasm_func_delete(function);
  wasm_func_delete(object);

  goes_on(instance);
  goes_wrong(store, instance);
  references(store, instance);

  /* The store goes while a guest waits. */
  wattle_async_call_t* left = start(instance, "sum", 1);
  wasm_instance_delete(instance);
  CHECK(finalized == 0);
  wasm_store_delete(store);
  CHECK(finalized == 1);
  CHECK(wattle_async_call_is_done(left));
  CHECK(says(answer(1), "cancelled"));
  CHECK(trapped(left, "cancelled"));
  wasm_engine_delete(engine);
  CHECK(waiting_count == 0);
  return report();
}
