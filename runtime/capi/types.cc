// Types and their conversions.
#include "runtime/capi/capi.h"
#include "wattle.h"

using namespace wattle;
using capi::fromType;
using capi::makeType;
using capi::orNothing;
using capi::Own;

// --- Value types ----------------------------------------------------------------------------------------------------

namespace wattle::capi {

namespace {

wasm_valkind_t kindOfHeap(Heap heap) {
  switch (heap) {
    case Heap::Func: return WASM_FUNCREF;
    case Heap::Extern: return WASM_EXTERNREF;
    case Heap::NoFunc: return WATTLE_NULLFUNCREF;
    case Heap::NoExtern: return WATTLE_NULLEXTERNREF;
    case Heap::Any: return WATTLE_ANYREF;
    case Heap::Eq: return WATTLE_EQREF;
    case Heap::I31: return WATTLE_I31REF;
    case Heap::Struct: return WATTLE_STRUCTREF;
    case Heap::Array: return WATTLE_ARRAYREF;
    case Heap::None: return WATTLE_NULLREF;
    case Heap::Exn: return WATTLE_EXNREF;
    case Heap::NoExn: return WATTLE_NULLEXNREF;
    case Heap::Concrete: break;
  }
  return WASM_FUNCREF;
}

wasm_valkind_t kindOfConcrete(uint32_t id) {
  const auto* entry = vm::TypeRegistry::process().find(id);
  if (!entry) return WASM_FUNCREF;
  switch (entry->type.kind) {
    case frontend::CompositeKind::Struct: return WATTLE_STRUCTREF;
    case frontend::CompositeKind::Array: return WATTLE_ARRAYREF;
    default: return WASM_FUNCREF;
  }
}

}  // namespace

wasm_valkind_t kindOfOther(const ValType& type) {
  if (type.kind == Kind::V128) return WATTLE_V128;
  return type.heap == Heap::Concrete ? kindOfConcrete(type.typeId) : kindOfHeap(type.heap);
}

std::optional<ValType> valTypeOf(wasm_valkind_t kind) {
  switch (kind) {
    case WASM_I32: return ValType::i32();
    case WASM_I64: return ValType::i64();
    case WASM_F32: return ValType::f32();
    case WASM_F64: return ValType::f64();
    case WATTLE_V128: return ValType::v128();
    default: break;
  }
  for (auto heap : {Heap::Func, Heap::Extern, Heap::NoFunc, Heap::NoExtern, Heap::Any, Heap::Eq, Heap::I31,
                    Heap::Struct, Heap::Array, Heap::None, Heap::Exn, Heap::NoExn}) {
    if (kindOfHeap(heap) == kind) return ValType{Kind::Ref, true, false, heap};
  }
  return std::nullopt;
}

void setName(wasm_name_t& out, std::string_view text) {
  wasm_name_new(&out, text.size(), text.data());
  requireSize(out.size, text.size());
}

namespace {

wasm_limits_t clampLimits(uint64_t min, std::optional<uint64_t> max) {
  constexpr uint64_t kMost = wasm_limits_max_default;
  return {static_cast<uint32_t>(std::min(min, kMost)), static_cast<uint32_t>(max ? std::min(*max, kMost) : kMost)};
}

std::optional<uint64_t> maximum(const wasm_limits_t& limits) {
  if (limits.max == wasm_limits_max_default) return std::nullopt;
  return limits.max;
}

// What has been made stays in `out` when there is no memory for the rest.
void makeTypes(wasm_valtype_vec_t& out, const std::vector<ValType>& types) {
  fillVec<wasm_valtype_vec_new_uninitialized>(out, types, [](auto*& to, auto& type) { to = new wasm_valtype_t(type); });
}

std::vector<ValType> fromTypes(const wasm_valtype_vec_t& types) {
  std::vector<ValType> out;
  for (size_t i = 0; i < types.size; ++i) {
    if (types.data[i]) out.push_back(types.data[i]->type);
  }
  return out;
}

}  // namespace

wasm_functype_t* makeType(const FuncType& type) {
  Own<wasm_functype_t, wasm_functype_delete> made(new wasm_functype_t{{WASM_EXTERN_FUNC}, {}, {}});
  makeTypes(made->params, type.params);
  makeTypes(made->results, type.results);
  return made.release();
}

wasm_globaltype_t* makeType(const GlobalType& type) {
  const auto mutability = static_cast<wasm_mutability_t>(type.isMutable ? WASM_VAR : WASM_CONST);
  Own<wasm_globaltype_t, wasm_globaltype_delete> made(new wasm_globaltype_t{{WASM_EXTERN_GLOBAL}, nullptr, mutability});
  made->content = new wasm_valtype_t(type.type);
  return made.release();
}

wasm_tabletype_t* makeType(const TableType& type) {
  Own<wasm_tabletype_t, wasm_tabletype_delete> made(
      new wasm_tabletype_t{{WASM_EXTERN_TABLE}, nullptr, clampLimits(type.min, type.max), type});
  made->element = new wasm_valtype_t(type.element);
  return made.release();
}

wasm_memorytype_t* makeType(const MemoryType& type) {
  return new wasm_memorytype_t{{WASM_EXTERN_MEMORY}, clampLimits(type.minPages, type.maxPages), type};
}

wasm_tagtype_t* makeType(const TagType& type) {
  Own<wasm_tagtype_t, wasm_tagtype_delete> made(new wasm_tagtype_t{{WASM_EXTERN_TAG}, nullptr});
  made->func = makeType(type.type);
  return made.release();
}

wasm_externtype_t* makeType(const ExternType& type) {
  return std::visit([](const auto& t) -> wasm_externtype_t* { return makeType(t); }, type);
}

FuncType fromType(const wasm_functype_t& type) { return {fromTypes(type.params), fromTypes(type.results)}; }
GlobalType fromType(const wasm_globaltype_t& type) { return {type.content->type, type.mutability == WASM_VAR}; }

TableType fromType(const wasm_tabletype_t& type) {
  TableType out = type.type;
  out.element = type.element->type;
  return out;
}

MemoryType fromType(const wasm_memorytype_t& type) { return type.type; }

}  // namespace wattle::capi

wasm_valtype_t::wasm_valtype_t(const wattle::ValType& t) : type(t) {
  const auto& registry = vm::TypeRegistry::process();
  if (t.isRef() && t.heap == Heap::Concrete && registry.find(t.typeId)) group = registry.hold(t.typeId);
}

wasm_valtype_t* wasm_valtype_new(wasm_valkind_t kind) {
  auto type = capi::valTypeOf(kind);
  return type ? orNothing([&] { return new wasm_valtype_t(*type); }) : nullptr;
}
wasm_valtype_t* wasm_valtype_copy(const wasm_valtype_t* type) {
  return type ? orNothing([&] { return new wasm_valtype_t(*type); }) : nullptr;
}
void wasm_valtype_delete(wasm_valtype_t* type) { delete type; }
wasm_valkind_t wasm_valtype_kind(const wasm_valtype_t* type) { return capi::kindOf(type->type); }

// --- Types of externals ---------------------------------------------------------------------------------------------

wasm_functype_t* wasm_functype_new(wasm_valtype_vec_t* params, wasm_valtype_vec_t* results) {
  auto* type = orNothing([] { return new wasm_functype_t{{WASM_EXTERN_FUNC}, {}, {}}; });
  for (auto [from, to] :
       {std::pair(params, type ? &type->params : nullptr), {results, type ? &type->results : nullptr}}) {
    if (!from) continue;
    if (to)
      *to = std::exchange(*from, {});
    else
      wasm_valtype_vec_delete(from);
  }
  return type;
}
const wasm_valtype_vec_t* wasm_functype_params(const wasm_functype_t* type) { return &type->params; }
const wasm_valtype_vec_t* wasm_functype_results(const wasm_functype_t* type) { return &type->results; }

void wasm_functype_delete(wasm_functype_t* type) {
  if (!type) return;
  wasm_valtype_vec_delete(&type->params);
  wasm_valtype_vec_delete(&type->results);
  delete type;
}

wasm_globaltype_t* wasm_globaltype_new(wasm_valtype_t* content, wasm_mutability_t mutability) {
  Own<wasm_valtype_t, wasm_valtype_delete> owned(content);
  if (!content) return nullptr;
  return orNothing([&] { return new wasm_globaltype_t{{WASM_EXTERN_GLOBAL}, owned.release(), mutability}; });
}
const wasm_valtype_t* wasm_globaltype_content(const wasm_globaltype_t* type) { return type->content; }
wasm_mutability_t wasm_globaltype_mutability(const wasm_globaltype_t* type) { return type->mutability; }

void wasm_globaltype_delete(wasm_globaltype_t* type) {
  if (!type) return;
  wasm_valtype_delete(type->content);
  delete type;
}

wasm_tabletype_t* wasm_tabletype_new(wasm_valtype_t* element, const wasm_limits_t* limits) {
  Own<wasm_valtype_t, wasm_valtype_delete> owned(element);
  if (!element) return nullptr;
  return orNothing([&] {
    TableType type{element->type, limits->min, capi::maximum(*limits), false};
    return new wasm_tabletype_t{{WASM_EXTERN_TABLE}, owned.release(), *limits, type};
  });
}
const wasm_valtype_t* wasm_tabletype_element(const wasm_tabletype_t* type) { return type->element; }
const wasm_limits_t* wasm_tabletype_limits(const wasm_tabletype_t* type) { return &type->limits; }

void wasm_tabletype_delete(wasm_tabletype_t* type) {
  if (!type) return;
  wasm_valtype_delete(type->element);
  delete type;
}

wasm_memorytype_t* wasm_memorytype_new(const wasm_limits_t* limits) {
  return orNothing([&] {
    return new wasm_memorytype_t{
        {WASM_EXTERN_MEMORY}, *limits, {limits->min, capi::maximum(*limits), false, false, 16}};
  });
}
const wasm_limits_t* wasm_memorytype_limits(const wasm_memorytype_t* type) { return &type->limits; }
void wasm_memorytype_delete(wasm_memorytype_t* type) { delete type; }

wasm_tagtype_t* wasm_tagtype_new(wasm_functype_t* func) {
  Own<wasm_functype_t, wasm_functype_delete> owned(func);
  return func ? orNothing([&] { return new wasm_tagtype_t{{WASM_EXTERN_TAG}, owned.release()}; }) : nullptr;
}
const wasm_functype_t* wasm_tagtype_functype(const wasm_tagtype_t* type) { return type->func; }

void wasm_tagtype_delete(wasm_tagtype_t* type) {
  if (!type) return;
  wasm_functype_delete(type->func);
  delete type;
}

namespace {
template <class Type>
Type* copied(const Type* type) {
  return type ? orNothing([&] { return makeType(fromType(*type)); }) : nullptr;
}
}  // namespace

wasm_functype_t* wasm_functype_copy(const wasm_functype_t* type) { return copied(type); }
wasm_globaltype_t* wasm_globaltype_copy(const wasm_globaltype_t* type) { return copied(type); }
wasm_tabletype_t* wasm_tabletype_copy(const wasm_tabletype_t* type) { return copied(type); }
wasm_memorytype_t* wasm_memorytype_copy(const wasm_memorytype_t* type) { return copied(type); }
wasm_tagtype_t* wasm_tagtype_copy(const wasm_tagtype_t* type) {
  return type ? wasm_tagtype_new(wasm_functype_copy(type->func)) : nullptr;
}

wasm_externkind_t wasm_externtype_kind(const wasm_externtype_t* type) { return type->kind; }

#define WATTLE_DEFINE_EXTERNTYPE_CASTS(name, KIND)                                                         \
  wasm_externtype_t* wasm_##name##_as_externtype(wasm_##name##_t* type) { return type; }                   \
  const wasm_externtype_t* wasm_##name##_as_externtype_const(const wasm_##name##_t* type) { return type; } \
  wasm_##name##_t* wasm_externtype_as_##name(wasm_externtype_t* type) {                                    \
    return type && type->kind == KIND ? static_cast<wasm_##name##_t*>(type) : nullptr;                     \
  }                                                                                                        \
  const wasm_##name##_t* wasm_externtype_as_##name##_const(const wasm_externtype_t* type) {                \
    return type && type->kind == KIND ? static_cast<const wasm_##name##_t*>(type) : nullptr;               \
  }
WATTLE_DEFINE_EXTERNTYPE_CASTS(functype, WASM_EXTERN_FUNC)
WATTLE_DEFINE_EXTERNTYPE_CASTS(globaltype, WASM_EXTERN_GLOBAL)
WATTLE_DEFINE_EXTERNTYPE_CASTS(tabletype, WASM_EXTERN_TABLE)
WATTLE_DEFINE_EXTERNTYPE_CASTS(memorytype, WASM_EXTERN_MEMORY)
WATTLE_DEFINE_EXTERNTYPE_CASTS(tagtype, WASM_EXTERN_TAG)

wasm_externtype_t* wasm_externtype_copy(const wasm_externtype_t* type) {
  if (!type) return nullptr;
  switch (type->kind) {
    case WASM_EXTERN_FUNC: return wasm_functype_copy(static_cast<const wasm_functype_t*>(type));
    case WASM_EXTERN_GLOBAL: return wasm_globaltype_copy(static_cast<const wasm_globaltype_t*>(type));
    case WASM_EXTERN_TABLE: return wasm_tabletype_copy(static_cast<const wasm_tabletype_t*>(type));
    case WASM_EXTERN_MEMORY: return wasm_memorytype_copy(static_cast<const wasm_memorytype_t*>(type));
    default: return wasm_tagtype_copy(static_cast<const wasm_tagtype_t*>(type));
  }
}

void wasm_externtype_delete(wasm_externtype_t* type) {
  if (!type) return;
  switch (type->kind) {
    case WASM_EXTERN_FUNC: return wasm_functype_delete(static_cast<wasm_functype_t*>(type));
    case WASM_EXTERN_GLOBAL: return wasm_globaltype_delete(static_cast<wasm_globaltype_t*>(type));
    case WASM_EXTERN_TABLE: return wasm_tabletype_delete(static_cast<wasm_tabletype_t*>(type));
    case WASM_EXTERN_MEMORY: return wasm_memorytype_delete(static_cast<wasm_memorytype_t*>(type));
    default: return wasm_tagtype_delete(static_cast<wasm_tagtype_t*>(type));
  }
}

// --- Imports and exports --------------------------------------------------------------------------------------------

namespace {

void copyName(wasm_name_t& out, const wasm_name_t& name) {
  wasm_name_copy(&out, &name);
  capi::requireSize(out.size, name.size);
}

wasm_externtype_t* copyType(const wasm_externtype_t* type) {
  auto* copy = wasm_externtype_copy(type);
  if (type && !copy) throw std::bad_alloc();
  return copy;
}

// Into the object, or away.
void place(wasm_name_t* name, wasm_name_t* to) {
  if (!name) return;
  if (to)
    *to = std::exchange(*name, {});
  else
    wasm_name_delete(name);
}

}  // namespace

wasm_importtype_t* wasm_importtype_new(wasm_name_t* module, wasm_name_t* name, wasm_externtype_t* type) {
  auto* made = orNothing([&] { return new wasm_importtype_t{{}, {}, type}; });
  place(module, made ? &made->module : nullptr);
  place(name, made ? &made->name : nullptr);
  if (!made) wasm_externtype_delete(type);
  return made;
}
wasm_importtype_t* wasm_importtype_copy(const wasm_importtype_t* type) {
  if (!type) return nullptr;
  return orNothing([&] {
    Own<wasm_importtype_t, wasm_importtype_delete> made(new wasm_importtype_t{{}, {}, nullptr});
    copyName(made->module, type->module);
    copyName(made->name, type->name);
    made->type = copyType(type->type);
    return made.release();
  });
}
const wasm_name_t* wasm_importtype_module(const wasm_importtype_t* type) { return &type->module; }
const wasm_name_t* wasm_importtype_name(const wasm_importtype_t* type) { return &type->name; }
const wasm_externtype_t* wasm_importtype_type(const wasm_importtype_t* type) { return type->type; }

void wasm_importtype_delete(wasm_importtype_t* type) {
  if (!type) return;
  wasm_name_delete(&type->module);
  wasm_name_delete(&type->name);
  wasm_externtype_delete(type->type);
  delete type;
}

wasm_exporttype_t* wasm_exporttype_new(wasm_name_t* name, wasm_externtype_t* type) {
  auto* made = orNothing([&] { return new wasm_exporttype_t{{}, type}; });
  place(name, made ? &made->name : nullptr);
  if (!made) wasm_externtype_delete(type);
  return made;
}
wasm_exporttype_t* wasm_exporttype_copy(const wasm_exporttype_t* type) {
  if (!type) return nullptr;
  return orNothing([&] {
    Own<wasm_exporttype_t, wasm_exporttype_delete> made(new wasm_exporttype_t{{}, nullptr});
    copyName(made->name, type->name);
    made->type = copyType(type->type);
    return made.release();
  });
}
const wasm_name_t* wasm_exporttype_name(const wasm_exporttype_t* type) { return &type->name; }
const wasm_externtype_t* wasm_exporttype_type(const wasm_exporttype_t* type) { return type->type; }

void wasm_exporttype_delete(wasm_exporttype_t* type) {
  if (!type) return;
  wasm_name_delete(&type->name);
  wasm_externtype_delete(type->type);
  delete type;
}
