// Between wasm.hh and wasm.h. The classes of wasm.hh have no members; a pointer to one is the C object's pointer.
#pragma once

#include "runtime/capi/capi.h"
#include "wasm.hh"

namespace wattle::capi {

template <class Cpp>
struct CName;
#define WATTLE_CNAME(Cpp, name)   \
  template <>                     \
  struct CName<wasm::Cpp> {       \
    using type = wasm_##name##_t; \
  };
WATTLE_CNAME(Config, config)
WATTLE_CNAME(Engine, engine)
WATTLE_CNAME(Store, store)
WATTLE_CNAME(ValType, valtype)
WATTLE_CNAME(ExternType, externtype)
WATTLE_CNAME(FuncType, functype)
WATTLE_CNAME(GlobalType, globaltype)
WATTLE_CNAME(TableType, tabletype)
WATTLE_CNAME(MemoryType, memorytype)
WATTLE_CNAME(TagType, tagtype)
WATTLE_CNAME(ImportType, importtype)
WATTLE_CNAME(ExportType, exporttype)
WATTLE_CNAME(Ref, ref)
WATTLE_CNAME(Frame, frame)
WATTLE_CNAME(Trap, trap)
WATTLE_CNAME(Module, module)
WATTLE_CNAME(Shared<wasm::Module>, shared_module)
WATTLE_CNAME(Foreign, foreign)
WATTLE_CNAME(Extern, extern)
WATTLE_CNAME(Func, func)
WATTLE_CNAME(Global, global)
WATTLE_CNAME(Table, table)
WATTLE_CNAME(Memory, memory)
WATTLE_CNAME(Instance, instance)
#undef WATTLE_CNAME

template <class Cpp>
auto c(Cpp* object) {
  return reinterpret_cast<typename CName<Cpp>::type*>(object);
}
template <class Cpp>
auto c(const Cpp* object) {
  return reinterpret_cast<const typename CName<Cpp>::type*>(object);
}
template <class Cpp>
auto c(wasm::own<Cpp>&& object) {
  return c(object.release());
}

template <class Cpp>
Cpp* cpp(typename CName<Cpp>::type* object) {
  return reinterpret_cast<Cpp*>(object);
}
template <class Cpp>
const Cpp* cpp(const typename CName<Cpp>::type* object) {
  return reinterpret_cast<const Cpp*>(object);
}
template <class Cpp>
wasm::own<Cpp> owned(typename CName<Cpp>::type* object) {
  return wasm::own<Cpp>(cpp<Cpp>(object));
}

// A C vector seen as the C++ one, by reference only: they are laid out alike, but their memory is not from the same
// place.
template <class Element, class CVec>
const wasm::vec<Element>& view(const CVec& vec) {
  static_assert(sizeof(wasm::vec<Element>) == sizeof(CVec) && sizeof(Element) == sizeof(*vec.data));
  return reinterpret_cast<const wasm::vec<Element>&>(vec);
}

// Moves the elements of an owned C vector into a C++ one.
template <class Cpp, class CVec>
wasm::ownvec<Cpp> takeOwned(CVec& vec, void (*remove)(CVec*)) {
  auto out = wasm::ownvec<Cpp>::make_uninitialized(vec.size);
  for (size_t i = 0; i < vec.size; ++i) out[i] = owned<Cpp>(std::exchange(vec.data[i], nullptr));
  remove(&vec);
  return out;
}

}  // namespace wattle::capi
