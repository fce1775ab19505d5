// wasm.hh: references and what they refer to.
#include "runtime/capi/cpp.h"

using namespace wattle::capi;

namespace wasm {

static_assert(sizeof(Val) == sizeof(wasm_val_t) && alignof(Val) == alignof(wasm_val_t));

#define WATTLE_DEFINE_DELETE(Name, name) \
  void Name::destroy() { wasm_##name##_delete(c(this)); }
#define WATTLE_DEFINE_REF(Name, name) \
  WATTLE_DEFINE_DELETE(Name, name)    \
  auto Name::copy() const->own<Name> { return owned<Name>(wasm_##name##_copy(c(this))); }
WATTLE_DEFINE_REF(Ref, ref)
WATTLE_DEFINE_REF(Frame, frame)
WATTLE_DEFINE_REF(Trap, trap)
WATTLE_DEFINE_REF(Module, module)
WATTLE_DEFINE_REF(Foreign, foreign)
WATTLE_DEFINE_REF(Extern, extern)
WATTLE_DEFINE_REF(Func, func)
WATTLE_DEFINE_REF(Global, global)
WATTLE_DEFINE_REF(Table, table)
WATTLE_DEFINE_REF(Memory, memory)
WATTLE_DEFINE_REF(Instance, instance)
WATTLE_DEFINE_DELETE(Shared<Module>, shared_module)

auto Ref::same(const Ref* that) const -> bool { return wasm_ref_same(c(this), c(that)); }
auto Ref::get_host_info() const -> void* { return wasm_ref_get_host_info(c(this)); }
void Ref::set_host_info(void* info, void (*finalizer)(void*)) {
  wasm_ref_set_host_info_with_finalizer(c(this), info, finalizer);
}

namespace {

// Borrowed.
wasm_byte_vec_t bytesOf(const vec<byte_t>& bytes) {
  return {bytes ? bytes.size() : 0, const_cast<byte_t*>(bytes.get())};
}

vec<byte_t> takeBytes(wasm_byte_vec_t& bytes) {
  auto out = vec<byte_t>::make_uninitialized(bytes.size);
  if (bytes.size) std::memcpy(out.get(), bytes.data, bytes.size);
  wasm_byte_vec_delete(&bytes);
  return out;
}

wasm_val_t* c(Val* values) { return reinterpret_cast<wasm_val_t*>(values); }
const wasm_val_t* c(const Val* values) { return reinterpret_cast<const wasm_val_t*>(values); }

wasm_ref_t* borrowed(const Ref* ref) { return const_cast<wasm_ref_t*>(wattle::capi::c(ref)); }

}  // namespace

using wattle::capi::c;

// --- Frames and traps ------------------------------------------------------------------------------------------------

auto Frame::instance() const -> Instance* { return cpp<Instance>(wasm_frame_instance(c(this))); }
auto Frame::func_index() const -> uint32_t { return wasm_frame_func_index(c(this)); }
auto Frame::func_offset() const -> size_t { return wasm_frame_func_offset(c(this)); }
auto Frame::module_offset() const -> size_t { return wasm_frame_module_offset(c(this)); }

auto Trap::make(Store* store, const Message& msg) -> own<Trap> {
  auto message = bytesOf(msg);
  return owned<Trap>(wasm_trap_new(c(store), &message));
}
auto Trap::message() const -> Message {
  wasm_message_t message;
  wasm_trap_message(c(this), &message);
  return takeBytes(message);
}
auto Trap::origin() const -> own<Frame> { return owned<Frame>(wasm_trap_origin(c(this))); }
auto Trap::trace() const -> ownvec<Frame> {
  wasm_frame_vec_t frames;
  wasm_trap_trace(c(this), &frames);
  return takeOwned<Frame>(frames, wasm_frame_vec_delete);
}

// --- Modules ---------------------------------------------------------------------------------------------------------

auto Module::validate(Store* store, const vec<byte_t>& binary) -> bool {
  auto bytes = bytesOf(binary);
  return wasm_module_validate(c(store), &bytes);
}
auto Module::make(Store* store, const vec<byte_t>& binary) -> own<Module> {
  auto bytes = bytesOf(binary);
  return owned<Module>(wasm_module_new(c(store), &bytes));
}
auto Module::imports() const -> ownvec<ImportType> {
  wasm_importtype_vec_t types;
  wasm_module_imports(c(this), &types);
  return takeOwned<ImportType>(types, wasm_importtype_vec_delete);
}
auto Module::exports() const -> ownvec<ExportType> {
  wasm_exporttype_vec_t types;
  wasm_module_exports(c(this), &types);
  return takeOwned<ExportType>(types, wasm_exporttype_vec_delete);
}
auto Module::share() const -> own<Shared<Module>> { return owned<Shared<Module>>(wasm_module_share(c(this))); }
auto Module::obtain(Store* store, const Shared<Module>* shared) -> own<Module> {
  return owned<Module>(wasm_module_obtain(c(store), c(shared)));
}
auto Module::serialize() const -> vec<byte_t> {
  wasm_byte_vec_t bytes;
  wasm_module_serialize(c(this), &bytes);
  return bytes.size ? takeBytes(bytes) : vec<byte_t>::invalid();
}
auto Module::deserialize(Store* store, const vec<byte_t>& serialized) -> own<Module> {
  auto bytes = bytesOf(serialized);
  return owned<Module>(wasm_module_deserialize(c(store), &bytes));
}

auto Foreign::make(Store* store) -> own<Foreign> { return owned<Foreign>(wasm_foreign_new(c(store))); }

// --- Externals -------------------------------------------------------------------------------------------------------

auto Extern::kind() const -> ExternKind { return static_cast<ExternKind>(wasm_extern_kind(c(this))); }
auto Extern::type() const -> own<ExternType> { return owned<ExternType>(wasm_extern_type(c(this))); }

#define WATTLE_DEFINE_CAST(Name, name)                                             \
  auto Extern::name()->Name* { return cpp<Name>(wasm_extern_as_##name(c(this))); } \
  auto Extern::name() const->const Name* { return cpp<Name>(wasm_extern_as_##name##_const(c(this))); }
WATTLE_DEFINE_CAST(Func, func)
WATTLE_DEFINE_CAST(Global, global)
WATTLE_DEFINE_CAST(Table, table)
WATTLE_DEFINE_CAST(Memory, memory)

namespace {

// A host function with its environment. One of the callbacks is set.
struct CppEnv {
  void* env = nullptr;
  void (*finalizer)(void*) = nullptr;
  Func::callback plain = nullptr;
  Func::callback_with_env withEnv = nullptr;
  Func::array_callback arrays = nullptr;
  Func::array_callback_with_env arraysWithEnv = nullptr;

  own<Trap> call(const vec<Val>& args, vec<Val>& results) const {
    if (plain) return plain(args, results);
    if (withEnv) return withEnv(env, args, results);
    if (arrays) return arrays(args.get(), results.get());
    return arraysWithEnv(env, args.get(), results.get());
  }
};

wasm_trap_t* callCpp(void* data, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  auto trap = static_cast<CppEnv*>(data)->call(view<Val>(*args), const_cast<vec<Val>&>(view<Val>(*results)));
  // Nobody looks at the results when there is a trap: what has been filled in is given back here.
  if (trap) {
    for (size_t i = 0; i < results->size; ++i) wasm_val_delete(&results->data[i]);
  }
  return c(std::move(trap));
}

void finalizeCpp(void* data) {
  std::unique_ptr<CppEnv> host(static_cast<CppEnv*>(data));
  if (host->finalizer) host->finalizer(host->env);
}

own<Func> makeFunc(Store* store, const FuncType* type, const CppEnv& host) {
  auto* env = orNothing([&] { return new CppEnv(host); });
  if (env) return owned<Func>(wasm_func_new_with_env(c(store), c(type), callCpp, env, finalizeCpp));
  if (host.finalizer) host.finalizer(host.env);
  return {};
}

}  // namespace

auto Func::make(Store* store, const FuncType* type, callback callback) -> own<Func> {
  return makeFunc(store, type, CppEnv{.plain = callback});
}
auto Func::make(Store* store, const FuncType* type, callback_with_env callback, void* env, void (*finalizer)(void*))
    -> own<Func> {
  return makeFunc(store, type, CppEnv{.env = env, .finalizer = finalizer, .withEnv = callback});
}
auto Func::make(Store* store, const FuncType* type, array_callback callback) -> own<Func> {
  return makeFunc(store, type, CppEnv{.arrays = callback});
}
auto Func::make(Store* store, const FuncType* type, array_callback_with_env callback, void* env,
                void (*finalizer)(void*)) -> own<Func> {
  return makeFunc(store, type, CppEnv{.env = env, .finalizer = finalizer, .arraysWithEnv = callback});
}
auto Func::type() const -> own<FuncType> { return owned<FuncType>(wasm_func_type(c(this))); }
auto Func::param_arity() const -> size_t { return wasm_func_param_arity(c(this)); }
auto Func::result_arity() const -> size_t { return wasm_func_result_arity(c(this)); }

auto Func::call(const vec<Val>& args, vec<Val>& results) const -> own<Trap> {
  wasm_val_vec_t in{args ? args.size() : 0, const_cast<wasm_val_t*>(c(args.get()))};
  wasm_val_vec_t out{results ? results.size() : 0, c(results.get())};
  for (size_t i = 0; i < out.size; ++i) results[i].reset();
  return owned<Trap>(wasm_func_call(c(this), &in, &out));
}

auto Func::call(const Val args[], Val results[]) const -> own<Trap> {
  wasm_val_vec_t in{param_arity(), const_cast<wasm_val_t*>(c(args))};
  wasm_val_vec_t out{result_arity(), c(results)};
  for (size_t i = 0; i < out.size; ++i) results[i].reset();
  return owned<Trap>(wasm_func_call(c(this), &in, &out));
}

auto Global::make(Store* store, const GlobalType* type, const Val& value) -> own<Global> {
  return owned<Global>(wasm_global_new(c(store), c(type), c(&value)));
}
auto Global::type() const -> own<GlobalType> { return owned<GlobalType>(wasm_global_type(c(this))); }
auto Global::get() const -> Val {
  Val out;
  wasm_global_get(c(this), c(&out));
  return out;
}
void Global::set(const Val& value) { wasm_global_set(c(this), c(&value)); }

auto Table::make(Store* store, const TableType* type, const Ref* init) -> own<Table> {
  return owned<Table>(wasm_table_new(c(store), c(type), borrowed(init)));
}
auto Table::type() const -> own<TableType> { return owned<TableType>(wasm_table_type(c(this))); }
auto Table::get(size_t index) const -> own<Ref> { return owned<Ref>(wasm_table_get(c(this), index)); }
auto Table::set(size_t index, const Ref* ref) -> bool { return wasm_table_set(c(this), index, borrowed(ref)); }
auto Table::size() const -> size_t { return wasm_table_size(c(this)); }
auto Table::grow(size_t delta, const Ref* init) -> bool { return wasm_table_grow(c(this), delta, borrowed(init)); }

auto Memory::make(Store* store, const MemoryType* type) -> own<Memory> {
  return owned<Memory>(wasm_memory_new(c(store), c(type)));
}
auto Memory::type() const -> own<MemoryType> { return owned<MemoryType>(wasm_memory_type(c(this))); }
auto Memory::data() const -> byte_t* { return wasm_memory_data(const_cast<wasm_memory_t*>(c(this))); }
auto Memory::data_size() const -> size_t { return wasm_memory_data_size(c(this)); }
auto Memory::size() const -> pages_t { return wasm_memory_size(c(this)); }
auto Memory::grow(pages_t delta) -> bool { return wasm_memory_grow(c(this), delta); }

// --- Instances -------------------------------------------------------------------------------------------------------

namespace {

own<Instance> instantiate(Store* store, const Module* module, const Extern* const imports[], size_t count,
                          own<Trap>* trap) {
  wasm_extern_vec_t given{count, reinterpret_cast<wasm_extern_t**>(const_cast<Extern**>(imports))};
  wasm_trap_t* failure = nullptr;
  auto made = owned<Instance>(wasm_instance_new(c(store), c(module), &given, trap ? &failure : nullptr));
  if (trap) *trap = owned<Trap>(failure);
  return made;
}

}  // namespace

auto Instance::make(Store* store, const Module* module, const vec<Extern*>& imports, own<Trap>* trap) -> own<Instance> {
  return instantiate(store, module, imports.get(), imports ? imports.size() : 0, trap);
}
auto Instance::make(Store* store, const Module* module, const ownvec<Extern>& imports, own<Trap>* trap)
    -> own<Instance> {
  // An owning pointer is nothing but the pointer.
  static_assert(sizeof(own<Extern>) == sizeof(Extern*));
  return instantiate(store, module, reinterpret_cast<const Extern* const*>(imports.get()), imports ? imports.size() : 0,
                     trap);
}
auto Instance::make(Store* store, const Module* module, const Extern* const imports[], own<Trap>* trap)
    -> own<Instance> {
  return instantiate(store, module, imports, imports ? module->imports().size() : 0, trap);
}

auto Instance::exports() const -> ownvec<Extern> {
  wasm_extern_vec_t exports;
  wasm_instance_exports(c(this), &exports);
  return takeOwned<Extern>(exports, wasm_extern_vec_delete);
}

}  // namespace wasm
