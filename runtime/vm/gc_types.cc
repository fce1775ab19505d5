#include "runtime/vm/gc_types.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>

#include "runtime/vm/type_registry.h"

namespace wattle::vm {

using abi::GcTrace;
using abi::Storage;
using abi::VMTypeRow;

GcTypeTable::GcTypeTable(uint32_t capacity) {
  for (uint64_t rows = capacity; rows >= 4096; rows /= 4) {
    void* at = mmap(nullptr, rows * sizeof(VMTypeRow), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) continue;
    madvise(at, rows * sizeof(VMTypeRow), MADV_NOHUGEPAGE);
    rows_ = static_cast<VMTypeRow*>(at);
    capacity_ = static_cast<uint32_t>(rows);
    return;
  }
}

Storage storageOf(frontend::ValType type) {
  return abi::storageOf(type, [](uint32_t id) { return TypeRegistry::process().entry(id).type.kind; });
}

namespace {

auto kindOf = [](uint32_t id) { return TypeRegistry::process().entry(id).type.kind; };

void describeStruct(const frontend::SubType& type, VMTypeRow& row) {
  row.size = abi::layOutStruct(type, kindOf, [&](uint32_t, Storage storage, uint32_t offset) {
    const uint32_t word = (offset - abi::kGcHeader) / 4;
    if (storage == Storage::WideRef || (storage == Storage::Ref && word >= 64)) row.trace = GcTrace::Slow;
    if (storage != Storage::Ref || word >= 64) return;
    row.references |= uint64_t{1} << word;
    if (row.trace == GcTrace::None) row.trace = GcTrace::Words;
  });
  // The descriptor is a reference like the others, in the header.
  if (type.descriptor != frontend::kNoIndex && row.trace == GcTrace::None) row.trace = GcTrace::Words;
}

void describeArray(const frontend::SubType& type, VMTypeRow& row) {
  Storage storage = abi::storageOf(type.fields[0].type, kindOf);
  row.elementShift = static_cast<uint8_t>(std::countr_zero(abi::sizeOf(storage)));
  if (storage == Storage::Ref) row.trace = GcTrace::References;
  if (storage == Storage::WideRef) row.trace = GcTrace::Slow;
}

}  // namespace

void GcTypeTable::fill(const TypeEntry& entry) {
  VMTypeRow& row = rows_[entry.id];
  row = {};
  for (uint32_t i = 0; i < std::min<size_t>(entry.display.size(), VMTypeRow::kAncestors); ++i) {
    row.ancestors[i] = entry.display[i];
  }
  row.kind = abi::rowKind(entry.type.kind);
  row.depth = entry.depth;
  row.display = entry.display.data();
  if (entry.type.kind == frontend::CompositeKind::Struct) describeStruct(entry.type, row);
  if (entry.type.kind == frontend::CompositeKind::Array) describeArray(entry.type, row);
}

void GcTypeTable::clear(uint32_t id) { rows_[id] = {}; }

}  // namespace wattle::vm
