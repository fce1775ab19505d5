// wasm.hh: configuration and types.
#include "runtime/capi/cpp.h"

using namespace wattle::capi;

namespace wasm {

static_assert(static_cast<int>(ValKind::FUNCREF) == WASM_FUNCREF);
static_assert(static_cast<int>(ExternKind::TAG) == WASM_EXTERN_TAG);
static_assert(static_cast<int>(Mutability::VAR) == WASM_VAR);
static_assert(sizeof(Limits) == sizeof(wasm_limits_t));

void Config::destroy() { wasm_config_delete(c(this)); }
auto Config::make() -> own<Config> { return owned<Config>(wasm_config_new()); }

void Engine::destroy() { wasm_engine_delete(c(this)); }
auto Engine::make(own<Config>&& config) -> own<Engine> {
  return owned<Engine>(wasm_engine_new_with_config(c(std::move(config))));
}

void Store::destroy() { wasm_store_delete(c(this)); }
auto Store::make(Engine* engine) -> own<Store> { return owned<Store>(wasm_store_new(c(engine))); }

#define WATTLE_DEFINE_TYPE(Name, name)                    \
  void Name::destroy() { wasm_##name##_delete(c(this)); } \
  auto Name::copy() const->own<Name> { return owned<Name>(wasm_##name##_copy(c(this))); }
WATTLE_DEFINE_TYPE(ValType, valtype)
WATTLE_DEFINE_TYPE(ExternType, externtype)
WATTLE_DEFINE_TYPE(FuncType, functype)
WATTLE_DEFINE_TYPE(GlobalType, globaltype)
WATTLE_DEFINE_TYPE(TableType, tabletype)
WATTLE_DEFINE_TYPE(MemoryType, memorytype)
WATTLE_DEFINE_TYPE(TagType, tagtype)
WATTLE_DEFINE_TYPE(ImportType, importtype)
WATTLE_DEFINE_TYPE(ExportType, exporttype)

auto ValType::make(ValKind kind) -> own<ValType> {
  return owned<ValType>(wasm_valtype_new(static_cast<wasm_valkind_t>(kind)));
}
auto ValType::kind() const -> ValKind { return static_cast<ValKind>(wasm_valtype_kind(c(this))); }

auto ExternType::kind() const -> ExternKind { return static_cast<ExternKind>(wasm_externtype_kind(c(this))); }

#define WATTLE_DEFINE_TYPE_CAST(Name, member, name)                                          \
  auto ExternType::member()->Name* { return cpp<Name>(wasm_externtype_as_##name(c(this))); } \
  auto ExternType::member() const->const Name* { return cpp<Name>(wasm_externtype_as_##name##_const(c(this))); }
WATTLE_DEFINE_TYPE_CAST(FuncType, func, functype)
WATTLE_DEFINE_TYPE_CAST(GlobalType, global, globaltype)
WATTLE_DEFINE_TYPE_CAST(TableType, table, tabletype)
WATTLE_DEFINE_TYPE_CAST(MemoryType, memory, memorytype)
WATTLE_DEFINE_TYPE_CAST(TagType, tag, tagtype)

namespace {

wasm_valtype_vec_t release(ownvec<ValType>&& types) {
  wasm_valtype_vec_t out;
  wasm_valtype_vec_new_uninitialized(&out, types ? types.size() : 0);
  for (size_t i = 0; i < out.size; ++i) out.data[i] = c(std::move(types[i]));
  return out;
}

wasm_limits_t limitsOf(const Limits& limits) { return {limits.min, limits.max}; }

wasm_name_t nameOf(const Name& name) {
  wasm_name_t out;
  wasm_name_new(&out, name ? name.size() : 0, name.get());
  return out;
}

}  // namespace

auto FuncType::make(ownvec<ValType>&& params, ownvec<ValType>&& results) -> own<FuncType> {
  auto p = release(std::move(params));
  auto r = release(std::move(results));
  return owned<FuncType>(wasm_functype_new(&p, &r));
}
auto FuncType::params() const -> const ownvec<ValType>& { return view<own<ValType>>(*wasm_functype_params(c(this))); }
auto FuncType::results() const -> const ownvec<ValType>& { return view<own<ValType>>(*wasm_functype_results(c(this))); }

auto GlobalType::make(own<ValType>&& content, Mutability mutability) -> own<GlobalType> {
  return owned<GlobalType>(wasm_globaltype_new(c(std::move(content)), static_cast<wasm_mutability_t>(mutability)));
}
auto GlobalType::content() const -> const ValType* { return cpp<ValType>(wasm_globaltype_content(c(this))); }
auto GlobalType::mutability() const -> Mutability {
  return static_cast<Mutability>(wasm_globaltype_mutability(c(this)));
}

auto TableType::make(own<ValType>&& element, Limits limits) -> own<TableType> {
  auto l = limitsOf(limits);
  return owned<TableType>(wasm_tabletype_new(c(std::move(element)), &l));
}
auto TableType::element() const -> const ValType* { return cpp<ValType>(wasm_tabletype_element(c(this))); }
auto TableType::limits() const -> const Limits& {
  return reinterpret_cast<const Limits&>(*wasm_tabletype_limits(c(this)));
}

auto MemoryType::make(Limits limits) -> own<MemoryType> {
  auto l = limitsOf(limits);
  return owned<MemoryType>(wasm_memorytype_new(&l));
}
auto MemoryType::limits() const -> const Limits& {
  return reinterpret_cast<const Limits&>(*wasm_memorytype_limits(c(this)));
}

auto TagType::make(own<FuncType>&& type) -> own<TagType> {
  return owned<TagType>(wasm_tagtype_new(c(std::move(type))));
}
auto TagType::functype() const -> const FuncType* { return cpp<FuncType>(wasm_tagtype_functype(c(this))); }

auto ImportType::make(Name&& module, Name&& name, own<ExternType>&& type) -> own<ImportType> {
  auto m = nameOf(module), n = nameOf(name);
  return owned<ImportType>(wasm_importtype_new(&m, &n, c(std::move(type))));
}
auto ImportType::module() const -> const Name& { return view<byte_t>(*wasm_importtype_module(c(this))); }
auto ImportType::name() const -> const Name& { return view<byte_t>(*wasm_importtype_name(c(this))); }
auto ImportType::type() const -> const ExternType* { return cpp<ExternType>(wasm_importtype_type(c(this))); }

auto ExportType::make(Name&& name, own<ExternType>&& type) -> own<ExportType> {
  auto n = nameOf(name);
  return owned<ExportType>(wasm_exporttype_new(&n, c(std::move(type))));
}
auto ExportType::name() const -> const Name& { return view<byte_t>(*wasm_exporttype_name(c(this))); }
auto ExportType::type() const -> const ExternType* { return cpp<ExternType>(wasm_exporttype_type(c(this))); }

}  // namespace wasm
