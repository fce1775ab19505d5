// Memories.
#include <algorithm>

#include "runtime/capi/capi.h"

using namespace wattle::capi;

wasm_memory_t* wasm_memory_new(wasm_store_t* store, const wasm_memorytype_t* type) {
  return orNothing([&] {
    auto made = wattle::Memory::create(store->store, fromType(*type));
    return made ? new wasm_memory_t(std::move(*made)) : nullptr;
  });
}

wasm_memorytype_t* wasm_memory_type(const wasm_memory_t* memory) {
  return orNothing([&] { return makeType(memory->handle.type()); });
}
byte_t* wasm_memory_data(wasm_memory_t* memory) { return reinterpret_cast<byte_t*>(memory->handle.bytes().data()); }
size_t wasm_memory_data_size(const wasm_memory_t* memory) { return memory->handle.bytes().size(); }

wasm_memory_pages_t wasm_memory_size(const wasm_memory_t* memory) {
  return static_cast<wasm_memory_pages_t>(std::min<uint64_t>(memory->handle.pages(), UINT32_MAX));
}

bool wasm_memory_grow(wasm_memory_t* memory, wasm_memory_pages_t delta) {
  return memory->handle.grow(delta).has_value();
}
