/* Globals, tables, memories, foreign objects, references, host info. */
#include "check.h"

static wasm_trap_t* call(const wasm_func_t* func, wasm_val_t* in, size_t n, wasm_val_t* out, size_t m) {
  wasm_val_vec_t args = {n, in}, results = {m, out};
  return wasm_func_call(func, &args, &results);
}

static wasm_trap_t* nothing(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args;
  (void)results;
  return NULL;
}

static wasm_func_t* host_func(wasm_store_t* store) {
  wasm_functype_t* type = wasm_functype_new_0_0();
  wasm_func_t* func = wasm_func_new(store, type, nothing);
  wasm_functype_delete(type);
  return func;
}

static wasm_global_t* new_global(wasm_store_t* store, wasm_valkind_t kind, wasm_mutability_t mutability, wasm_val_t value) {
  wasm_globaltype_t* type = wasm_globaltype_new(wasm_valtype_new(kind), mutability);
  wasm_global_t* global = wasm_global_new(store, type, &value);
  wasm_globaltype_delete(type);
  return global;
}

static void globals(wasm_store_t* store) {
  wasm_global_t* constant = new_global(store, WASM_F32, WASM_CONST, (wasm_val_t)WASM_F32_VAL(1.25f));
  wasm_global_t* variable = new_global(store, WASM_I64, WASM_VAR, (wasm_val_t)WASM_I64_VAL(5));
  REQUIRE(constant && variable);
  CHECK(new_global(store, WASM_I64, WASM_VAR, (wasm_val_t)WASM_I32_VAL(5)) == NULL);
  wasm_extern_t* imported[] = {wasm_global_as_extern(constant), wasm_global_as_extern(variable)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(imported);
  wasm_instance_t* instance = instantiate(store,
      "(module (import \"\" \"c\" (global $c f32)) (import \"\" \"v\" (global $v (mut i64)))"
      " (global $own (export \"own\") (mut i32) (i32.const 9))"
      " (export \"v\" (global $v))"
      " (func (export \"get\") (result f32 i64 i32) (global.get $c) (global.get $v) (global.get $own)))", &imports);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  wasm_global_t* own = wasm_extern_as_global(exports.data[0]);
  CHECK(wasm_global_same(wasm_extern_as_global(exports.data[1]), variable) && !wasm_global_same(own, variable));
  wasm_val_t value = WASM_I64_VAL(-6);
  wasm_global_set(variable, &value);
  value = (wasm_val_t)WASM_I32_VAL(10);
  wasm_global_set(own, &value);
  wasm_global_set(variable, &value);   /* another type: no effect */
  value = (wasm_val_t)WASM_F32_VAL(9);
  wasm_global_set(constant, &value);   /* immutable: no effect */
  wasm_val_t out[3];
  REQUIRE_NO_TRAP(call(wasm_extern_as_func(exports.data[2]), NULL, 0, out, 3));
  CHECK(out[0].of.f32 == 1.25f && out[1].of.i64 == -6 && out[2].of.i32 == 10);
  wasm_global_get(own, &value);
  CHECK(value.kind == WASM_I32 && value.of.i32 == 10);
  wasm_globaltype_t* type = wasm_global_type(own);
  CHECK(wasm_globaltype_mutability(type) == WASM_VAR && wasm_valtype_kind(wasm_globaltype_content(type)) == WASM_I32);
  wasm_globaltype_delete(type);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_global_delete(constant);
  wasm_global_delete(variable);
}

static void tables(wasm_store_t* store) {
  wasm_instance_t* instance = instantiate(store,
      "(module (table (export \"t\") 2 6 funcref) (elem (i32.const 1) $f)"
      " (func $f (export \"f\") (result i32) (i32.const 7))"
      " (type $sig (func (result i32)))"
      " (func (export \"call\") (param i32) (result i32) (call_indirect (type $sig) (local.get 0))))", NULL);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  wasm_table_t* table = wasm_extern_as_table(exports.data[0]);
  wasm_func_t* f = wasm_extern_as_func(exports.data[1]);
  CHECK(wasm_table_size(table) == 2 && wasm_table_get(table, 0) == NULL && wasm_table_get(table, 2) == NULL);
  wasm_ref_t* ref = wasm_table_get(table, 1);
  REQUIRE(ref);
  CHECK(wasm_ref_same(ref, wasm_func_as_ref(f)) && wasm_func_same(wasm_ref_as_func(ref), f));
  CHECK(wasm_table_set(table, 0, ref) && wasm_table_set(table, 1, NULL) && !wasm_table_set(table, 2, ref));
  wasm_ref_delete(ref);
  wasm_val_t in[] = {WASM_I32_VAL(0)}, out[1];
  REQUIRE_NO_TRAP(call(wasm_extern_as_func(exports.data[2]), in, 1, out, 1));
  CHECK(out[0].of.i32 == 7);
  in[0].of.i32 = 1;
  CHECK(trap_says(call(wasm_extern_as_func(exports.data[2]), in, 1, out, 1), "uninitialized element"));
  CHECK(wasm_table_grow(table, 3, wasm_func_as_ref(f)) && wasm_table_size(table) == 5);
  CHECK(!wasm_table_grow(table, 2, NULL) && wasm_table_grow(table, 0, NULL) && wasm_table_size(table) == 5);
  ref = wasm_table_get(table, 4);
  CHECK(wasm_ref_same(ref, wasm_func_as_ref(f)));
  wasm_ref_delete(ref);
  wasm_tabletype_t* type = wasm_table_type(table);
  CHECK(wasm_tabletype_limits(type)->min == 5 && wasm_tabletype_limits(type)->max == 6);
  wasm_tabletype_delete(type);
  /* A table of functions takes no foreign object. */
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  CHECK(!wasm_table_set(table, 0, wasm_foreign_as_ref(foreign)));

  wasm_limits_t limits = {3, wasm_limits_max_default};
  type = wasm_tabletype_new(wasm_valtype_new_externref(), &limits);
  wasm_table_t* externs = wasm_table_new(store, type, wasm_foreign_as_ref(foreign));
  wasm_tabletype_delete(type);
  REQUIRE(externs);
  ref = wasm_table_get(externs, 2);
  CHECK(ref && wasm_ref_same(ref, wasm_foreign_as_ref(foreign)) && wasm_ref_as_foreign(ref) != NULL);
  wasm_ref_delete(ref);
  wasm_foreign_delete(foreign);
  wasm_table_delete(externs);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
}

static void memories(wasm_store_t* store) {
  wasm_limits_t limits = {2, 5};
  wasm_memorytype_t* type = wasm_memorytype_new(&limits);
  wasm_memory_t* memory = wasm_memory_new(store, type);
  wasm_memorytype_delete(type);
  REQUIRE(memory);
  wasm_extern_t* imported[] = {wasm_memory_as_extern(memory)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(imported);
  wasm_instance_t* instance = instantiate(store,
      "(module (import \"\" \"m\" (memory 1)) (export \"m\" (memory 0)) (data (i32.const 4) \"hello\")"
      " (func (export \"load\") (param i32) (result i32) (i32.load8_u (local.get 0)))"
      " (func (export \"size\") (result i32) (memory.size)))", &imports);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  CHECK(wasm_memory_same(wasm_extern_as_memory(exports.data[0]), memory));
  CHECK(wasm_memory_size(memory) == 2 && wasm_memory_data_size(memory) == 2 * MEMORY_PAGE_SIZE);
  CHECK(memcmp(wasm_memory_data(memory) + 4, "hello", 5) == 0);
  wasm_memory_data(memory)[100] = 33;
  wasm_val_t in[] = {WASM_I32_VAL(100)}, out[1];
  REQUIRE_NO_TRAP(call(wasm_extern_as_func(exports.data[1]), in, 1, out, 1));
  CHECK(out[0].of.i32 == 33);
  CHECK(wasm_memory_grow(memory, 3) && !wasm_memory_grow(memory, 1) && wasm_memory_size(memory) == 5);
  REQUIRE_NO_TRAP(call(wasm_extern_as_func(exports.data[2]), NULL, 0, out, 1));
  CHECK(out[0].of.i32 == 5 && wasm_memory_data(memory)[100] == 33);
  in[0].of.i32 = 5 * 65536;
  CHECK(trap_says(call(wasm_extern_as_func(exports.data[1]), in, 1, out, 1), "out of bounds memory access"));
  type = wasm_memory_type(memory);
  CHECK(wasm_memorytype_limits(type)->min == 5 && wasm_memorytype_limits(type)->max == 5);
  wasm_memorytype_delete(type);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_memory_delete(memory);
}

static void externs(wasm_store_t* store) {
  wasm_func_t* func = host_func(store);
  wasm_global_t* global = new_global(store, WASM_I32, WASM_CONST, (wasm_val_t)WASM_I32_VAL(1));
  wasm_extern_t* e = wasm_func_as_extern(func);
  CHECK(wasm_extern_kind(e) == WASM_EXTERN_FUNC && wasm_extern_as_func(e) == func && wasm_extern_as_global(e) == NULL &&
        wasm_extern_as_table(e) == NULL && wasm_extern_as_memory(e) == NULL);
  CHECK(wasm_extern_as_func_const(wasm_func_as_extern_const(func)) == func);
  CHECK(wasm_extern_as_memory_const(wasm_global_as_extern_const(global)) == NULL);
  wasm_externtype_t* type = wasm_extern_type(wasm_global_as_extern(global));
  CHECK(wasm_externtype_kind(type) == WASM_EXTERN_GLOBAL);
  wasm_externtype_delete(type);
  wasm_extern_t* copy = wasm_extern_copy(e);
  CHECK(copy != e && wasm_extern_same(copy, e) && !wasm_extern_same(e, wasm_global_as_extern(global)));
  CHECK(wasm_ref_as_extern(wasm_func_as_ref(func)) == e && wasm_extern_as_ref(e) == wasm_func_as_ref(func));
  wasm_extern_t* array[] = {copy, wasm_global_as_extern(global)};
  wasm_extern_vec_t all, again;
  wasm_extern_vec_new(&all, 2, array);
  wasm_extern_vec_copy(&again, &all);
  wasm_extern_vec_delete(&all);
  CHECK(wasm_extern_same(again.data[0], e) && wasm_extern_kind(again.data[1]) == WASM_EXTERN_GLOBAL);
  wasm_extern_vec_delete(&again);
  wasm_func_delete(func);
}

static const char* const kPass =
    "(module (global $g (mut externref) (ref.null extern)) (table $t 4 externref)"
    " (global $f (mut funcref) (ref.null func))"
    " (func (export \"set\") (param externref) (global.set $g (local.get 0)))"
    " (func (export \"get\") (result externref) (global.get $g))"
    " (func (export \"put\") (param i32 externref) (table.set $t (local.get 0) (local.get 1)))"
    " (func (export \"at\") (param i32) (result externref) (table.get $t (local.get 0)))"
    " (func (export \"setf\") (param funcref) (global.set $f (local.get 0)))"
    " (func (export \"getf\") (result funcref) (global.get $f))"
    " (func (export \"null\") (param externref) (result i32) (ref.is_null (local.get 0))))";

static int finalized = 0;
static void finalize(void* data) { finalized += *(int*)data; }
static int one = 1, ten = 10, hundred = 100;

/* Passes the reference through the guest: the same comes back. */
static void through(const wasm_extern_vec_t* exports, wasm_ref_t* ref) {
  wasm_val_t in[] = {WASM_REF_VAL(ref)}, out[1];
  REQUIRE_NO_TRAP(call(wasm_extern_as_func(exports->data[0]), in, 1, NULL, 0));
  REQUIRE_NO_TRAP(call(wasm_extern_as_func(exports->data[1]), NULL, 0, out, 1));
  CHECK(out[0].kind == WASM_EXTERNREF && wasm_ref_same(out[0].of.ref, ref));
  wasm_val_t copy;
  wasm_val_copy(&copy, &out[0]);
  wasm_val_delete(&out[0]);
  CHECK(out[0].of.ref == NULL && wasm_ref_same(copy.of.ref, ref));
  wasm_val_delete(&copy);
}

static void references(wasm_store_t* store) {
  wasm_instance_t* instance = instantiate(store, kPass, NULL);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  wasm_foreign_t* a = wasm_foreign_new(store);
  wasm_foreign_t* b = wasm_foreign_new(store);
  CHECK(!wasm_foreign_same(a, b));
  wasm_func_t* func = host_func(store);
  wasm_module_t* module = compile(store, "(module)");
  through(&exports, wasm_foreign_as_ref(a));
  through(&exports, wasm_foreign_as_ref(b));
  through(&exports, NULL);
  through(&exports, wasm_func_as_ref(func));          /* anything may be an externref */
  through(&exports, wasm_instance_as_ref(instance));
  through(&exports, wasm_module_as_ref(module));
  wasm_module_delete(module);
  wasm_val_t in[] = {WASM_REF_VAL(NULL), WASM_INIT_VAL}, out[1];
  REQUIRE_NO_TRAP(call(wasm_extern_as_func(exports.data[6]), in, 1, out, 1));
  CHECK(out[0].of.i32 == 1);
  in[0].of.ref = wasm_foreign_as_ref(a);
  REQUIRE_NO_TRAP(call(wasm_extern_as_func(exports.data[6]), in, 1, out, 1));
  CHECK(out[0].of.i32 == 0);

  wasm_val_t f[] = {{.kind = WASM_FUNCREF, .of = {.ref = wasm_func_as_ref(func)}}};
  REQUIRE_NO_TRAP(call(wasm_extern_as_func(exports.data[4]), f, 1, NULL, 0));
  REQUIRE_NO_TRAP(call(wasm_extern_as_func(exports.data[5]), NULL, 0, out, 1));
  CHECK(out[0].kind == WASM_FUNCREF && wasm_func_same(wasm_ref_as_func(out[0].of.ref), func));
  wasm_val_delete(&out[0]);
  f[0].of.ref = wasm_foreign_as_ref(a);
  CHECK(trap_says(call(wasm_extern_as_func(exports.data[4]), f, 1, NULL, 0), "argument 0: expected funcref"));

  /* The guest keeps a foreign object that the host has let go. */
  wasm_foreign_set_host_info_with_finalizer(a, &one, finalize);
  wasm_foreign_set_host_info_with_finalizer(b, &ten, finalize);
  in[0] = (wasm_val_t)WASM_I32_VAL(2);
  in[1] = (wasm_val_t)WASM_REF_VAL(wasm_foreign_as_ref(a));
  REQUIRE_NO_TRAP(call(wasm_extern_as_func(exports.data[2]), in, 2, NULL, 0));
  wasm_foreign_delete(a);
  wasm_foreign_delete(b);
  for (int i = 0; i < 5000; ++i) wasm_func_delete(host_func(store)); /* enough to make the store collect */
  CHECK(finalized == 10);
  REQUIRE_NO_TRAP(call(wasm_extern_as_func(exports.data[3]), in, 1, out, 1));
  CHECK(wasm_ref_get_host_info(out[0].of.ref) == &one);
  wasm_val_delete(&out[0]);
  in[1].of.ref = NULL;
  REQUIRE_NO_TRAP(call(wasm_extern_as_func(exports.data[2]), in, 2, NULL, 0));
  for (int i = 0; i < 5000; ++i) wasm_func_delete(host_func(store));
  CHECK(finalized == 11);
  wasm_func_delete(func);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
}

/* Returns its argument, which it borrowed: so a copy. */
static wasm_trap_t* identity(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  wasm_val_copy(&results->data[0], &args->data[0]);
  return NULL;
}

static void referencesOfCallbacks(wasm_store_t* store) {
  wasm_functype_t* type = wasm_functype_new_1_1(wasm_valtype_new_externref(), wasm_valtype_new_externref());
  wasm_func_t* func = wasm_func_new(store, type, identity);
  wasm_functype_delete(type);
  wasm_extern_t* imported[] = {wasm_func_as_extern(func)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(imported);
  wasm_instance_t* instance = instantiate(store,
      "(module (import \"\" \"f\" (func $f (param externref) (result externref)))"
      " (func (export \"f\") (param externref) (result externref) (call $f (call $f (local.get 0)))))", &imports);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  for (int i = 0; i < 3000; ++i) {
    wasm_val_t in[] = {WASM_REF_VAL(wasm_foreign_as_ref(foreign))}, out[1];
    REQUIRE_NO_TRAP(call(wasm_extern_as_func(exports.data[0]), in, 1, out, 1));
    CHECK(wasm_ref_same(out[0].of.ref, in[0].of.ref));
    wasm_val_delete(&out[0]);
  }
  wasm_foreign_delete(foreign);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_func_delete(func);
}

static void hostInfo(wasm_engine_t* engine) {
  wasm_store_t* store = wasm_store_new(engine);
  finalized = 0;
  wasm_instance_t* instance = instantiate(store,
      "(module (func (export \"f\")) (func (export \"g\")) (global (export \"v\") (mut i32) (i32.const 1))"
      " (memory (export \"m\") 1) (table (export \"t\") 1 funcref))", NULL);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  static int info[6];
  wasm_instance_set_host_info(instance, &info[5]);
  for (size_t i = 0; i < exports.size; ++i) wasm_extern_set_host_info(exports.data[i], &info[i]);
  wasm_extern_vec_delete(&exports);
  for (int i = 0; i < 5000; ++i) wasm_func_delete(host_func(store)); /* collects; the instance keeps its parts */
  wasm_instance_exports(instance, &exports);
  for (size_t i = 0; i < exports.size; ++i) CHECK(wasm_extern_get_host_info(exports.data[i]) == &info[i]);
  CHECK(wasm_instance_get_host_info(instance) == &info[5]);
  CHECK(wasm_memory_get_host_info(wasm_extern_as_memory(exports.data[3])) == &info[3]);

  /* New info ends the old. */
  wasm_func_t* f = wasm_extern_as_func(exports.data[0]);
  wasm_func_set_host_info_with_finalizer(f, &one, finalize);
  CHECK(finalized == 0);
  wasm_func_set_host_info_with_finalizer(f, &ten, finalize);
  CHECK(finalized == 1 && wasm_func_get_host_info(f) == &ten);
  wasm_extern_set_host_info_with_finalizer(exports.data[2], &hundred, finalize);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  for (int i = 0; i < 5000; ++i) wasm_func_delete(host_func(store));
  CHECK(finalized == 111);

  /* Or with the store; a handle that is left is harmless. */
  wasm_func_t* last = host_func(store);
  wasm_func_set_host_info_with_finalizer(last, &one, finalize);
  wasm_store_delete(store);
  CHECK(finalized == 112 && wasm_func_get_host_info(last) == NULL);
  CHECK(trap_says(wasm_func_call(last, NULL, NULL), "store"));
  wasm_func_set_host_info_with_finalizer(last, &ten, finalize);
  CHECK(finalized == 122);
  wasm_func_delete(last);
  CHECK(finalized == 122);
}

static void nulls(void) {
  wasm_ref_delete(NULL);
  wasm_func_delete(NULL);
  wasm_instance_delete(NULL);
  wasm_foreign_delete(NULL);
  wasm_store_delete(NULL);
  wasm_engine_delete(NULL);
  wasm_config_delete(NULL);
  wasm_shared_module_delete(NULL);
  wasm_extern_vec_delete(NULL);
  wasm_val_delete(NULL);
  CHECK(wasm_ref_copy(NULL) == NULL && wasm_ref_same(NULL, NULL));
}

int main(void) {
  wasm_engine_t* engine = wasm_engine_new();
  wasm_store_t* store = wasm_store_new(engine);
  globals(store);
  tables(store);
  memories(store);
  externs(store);
  references(store);
  referencesOfCallbacks(store);
  wasm_store_delete(store);
  hostInfo(engine);
  wasm_engine_delete(engine);
  nulls();
  return report();
}
