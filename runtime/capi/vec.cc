// Vectors: wasm_X_vec_t for every X.
#include <cstdlib>
#include <cstring>

#include "runtime/capi/capi.h"

namespace {

template <class Vec>
void allocate(Vec* out, size_t size) {
  out->size = 0;
  // Zero, so that pointers are null and values numbers.
  out->data = size ? static_cast<decltype(out->data)>(std::calloc(size, sizeof(*out->data))) : nullptr;
  if (out->data) out->size = size;
}

template <class Vec, class Element>
void take(Vec* out, size_t size, Element elements) {
  allocate(out, size);
  if (out->size) std::memcpy(out->data, elements, size * sizeof(*out->data));
}

// Empty, if there is no memory for one of them.
template <class Vec, class Copy>
void copyEach(Vec* out, const Vec* from, Copy&& copy, void (*remove)(Vec*)) {
  allocate(out, from ? from->size : 0);
  for (size_t i = 0; i < out->size; ++i) {
    if (!copy(out->data[i], from->data[i])) return remove(out);
  }
}

template <class Vec, class Delete>
void deleteEach(Vec* vec, Delete&& remove) {
  if (!vec) return;
  for (size_t i = 0; vec->data && i < vec->size; ++i) remove(vec->data[i]);
  std::free(vec->data);
  vec->size = 0;
  vec->data = nullptr;
}

}  // namespace

#define WATTLE_DEFINE_VEC(name, ptr_or_none, copyElement, deleteElement)                                            \
  void wasm_##name##_vec_new_empty(wasm_##name##_vec_t* out) { allocate(out, 0); }                                  \
  void wasm_##name##_vec_new_uninitialized(wasm_##name##_vec_t* out, size_t size) { allocate(out, size); }          \
  void wasm_##name##_vec_new(wasm_##name##_vec_t* out, size_t size, wasm_##name##_t ptr_or_none const elements[]) { \
    take(out, size, elements);                                                                                      \
  }                                                                                                                 \
  void wasm_##name##_vec_copy(wasm_##name##_vec_t* out, const wasm_##name##_vec_t* from) {                          \
    copyEach(out, from, copyElement, wasm_##name##_vec_delete);                                                     \
  }                                                                                                                 \
  void wasm_##name##_vec_delete(wasm_##name##_vec_t* vec) { deleteEach(vec, deleteElement); }

#define WATTLE_DEFINE_POINTER_VEC(name) \
  WATTLE_DEFINE_VEC(                    \
      name, *, [](auto*& to, auto* from) { return (to = wasm_##name##_copy(from)) || !from; }, wasm_##name##_delete)

WATTLE_DEFINE_VEC(
    byte, ,
    [](char& to, char from) {
      to = from;
      return true;
    },
    [](char) {})
WATTLE_DEFINE_VEC(
    val, ,
    [](wasm_val_t& to, const wasm_val_t& from) {
      wasm_val_copy(&to, &from);
      return !wasm_valkind_is_ref(from.kind) || to.of.ref || !from.of.ref;
    },
    [](wasm_val_t& value) { wasm_val_delete(&value); })
WATTLE_DEFINE_POINTER_VEC(valtype)
WATTLE_DEFINE_POINTER_VEC(functype)
WATTLE_DEFINE_POINTER_VEC(globaltype)
WATTLE_DEFINE_POINTER_VEC(tabletype)
WATTLE_DEFINE_POINTER_VEC(memorytype)
WATTLE_DEFINE_POINTER_VEC(tagtype)
WATTLE_DEFINE_POINTER_VEC(externtype)
WATTLE_DEFINE_POINTER_VEC(importtype)
WATTLE_DEFINE_POINTER_VEC(exporttype)
WATTLE_DEFINE_POINTER_VEC(frame)
WATTLE_DEFINE_POINTER_VEC(extern)
