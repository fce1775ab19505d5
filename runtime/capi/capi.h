// The C API's objects, over the C++ API.
//
// References. A wasm_ref_t is a handle: a tag and something that keeps the object. For what a store owns (functions,
// globals, tables, memories, tags, instances, exceptions) that is the C++ API's handle; everything else (modules,
// traps, foreign objects, values of the garbage-collected heap, v128 values) is a counted Box. So a conversion between
// reference types is a cast, identity is that of the vm object or the Box, and a handle outlives its store as those do.
// No handle knows a wasm_store_t: the vm object knows its store.
//
// Values. An externref that the guest gets from here holds a Box: a foreign object's own, or a HandleBox with a copy of
// a function's, memory's... handle. On the way back the Box is told from host values of the C++ API by its deleter. A
// reference to a structure or array is a word of the store's heap; its ValueBox keeps it alive through a global of the
// store made for it.
//
// Memory. There may be none for anything that allocates. Then objects are NULL, vectors empty, bools false; errors and
// traps, whose NULL means that it went well, have an immortal each that says so (outOfMemoryTrap, outOfMemoryError).
//
// The C++ face (wasm.hh) has classes without members: its pointers are these pointers.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "runtime/vm/boundary.h"
#include "runtime/vm/object.h"
#include "runtime/vm/type_registry.h"
#include "wasm.h"
#include "wattle/wattle.hpp"

namespace wattle::capi {

// No exception gets into C. What the body gives, or nullptr, false, 0, nothing when there is no memory.
template <class Body>
auto orNothing(Body&& body) noexcept {
  using Made = std::invoke_result_t<Body>;
  if constexpr (std::is_void_v<Made>)
    vm::contain(body, [](Error&&) {});
  else
    return vm::orElse(Made{}, body);
}

// For a vector that C gets: empty when there is no memory for all of it.
template <auto kDelete, class Vec, class Body>
void giveVec(Vec* out, Body&& body) noexcept {
  *out = {};
  const bool isDone = orNothing([&] {
    body();
    return true;
  });
  if (!isDone) kDelete(out);
}

// An object of C's until C has it.
template <auto kDelete>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    kDelete(object);
  }
};
template <class T, auto kDelete>
using Own = std::unique_ptr<T, Deleter<kDelete>>;

// Of what has a handle of the C++ API first.
enum class RefTag : uint8_t { Func, Global, Table, Memory, Tag, Instance, Exception, Module, Trap, Foreign, Value };

struct Box {
  enum class Kind : uint8_t { Module, Trap, Foreign, Value, Handle };
  explicit Box(Kind k) : kind(k) {}
  virtual ~Box() {
    if (finalizer) finalizer(info);
  }
  Box(const Box&) = delete;
  Box& operator=(const Box&) = delete;

  const Kind kind;
  void* info = nullptr;
  void (*finalizer)(void*) = nullptr;
  // The last externref made of it: another one only when that has been freed.
  uint64_t word = 0;
};

// Tells a shared_ptr<void> that is a Box.
struct BoxDeleter {
  void operator()(Box* box) const { delete box; }
};
template <class T, class... Args>
std::shared_ptr<T> makeBox(Args&&... args) {
  return std::static_pointer_cast<T>(std::shared_ptr<Box>(new T(std::forward<Args>(args)...), BoxDeleter{}));
}
// As what the C++ API carries about.
inline std::shared_ptr<void> opaque(std::shared_ptr<Box> box) { return box; }
inline std::shared_ptr<Box> boxOf(const std::shared_ptr<void>& value) {
  return std::get_deleter<BoxDeleter>(value) ? std::static_pointer_cast<Box>(value) : nullptr;
}

struct ModuleBox final : Box {
  explicit ModuleBox(wattle::Module m) : Box(Kind::Module), module(std::move(m)) {}
  wattle::Module module;
};

struct TrapBox final : Box {
  explicit TrapBox(Error e) : Box(Kind::Trap), error(std::move(e)) {}
  Error error;
};

struct ForeignBox final : Box {
  ForeignBox() : Box(Kind::Foreign) {}
};

struct ValueBox final : Box {
  explicit ValueBox(Val v) : Box(Kind::Value), value(v) {}
  Val value;
  Global root;  // empty: nothing to keep (an i31, a v128)
};

struct HandleBox final : Box {
  HandleBox() : Box(Kind::Handle) {}
  ~HandleBox() override;
  wasm_ref_t* ref = nullptr;  // owned
};

}  // namespace wattle::capi

// --- What wasm.h declares -------------------------------------------------------------------------------------------

struct wasm_config_t {
  wattle::Config config;
};

struct wasm_engine_t {
  wattle::Engine engine;
};

struct wasm_store_t {
  wasm_store_t(const wattle::Engine& e, const wattle::StoreLimits& limits) : engine(e), store(e, limits) {}
  wattle::Engine engine;
  wattle::Store store;
};

struct wasm_valtype_t {
  explicit wasm_valtype_t(const wattle::ValType& t);
  wattle::ValType type;
  wattle::vm::GroupRef group;  // keeps a concrete type's id
};

struct wasm_externtype_t {
  wasm_externkind_t kind;
};

struct wasm_functype_t : wasm_externtype_t {
  wasm_valtype_vec_t params;
  wasm_valtype_vec_t results;
};

struct wasm_globaltype_t : wasm_externtype_t {
  wasm_valtype_t* content;
  wasm_mutability_t mutability;
};

struct wasm_tabletype_t : wasm_externtype_t {
  wasm_valtype_t* element;
  wasm_limits_t limits;
  wattle::TableType type;  // but for the element's
};

struct wasm_memorytype_t : wasm_externtype_t {
  wasm_limits_t limits;
  wattle::MemoryType type;
};

struct wasm_tagtype_t : wasm_externtype_t {
  wasm_functype_t* func;
};

struct wasm_importtype_t {
  wasm_name_t module;
  wasm_name_t name;
  wasm_externtype_t* type;
};

struct wasm_exporttype_t {
  wasm_name_t name;
  wasm_externtype_t* type;
};

struct wasm_ref_t {
  wattle::capi::RefTag tag;
};

namespace wattle::capi {
template <class Handle, RefTag kTag, class Base = wasm_ref_t>
struct HandleRef : Base {
  explicit HandleRef(Handle h) : handle(std::move(h)) { this->tag = kTag; }
  Handle handle;
};
struct BoxRef : wasm_ref_t {
  BoxRef(RefTag t, std::shared_ptr<Box> b) : wasm_ref_t{t}, box(std::move(b)) {}
  std::shared_ptr<Box> box;
};
}  // namespace wattle::capi

struct wasm_extern_t : wasm_ref_t {};

#define WATTLE_CAPI_HANDLE(name, Handle, Base)                                                           \
  struct wasm_##name##_t : wattle::capi::HandleRef<wattle::Handle, wattle::capi::RefTag::Handle, Base> { \
    using HandleRef::HandleRef;                                                                          \
  };
WATTLE_CAPI_HANDLE(func, Func, wasm_extern_t)
WATTLE_CAPI_HANDLE(global, Global, wasm_extern_t)
WATTLE_CAPI_HANDLE(table, Table, wasm_extern_t)
WATTLE_CAPI_HANDLE(memory, Memory, wasm_extern_t)
WATTLE_CAPI_HANDLE(instance, Instance, wasm_ref_t)
#undef WATTLE_CAPI_HANDLE

struct wasm_module_t : wattle::capi::BoxRef {
  explicit wasm_module_t(wattle::Module module)
      : wasm_module_t(wattle::capi::makeBox<wattle::capi::ModuleBox>(std::move(module))) {}
  explicit wasm_module_t(std::shared_ptr<wattle::capi::Box> b) : BoxRef(wattle::capi::RefTag::Module, std::move(b)) {}
  const wattle::Module& module() const { return static_cast<wattle::capi::ModuleBox&>(*box).module; }
};

struct wasm_shared_module_t {
  wattle::Module module;
};

struct wasm_trap_t : wattle::capi::BoxRef {
  explicit wasm_trap_t(std::shared_ptr<wattle::capi::Box> b) : BoxRef(wattle::capi::RefTag::Trap, std::move(b)) {}
  wattle::Error& error() const { return static_cast<wattle::capi::TrapBox&>(*box).error; }
};

struct wasm_foreign_t : wattle::capi::BoxRef {
  wasm_foreign_t() : wasm_foreign_t(wattle::capi::makeBox<wattle::capi::ForeignBox>()) {}
  explicit wasm_foreign_t(std::shared_ptr<wattle::capi::Box> b) : BoxRef(wattle::capi::RefTag::Foreign, std::move(b)) {}
};

struct wasm_frame_t {
  wattle::Frame frame;
  wasm_instance_t* instance;  // owned
};

// Of wattle.h, but of the same family.
struct wattle_tag_t : wattle::capi::HandleRef<wattle::Tag, wattle::capi::RefTag::Tag, wasm_extern_t> {
  using HandleRef::HandleRef;
};

struct wattle_exception_t : wattle::capi::HandleRef<wattle::Exception, wattle::capi::RefTag::Exception> {
  using HandleRef::HandleRef;
};

namespace wattle::capi {

// Of the garbage-collected heap, an i31, an externref that is not from here, or a v128.
struct ValueRef final : BoxRef {
  explicit ValueRef(std::shared_ptr<Box> b) : BoxRef(RefTag::Value, std::move(b)) {}
  const Val& value() const { return static_cast<ValueBox&>(*box).value; }
};

// --- types.cc
wasm_valkind_t kindOfOther(const ValType& type);
inline wasm_valkind_t kindOf(const ValType& type) {
  static_assert(static_cast<int>(Kind::I32) == WASM_I32 && static_cast<int>(Kind::F64) == WASM_F64);
  return type.kind <= Kind::F64 ? static_cast<wasm_valkind_t>(type.kind) : kindOfOther(type);
}
std::optional<ValType> valTypeOf(wasm_valkind_t kind);
wasm_functype_t* makeType(const FuncType& type);
wasm_globaltype_t* makeType(const GlobalType& type);
wasm_tabletype_t* makeType(const TableType& type);
wasm_memorytype_t* makeType(const MemoryType& type);
wasm_tagtype_t* makeType(const TagType& type);
wasm_externtype_t* makeType(const ExternType& type);
FuncType fromType(const wasm_functype_t& type);
GlobalType fromType(const wasm_globaltype_t& type);
TableType fromType(const wasm_tabletype_t& type);
MemoryType fromType(const wasm_memorytype_t& type);
// Throws bad_alloc.
void setName(wasm_name_t& out, std::string_view text);
// `text` makes it.
template <class Text>
void giveName(wasm_name_t* out, Text&& text) noexcept {
  giveVec<wasm_byte_vec_delete>(out, [&] { setName(*out, text()); });
}
// Throws bad_alloc unless it is as large as it was to be.
inline void requireSize(size_t size, size_t wanted) {
  if (size != wanted) throw std::bad_alloc();
}
// A C vector with an element for each of the list's, which `fill` makes in its place. Throws bad_alloc; what has been
// made stays in `out` then.
template <auto kNew, class Vec, class List, class Fill>
void fillVec(Vec& out, const List& list, Fill&& fill) {
  kNew(&out, list.size());
  requireSize(out.size, list.size());
  for (size_t i = 0; i < out.size; ++i) fill(out.data[i], list[i]);
}
// The same for C; `list` makes the list.
template <auto kNew, auto kDelete, class Vec, class List, class Fill>
void giveEach(Vec* out, List&& list, Fill&& fill) noexcept {
  giveVec<kDelete>(out, [&] { fillVec<kNew>(*out, list(), fill); });
}
inline std::span<const uint8_t> bytesOf(const wasm_byte_vec_t* vec) {
  if (!vec || !vec->data) return {};
  return {reinterpret_cast<const uint8_t*>(vec->data), vec->size};
}

// All that follow throw bad_alloc unless they say noexcept.
// --- ref.cc
void deleteRef(wasm_ref_t* ref);
wasm_ref_t* copyRef(const wasm_ref_t* ref);
bool sameRef(const wasm_ref_t* a, const wasm_ref_t* b);
wasm_extern_t* makeExtern(const Extern& value);
Extern externOf(const wasm_extern_t& ref);
// nullptr: gone, or never there.
Store* liveStore(const vm::Object* object);
Store* liveStore(const wasm_extern_t& ref);

// Of a number, as a word; narrow ones are zero above.
inline uint64_t numberBits(const wasm_val_t& value) {
  bool isNarrow = value.kind == WASM_I32 || value.kind == WASM_F32;
  return isNarrow ? static_cast<uint32_t>(value.of.i32) : static_cast<uint64_t>(value.of.i64);
}

// --- value.cc. Within a RootScope, or in a callback.
Result<Val> toVal(Store& store, const wasm_val_t& value, const ValType& type);
// A reference of the type in the store; nullptr is null.
Result<Val> refToVal(Store& store, const wasm_ref_t* ref, const ValType& type);
void fromVal(Store& store, const Val& value, wasm_val_t& out);
wasm_ref_t* refFromVal(Store& store, const Val& value);
wasm_val_t zeroVal(const ValType& type);

// --- table.cc. Shared by both faces, which differ in how they say that it went wrong.
Result<Table> makeTable(Store& store, const wasm_tabletype_t& type, const wasm_ref_t* init);
Result<wasm_ref_t*> getElement(const wasm_table_t& table, uint64_t index);
Result<void> setElement(const wasm_table_t& table, uint64_t index, const wasm_ref_t* ref);
Result<uint64_t> growTable(const wasm_table_t& table, uint64_t delta, const wasm_ref_t* init);

// --- trap.cc
// Takes what a callback's trap carried along back out of it.
wasm_trap_t* makeTrap(Error error) noexcept;
// Nobody owns it; deleting it does nothing.
wasm_trap_t* outOfMemoryTrap() noexcept;
// The error with which a callback returns the trap. Consumes it.
Error errorOf(wasm_trap_t* trap) noexcept;
// For `own wasm_trap_t** out` that may be NULL.
void giveTrap(wasm_trap_t** out, Error error) noexcept;
void makeTrace(const std::vector<Frame>& frames, wasm_frame_vec_t* out) noexcept;

}  // namespace wattle::capi
