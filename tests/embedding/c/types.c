/* Types and vectors: construction, ownership, copies, conversions. */
#include "check.h"

static void vectors(void) {
  wasm_byte_vec_t empty;
  wasm_byte_vec_new_empty(&empty);
  CHECK(empty.size == 0 && empty.data == NULL);
  wasm_byte_vec_delete(&empty);

  wasm_byte_vec_t room;
  wasm_byte_vec_new_uninitialized(&room, 3);
  REQUIRE(room.size == 3 && room.data);
  memcpy(room.data, "abc", 3);
  wasm_byte_vec_t again;
  wasm_byte_vec_copy(&again, &room);
  CHECK(again.data != room.data && name_is(&again, "abc"));
  wasm_byte_vec_delete(&room);
  CHECK(room.size == 0 && room.data == NULL);
  CHECK(name_is(&again, "abc"));
  wasm_byte_vec_delete(&again);
  wasm_byte_vec_delete(&again); /* empty now */

  wasm_name_t name;
  wasm_name_new_from_string(&name, "name");
  CHECK(name.size == 4);
  wasm_name_delete(&name);
  wasm_name_new_from_string_nt(&name, "name");
  CHECK(name.size == 5 && name.data[4] == 0);
  wasm_name_delete(&name);

  /* Pointers are NULL until they are set, and a vector with holes can be deleted. */
  wasm_valtype_vec_t types;
  wasm_valtype_vec_new_uninitialized(&types, 4);
  for (size_t i = 0; i < 4; ++i) CHECK(types.data[i] == NULL);
  types.data[2] = wasm_valtype_new_f32();
  wasm_valtype_vec_t copies;
  wasm_valtype_vec_copy(&copies, &types);
  CHECK(copies.size == 4 && copies.data[0] == NULL && copies.data[2] != types.data[2]);
  wasm_valtype_vec_delete(&types);
  CHECK(wasm_valtype_kind(copies.data[2]) == WASM_F32);
  wasm_valtype_vec_delete(&copies);

  wasm_val_t values[] = {WASM_I32_VAL(1), WASM_I64_VAL(-2), WASM_F32_VAL(1.5f), WASM_F64_VAL(2.5), WASM_INIT_VAL};
  wasm_val_vec_t borrowed = WASM_ARRAY_VEC(values);
  CHECK(borrowed.size == 5);
  wasm_val_vec_t own_values;
  wasm_val_vec_copy(&own_values, &borrowed);
  CHECK(own_values.data[0].of.i32 == 1 && own_values.data[1].of.i64 == -2 && own_values.data[2].of.f32 == 1.5f &&
        own_values.data[3].of.f64 == 2.5 && own_values.data[4].of.ref == NULL);
  wasm_val_vec_delete(&own_values);
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  wasm_val_vec_delete(&none);

  int here;
  wasm_val_t pointer;
  wasm_val_init_ptr(&pointer, &here);
  CHECK(pointer.kind == WASM_I64 && wasm_val_ptr(&pointer) == &here);
}

static void valtypes(void) {
  const wasm_valkind_t kinds[] = {WASM_I32,     WASM_I64,    WASM_F32,        WASM_F64,         WASM_EXTERNREF,
                                  WASM_FUNCREF, WATTLE_V128, WATTLE_ANYREF,   WATTLE_EQREF,     WATTLE_I31REF,
                                  WATTLE_EXNREF, WATTLE_ARRAYREF, WATTLE_STRUCTREF, WATTLE_NULLREF};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i) {
    wasm_valtype_t* type = wasm_valtype_new(kinds[i]);
    REQUIRE(type);
    CHECK(wasm_valtype_kind(type) == kinds[i]);
    CHECK(wasm_valtype_is_num(type) == (i < 4) && wasm_valtype_is_ref(type) == (i >= 4));
    wasm_valtype_t* copy = wasm_valtype_copy(type);
    wasm_valtype_delete(type);
    CHECK(wasm_valtype_kind(copy) == kinds[i]);
    wasm_valtype_delete(copy);
  }
  CHECK(wasm_valtype_new(77) == NULL);
  CHECK(WASM_ANYREF == 128 && WASM_EXTERNREF == 128 && WASM_FUNCREF == 129 && WASM_F64 == 3);
  CHECK(WASM_EXTERN_FUNC == 0 && WASM_EXTERN_GLOBAL == 1 && WASM_EXTERN_TABLE == 2 && WASM_EXTERN_MEMORY == 3 &&
        WASM_EXTERN_TAG == 4);
  wasm_valtype_delete(NULL);
  CHECK(wasm_valtype_copy(NULL) == NULL);
}

static void functypes(void) {
  wasm_functype_t* type = wasm_functype_new_3_2(wasm_valtype_new_i32(), wasm_valtype_new_i64(), wasm_valtype_new_f32(),
                                                wasm_valtype_new_f64(), wasm_valtype_new_externref());
  wasm_functype_t* copy = wasm_functype_copy(type);
  wasm_functype_delete(type);
  const wasm_valtype_vec_t* params = wasm_functype_params(copy);
  const wasm_valtype_vec_t* results = wasm_functype_results(copy);
  REQUIRE(params->size == 3 && results->size == 2);
  CHECK(wasm_valtype_kind(params->data[0]) == WASM_I32 && wasm_valtype_kind(params->data[1]) == WASM_I64 &&
        wasm_valtype_kind(params->data[2]) == WASM_F32);
  CHECK(wasm_valtype_kind(results->data[0]) == WASM_F64 && wasm_valtype_kind(results->data[1]) == WASM_EXTERNREF);

  wasm_externtype_t* external = wasm_functype_as_externtype(copy);
  CHECK(wasm_externtype_kind(external) == WASM_EXTERN_FUNC);
  CHECK(wasm_externtype_as_functype(external) == copy && wasm_externtype_as_globaltype(external) == NULL &&
        wasm_externtype_as_tabletype(external) == NULL && wasm_externtype_as_memorytype(external) == NULL &&
        wasm_externtype_as_tagtype(external) == NULL);
  CHECK(wasm_externtype_as_functype_const(wasm_functype_as_externtype_const(copy)) == copy);
  wasm_functype_delete(copy);

  wasm_functype_t* shapes[] = {
      wasm_functype_new_0_0(), wasm_functype_new_1_0(wasm_valtype_new_i32()),
      wasm_functype_new_2_0(wasm_valtype_new_i32(), wasm_valtype_new_i32()),
      wasm_functype_new_3_0(wasm_valtype_new_i32(), wasm_valtype_new_i32(), wasm_valtype_new_i32()),
      wasm_functype_new_0_1(wasm_valtype_new_i32()), wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32()),
      wasm_functype_new_2_1(wasm_valtype_new_i32(), wasm_valtype_new_i32(), wasm_valtype_new_i32()),
      wasm_functype_new_3_1(wasm_valtype_new_i32(), wasm_valtype_new_i32(), wasm_valtype_new_i32(), wasm_valtype_new_i32()),
      wasm_functype_new_0_2(wasm_valtype_new_i32(), wasm_valtype_new_i32()),
      wasm_functype_new_1_2(wasm_valtype_new_i32(), wasm_valtype_new_i32(), wasm_valtype_new_i32()),
      wasm_functype_new_2_2(wasm_valtype_new_i32(), wasm_valtype_new_i32(), wasm_valtype_new_i32(), wasm_valtype_new_i32()),
  };
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; ++i) {
    CHECK(wasm_functype_params(shapes[i])->size == i % 4 && wasm_functype_results(shapes[i])->size == i / 4);
    wasm_functype_delete(shapes[i]);
  }
}

static void otherTypes(void) {
  wasm_globaltype_t* global = wasm_globaltype_new(wasm_valtype_new_f64(), WASM_VAR);
  wasm_globaltype_t* globalCopy = wasm_globaltype_copy(global);
  wasm_globaltype_delete(global);
  CHECK(wasm_valtype_kind(wasm_globaltype_content(globalCopy)) == WASM_F64);
  CHECK(wasm_globaltype_mutability(globalCopy) == WASM_VAR);

  wasm_limits_t limits = {2, wasm_limits_max_default};
  wasm_tabletype_t* table = wasm_tabletype_new(wasm_valtype_new_funcref(), &limits);
  wasm_tabletype_t* tableCopy = wasm_tabletype_copy(table);
  wasm_tabletype_delete(table);
  CHECK(wasm_valtype_kind(wasm_tabletype_element(tableCopy)) == WASM_FUNCREF);
  CHECK(wasm_tabletype_limits(tableCopy)->min == 2 && wasm_tabletype_limits(tableCopy)->max == wasm_limits_max_default);

  limits.max = 9;
  wasm_memorytype_t* memory = wasm_memorytype_new(&limits);
  wasm_memorytype_t* memoryCopy = wasm_memorytype_copy(memory);
  wasm_memorytype_delete(memory);
  CHECK(wasm_memorytype_limits(memoryCopy)->min == 2 && wasm_memorytype_limits(memoryCopy)->max == 9);

  wasm_tagtype_t* tag = wasm_tagtype_new(wasm_functype_new_1_0(wasm_valtype_new_i64()));
  wasm_tagtype_t* tagCopy = wasm_tagtype_copy(tag);
  wasm_tagtype_delete(tag);
  CHECK(wasm_functype_params(wasm_tagtype_functype(tagCopy))->size == 1);

  wasm_externtype_vec_t all;
  wasm_externtype_t* array[] = {wasm_globaltype_as_externtype(globalCopy), wasm_tabletype_as_externtype(tableCopy),
                                wasm_memorytype_as_externtype(memoryCopy), wasm_tagtype_as_externtype(tagCopy)};
  wasm_externtype_vec_new(&all, 4, array);
  wasm_externtype_vec_t again;
  wasm_externtype_vec_copy(&again, &all);
  wasm_externtype_vec_delete(&all);
  for (size_t i = 0; i < 4; ++i) CHECK(wasm_externtype_kind(again.data[i]) == i + 1);
  CHECK(wasm_memorytype_limits(wasm_externtype_as_memorytype_const(again.data[2]))->max == 9);
  wasm_externtype_vec_delete(&again);
}

static void importsAndExports(void) {
  wasm_name_t module, name;
  wasm_name_new_from_string(&module, "env");
  wasm_name_new_from_string(&name, "f");
  wasm_importtype_t* import =
      wasm_importtype_new(&module, &name, wasm_functype_as_externtype(wasm_functype_new_0_0()));
  wasm_importtype_t* importCopy = wasm_importtype_copy(import);
  wasm_importtype_delete(import);
  CHECK(name_is(wasm_importtype_module(importCopy), "env") && name_is(wasm_importtype_name(importCopy), "f"));
  CHECK(wasm_externtype_kind(wasm_importtype_type(importCopy)) == WASM_EXTERN_FUNC);
  wasm_importtype_delete(importCopy);

  wasm_name_new_from_string(&name, "out");
  wasm_exporttype_t* export =
      wasm_exporttype_new(&name, wasm_globaltype_as_externtype(wasm_globaltype_new(wasm_valtype_new_i32(), WASM_CONST)));
  wasm_exporttype_t* exportCopy = wasm_exporttype_copy(export);
  wasm_exporttype_delete(export);
  CHECK(name_is(wasm_exporttype_name(exportCopy), "out"));
  CHECK(wasm_externtype_kind(wasm_exporttype_type(exportCopy)) == WASM_EXTERN_GLOBAL);
  wasm_exporttype_delete(exportCopy);
}

int main(void) {
  vectors();
  valtypes();
  functypes();
  otherTypes();
  importsAndExports();
  return report();
}
