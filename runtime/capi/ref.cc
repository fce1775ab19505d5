// References: what they have in common, and their casts.
#include "runtime/capi/capi.h"
#include "runtime/vm/exceptions.h"
#include "runtime/vm/function.h"
#include "runtime/vm/global.h"
#include "runtime/vm/instance.h"
#include "runtime/vm/memory.h"
#include "runtime/vm/store.h"
#include "runtime/vm/table.h"
#include "runtime/vm/tag.h"

namespace wattle::capi {

HandleBox::~HandleBox() { deleteRef(ref); }

namespace {

// Calls with the reference as what it is.
template <class Function>
auto visit(const wasm_ref_t* ref, Function&& function) {
  switch (ref->tag) {
    case RefTag::Func: return function(static_cast<const wasm_func_t*>(ref));
    case RefTag::Global: return function(static_cast<const wasm_global_t*>(ref));
    case RefTag::Table: return function(static_cast<const wasm_table_t*>(ref));
    case RefTag::Memory: return function(static_cast<const wasm_memory_t*>(ref));
    case RefTag::Tag: return function(static_cast<const wattle_tag_t*>(ref));
    case RefTag::Instance: return function(static_cast<const wasm_instance_t*>(ref));
    case RefTag::Exception: return function(static_cast<const wattle_exception_t*>(ref));
    case RefTag::Module: return function(static_cast<const wasm_module_t*>(ref));
    case RefTag::Trap: return function(static_cast<const wasm_trap_t*>(ref));
    case RefTag::Foreign: return function(static_cast<const wasm_foreign_t*>(ref));
    case RefTag::Value: break;
  }
  return function(static_cast<const ValueRef*>(ref));
}

vm::Object* objectOf(vm::Object* object) { return object; }
vm::Object* objectOf(vm::Function* function) { return function ? function->owner() : nullptr; }
const void* partOf(vm::Object*) { return nullptr; }
const void* partOf(vm::Function* function) { return function; }

// Equal words of two stores need not be the same.
bool sameValue(const ValueBox& a, const ValueBox& b) {
  if (a.value.low() != b.value.low() || a.value.high() != b.value.high()) return false;
  if (a.value.type().isRef() != b.value.type().isRef()) return false;
  auto storeOf = [](const ValueBox& box) { return box.root.impl() ? box.root.impl()->store() : nullptr; };
  return storeOf(a) == storeOf(b);
}

}  // namespace

void deleteRef(wasm_ref_t* ref) {
  if (ref && ref != outOfMemoryTrap()) visit(ref, [](const auto* r) { delete r; });
}

wasm_ref_t* copyRef(const wasm_ref_t* ref) {
  if (!ref) return nullptr;
  return visit(ref, [](const auto* r) -> wasm_ref_t* { return new auto(*r); });
}

bool sameRef(const wasm_ref_t* a, const wasm_ref_t* b) {
  if (a == b) return true;
  if (!a || !b || a->tag != b->tag) return false;
  return visit(a, [b]<class Ref>(const Ref* x) {
    auto* y = static_cast<const Ref*>(b);
    if constexpr (std::is_same_v<Ref, ValueRef>) {
      return sameValue(static_cast<ValueBox&>(*x->box), static_cast<ValueBox&>(*y->box));
    } else if constexpr (std::is_base_of_v<BoxRef, Ref>) {
      return x->box == y->box;
    } else {
      return x->handle == y->handle;
    }
  });
}

namespace {

void* hostInfo(const wasm_ref_t* ref) {
  if (!ref) return nullptr;
  return visit(ref, []<class Ref>(const Ref* r) -> void* {
    if constexpr (std::is_base_of_v<BoxRef, Ref>) {
      return r->box->info;
    } else {
      auto* object = objectOf(r->handle.impl());
      return object && object->store() ? object->store()->hostInfo.get(*object, partOf(r->handle.impl())) : nullptr;
    }
  });
}

void attach(wasm_ref_t* ref, void* info, void (*finalizer)(void*)) {
  visit(ref, [&]<class Ref>(const Ref* r) {
    if constexpr (std::is_base_of_v<BoxRef, Ref>) {
      void* oldInfo = std::exchange(r->box->info, info);
      auto* oldFinalizer = std::exchange(r->box->finalizer, finalizer);
      if (oldFinalizer) oldFinalizer(oldInfo);
    } else if (auto* object = objectOf(r->handle.impl())) {
      vm::HostInfoTable::set(*object, partOf(r->handle.impl()), {info, finalizer});
    }
  });
}

// What cannot be attached is finalized at once.
void setHostInfo(wasm_ref_t* ref, void* info, void (*finalizer)(void*)) {
  if (!ref) return;
  const bool isSet = ref != outOfMemoryTrap() && orNothing([&] { return attach(ref, info, finalizer), true; });
  if (!isSet && finalizer) finalizer(info);
}

}  // namespace

Store* liveStore(const vm::Object* object) {
  return object && object->store() && object->store()->isOpen() ? object->store()->api : nullptr;
}

Store* liveStore(const wasm_extern_t& ref) {
  switch (ref.tag) {
    case RefTag::Func: return liveStore(objectOf(static_cast<const wasm_func_t&>(ref).handle.impl()));
    case RefTag::Global: return liveStore(static_cast<const wasm_global_t&>(ref).handle.impl());
    case RefTag::Table: return liveStore(static_cast<const wasm_table_t&>(ref).handle.impl());
    case RefTag::Memory: return liveStore(static_cast<const wasm_memory_t&>(ref).handle.impl());
    default: return liveStore(static_cast<const wattle_tag_t&>(ref).handle.impl());
  }
}

wasm_extern_t* makeExtern(const Extern& value) {
  switch (static_cast<ExternKind>(value.index())) {
    case ExternKind::Func: return new wasm_func_t(std::get<Func>(value));
    case ExternKind::Table: return new wasm_table_t(std::get<Table>(value));
    case ExternKind::Memory: return new wasm_memory_t(std::get<Memory>(value));
    case ExternKind::Global: return new wasm_global_t(std::get<Global>(value));
    case ExternKind::Tag: break;
  }
  return new wattle_tag_t(std::get<Tag>(value));
}

Extern externOf(const wasm_extern_t& ref) {
  switch (ref.tag) {
    case RefTag::Func: return static_cast<const wasm_func_t&>(ref).handle;
    case RefTag::Global: return static_cast<const wasm_global_t&>(ref).handle;
    case RefTag::Table: return static_cast<const wasm_table_t&>(ref).handle;
    case RefTag::Memory: return static_cast<const wasm_memory_t&>(ref).handle;
    default: return static_cast<const wattle_tag_t&>(ref).handle;
  }
}

}  // namespace wattle::capi

using namespace wattle::capi;

#define WATTLE_DEFINE_REF_BASE(name)                                                                            \
  void wasm_##name##_delete(wasm_##name##_t* ref) { deleteRef(ref); }                                           \
  wasm_##name##_t* wasm_##name##_copy(const wasm_##name##_t* ref) {                                             \
    return orNothing([&] { return static_cast<wasm_##name##_t*>(copyRef(ref)); });                              \
  }                                                                                                             \
  bool wasm_##name##_same(const wasm_##name##_t* a, const wasm_##name##_t* b) { return sameRef(a, b); }         \
  void* wasm_##name##_get_host_info(const wasm_##name##_t* ref) { return hostInfo(ref); }                       \
  void wasm_##name##_set_host_info(wasm_##name##_t* ref, void* info) { setHostInfo(ref, info, nullptr); }       \
  void wasm_##name##_set_host_info_with_finalizer(wasm_##name##_t* ref, void* info, void (*finalizer)(void*)) { \
    setHostInfo(ref, info, finalizer);                                                                          \
  }

#define WATTLE_DEFINE_REF(name, isKind)                                                    \
  WATTLE_DEFINE_REF_BASE(name)                                                             \
  wasm_ref_t* wasm_##name##_as_ref(wasm_##name##_t* ref) { return ref; }                   \
  const wasm_ref_t* wasm_##name##_as_ref_const(const wasm_##name##_t* ref) { return ref; } \
  wasm_##name##_t* wasm_ref_as_##name(wasm_ref_t* ref) {                                   \
    return ref && isKind(ref->tag) ? static_cast<wasm_##name##_t*>(ref) : nullptr;         \
  }                                                                                        \
  const wasm_##name##_t* wasm_ref_as_##name##_const(const wasm_ref_t* ref) {               \
    return ref && isKind(ref->tag) ? static_cast<const wasm_##name##_t*>(ref) : nullptr;   \
  }

namespace {
template <RefTag kTag>
bool isTag(RefTag tag) {
  return tag == kTag;
}
bool isExtern(RefTag tag) { return tag <= RefTag::Tag; }
}  // namespace

WATTLE_DEFINE_REF_BASE(ref)
WATTLE_DEFINE_REF(func, isTag<RefTag::Func>)
WATTLE_DEFINE_REF(global, isTag<RefTag::Global>)
WATTLE_DEFINE_REF(table, isTag<RefTag::Table>)
WATTLE_DEFINE_REF(memory, isTag<RefTag::Memory>)
WATTLE_DEFINE_REF(extern, isExtern)
WATTLE_DEFINE_REF(instance, isTag<RefTag::Instance>)
WATTLE_DEFINE_REF(module, isTag<RefTag::Module>)
WATTLE_DEFINE_REF(trap, isTag<RefTag::Trap>)
WATTLE_DEFINE_REF(foreign, isTag<RefTag::Foreign>)

wasm_foreign_t* wasm_foreign_new(wasm_store_t*) {
  return orNothing([] { return new wasm_foreign_t; });
}
