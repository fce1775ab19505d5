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

std::optional<Error> beyondLimits(const Store& store, uint64_t bytes) {
  const StoreLimits& limits = store.limits();
  if (store.memoryCount >= limits.maxMemories) {
    return Error::make(ErrorKind::Resource,
                       fmt::format("the store's limit of {} memories is reached", limits.maxMemories));
  }
  if (bytes > limits.maxTotalMemoryBytes || store.linearBytes > limits.maxTotalMemoryBytes - bytes) {
    return Error::make(
        ErrorKind::Resource,
        fmt::format("{} bytes more exceed the store's limit of {} for all memories, of which {} are in use", bytes,
                    limits.maxTotalMemoryBytes, store.linearBytes));
  }
  return std::nullopt;
}

}  // namespace

Memory::Memory(Store& store, const frontend::MemoryType& type, uint64_t maxBytes, sandbox::LinearMemory linear)
    : Object(store), type_(type), maxBytes_(maxBytes), linear_(std::move(linear)), bounds_(linear_.bounds()) {
  publish(linear_);
  ++store.memoryCount;
  charge(size());
  store.countMemory(static_cast<int64_t>(size()));
}

Memory::Memory(Store& store, std::shared_ptr<SharedLinear> shared)
    : Object(store), type_(shared->type), maxBytes_(shared->maxBytes), shared_(std::move(shared)) {
  std::lock_guard lock(shared_->mutex);
  bounds_ = shared_->linear.bounds();
  shared_->users.push_back(this);
  publish(shared_->linear);
  ++store.memoryCount;
  charge(size());
}

void Memory::charge(uint64_t bytes) {
  charged_ += bytes;
  store()->linearBytes += bytes;
}

Result<Memory*> Memory::create(Store& store, std::shared_ptr<SharedLinear> shared) {
  uint64_t bytes;
  {
    std::lock_guard lock(shared->mutex);
    bytes = shared->linear.byteSize();
  }
  if (auto error = beyondLimits(store, bytes)) return std::unexpected(std::move(*error));
  return new Memory(store, std::move(shared));
}

Result<Memory*> Memory::create(Store& store, const frontend::MemoryType& type, sandbox::Bounds bounds,
                               std::shared_ptr<const sandbox::MemoryImage> image) {
  uint64_t initial = pagesToBytes(type.limits.min, type.pageSizeLog2);
  uint64_t maximum = typeBound(type);
  if (type.limits.max) maximum = std::min(maximum, pagesToBytes(*type.limits.max, type.pageSizeLog2));
  maximum = std::min(maximum, store.limits().maxMemoryBytes);
  if (initial > maximum) {
    return std::unexpected(Error::make(
        ErrorKind::Resource,
        fmt::format("a memory of {} bytes exceeds the store's limit of {}", initial, store.limits().maxMemoryBytes)));
  }
  if (auto error = beyondLimits(store, initial)) return std::unexpected(std::move(*error));
  sandbox::MemoryConfig config;
  config.initialBytes = initial;
  config.maximumBytes = maximum;
  config.bounds = bounds;
  config.shared = type.isShared;
  config.image = std::move(image);
  auto linear = sandbox::LinearMemory::create(config);
  if (!linear) return std::unexpected(Error::make(ErrorKind::Resource, linear.error()));
  if (!type.isShared) return new Memory(store, type, maximum, std::move(*linear));
  auto shared = std::make_shared<SharedLinear>();
  shared->linear = std::move(*linear);
  shared->type = type;
  shared->maxBytes = maximum;
  return create(store, std::move(shared));
}

void Memory::publish(const sandbox::LinearMemory& linear) {
  base = linear.base();
  byteSize.store(linear.byteSize(), std::memory_order_release);
}

frontend::MemoryType Memory::currentType() const {
  frontend::MemoryType type = type_;
  type.limits.min = pages();
  return type;
}

int64_t Memory::grow(uint64_t deltaPages) {
  uint64_t delta = pagesToBytes(deltaPages, type_.pageSizeLog2);
  if (!store()) return -1;
  const uint64_t total = store()->limits().maxTotalMemoryBytes;
  if (delta > total || store()->linearBytes > total - delta) return -1;
  if (shared_) return growShared(delta);
  uint64_t old = size();
  if (delta > maxBytes_ - old) return -1;
  uint8_t* oldBase = base;
  if (delta != 0 && !linear_.grow(old + delta)) return -1;
  publish(linear_);
  charge(delta);
  store()->countMemory(static_cast<int64_t>(delta));
  if (base != oldBase) {
    for (auto* context : users_) Instance::of(context)->memoryMoved(this);
  }
  return static_cast<int64_t>(old >> type_.pageSizeLog2);
}

int64_t Memory::growShared(uint64_t delta) {
  std::lock_guard lock(shared_->mutex);
  uint64_t old = shared_->linear.byteSize();
  if (delta > maxBytes_ - old) return -1;
  if (delta != 0) {
    if (!shared_->linear.grow(old + delta)) return -1;
    charge(delta);
    for (Memory* user : shared_->users) user->byteSize.store(old + delta, std::memory_order_release);
  }
  return static_cast<int64_t>(old >> type_.pageSizeLog2);
}

void Memory::addUser(abi::VMContext* context) {
  if (bounds() == sandbox::Bounds::Checked) users_.push_back(context);
}

void Memory::removeUser(abi::VMContext* context) { std::erase(users_, context); }

void Memory::close() {
  if (store()) {
    --store()->memoryCount;
    store()->linearBytes -= charged_;
  }
  charged_ = 0;
  if (shared_) {
    std::lock_guard lock(shared_->mutex);
    std::erase(shared_->users, this);
  } else if (store()) {
    store()->countMemory(-static_cast<int64_t>(size()));
  }
  shared_.reset();
  linear_ = {};
  base = nullptr;
  byteSize.store(0, std::memory_order_relaxed);
}

}  // namespace wattle::vm
