#include "runtime/vm/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "runtime/vm/collect.h"
#include "runtime/vm/store.h"
#include "runtime/vm/types.h"

namespace wattle::vm {

Table::Table(Store& store, const frontend::TableType& type) : Object(store), abi::VMTable{nullptr, 0}, type_(type) {
  ++store.tableCount;
  if (type.element.heap().isIndex()) elementGroup_ = TypeRegistry::process().hold(type.element.heap().typeIndex());
}

Table::~Table() { std::free(elements); }

Result<Table*> Table::create(Store& store, const frontend::TableType& type, uint64_t init) {
  if (type.limits.min > store.limits().maxTableElements) {
    return std::unexpected(
        Error::make(ErrorKind::Resource, fmt::format("a table of {} elements exceeds the store's limit of {}",
                                                     type.limits.min, store.limits().maxTableElements)));
  }
  if (store.tableCount >= store.limits().maxTables) {
    return std::unexpected(Error::make(
        ErrorKind::Resource, fmt::format("the store's limit of {} tables is reached", store.limits().maxTables)));
  }
  auto* table = new Table(store, type);
  if (table->grow(type.limits.min, init) < 0) {
    return std::unexpected(
        Error::make(ErrorKind::Resource, fmt::format("no memory for a table of {} elements", type.limits.min)));
  }
  return table;
}

frontend::TableType Table::currentType() const {
  frontend::TableType type = type_;
  type.limits.min = size;
  return type;
}

bool Table::reserve(uint64_t newSize) {
  if (newSize <= capacity_) return true;
  // In bytes, more than there can be: a store's limit may be any number.
  if (newSize > static_cast<uint64_t>(PTRDIFF_MAX) / sizeof(uint64_t)) return false;
  // Zero pages cost nothing until touched, so null tables are as large as one likes.
  if (capacity_ == 0) {
    elements = static_cast<uint64_t*>(std::calloc(newSize, sizeof(uint64_t)));
    if (!elements) return false;
    store()->countMemory(static_cast<int64_t>(newSize * sizeof(uint64_t)));
    capacity_ = newSize;
    return true;
  }
  // No overflow: elements of half the address space are less than 2^60.
  uint64_t wanted = std::max(newSize, capacity_ + capacity_ / 2);
  auto* moved = static_cast<uint64_t*>(std::realloc(elements, wanted * sizeof(uint64_t)));
  if (!moved) return false;
  std::fill(moved + capacity_, moved + wanted, 0);
  store()->countMemory(static_cast<int64_t>((wanted - capacity_) * sizeof(uint64_t)));
  elements = moved;
  capacity_ = wanted;
  return true;
}

int64_t Table::grow(uint64_t delta, uint64_t init) {
  uint64_t old = size;
  uint64_t bound = std::min(type_.limits.max.value_or(~0ull), store()->limits().maxTableElements);
  if (delta > bound || old > bound - delta) return -1;
  if (!reserve(old + delta)) return -1;
  // Elements at and beyond `size` are null: tables never shrink.
  if (init != 0) std::fill(elements + old, elements + old + delta, init);
  size = old + delta;
  return static_cast<int64_t>(old);
}

void Table::trace(Tracer& tracer) {
  RefKind kind = refKind(type_.element);
  for (uint64_t i = 0; i < size; ++i) tracer.mark(elements[i], kind);
}

void Table::close() {
  if (store()) {
    --store()->tableCount;
    store()->countMemory(-static_cast<int64_t>(capacity_ * sizeof(uint64_t)));
  }
  std::free(elements);
  elements = nullptr;
  size = capacity_ = 0;
}

}  // namespace wattle::vm
