// wattle.h: memories and tables beyond 32 bits, shared memories.
#include "runtime/capi/wattle_capi.h"
#include "runtime/vm/memory.h"
#include "runtime/vm/table.h"
#include "runtime/vm/types.h"

using namespace wattle::capi;

namespace {

std::optional<uint64_t> maximum(uint64_t max) { return max == WATTLE_NO_MAXIMUM ? std::nullopt : std::optional(max); }

}  // namespace

wasm_memorytype_t* wattle_memorytype_new(uint64_t min, uint64_t max, unsigned flags, unsigned page_size_log2) {
  if (page_size_log2 > 63) return nullptr;
  wattle::MemoryType type{min, maximum(max), (flags & WATTLE_MEMORY_64) != 0, (flags & WATTLE_MEMORY_SHARED) != 0,
                          static_cast<uint8_t>(page_size_log2)};
  return orNothing([&] { return wattle::vm::fromApi(type) ? makeType(type) : nullptr; });
}

uint64_t wattle_memorytype_min(const wasm_memorytype_t* type) { return type->type.minPages; }
uint64_t wattle_memorytype_max(const wasm_memorytype_t* type) {
  return type->type.maxPages.value_or(WATTLE_NO_MAXIMUM);
}
unsigned wattle_memorytype_flags(const wasm_memorytype_t* type) {
  unsigned flags = type->type.is64 ? WATTLE_MEMORY_64 : 0;
  return type->type.isShared ? flags | WATTLE_MEMORY_SHARED : flags;
}
unsigned wattle_memorytype_page_size_log2(const wasm_memorytype_t* type) { return type->type.pageSizeLog2; }

wasm_tabletype_t* wattle_tabletype_new(wasm_valtype_t* element, uint64_t min, uint64_t max, bool is64) {
  std::unique_ptr<wasm_valtype_t, void (*)(wasm_valtype_t*)> owned(element, wasm_valtype_delete);
  if (!owned) return nullptr;
  wattle::TableType type{owned->type, min, maximum(max), is64};
  return orNothing([&] { return wattle::vm::fromApi(type) ? makeType(type) : nullptr; });
}

uint64_t wattle_tabletype_min(const wasm_tabletype_t* type) { return type->type.min; }
uint64_t wattle_tabletype_max(const wasm_tabletype_t* type) { return type->type.max.value_or(WATTLE_NO_MAXIMUM); }
bool wattle_tabletype_is64(const wasm_tabletype_t* type) { return type->type.is64; }

wattle_error_t* wattle_memory_new(wasm_store_t* store, const wasm_memorytype_t* type, wasm_memory_t** out) {
  return giveNew(out, [&] { return wattle::Memory::create(store->store, fromType(*type)); });
}

wattle_error_t* wattle_table_new(wasm_store_t* store, const wasm_tabletype_t* type, const wasm_ref_t* init,
                                 wasm_table_t** out) {
  return giveNew(out, [&] { return makeTable(store->store, *type, init); });
}

uint64_t wattle_memory_pages(const wasm_memory_t* memory) { return memory->handle.pages(); }
wattle_error_t* wattle_memory_grow(wasm_memory_t* memory, uint64_t pages, uint64_t* out) {
  return give(out, [&] { return memory->handle.grow(pages); });
}

uint64_t wattle_table_size(const wasm_table_t* table) { return table->handle.size(); }

wattle_error_t* wattle_table_get(const wasm_table_t* table, uint64_t index, wasm_ref_t** out) {
  return give(out, [&] { return getElement(*table, index); });
}

wattle_error_t* wattle_table_set(wasm_table_t* table, uint64_t index, const wasm_ref_t* ref) {
  return orError([&] { return setElement(*table, index, ref); });
}

wattle_error_t* wattle_table_grow(wasm_table_t* table, uint64_t delta, const wasm_ref_t* init, uint64_t* out) {
  return give(out, [&] { return growTable(*table, delta, init); });
}

void wattle_shared_memory_delete(wattle_shared_memory_t* shared) { delete shared; }

wattle_shared_memory_t* wattle_memory_share(const wasm_memory_t* memory) {
  auto shared = memory->handle.share();
  return shared ? orNothing([&] { return new wattle_shared_memory_t{std::move(*shared)}; }) : nullptr;
}

wattle_error_t* wattle_memory_obtain(wasm_store_t* store, const wattle_shared_memory_t* shared, wasm_memory_t** out) {
  return giveNew(out, [&] { return wattle::Memory::create(store->store, shared->memory); });
}
