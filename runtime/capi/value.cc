// Values between C and the C++ API; references are explained in capi.h.
#include <fmt/format.h>

#include "runtime/capi/capi.h"
#include "runtime/vm/global.h"
#include "runtime/vm/store.h"
#include "runtime/vm/types.h"
#include "wattle.h"

namespace wattle::capi {

namespace {

std::unexpected<Error> mismatch(const ValType& wanted, const char* found) {
  return std::unexpected(Error::make(ErrorKind::Argument, fmt::format("expected {}, got {}", toString(wanted), found)));
}

const char* nameOf(wasm_valkind_t kind) {
  constexpr const char* kNumbers[] = {"i32", "i64", "f32", "f64"};
  if (kind < std::size(kNumbers)) return kNumbers[kind];
  return kind == WATTLE_V128 ? "v128" : "a reference";
}

std::optional<vm::RefKind> hierarchy(const ValType& type) {
  auto canonical = vm::fromApi(type);
  if (!canonical) return std::nullopt;
  return vm::refKind(*canonical);
}

Val externVal(Store& store, const std::shared_ptr<Box>& box, const ValType& type) {
  auto& externs = store.impl().externs();
  if (externs.contains(box->word) && externs.value(box->word).get() == static_cast<void*>(box.get())) {
    store.impl().pin(box->word, vm::RefKind::Extern);
  } else {
    const uint64_t word = store.externref(opaque(box)).ref();
    if (word == 0) throw std::bad_alloc();
    box->word = word;
  }
  return Val::reference(type, box->word);
}

// In the hierarchies of extern and any, which share their words.
Result<Val> anyVal(Store& store, const wasm_ref_t* ref, const ValType& type) {
  switch (ref->tag) {
    case RefTag::Value: {
      auto& box = static_cast<ValueBox&>(*static_cast<const ValueRef*>(ref)->box);
      if (!box.value.type().isRef()) return mismatch(type, "v128");
      if (box.root.impl() && box.root.impl()->store() != &store.impl())
        return mismatch(type, "a reference of another store");
      return Val::reference(type, box.value.ref());
    }
    case RefTag::Module:
    case RefTag::Trap:
    case RefTag::Foreign: return externVal(store, static_cast<const BoxRef*>(ref)->box, type);
    default: {
      auto box = makeBox<HandleBox>();
      box->ref = copyRef(ref);
      return externVal(store, box, type);
    }
  }
}

wasm_ref_t* rooted(Store& store, const Val& value) {
  auto box = makeBox<ValueBox>(value);
  bool isI31 = value.ref() & 1;
  if (!isI31) {
    ValType top{Kind::Ref, true, false, hierarchy(value.type()) == vm::RefKind::Extern ? Heap::Extern : Heap::Any};
    auto root = Global::create(store, {top, false}, Val::reference(top, value.ref()));
    if (!root) throw std::bad_alloc();  // unrooted it would be freed under the handle
    box->root = std::move(*root);
  }
  return new ValueRef(std::move(box));
}

wasm_ref_t* anyRef(Store& store, const Val& value) {
  auto& externs = store.impl().externs();
  auto box = externs.contains(value.ref()) ? boxOf(externs.value(value.ref())) : nullptr;
  if (!box) return rooted(store, value);
  switch (box->kind) {
    case Box::Kind::Module: return new wasm_module_t(std::move(box));
    case Box::Kind::Trap: return new wasm_trap_t(std::move(box));
    case Box::Kind::Foreign: return new wasm_foreign_t(std::move(box));
    case Box::Kind::Handle: return copyRef(static_cast<HandleBox&>(*box).ref);
    case Box::Kind::Value: break;
  }
  return new ValueRef(std::move(box));
}

}  // namespace

Result<Val> refToVal(Store& store, const wasm_ref_t* ref, const ValType& type) {
  if (!ref) return Val::null(type);
  switch (hierarchy(type).value_or(vm::RefKind::Func)) {
    case vm::RefKind::Func:
      if (ref->tag != RefTag::Func) return mismatch(type, "another reference");
      return static_cast<const wasm_func_t*>(ref)->handle.ref();
    case vm::RefKind::Exn:
      if (ref->tag != RefTag::Exception) return mismatch(type, "another reference");
      return static_cast<const wattle_exception_t*>(ref)->handle.ref();
    default: return anyVal(store, ref, type);
  }
}

Result<Val> toVal(Store& store, const wasm_val_t& value, const ValType& type) {
  wasm_valkind_t wanted = kindOf(type);
  if (wasm_valkind_is_num(wanted)) {
    if (value.kind == wanted) return Val::fromBits(type, numberBits(value));
  } else if (wanted == WATTLE_V128) {
    if (value.kind == wanted && value.of.ref && value.of.ref->tag == RefTag::Value) {
      const Val& v128 = static_cast<const ValueRef*>(value.of.ref)->value();
      if (v128.type().kind == Kind::V128) return v128;
    }
  } else if (wasm_valkind_is_ref(value.kind) && value.kind != WATTLE_V128) {
    return refToVal(store, value.of.ref, type);
  }
  return mismatch(type, nameOf(value.kind));
}

wasm_ref_t* refFromVal(Store& store, const Val& value) {
  if (value.isNull()) return nullptr;
  switch (hierarchy(value.type()).value_or(vm::RefKind::Func)) {
    case vm::RefKind::Func: {
      auto func = Func::fromRef(store, value);
      return func ? new wasm_func_t(std::move(*func)) : nullptr;
    }
    case vm::RefKind::Exn: {
      auto exception = Exception::fromRef(store, value);
      return exception ? new wattle_exception_t(std::move(*exception)) : nullptr;
    }
    default: return anyRef(store, value);
  }
}

wasm_val_t zeroVal(const ValType& type) {
  wasm_val_t out{};
  out.kind = kindOf(type);
  return out;
}

void fromVal(Store& store, const Val& value, wasm_val_t& out) {
  out = zeroVal(value.type());
  switch (value.type().kind) {
    case Kind::V128: out.of.ref = new ValueRef(makeBox<ValueBox>(value)); break;
    case Kind::Ref: out.of.ref = refFromVal(store, value); break;
    default: out.of.i64 = value.i64();  // or a narrower member, in the same place
  }
}

}  // namespace wattle::capi

void wasm_val_delete(wasm_val_t* value) {
  if (!value || !wasm_valkind_is_ref(value->kind)) return;
  wattle::capi::deleteRef(value->of.ref);
  value->of.ref = nullptr;
}

void wasm_val_copy(wasm_val_t* out, const wasm_val_t* value) {
  *out = *value;
  if (wasm_valkind_is_ref(value->kind)) out->of.ref = wasm_ref_copy(value->of.ref);
}
