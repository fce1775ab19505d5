// Linear memories: one face for the two kinds.
//
//   Guarded   a slot of the guarded pool (guarded_pool.cc): the base never moves, out of bounds faults
//   Checked   a block of the packed pool (packed_pool.cc): only what is used, generated code compares, growth may move
//   it
//
// Both give memory that reads as zero, and cost memory only for pages that were touched. A shared checked memory
// reserves its maximum at once, since other threads hold its base.
#include "sandbox/linear_memory.h"

#include <algorithm>
#include <utility>

#include "sandbox/guarded_pool.h"
#include "sandbox/memory_image.h"
#include "sandbox/packed_pool.h"

namespace wattle::sandbox {

struct LinearMemoryMaker {
  static GuardedPool::Slot slotOf(const LinearMemory& memory) {
    return {static_cast<GuardedPool::Super*>(memory.home_), memory.slot_, memory.base_, memory.kept_};
  }
  static PackedPool::Block blockOf(const LinearMemory& memory) {
    return {memory.base_, memory.reserved_, static_cast<PackedPool::Arena*>(memory.home_), memory.slot_, memory.kept_};
  }
  static void place(LinearMemory& memory, const PackedPool::Block& block) {
    memory.base_ = block.base;
    memory.reserved_ = block.capacity;
    memory.home_ = block.arena;
    memory.slot_ = block.slot;
    memory.kept_ = block.kept;
  }

  static std::expected<void, std::string> makeGuarded(LinearMemory& memory) {
    memory.maximum_ = std::min(memory.maximum_, kWasm32Space);
    if (memory.initial_ > kWasm32Space) return std::unexpected("cannot guard a memory of more than 4 GiB");
    if (memory.initial_ % kOsPage != 0) {
      return std::unexpected("cannot guard a memory whose size is not a multiple of 4096 bytes");
    }
    const auto slot = GuardedPool::process().acquire(memory.initial_, memory.image_.get());
    if (!slot) return std::unexpected(slot.error());
    memory.base_ = slot->base;
    memory.home_ = slot->super;
    memory.slot_ = slot->number;
    memory.kept_ = slot->kept;
    memory.reserved_ = kSlotBytes;
    return {};
  }

  static std::expected<void, std::string> makeChecked(LinearMemory& memory) {
    const auto block =
        PackedPool::process().acquire(memory.shared_ ? std::max(memory.maximum_, memory.initial_) : memory.initial_);
    if (!block) return std::unexpected(block.error());
    place(memory, *block);
    return {};
  }

  static bool growGuarded(LinearMemory& memory, uint64_t newSize) {
    if (newSize % kOsPage != 0) return false;
    if (!GuardedPool::process().grow(slotOf(memory), memory.committed_, newSize, memory.shared_)) return false;
    memory.committed_ = newSize;
    return true;
  }

  static bool growChecked(LinearMemory& memory, uint64_t newSize) {
    if (newSize > memory.reserved_) {
      if (memory.shared_) return false;
      PackedPool::Block block = blockOf(memory);
      if (!PackedPool::process().enlarge(block, memory.committed_, newSize)) return false;
      place(memory, block);
    }
    memory.committed_ = newSize;
    return true;
  }
};

std::expected<LinearMemory, std::string> LinearMemory::create(const MemoryConfig& config) {
  LinearMemory memory;
  memory.maximum_ = config.maximumBytes;
  memory.initial_ = config.initialBytes;
  memory.shared_ = config.shared;
  const bool mapped = config.image != nullptr && config.image->isFile() && config.bounds == Bounds::Guarded;
  if (config.image != nullptr && config.image->byteSize() > config.initialBytes) {
    return std::unexpected("cannot create a memory smaller than its image");
  }
  if (mapped) memory.image_ = config.image;
  const auto made = config.bounds == Bounds::Guarded ? LinearMemoryMaker::makeGuarded(memory)
                                                     : LinearMemoryMaker::makeChecked(memory);
  if (!made) {
    memory.base_ = nullptr;
    return std::unexpected(made.error());
  }
  memory.bounds_ = config.bounds;
  memory.size_ = memory.committed_ = config.initialBytes;
  if (config.image != nullptr && !mapped && !config.image->copyInto(memory.base_)) {
    return std::unexpected("cannot read the image of a memory");
  }
  return memory;
}

LinearMemory::LinearMemory(LinearMemory&& other) noexcept { *this = std::move(other); }

LinearMemory& LinearMemory::operator=(LinearMemory&& other) noexcept {
  if (this == &other) return *this;
  release();
  base_ = std::exchange(other.base_, nullptr);
  size_ = std::exchange(other.size_, 0);
  committed_ = std::exchange(other.committed_, 0);
  reserved_ = std::exchange(other.reserved_, 0);
  maximum_ = std::exchange(other.maximum_, 0);
  initial_ = other.initial_;
  home_ = std::exchange(other.home_, nullptr);
  image_ = std::move(other.image_);
  slot_ = other.slot_;
  kept_ = other.kept_;
  bounds_ = other.bounds_;
  shared_ = other.shared_;
  return *this;
}

LinearMemory::~LinearMemory() { release(); }

void LinearMemory::release() {
  if (base_ == nullptr) return;
  if (bounds_ == Bounds::Guarded) {
    GuardedPool::process().release(LinearMemoryMaker::slotOf(*this), committed_, initial_, image_.get());
  } else {
    PackedPool::process().release(LinearMemoryMaker::blockOf(*this), committed_);
  }
  base_ = nullptr;
  image_.reset();
}

bool LinearMemory::grow(uint64_t newSize) {
  if (base_ == nullptr || newSize < size_ || newSize > maximum_) return false;
  if (newSize == size_) return true;
  const bool done = bounds_ == Bounds::Guarded ? LinearMemoryMaker::growGuarded(*this, newSize)
                                               : LinearMemoryMaker::growChecked(*this, newSize);
  if (done) size_ = newSize;
  return done;
}

MemoryUsage memoryUsage() { return {GuardedPool::process().liveSlots(), PackedPool::process().usage().blocks}; }

}  // namespace wattle::sandbox
