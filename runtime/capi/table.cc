// Tables.
#include <algorithm>

#include "runtime/capi/capi.h"
#include "runtime/vm/table.h"

using namespace wattle::capi;
using wattle::RootScope;

namespace wattle::capi {

namespace {
std::unexpected<Error> storeGone() { return std::unexpected(Error::make(ErrorKind::Argument, "the store is gone")); }
}  // namespace

Result<Table> makeTable(Store& store, const wasm_tabletype_t& type, const wasm_ref_t* init) {
  RootScope scope(store);
  auto table = fromType(type);
  auto value = refToVal(store, init, table.element);
  if (!value) return std::unexpected(std::move(value.error()));
  return Table::create(store, table, *value);
}

Result<wasm_ref_t*> getElement(const wasm_table_t& table, uint64_t index) {
  auto* store = liveStore(table);
  if (!store) return storeGone();
  RootScope scope(*store);
  auto value = table.handle.get(index);
  if (!value) return std::unexpected(std::move(value.error()));
  return refFromVal(*store, *value);
}

Result<void> setElement(const wasm_table_t& table, uint64_t index, const wasm_ref_t* ref) {
  auto* store = liveStore(table);
  if (!store) return storeGone();
  RootScope scope(*store);
  auto value = refToVal(*store, ref, table.handle.type().element);
  if (!value) return std::unexpected(std::move(value.error()));
  return table.handle.set(index, *value);
}

Result<uint64_t> growTable(const wasm_table_t& table, uint64_t delta, const wasm_ref_t* init) {
  auto* store = liveStore(table);
  if (!store) return storeGone();
  RootScope scope(*store);
  auto value = refToVal(*store, init, table.handle.type().element);
  if (!value) return std::unexpected(std::move(value.error()));
  return table.handle.grow(delta, *value);
}

}  // namespace wattle::capi

wasm_table_t* wasm_table_new(wasm_store_t* store, const wasm_tabletype_t* type, wasm_ref_t* init) {
  return orNothing([&] {
    auto made = makeTable(store->store, *type, init);
    return made ? new wasm_table_t(std::move(*made)) : nullptr;
  });
}

wasm_tabletype_t* wasm_table_type(const wasm_table_t* table) {
  return orNothing([&] { return makeType(table->handle.type()); });
}

wasm_ref_t* wasm_table_get(const wasm_table_t* table, wasm_table_size_t index) {
  return orNothing([&] { return getElement(*table, index).value_or(nullptr); });
}

bool wasm_table_set(wasm_table_t* table, wasm_table_size_t index, wasm_ref_t* ref) {
  return orNothing([&] { return setElement(*table, index, ref).has_value(); });
}

wasm_table_size_t wasm_table_size(const wasm_table_t* table) {
  return static_cast<wasm_table_size_t>(std::min<uint64_t>(table->handle.size(), UINT32_MAX));
}

bool wasm_table_grow(wasm_table_t* table, wasm_table_size_t delta, wasm_ref_t* init) {
  return orNothing([&] { return growTable(*table, delta, init).has_value(); });
}
