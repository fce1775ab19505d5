/* wattle.h: exceptions, the garbage-collected heap, v128, 64-bit and shared memories. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>

#include "check.h"

static wasm_trap_t* call(const wasm_instance_t* instance, const char* name, wasm_val_t* in, size_t n, wasm_val_t* out,
                         size_t m) {
  wasm_extern_t* export = wattle_instance_export(instance, name);
  REQUIRE(export);
  wasm_val_vec_t args = {n, in}, results = {m, out};
  wasm_trap_t* trap = wasm_func_call(wasm_extern_as_func(export), &args, &results);
  wasm_extern_delete(export);
  return trap;
}

static wasm_trap_t* throw_it(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args;
  (void)results;
  return wattle_exception_as_trap(env);
}

static void exceptions(wasm_store_t* store) {
  wasm_tagtype_t* type = wasm_tagtype_new(wasm_functype_new_2_0(wasm_valtype_new_i32(), wasm_valtype_new_externref()));
  wattle_tag_t* tag = wattle_tag_new(store, type);
  wasm_tagtype_delete(type);
  REQUIRE(tag);
  wasm_extern_t* external = wattle_tag_as_extern(tag);
  CHECK(wasm_extern_kind(external) == WASM_EXTERN_TAG && wattle_extern_as_tag(external) == tag &&
        wasm_extern_as_func(external) == NULL);
  type = wattle_tag_type(tag);
  CHECK(wasm_functype_params(wasm_tagtype_functype(type))->size == 2);
  wasm_tagtype_delete(type);

  wasm_foreign_t* foreign = wasm_foreign_new(store);
  wasm_val_t payload[] = {WASM_I32_VAL(41), WASM_REF_VAL(wasm_foreign_as_ref(foreign))};
  wasm_val_vec_t values = WASM_ARRAY_VEC(payload);
  wattle_exception_t* exception = NULL;
  REQUIRE_OK(wattle_exception_new(store, tag, &values, &exception));
  values.size = 1;
  wattle_exception_t* none = NULL;
  wattle_error_t* error = wattle_exception_new(store, tag, &values, &none);
  CHECK(error && none == NULL && wattle_error_kind(error) == WATTLE_ERROR_ARGUMENT);
  wattle_error_delete(error);

  wasm_functype_t* functype = wasm_functype_new_0_0();
  wasm_func_t* thrower = wasm_func_new_with_env(store, functype, throw_it, exception, NULL);
  wasm_functype_delete(functype);
  wasm_extern_t* imported[] = {external, wasm_func_as_extern(thrower)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(imported);
  wasm_instance_t* instance = instantiate(store,
      "(module (import \"\" \"t\" (tag $t (param i32 externref))) (import \"\" \"f\" (func $f)) (export \"t\" (tag $t))"
      " (func (export \"throw\") (param i32 externref) (throw $t (local.get 0) (local.get 1)))"
      " (func (export \"catch\") (result i32 externref)"
      "   (block $h (result i32 externref) (try_table (catch $t $h) (call $f)) (unreachable)))"
      " (func (export \"catch_ref\") (result exnref)"
      "   (block $h (result exnref) (try_table (catch_all_ref $h) (call $f)) (unreachable)))"
      " (func (export \"rethrow\") (param exnref) (throw_ref (local.get 0)))"
      " (func (export \"pass\") (call $f)))", &imports);

  /* Out of the guest. */
  wasm_trap_t* trap = call(instance, "throw", payload, 2, NULL, 0);
  REQUIRE(trap);
  wattle_exception_t* caught = wattle_trap_exception(trap);
  REQUIRE(caught);
  CHECK(!wattle_exception_same(caught, exception));
  wattle_tag_t* itsTag = wattle_exception_tag(caught);
  CHECK(wattle_tag_same(itsTag, tag));
  wattle_tag_delete(itsTag);
  wasm_val_vec_t thrown;
  wattle_exception_values(caught, &thrown);
  CHECK(thrown.size == 2 && thrown.data[0].of.i32 == 41 &&
        wasm_ref_same(thrown.data[1].of.ref, wasm_foreign_as_ref(foreign)));
  wasm_val_vec_delete(&thrown);
  wasm_frame_t* origin = wasm_trap_origin(trap);
  CHECK(origin && wasm_frame_func_index(origin) == 1);
  wasm_frame_delete(origin);
  wattle_exception_delete(caught);
  wasm_trap_delete(trap);

  /* From the host into the guest, and through it. */
  wasm_val_t out[2];
  REQUIRE_NO_TRAP(call(instance, "catch", NULL, 0, out, 2));
  CHECK(out[0].of.i32 == 41 && wasm_ref_same(out[1].of.ref, wasm_foreign_as_ref(foreign)));
  wasm_val_delete(&out[1]);
  trap = call(instance, "pass", NULL, 0, NULL, 0);
  caught = wattle_trap_exception(trap);
  CHECK(caught && wattle_exception_same(caught, exception));
  wattle_exception_delete(caught);
  wasm_trap_delete(trap);
  REQUIRE_NO_TRAP(call(instance, "catch_ref", NULL, 0, out, 1));
  CHECK(out[0].kind == WATTLE_EXNREF && wattle_ref_kind(out[0].of.ref) == WATTLE_EXNREF);
  CHECK(wattle_exception_same(wattle_ref_as_exception(out[0].of.ref), exception));
  trap = call(instance, "rethrow", out, 1, NULL, 0);
  caught = wattle_trap_exception(trap);
  CHECK(caught && wattle_exception_same(caught, exception));
  wattle_exception_delete(caught);
  wasm_trap_delete(trap);
  wasm_val_delete(&out[0]);
  trap = wasm_trap_new(store, &(wasm_message_t)WASM_EMPTY_VEC);
  CHECK(wattle_trap_exception(trap) == NULL);
  wasm_trap_delete(trap);

  wasm_instance_delete(instance);
  wasm_func_delete(thrower);
  wattle_exception_delete(exception);
  wattle_tag_delete(tag);
  wasm_foreign_delete(foreign);
}

static const char* const kHeap =
    "(module (type $s (struct (field (mut i32)) (field (mut anyref)))) (type $a (array (mut i32)))"
    " (func (export \"struct\") (param i32) (result (ref $s)) (struct.new $s (local.get 0) (ref.null any)))"
    " (func (export \"field\") (param anyref) (result i32) (struct.get $s 0 (ref.cast (ref $s) (local.get 0))))"
    " (func (export \"array\") (result arrayref) (array.new_default $a (i32.const 10)))"
    " (func (export \"i31\") (param i32) (result i31ref) (ref.i31 (local.get 0)))"
    " (func (export \"same\") (param eqref eqref) (result i32) (ref.eq (local.get 0) (local.get 1)))"
    " (func (export \"extern\") (param anyref) (result externref) (extern.convert_any (local.get 0)))"
    " (func (export \"any\") (param externref) (result anyref) (any.convert_extern (local.get 0)))"
    " (func (export \"litter\") (local $i i32)"
    "   (loop $l (drop (struct.new $s (local.get $i) (ref.null any)))"
    "     (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000000))))))";

static void heap(wasm_store_t* store) {
  wasm_instance_t* instance = instantiate(store, kHeap, NULL);
  enum { kCount = 100 };
  wasm_val_t kept[kCount];
  for (int i = 0; i < kCount; ++i) {
    wasm_val_t in[] = {WASM_I32_VAL(i * 7)};
    REQUIRE_NO_TRAP(call(instance, "struct", in, 1, &kept[i], 1));
    CHECK(kept[i].kind == WATTLE_STRUCTREF && wattle_ref_kind(kept[i].of.ref) == WATTLE_STRUCTREF);
  }
  /* What is owned here stays, whatever is collected. */
  REQUIRE_NO_TRAP(call(instance, "litter", NULL, 0, NULL, 0));
  wattle_store_collect(store);
  REQUIRE_NO_TRAP(call(instance, "litter", NULL, 0, NULL, 0));
  wasm_val_t out[1];
  for (int i = 0; i < kCount; ++i) {
    wasm_val_t in[] = {{.kind = WATTLE_ANYREF, .of = {.ref = kept[i].of.ref}}};
    REQUIRE_NO_TRAP(call(instance, "field", in, 1, out, 1));
    CHECK(out[0].of.i32 == i * 7);
  }
  wasm_ref_t* copy = wasm_ref_copy(kept[1].of.ref);
  CHECK(wasm_ref_same(copy, kept[1].of.ref) && !wasm_ref_same(copy, kept[2].of.ref));
  wasm_val_t pair[] = {{.kind = WATTLE_EQREF, .of = {.ref = copy}}, {.kind = WATTLE_EQREF, .of = {.ref = kept[1].of.ref}}};
  REQUIRE_NO_TRAP(call(instance, "same", pair, 2, out, 1));
  CHECK(out[0].of.i32 == 1);
  pair[1].of.ref = kept[2].of.ref;
  REQUIRE_NO_TRAP(call(instance, "same", pair, 2, out, 1));
  CHECK(out[0].of.i32 == 0);

  /* As an externref, and back. */
  REQUIRE_NO_TRAP(call(instance, "extern", pair, 1, out, 1));
  CHECK(out[0].kind == WASM_EXTERNREF && wattle_ref_kind(out[0].of.ref) == WATTLE_STRUCTREF &&
        wasm_ref_same(out[0].of.ref, copy));
  wasm_val_t external = out[0];
  REQUIRE_NO_TRAP(call(instance, "any", &external, 1, out, 1));
  CHECK(out[0].kind == WATTLE_ANYREF && wasm_ref_same(out[0].of.ref, copy));
  wasm_val_delete(&out[0]);
  wasm_val_delete(&external);
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  external = (wasm_val_t)WASM_REF_VAL(wasm_foreign_as_ref(foreign));
  REQUIRE_NO_TRAP(call(instance, "any", &external, 1, out, 1));
  CHECK(wattle_ref_kind(out[0].of.ref) == WASM_EXTERNREF && wasm_ref_same(out[0].of.ref, external.of.ref));
  pair[0].of.ref = out[0].of.ref; /* no eqref */
  CHECK(trap_says(call(instance, "same", pair, 2, out, 1), "expected"));
  wasm_ref_delete(pair[0].of.ref);
  wasm_foreign_delete(foreign);
  wasm_ref_delete(copy);
  for (int i = 0; i < kCount; ++i) wasm_val_delete(&kept[i]);

  REQUIRE_NO_TRAP(call(instance, "array", NULL, 0, out, 1));
  CHECK(out[0].kind == WATTLE_ARRAYREF && wattle_ref_kind(out[0].of.ref) == WATTLE_ARRAYREF);
  wasm_val_delete(&out[0]);

  wasm_ref_t* i31 = wattle_i31_new(0x40000005);
  int32_t s = 0;
  uint32_t u = 0;
  CHECK(wattle_i31_get_s(i31, &s) && s == (int32_t)0xC0000005 && wattle_i31_get_u(i31, &u) && u == 0x40000005);
  wasm_val_t in[] = {WASM_I32_VAL(0x40000005)};
  REQUIRE_NO_TRAP(call(instance, "i31", in, 1, out, 1));
  CHECK(out[0].kind == WATTLE_I31REF && wasm_ref_same(out[0].of.ref, i31) && wattle_ref_kind(i31) == WATTLE_I31REF);
  pair[0].of.ref = i31;
  pair[1].of.ref = out[0].of.ref;
  wasm_val_t same[1];
  REQUIRE_NO_TRAP(call(instance, "same", pair, 2, same, 1));
  CHECK(same[0].of.i32 == 1);
  wasm_val_delete(&out[0]);
  wasm_ref_delete(i31);
  CHECK(!wattle_i31_get_s(NULL, &s) && wattle_ref_kind(NULL) == WATTLE_NULLREF);
  wasm_instance_delete(instance);
}

static void vectors(wasm_store_t* store) {
  wasm_instance_t* instance = instantiate(store,
      "(module (global (export \"g\") (mut v128) (v128.const i32x4 1 2 3 4))"
      " (func (export \"add\") (param v128 i32) (result v128)"
      "  (i32x4.add (local.get 0) (i32x4.splat (local.get 1)))))", NULL);
  uint8_t bytes[16], back[16];
  for (int i = 0; i < 16; ++i) bytes[i] = (uint8_t)(i % 4 == 0 ? i : 0);
  wasm_val_t in[2] = {WASM_INIT_VAL, WASM_I32_VAL(10)}, out[1];
  wattle_val_init_v128(&in[0], bytes);
  REQUIRE_NO_TRAP(call(instance, "add", in, 2, out, 1));
  CHECK(out[0].kind == WATTLE_V128 && wattle_ref_kind(out[0].of.ref) == WATTLE_V128 && wattle_val_v128(&out[0], back));
  for (int i = 0; i < 16; ++i) CHECK(back[i] == (i % 4 == 0 ? i + 10 : 0));
  wasm_val_t copy;
  wasm_val_copy(&copy, &out[0]);
  wasm_extern_t* global = wattle_instance_export(instance, "g");
  wasm_global_set(wasm_extern_as_global(global), &copy);
  wasm_val_delete(&copy);
  wasm_val_delete(&out[0]);
  wasm_global_get(wasm_extern_as_global(global), &out[0]);
  CHECK(wattle_val_v128(&out[0], bytes) && memcmp(bytes, back, 16) == 0);
  wasm_val_delete(&out[0]);
  wasm_val_delete(&in[0]);
  CHECK(!wattle_val_v128(&in[1], bytes));
  CHECK(trap_says(call(instance, "add", in + 1, 1, out, 1), "takes 2 arguments"));
  in[0] = (wasm_val_t)WASM_I64_VAL(1);
  CHECK(trap_says(call(instance, "add", in, 2, out, 1), "expected v128, got i64"));
  wasm_extern_delete(global);
  wasm_instance_delete(instance);
}

static void beyond32(wasm_store_t* store) {
  CHECK(wattle_memorytype_new(1, WATTLE_NO_MAXIMUM, WATTLE_MEMORY_SHARED, 16) == NULL);
  CHECK(wattle_memorytype_new(2, 1, 0, 16) == NULL && wattle_memorytype_new(1, 2, 0, 7) == NULL);
  wasm_memorytype_t* type = wattle_memorytype_new(1, 1ull << 33, WATTLE_MEMORY_64, 16);
  REQUIRE(type);
  CHECK(wattle_memorytype_min(type) == 1 && wattle_memorytype_max(type) == 1ull << 33 &&
        wattle_memorytype_flags(type) == WATTLE_MEMORY_64 && wattle_memorytype_page_size_log2(type) == 16);
  CHECK(wasm_memorytype_limits(type)->max == wasm_limits_max_default);
  wasm_name_t text;
  wattle_externtype_text(wasm_memorytype_as_externtype(type), &text);
  CHECK(text.size > 0);
  wasm_name_delete(&text);
  wasm_memory_t* memory = NULL;
  REQUIRE_OK(wattle_memory_new(store, type, &memory));
  wasm_memorytype_delete(type);
  uint64_t old = 0;
  REQUIRE_OK(wattle_memory_grow(memory, 2, &old));
  CHECK(old == 1 && wattle_memory_pages(memory) == 3);
  wattle_error_t* error = wattle_memory_grow(memory, 1ull << 40, &old);
  CHECK(error && wattle_error_kind(error) == WATTLE_ERROR_RESOURCE);
  wattle_error_delete(error);
  wasm_tabletype_t* tabletype = wattle_tabletype_new(wasm_valtype_new_externref(), 2, 6, true);
  CHECK(wattle_tabletype_is64(tabletype) && wattle_tabletype_min(tabletype) == 2 && wattle_tabletype_max(tabletype) == 6);
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  wasm_table_t* table = NULL;
  REQUIRE_OK(wattle_table_new(store, tabletype, wasm_foreign_as_ref(foreign), &table));
  wasm_tabletype_delete(tabletype);
  wasm_extern_t* imported[] = {wasm_memory_as_extern(memory), wasm_table_as_extern(table)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(imported);
  wasm_instance_t* instance = instantiate(store,
      "(module (import \"\" \"m\" (memory i64 1)) (import \"\" \"t\" (table i64 1 externref))"
      " (func (export \"store\") (param i64 i32) (i32.store (local.get 0) (local.get 1)))"
      " (func (export \"clear\") (param i64) (table.set (local.get 0) (ref.null extern))))", &imports);
  wasm_val_t in[] = {WASM_I64_VAL(2 * 65536), WASM_I32_VAL(99)};
  REQUIRE_NO_TRAP(call(instance, "store", in, 2, NULL, 0));
  CHECK(wasm_memory_data(memory)[2 * 65536] == 99);
  wasm_ref_t* ref = NULL;
  REQUIRE_OK(wattle_table_get(table, 1, &ref));
  CHECK(wasm_ref_same(ref, wasm_foreign_as_ref(foreign)));
  wasm_ref_delete(ref);
  in[0].of.i64 = 1;
  REQUIRE_NO_TRAP(call(instance, "clear", in, 1, NULL, 0));
  REQUIRE_OK(wattle_table_get(table, 1, &ref));
  CHECK(ref == NULL);
  REQUIRE_OK(wattle_table_set(table, 1, wasm_foreign_as_ref(foreign)));
  error = wattle_table_set(table, 2, NULL);
  CHECK(error && wattle_error_kind(error) == WATTLE_ERROR_ARGUMENT);
  wattle_error_delete(error);
  REQUIRE_OK(wattle_table_grow(table, 4, NULL, &old));
  CHECK(old == 2 && wattle_table_size(table) == 6);
  wasm_instance_delete(instance);
  wasm_table_delete(table);
  wasm_memory_delete(memory);
  wasm_foreign_delete(foreign);
}

struct worker {
  wasm_engine_t* engine;
  wattle_shared_memory_t* shared;
};

static const char* const kAdder =
    "(module (import \"\" \"m\" (memory 1 4 shared))"
    " (func (export \"add\") (param i32) (loop $l"
    "   (drop (i32.atomic.rmw.add (i32.const 64) (i32.const 1)))"
    "   (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))";

static void* add_many(void* data) {
  struct worker* worker = data;
  wasm_store_t* store = wasm_store_new(worker->engine);
  wasm_memory_t* memory = NULL;
  REQUIRE_OK(wattle_memory_obtain(store, worker->shared, &memory));
  wasm_extern_t* imported[] = {wasm_memory_as_extern(memory)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(imported);
  wasm_instance_t* instance = instantiate(store, kAdder, &imports);
  wasm_val_t in[] = {WASM_I32_VAL(100000)};
  REQUIRE_NO_TRAP(call(instance, "add", in, 1, NULL, 0));
  wasm_instance_delete(instance);
  wasm_memory_delete(memory);
  wasm_store_delete(store);
  return NULL;
}

static void shared(wasm_engine_t* engine, wasm_store_t* store) {
  wasm_memorytype_t* type = wattle_memorytype_new(1, 4, WATTLE_MEMORY_SHARED, 16);
  wasm_memory_t* memory = wasm_memory_new(store, type);
  wasm_memorytype_delete(type);
  REQUIRE(memory);
  struct worker worker = {engine, wattle_memory_share(memory)};
  REQUIRE(worker.shared);
  pthread_t threads[3];
  for (int i = 0; i < 3; ++i) REQUIRE(pthread_create(&threads[i], NULL, add_many, &worker) == 0);
  for (int i = 0; i < 3; ++i) pthread_join(threads[i], NULL);
  int32_t sum;
  memcpy(&sum, wasm_memory_data(memory) + 64, 4);
  CHECK(sum == 300000);
  wattle_shared_memory_delete(worker.shared);
  wasm_memory_delete(memory);
  wasm_limits_t limits = {1, 1};
  type = wasm_memorytype_new(&limits);
  memory = wasm_memory_new(store, type);
  wasm_memorytype_delete(type);
  CHECK(wattle_memory_share(memory) == NULL);
  wasm_memory_delete(memory);
}

static void texts(wasm_store_t* store) {
  wasm_module_t* module = compile(store, "(module (type $s (struct)) (func (export \"f\") (param i32 v128) (result (ref $s))"
                                         " (struct.new $s)))");
  wasm_exporttype_vec_t exports;
  wasm_module_exports(module, &exports);
  wasm_name_t text;
  const wasm_externtype_t* type = wasm_exporttype_type(exports.data[0]);
  wattle_externtype_text(type, &text);
  CHECK(text.size > 14 && memcmp(text.data, "(i32, v128) -> (", 16) == 0);
  wasm_name_delete(&text);
  const wasm_functype_t* func = wasm_externtype_as_functype_const(type);
  CHECK(wasm_valtype_kind(wasm_functype_results(func)->data[0]) == WATTLE_STRUCTREF);
  wattle_valtype_text(wasm_functype_params(func)->data[1], &text);
  CHECK(name_is(&text, "v128"));
  wasm_name_delete(&text);
  wasm_exporttype_vec_delete(&exports);
  wasm_module_delete(module);
}

int main(void) {
  wasm_engine_t* engine = wasm_engine_new();
  wasm_store_t* store = wasm_store_new(engine);
  exceptions(store);
  heap(store);
  vectors(store);
  beyond32(store);
  shared(engine, store);
  texts(store);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return report();
}
