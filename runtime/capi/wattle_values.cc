// wattle.h: exceptions, references of the garbage-collected heap, v128, texts of types.
#include <algorithm>

#include "runtime/capi/wattle_capi.h"
#include "runtime/vm/exceptions.h"
#include "runtime/vm/global.h"
#include "runtime/vm/store.h"
#include "runtime/vm/tag.h"

using namespace wattle::capi;
using wattle::RootScope;
using wattle::Val;
using wattle::ValType;

namespace {

std::string textOf(const wasm_externtype_t* type) {
  switch (type->kind) {
    case WASM_EXTERN_FUNC: return toString(fromType(*wasm_externtype_as_functype_const(type)));
    case WASM_EXTERN_GLOBAL: return toString(wattle::ExternType(fromType(*wasm_externtype_as_globaltype_const(type))));
    case WASM_EXTERN_TABLE: return toString(wattle::ExternType(fromType(*wasm_externtype_as_tabletype_const(type))));
    case WASM_EXTERN_MEMORY: return toString(wattle::ExternType(fromType(*wasm_externtype_as_memorytype_const(type))));
    default:
      return toString(wattle::ExternType(wattle::TagType{fromType(*wasm_externtype_as_tagtype_const(type)->func)}));
  }
}

}  // namespace

void wattle_valtype_text(const wasm_valtype_t* type, wasm_name_t* out) {
  giveName(out, [&] { return wattle::toString(type->type); });
}
void wattle_externtype_text(const wasm_externtype_t* type, wasm_name_t* out) {
  giveName(out, [&] { return textOf(type); });
}

// --- Exceptions -----------------------------------------------------------------------------------------------------

#define WATTLE_DEFINE_REF(name, Kind)                                                                         \
  void wattle_##name##_delete(wattle_##name##_t* ref) { delete ref; }                                         \
  wattle_##name##_t* wattle_##name##_copy(const wattle_##name##_t* ref) {                                     \
    return ref ? orNothing([&] { return new wattle_##name##_t(*ref); }) : nullptr;                            \
  }                                                                                                           \
  bool wattle_##name##_same(const wattle_##name##_t* a, const wattle_##name##_t* b) { return sameRef(a, b); } \
  wasm_ref_t* wattle_##name##_as_ref(wattle_##name##_t* ref) { return ref; }                                  \
  wattle_##name##_t* wattle_ref_as_##name(wasm_ref_t* ref) {                                                  \
    return ref && ref->tag == RefTag::Kind ? static_cast<wattle_##name##_t*>(ref) : nullptr;                  \
  }
WATTLE_DEFINE_REF(tag, Tag)
WATTLE_DEFINE_REF(exception, Exception)

wattle_tag_t* wattle_tag_new(wasm_store_t* store, const wasm_tagtype_t* type) {
  return orNothing([&] {
    auto tag = wattle::Tag::create(store->store, fromType(*type->func));
    return tag.impl() ? new wattle_tag_t(std::move(tag)) : nullptr;
  });
}
wasm_tagtype_t* wattle_tag_type(const wattle_tag_t* tag) {
  return orNothing([&] { return makeType(wattle::TagType{tag->handle.type()}); });
}
wasm_extern_t* wattle_tag_as_extern(wattle_tag_t* tag) { return tag; }
wattle_tag_t* wattle_extern_as_tag(wasm_extern_t* external) {
  return external && external->tag == RefTag::Tag ? static_cast<wattle_tag_t*>(external) : nullptr;
}

wattle_error_t* wattle_exception_new(wasm_store_t* store, const wattle_tag_t* tag, const wasm_val_vec_t* values,
                                     wattle_exception_t** out) {
  return giveNew(out, [&]() -> wattle::Result<wattle::Exception> {
    RootScope scope(store->store);
    auto params = tag->handle.type().params;
    size_t given = values ? values->size : 0;
    if (given != params.size()) {
      return std::unexpected(
          wattle::Error::make(wattle::ErrorKind::Argument, "the values are not as many as the tag's parameters"));
    }
    std::vector<Val> payload;
    for (size_t i = 0; i < params.size(); ++i) {
      auto value = toVal(store->store, values->data[i], params[i]);
      if (!value) return std::unexpected(std::move(value.error()));
      payload.push_back(*value);
    }
    return wattle::Exception::create(store->store, tag->handle, payload);
  });
}

wattle_tag_t* wattle_exception_tag(const wattle_exception_t* exception) {
  auto tag = exception->handle.tag();
  return tag.impl() ? orNothing([&] { return new wattle_tag_t(std::move(tag)); }) : nullptr;
}

void wattle_exception_values(const wattle_exception_t* exception, wasm_val_vec_t* out) {
  auto* store = liveStore(exception->handle.impl());
  if (!store) return wasm_val_vec_new_empty(out);
  RootScope scope(*store);
  giveEach<wasm_val_vec_new_uninitialized, wasm_val_vec_delete>(
      out, [&] { return exception->handle.values(); },
      [store](wasm_val_t& to, const Val& value) { fromVal(*store, value, to); });
}

wattle_exception_t* wattle_trap_exception(const wasm_trap_t* trap) {
  auto exception = wattle::Exception::from(trap->error());
  return exception ? orNothing([&] { return new wattle_exception_t(std::move(*exception)); }) : nullptr;
}

wasm_trap_t* wattle_exception_as_trap(const wattle_exception_t* exception) {
  return makeTrap(exception->handle.error());
}

// --- References -----------------------------------------------------------------------------------------------------

namespace {

const ValueBox* valueOf(const wasm_ref_t* ref) {
  return ref && ref->tag == RefTag::Value ? &static_cast<ValueBox&>(*static_cast<const ValueRef*>(ref)->box) : nullptr;
}

// Of an object of the heap; an externref that is not from here otherwise.
wasm_valkind_t kindOfObject(const ValueBox& box) {
  auto* store = box.root.impl() ? box.root.impl()->store() : nullptr;
  if (!store || !store->gc() || !store->gc()->isObject(box.value.ref())) return WASM_EXTERNREF;
  return kindOf(ValType{wattle::Kind::Ref, false, true, wattle::Heap::Concrete, store->gc()->typeOf(box.value.ref())});
}

bool isI31(const wasm_ref_t* ref) {
  const auto* box = valueOf(ref);
  return box && box->value.type().isRef() && (box->value.ref() & 1);
}

}  // namespace

wasm_valkind_t wattle_ref_kind(const wasm_ref_t* ref) {
  if (!ref) return WATTLE_NULLREF;
  if (ref->tag == RefTag::Func) return WASM_FUNCREF;
  if (ref->tag == RefTag::Exception) return WATTLE_EXNREF;
  const auto* box = valueOf(ref);
  if (!box) return WASM_EXTERNREF;
  if (!box->value.type().isRef()) return WATTLE_V128;
  return isI31(ref) ? static_cast<wasm_valkind_t>(WATTLE_I31REF) : kindOfObject(*box);
}

wasm_ref_t* wattle_i31_new(uint32_t value) {
  uint32_t word = value << 1 | 1;
  const auto value31 = Val::reference({wattle::Kind::Ref, false, false, wattle::Heap::I31}, word);
  return orNothing([&]() -> wasm_ref_t* { return new ValueRef(makeBox<ValueBox>(value31)); });
}

bool wattle_i31_get_u(const wasm_ref_t* ref, uint32_t* out) {
  if (!isI31(ref)) return false;
  *out = static_cast<uint32_t>(valueOf(ref)->value.ref()) >> 1;
  return true;
}

bool wattle_i31_get_s(const wasm_ref_t* ref, int32_t* out) {
  if (!isI31(ref)) return false;
  *out = static_cast<int32_t>(static_cast<uint32_t>(valueOf(ref)->value.ref())) >> 1;
  return true;
}

void wattle_val_init_v128(wasm_val_t* out, const uint8_t bytes[16]) {
  wattle::V128 value;
  std::copy_n(bytes, 16, value.bytes.begin());
  *out = zeroVal(ValType::v128());
  out->of.ref = orNothing([&]() -> wasm_ref_t* { return new ValueRef(makeBox<ValueBox>(Val(value))); });
}

bool wattle_val_v128(const wasm_val_t* value, uint8_t out[16]) {
  const auto* box = value->kind == WATTLE_V128 ? valueOf(value->of.ref) : nullptr;
  if (!box || box->value.type().isRef()) return false;
  auto v128 = box->value.v128();
  std::copy_n(v128.bytes.begin(), 16, out);
  return true;
}
