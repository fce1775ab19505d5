// Tables.
#include <algorithm>

#include "runtime/capi/capi.h"
#include "runtime/vm/table.h"

using namespace wattle::capi;
using wattle::RootScope;

wasm_table_t* wasm_table_new(wasm_store_t* store, const wasm_tabletype_t* type, wasm_ref_t* init) {
  RootScope scope(store->store);
  auto table = fromType(*type);
  auto value = refToVal(store->store, init, table.element);
  if (!value) return nullptr;
  auto made = wattle::Table::create(store->store, table, *value);
  return made ? new wasm_table_t(std::move(*made)) : nullptr;
}

wasm_tabletype_t* wasm_table_type(const wasm_table_t* table) { return makeType(table->handle.type()); }

wasm_ref_t* wasm_table_get(const wasm_table_t* table, wasm_table_size_t index) {
  auto* store = liveStore(*table);
  if (!store) return nullptr;
  RootScope scope(*store);
  auto value = table->handle.get(index);
  return value ? refFromVal(*store, *value) : nullptr;
}

bool wasm_table_set(wasm_table_t* table, wasm_table_size_t index, wasm_ref_t* ref) {
  auto* store = liveStore(*table);
  if (!store) return false;
  RootScope scope(*store);
  auto value = refToVal(*store, ref, table->handle.type().element);
  return value && table->handle.set(index, *value).has_value();
}

wasm_table_size_t wasm_table_size(const wasm_table_t* table) {
  return static_cast<wasm_table_size_t>(std::min<uint64_t>(table->handle.size(), UINT32_MAX));
}

bool wasm_table_grow(wasm_table_t* table, wasm_table_size_t delta, wasm_ref_t* init) {
  auto* store = liveStore(*table);
  if (!store) return false;
  RootScope scope(*store);
  auto value = refToVal(*store, init, table->handle.type().element);
  return value && table->handle.grow(delta, *value).has_value();
}
