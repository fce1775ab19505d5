/* Modules: compilation, validation, reflection, serialization, sharing. */
#include "check.h"

static const char* const kText =
    "(module $named"
    "  (import \"env\" \"f\" (func $f (param i32 f64) (result i64)))"
    "  (import \"env\" \"g\" (global (mut i32)))"
    "  (import \"lib\" \"t\" (table 3 7 externref))"
    "  (import \"lib\" \"m\" (memory 1 2))"
    "  (import \"lib\" \"e\" (tag (param i32)))"
    "  (func $add (export \"add\") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))"
    "  (global (export \"g2\") f32 (f32.const 1))"
    "  (table (export \"t2\") 4 funcref)"
    "  (export \"m2\" (memory 0))"
    "  (export \"e2\" (tag 0)))";

static void reflection(wasm_store_t* store) {
  wasm_module_t* module = compile(store, kText);
  wasm_importtype_vec_t imports;
  wasm_module_imports(module, &imports);
  REQUIRE(imports.size == 5);
  static const char* const modules[] = {"env", "env", "lib", "lib", "lib"};
  static const char* const names[] = {"f", "g", "t", "m", "e"};
  static const wasm_externkind_t kinds[] = {WASM_EXTERN_FUNC, WASM_EXTERN_GLOBAL, WASM_EXTERN_TABLE, WASM_EXTERN_MEMORY,
                                            WASM_EXTERN_TAG};
  for (size_t i = 0; i < 5; ++i) {
    CHECK(name_is(wasm_importtype_module(imports.data[i]), modules[i]));
    CHECK(name_is(wasm_importtype_name(imports.data[i]), names[i]));
    CHECK(wasm_externtype_kind(wasm_importtype_type(imports.data[i])) == kinds[i]);
  }
  const wasm_functype_t* f = wasm_externtype_as_functype_const(wasm_importtype_type(imports.data[0]));
  CHECK(wasm_functype_params(f)->size == 2 && wasm_valtype_kind(wasm_functype_params(f)->data[1]) == WASM_F64 &&
        wasm_valtype_kind(wasm_functype_results(f)->data[0]) == WASM_I64);
  const wasm_globaltype_t* g = wasm_externtype_as_globaltype_const(wasm_importtype_type(imports.data[1]));
  CHECK(wasm_globaltype_mutability(g) == WASM_VAR && wasm_valtype_kind(wasm_globaltype_content(g)) == WASM_I32);
  const wasm_tabletype_t* t = wasm_externtype_as_tabletype_const(wasm_importtype_type(imports.data[2]));
  CHECK(wasm_tabletype_limits(t)->min == 3 && wasm_tabletype_limits(t)->max == 7 &&
        wasm_valtype_kind(wasm_tabletype_element(t)) == WASM_EXTERNREF);
  const wasm_memorytype_t* m = wasm_externtype_as_memorytype_const(wasm_importtype_type(imports.data[3]));
  CHECK(wasm_memorytype_limits(m)->min == 1 && wasm_memorytype_limits(m)->max == 2);
  const wasm_tagtype_t* e = wasm_externtype_as_tagtype_const(wasm_importtype_type(imports.data[4]));
  CHECK(wasm_functype_params(wasm_tagtype_functype(e))->size == 1);

  wasm_exporttype_vec_t exports;
  wasm_module_exports(module, &exports);
  wasm_module_delete(module);
  REQUIRE(exports.size == 5);
  static const char* const exported[] = {"add", "g2", "t2", "m2", "e2"};
  for (size_t i = 0; i < 5; ++i) {
    CHECK(name_is(wasm_exporttype_name(exports.data[i]), exported[i]));
    CHECK(wasm_externtype_kind(wasm_exporttype_type(exports.data[i])) == kinds[i]);
  }
  wasm_importtype_vec_t copies;
  wasm_importtype_vec_copy(&copies, &imports);
  wasm_importtype_vec_delete(&imports);
  CHECK(name_is(wasm_importtype_name(copies.data[4]), "e"));
  wasm_importtype_vec_delete(&copies);
  wasm_exporttype_vec_delete(&exports);
}

static void validation(wasm_store_t* store) {
  wasm_byte_vec_t good = wat("(module (func (result i32) (i32.const 1)))");
  CHECK(wasm_module_validate(store, &good));
  wasm_byte_vec_t cut;
  wasm_byte_vec_new(&cut, good.size - 1, good.data);
  CHECK(!wasm_module_validate(store, &cut));
  CHECK(wasm_module_new(store, &cut) == NULL);
  wattle_error_t* error = wattle_module_validate(store, &cut);
  uint64_t offset = 0;
  CHECK(error && wattle_error_kind(error) == WATTLE_ERROR_MALFORMED && wattle_error_offset(error, &offset) && offset > 0);
  wattle_error_delete(error);

  wasm_byte_vec_t bad = wat("(module (func (result i32) (f64.const 1)))");
  CHECK(!wasm_module_validate(store, &bad));
  wasm_module_t* none = NULL;
  error = wattle_module_new(store, &bad, &none);
  CHECK(none == NULL && error && wattle_error_kind(error) == WATTLE_ERROR_INVALID);
  wattle_error_delete(error);
  wasm_byte_vec_delete(&good);
  wasm_byte_vec_delete(&cut);
  wasm_byte_vec_delete(&bad);
  wasm_byte_vec_t nothing = WASM_EMPTY_VEC;
  CHECK(!wasm_module_validate(store, &nothing) && wasm_module_new(store, &nothing) == NULL);

  error = wattle_wat2wasm("(module (func", 13, &nothing);
  CHECK(error && wattle_error_kind(error) == WATTLE_ERROR_MALFORMED);
  wattle_error_delete(error);
  error = wattle_module_new_text(store, "(module $here)", 14, &none);
  REQUIRE_OK(error);
  wasm_name_t name;
  wattle_module_name(none, &name);
  CHECK(name_is(&name, "here"));
  wasm_name_delete(&name);
  wasm_module_delete(none);
  error = wattle_module_new_file(store, "/nowhere/at/all.wasm", &none);
  CHECK(error && wattle_error_kind(error) == WATTLE_ERROR_IO);
  wattle_error_delete(error);
}

static int32_t addWith(wasm_store_t* store, wasm_module_t* module) {
  wasm_instance_t* instance = wasm_instance_new(store, module, NULL, NULL);
  REQUIRE(instance);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  wasm_val_t arguments[] = {WASM_I32_VAL(30), WASM_I32_VAL(12)};
  wasm_val_t result[1];
  wasm_val_vec_t args = WASM_ARRAY_VEC(arguments);
  wasm_val_vec_t results = WASM_ARRAY_VEC(result);
  REQUIRE_NO_TRAP(wasm_func_call(wasm_extern_as_func(exports.data[0]), &args, &results));
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  return result[0].of.i32;
}

static const char* const kAdd =
    "(module (func (export \"add\") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))";

static void serialization(wasm_engine_t* engine, wasm_store_t* store) {
  wasm_module_t* module = compile(store, kAdd);
  wasm_byte_vec_t bytes;
  wasm_module_serialize(module, &bytes);
  REQUIRE(bytes.size > 0);
  wasm_module_delete(module);
  wasm_module_t* again = wasm_module_deserialize(store, &bytes);
  REQUIRE(again);
  CHECK(addWith(store, again) == 42);
  wasm_module_delete(again);
  bytes.data[bytes.size / 2] ^= 0x40;
  CHECK(wasm_module_deserialize(store, &bytes) == NULL);
  bytes.size /= 2;
  CHECK(wasm_module_deserialize(store, &bytes) == NULL);
  wasm_byte_vec_delete(&bytes);

  wasm_store_t* other = wasm_store_new(engine);
  module = compile(store, kAdd);
  wasm_shared_module_t* shared = wasm_module_share(module);
  wasm_module_delete(module);
  wasm_module_t* obtained = wasm_module_obtain(other, shared);
  wasm_shared_module_delete(shared);
  CHECK(addWith(other, obtained) == 42);
  wasm_module_delete(obtained);
  wasm_store_delete(other);
}

static int finalized = 0;
static void count(void* data) { finalized += *(int*)data; }

static void references(wasm_store_t* store) {
  wasm_module_t* module = compile(store, kAdd);
  wasm_module_t* copy = wasm_module_copy(module);
  wasm_module_t* equal = compile(store, kAdd);
  CHECK(wasm_module_same(module, copy) && !wasm_module_same(module, equal));
  static int weight = 3;
  wasm_module_set_host_info_with_finalizer(module, &weight, count);
  CHECK(wasm_module_get_host_info(copy) == &weight && wasm_module_get_host_info(equal) == NULL);
  wasm_ref_t* ref = wasm_module_as_ref(module);
  CHECK(wasm_ref_as_module(ref) == module && wasm_ref_as_func(ref) == NULL && wasm_ref_as_extern(ref) == NULL);
  CHECK(wasm_ref_same(ref, wasm_module_as_ref_const(copy)));
  wasm_module_delete(module);
  CHECK(finalized == 0);
  wasm_module_delete(copy);
  CHECK(finalized == 3);
  wasm_module_delete(equal);
  CHECK(finalized == 3);
}

int main(void) {
  wasm_engine_t* engine = wasm_engine_new_with_config(wasm_config_new());
  wasm_store_t* store = wasm_store_new(engine);
  reflection(store);
  validation(store);
  serialization(engine, store);
  references(store);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return report();
}
