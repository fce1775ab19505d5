// Externals: what modules import and export.
#include "runtime/capi/capi.h"

using wattle::capi::RefTag;

wasm_externkind_t wasm_extern_kind(const wasm_extern_t* external) {
  switch (external->tag) {
    case RefTag::Func: return WASM_EXTERN_FUNC;
    case RefTag::Global: return WASM_EXTERN_GLOBAL;
    case RefTag::Table: return WASM_EXTERN_TABLE;
    case RefTag::Memory: return WASM_EXTERN_MEMORY;
    default: return WASM_EXTERN_TAG;
  }
}

wasm_externtype_t* wasm_extern_type(const wasm_extern_t* external) {
  auto typeOf = []<class Handle>(const Handle& handle) -> wasm_externtype_t* {
    if constexpr (std::is_same_v<Handle, wattle::Tag>)
      return wattle::capi::makeType(wattle::TagType{handle.type()});
    else
      return wattle::capi::makeType(handle.type());
  };
  return wattle::capi::orNothing([&] { return std::visit(typeOf, wattle::capi::externOf(*external)); });
}

#define WATTLE_DEFINE_EXTERN_CASTS(name, Kind)                                                   \
  wasm_extern_t* wasm_##name##_as_extern(wasm_##name##_t* ref) { return ref; }                   \
  const wasm_extern_t* wasm_##name##_as_extern_const(const wasm_##name##_t* ref) { return ref; } \
  wasm_##name##_t* wasm_extern_as_##name(wasm_extern_t* ref) {                                   \
    return ref && ref->tag == RefTag::Kind ? static_cast<wasm_##name##_t*>(ref) : nullptr;       \
  }                                                                                              \
  const wasm_##name##_t* wasm_extern_as_##name##_const(const wasm_extern_t* ref) {               \
    return ref && ref->tag == RefTag::Kind ? static_cast<const wasm_##name##_t*>(ref) : nullptr; \
  }
WATTLE_DEFINE_EXTERN_CASTS(func, Func)
WATTLE_DEFINE_EXTERN_CASTS(global, Global)
WATTLE_DEFINE_EXTERN_CASTS(table, Table)
WATTLE_DEFINE_EXTERN_CASTS(memory, Memory)
