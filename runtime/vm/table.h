// A table of references (spec "Runtime Structure / Table Instances").
#pragma once

#include <cstdint>

#include "frontend/module.h"
#include "runtime/compile/abi/vmcontext.h"
#include "runtime/vm/object.h"
#include "runtime/vm/type_registry.h"
#include "wattle/error.hpp"

namespace wattle::vm {

class Table final : public Object, public abi::VMTable {
 public:
  // `type` in canonical terms.
  static Result<Table*> create(Store& store, const frontend::TableType& type, uint64_t init);
  static Table* from(abi::VMTable* table) { return static_cast<Table*>(table); }
  ~Table() override;

  const frontend::TableType& declaredType() const { return type_; }
  frontend::TableType currentType() const;
  // The old size, or -1 (and nothing has changed).
  int64_t grow(uint64_t delta, uint64_t init);
  bool contains(uint64_t at, uint64_t n) const { return n <= size && at <= size - n; }

  void trace(Tracer& tracer) override;
  void close() override;

 private:
  Table(Store& store, const frontend::TableType& type);
  bool reserve(uint64_t newSize);

  frontend::TableType type_;
  GroupRef elementGroup_;  // keeps a concrete element type's id
  uint64_t capacity_ = 0;
};

}  // namespace wattle::vm
