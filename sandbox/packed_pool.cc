// Checked memories need no guard and may move, so they can be packed: a million of them in a few hundred mappings.
//
//   arena of the 64 KiB class: 1 GiB, readable and writable, one mapping, memory only where touched
//   ┌──────┬──────┬──────┬──────┬──────┬──────┬─ … 16,384 slots
//   │ live │ live │ free │ live │ free │ free │
//   └──────┴──────┴──────┴──────┴──────┴──────┴─
//
// Sizes are the powers of two from 4 KiB to 64 MiB; a size class has its own arenas. What rounding up wastes is address
// space, not memory: pages never touched do not exist. The slot with the lowest address is taken first, so that arenas
// at the far end run empty; an arena that is empty is unmapped when the class has another such.
//
// Growing within the slot is free of charge. Beyond it the contents move to a slot of at least twice the size; pages
// that hold only zeros are skipped, so a sparse memory does not become a dense one by moving. From 1 MiB on the pages
// themselves are moved (mremap, untouched) to a mapping of the memory's own, which later growth enlarges in the same
// way, as long as half of the mappings are free; above 64 MiB always.
//
// Zero before reuse: release() drops or overwrites (pages.cc) the pages up to the highest byte ever used, before the
// slot becomes free; behind that byte nothing was ever written, since the generated code compares and the host keeps to
// bytes(). Up to 64 slots a class, of those whose touched pages were kept, wait apart and are taken first.
//
// Arenas of small slots never get huge pages, which would give every touched slot two MiB.
#include "sandbox/packed_pool.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "sandbox/budget.h"
#include "sandbox/linear_memory.h"
#include "sandbox/slot_bitmap.h"

namespace wattle::sandbox {

namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kArenaBytes = uint64_t{1} << 30;
constexpr uint64_t kSmallArenaBytes = uint64_t{64} << 20;  // where a whole one is refused
constexpr uint64_t kHugePage = uint64_t{2} << 20;
constexpr uint64_t kMovePages = uint64_t{1} << 20;
constexpr size_t kWarmPerClass = 64;
constexpr uint64_t kLargestWarm = uint64_t{1} << 20;
constexpr uint64_t kLargestPacked = uint64_t{64} << 20;

std::string cannot(const char* what, uint64_t bytes, int error) {
  return std::string("cannot ") + what + " " + std::to_string((bytes + 1023) >> 10) +
         " KiB of memory: " + std::strerror(error);
}

void* mapPlain(uint64_t bytes) {
  return mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

// Doubling up to 4 GiB, then 4 GiB at a time.
uint64_t ownCapacity(uint64_t bytes) {
  constexpr uint64_t kStep = uint64_t{4} << 30;
  if (bytes <= kStep) return std::bit_ceil(bytes);
  return bytes > UINT64_MAX - kStep ? 0 : (bytes + kStep - 1) / kStep * kStep;
}

}  // namespace

struct PackedPool::Arena {
  uint8_t* base = nullptr;
  uint64_t bytes = 0;
  unsigned index = 0;  // of the class
  size_t number = 0;   // in the class
  uint32_t live = 0;
  SlotBitmap taken;
  void* bitmap = nullptr;
  ~Arena() { std::free(bitmap); }
};

PackedPool& PackedPool::process() {
  static PackedPool* pool = [] {
    auto* made = new PackedPool;
    pthread_atfork([] { process().lockAll(); }, [] { process().unlockAll(); }, [] { process().unlockAll(); });
    return made;
  }();
  return *pool;
}

void PackedPool::lockAll() {
  for (Class& group : classes_) group.lock.lock();
}

void PackedPool::unlockAll() {
  for (Class& group : classes_) group.lock.unlock();
}

unsigned PackedPool::classFor(uint64_t bytes) {
  return bytes <= kPage ? 0 : static_cast<unsigned>(std::bit_width(bytes - 1)) - 12;
}

std::expected<PackedPool::Block, std::string> PackedPool::acquire(uint64_t bytes) {
  return bytes <= kLargestPacked ? acquirePacked(classFor(bytes)) : acquireOwn(bytes);
}

std::expected<void, std::string> PackedPool::addArena(Class& group, unsigned index) {
  const uint64_t slotBytes = kPage << index;
  uint64_t bytes = kArenaBytes;
  void* base = mapPlain(bytes);
  if (base == MAP_FAILED) {
    bytes = kSmallArenaBytes;
    base = mapPlain(bytes);
  }
  if (base == MAP_FAILED) return std::unexpected(cannot("reserve", slotBytes, errno));
  if (slotBytes < kHugePage) (void)madvise(base, bytes, MADV_NOHUGEPAGE);
  const auto slots = static_cast<uint32_t>(bytes / slotBytes);
  auto* arena = new Arena{};
  arena->base = static_cast<uint8_t*>(base);
  arena->bytes = bytes;
  arena->index = index;
  arena->bitmap = std::calloc(1, SlotBitmap::bytesFor(slots));
  if (arena->bitmap == nullptr) std::abort();  // a few KiB
  arena->taken.init(slots, arena->bitmap);
  arena->number =
      static_cast<size_t>(std::find(group.arenas.begin(), group.arenas.end(), nullptr) - group.arenas.begin());
  if (arena->number == group.arenas.size()) group.arenas.push_back(nullptr);
  group.arenas[arena->number] = arena;
  group.firstWithRoom = std::min(group.firstWithRoom, arena->number);
  ++group.emptyArenas;
  noteMappings(1);
  noteAddressSpace(static_cast<int64_t>(bytes));
  return {};
}

std::expected<PackedPool::Block, std::string> PackedPool::acquirePacked(unsigned index) {
  Class& group = classes_[index];
  const std::lock_guard hold(group.lock);
  if (!group.warm.empty()) {
    const Block block = group.warm.back();
    group.warm.pop_back();
    group.warmCount.store(group.warm.size(), std::memory_order_relaxed);
    leaveKept(block.kept);
    ++group.blocks;
    return block;
  }
  for (;;) {
    for (; group.firstWithRoom < group.arenas.size(); ++group.firstWithRoom) {
      Arena* arena = group.arenas[group.firstWithRoom];
      if (arena == nullptr) continue;
      const auto slot = arena->taken.take();
      if (!slot) continue;
      if (arena->live++ == 0) --group.emptyArenas;
      ++group.blocks;
      const uint64_t slotBytes = kPage << index;
      return Block{arena->base + *slot * slotBytes, slotBytes, arena, *slot, 0};
    }
    if (auto added = addArena(group, index); !added) return std::unexpected(added.error());
  }
}

std::expected<PackedPool::Block, std::string> PackedPool::acquireOwn(uint64_t bytes) {
  const uint64_t capacity = ownCapacity(bytes);
  void* base = capacity == 0 ? MAP_FAILED : mapPlain(capacity);
  if (base == MAP_FAILED) return std::unexpected(cannot("reserve", bytes, capacity == 0 ? ENOMEM : errno));
  noteMappings(1);
  noteAddressSpace(static_cast<int64_t>(capacity));
  return Block{static_cast<uint8_t*>(base), capacity, nullptr, 0, 0};
}

void PackedPool::release(const Block& block, uint64_t used) {
  Arena* arena = block.arena;
  if (arena == nullptr) {
    munmap(block.base, block.capacity);
    noteMappings(-1);
    noteAddressSpace(-static_cast<int64_t>(block.capacity));
    return;
  }
  Class& group = classes_[arena->index];
  Block clean = block;
  clean.kept = 0;
  used = std::min(used, block.capacity);
  if (used == 0 || block.capacity > kLargestWarm || group.warmCount.load(std::memory_order_relaxed) >= kWarmPerClass) {
    zeroPages(block.base, used);
  } else {
    clean.kept = resetPages(block.base, used, block.kept, group.habit);
  }
  releaseSlot(group, clean);
}

// The block is zero.
void PackedPool::releaseSlot(Class& group, const Block& block) {
  Arena* arena = block.arena;
  {
    const std::lock_guard hold(group.lock);
    --group.blocks;
    if (block.kept != 0) {
      group.warm.push_back(block);
      group.warmCount.store(group.warm.size(), std::memory_order_relaxed);
      return;
    }
    arena->taken.release(block.slot);
    group.firstWithRoom = std::min(group.firstWithRoom, arena->number);
    if (--arena->live != 0) return;
    if (group.emptyArenas == 0) {
      ++group.emptyArenas;
      return;
    }
    group.arenas[arena->number] = nullptr;
  }
  munmap(arena->base, arena->bytes);
  noteMappings(-1);
  noteAddressSpace(-static_cast<int64_t>(arena->bytes));
  delete arena;
}

bool PackedPool::enlarge(Block& block, uint64_t used, uint64_t bytes) {
  if (bytes <= block.capacity) return true;
  if (block.arena == nullptr) {
    const uint64_t capacity = ownCapacity(bytes);
    if (capacity == 0) return false;
    void* base = mremap(block.base, block.capacity, capacity, MREMAP_MAYMOVE);
    if (base == MAP_FAILED) return false;
    noteAddressSpace(static_cast<int64_t>(capacity - block.capacity));
    block.base = static_cast<uint8_t*>(base);
    block.capacity = capacity;
    return true;
  }
  if (used >= kMovePages && movePages(block, used, bytes)) return true;
  const auto larger = acquire(bytes);
  if (!larger) return false;
  copySparse(larger->base, block.base, used);
  release(block, used);
  block = *larger;
  return true;
}

// From a slot to a mapping of its own. The slot stays mapped and is left without pages, as if never used.
bool PackedPool::movePages(Block& block, uint64_t used, uint64_t bytes) {
  const BudgetState now = budget();
  const uint64_t capacity = ownCapacity(bytes);
  if (now.mappingsUsed > now.mappingsLimit / 2 || capacity == 0) return false;
  const uint64_t length = (used + kPage - 1) / kPage * kPage;
  void* moved = mremap(block.base, length, length, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, nullptr);
  if (moved == MAP_FAILED) return false;  // an old kernel
  void* base = mremap(moved, length, capacity, MREMAP_MAYMOVE);
  if (base == MAP_FAILED) {
    // Back to where they were.
    if (mremap(moved, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, block.base) == MAP_FAILED) {
      std::memcpy(block.base, moved, used);
      munmap(moved, length);
    }
    return false;
  }
  release(block, 0);
  noteMappings(1);
  noteAddressSpace(static_cast<int64_t>(capacity));
  block = {static_cast<uint8_t*>(base), capacity, nullptr, 0, 0};
  return true;
}

PackedPool::Usage PackedPool::usage() const {
  Usage all;
  for (Class& group : classes_) {
    const std::lock_guard hold(group.lock);
    all.blocks += group.blocks;
    for (const Arena* arena : group.arenas) all.arenas += arena != nullptr;
  }
  return all;
}

}  // namespace wattle::sandbox
