#include "runtime/vm/memory.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/vm/instance.h"
#include "runtime/vm/store.h"

namespace wattle::vm {

namespace {

uint64_t pagesToBytes(uint64_t pages, unsigned log2) { return pages > ~0ull >> log2 ? ~0ull : pages << log2; }

// The largest memory of the type, in bytes (spec "Validation / Types / Memory Types"); memory.size has to fit the
// address type.
uint64_t typeBound(const frontend::MemoryType& type) {
  if (type.is64) return ~0ull;
  return type.pageSizeLog2 == 0 ? 0xffffffffull : sandbox::kWasm32Space;
}

}  // namespace

Memory::Memory(Store& store, const frontend::MemoryType& type, uint64_t maxBytes, sandbox::LinearMemory linear)
    : Object(store), type_(type), maxBytes_(maxBytes), linear_(std::move(linear)) {
  publish();
}

Result<Memory*> Memory::create(Store& store, const frontend::MemoryType& type, sandbox::Bounds bounds) {
  uint64_t initial = pagesToBytes(type.limits.min, type.pageSizeLog2);
  uint64_t maximum = typeBound(type);
  if (type.limits.max) maximum = std::min(maximum, pagesToBytes(*type.limits.max, type.pageSizeLog2));
  maximum = std::min(maximum, store.limits().maxMemoryBytes);
  if (initial > maximum) {
    return std::unexpected(Error::make(
        ErrorKind::Resource,
        fmt::format("a memory of {} bytes exceeds the store's limit of {}", initial, store.limits().maxMemoryBytes)));
  }
  sandbox::MemoryConfig config;
  config.initialBytes = initial;
  config.maximumBytes = maximum;
  config.bounds = bounds;
  config.shared = type.isShared;
  auto linear = sandbox::LinearMemory::create(config);
  if (!linear) return std::unexpected(Error::make(ErrorKind::Resource, linear.error()));
  return new Memory(store, type, maximum, std::move(*linear));
}

void Memory::publish() {
  base = linear_.base();
  byteSize.store(linear_.byteSize(), std::memory_order_release);
}

frontend::MemoryType Memory::currentType() const {
  frontend::MemoryType type = type_;
  type.limits.min = pages();
  return type;
}

int64_t Memory::grow(uint64_t deltaPages) {
  uint64_t old = size();
  uint64_t delta = pagesToBytes(deltaPages, type_.pageSizeLog2);
  if (delta > maxBytes_ - old) return -1;
  uint8_t* oldBase = base;
  if (delta != 0 && !linear_.grow(old + delta)) return -1;
  publish();
  if (base != oldBase) {
    for (auto* context : users_) Instance::of(context)->memoryMoved(this);
  }
  return static_cast<int64_t>(old >> type_.pageSizeLog2);
}

void Memory::addUser(abi::VMContext* context) {
  if (bounds() == sandbox::Bounds::Checked) users_.push_back(context);
}

void Memory::removeUser(abi::VMContext* context) { std::erase(users_, context); }

void Memory::close() {
  linear_ = {};
  base = nullptr;
  byteSize.store(0, std::memory_order_relaxed);
}

}  // namespace wattle::vm
