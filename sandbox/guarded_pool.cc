// Guarded memories: a load or store needs no check, since every address that a 32-bit index and a small static offset
// can form lies in the memory's own slot, and what is not accessible there faults.
//
//   super-reservation (256 GiB, PROT_NONE, one mapping while unused), aligned to 4 GiB
//   ┌───────── slot 0: 4 GiB + 64 MiB ──────────┬──────────── slot 1 ─────────────┬─ … 63 slots
//   │ accessible │      faults        │ guard   │ accessible │  faults  │ guard   │
//   └────────────┴────────────────────┴─────────┴────────────┴──────────┴─────────┴─
//   ^ base        ^ guardFrom: grows with the memory
//
// Is an address in a guard? The signal handler asks, so: address / 4 GiB gives the super-reservation (a flat
// directory), the offset in it divided by the slot size gives the slot, the rest is compared with the slot's guardFrom.
// No lock; supers are never unmapped.
//
// Costs. An accessible slot is two mappings, so a process holds some 30,000 (budget.cc). A slot is
//   cold: all of it inaccessible, no memory, no page tables, no mapping of its own;
//   live: somebody's;
//   warm: free, zero (its pages were dropped), with its first pages still accessible. A memory of the same initial size
//   takes it without any
//         change of protection. A slot that grew is cut back to its initial size when it is freed, so that it meets the
//         next instance of the same module.
// Warm slots hold a few KiB of page tables each, and mappings; so there are at most max(64, half the live ones), and a
// slot of more than 64 MiB goes cold at once. Cooling maps the slot afresh, which gives the page tables back too.
//
// Zero before reuse: release() drops all pages that were accessible (madvise; where that is refused, as for locked
// memory, they are overwritten) before the slot enters any list.
#include "sandbox/guarded_pool.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "sandbox/budget.h"
#include "sandbox/pages.h"
#include "sandbox/slot_bitmap.h"

namespace wattle::sandbox {

namespace {

constexpr uint32_t kMaxSlotsPerSuper = 63;
constexpr uint64_t kAlign = uint64_t{4} << 30;
constexpr unsigned kAddressBits = 47;
constexpr uint64_t kNoGuard = UINT64_MAX;
constexpr uint64_t kWarmLeast = 64;
constexpr uint64_t kWarmBytes = uint64_t{64} << 20;
constexpr size_t kMaxSupers = 32768;

struct SuperSize {
  uint32_t slots;
  uint64_t bytes;
};
// What is tried in turn; a process with a limit on its address space may get the small ones only.
constexpr SuperSize kSuperSizes[] = {
    {kMaxSlotsPerSuper, uint64_t{256} << 30}, {7, uint64_t{32} << 30}, {1, uint64_t{8} << 30}};
static_assert(kMaxSlotsPerSuper * kSlotBytes <= kSuperSizes[0].bytes);
static_assert(7 * kSlotBytes <= kSuperSizes[1].bytes);

}  // namespace

struct GuardedPool::Super {
  uint8_t* base = nullptr;
  uint32_t slots = 0;
  SlotBitmap taken;
  uint64_t bitmap[1 + kMaxSlotsPerSuper / 64] = {};
  std::atomic<uint64_t> guardFrom[kMaxSlotsPerSuper];
};

namespace {

// By address / 4 GiB. Zero pages until used.
constinit GuardedPool::Super* gDirectory[(uint64_t{1} << kAddressBits) / kAlign] = {};

}  // namespace

GuardedPool& GuardedPool::process() {
  static GuardedPool* pool = [] {
    auto* made = new GuardedPool;
    pthread_atfork([] { process().lock_.lock(); }, [] { process().lock_.unlock(); }, [] { process().lock_.unlock(); });
    return made;
  }();
  return *pool;
}

bool GuardedPool::isGuard(uintptr_t address) noexcept {
  if (address >> kAddressBits != 0) return false;
  const Super* super = std::atomic_ref(gDirectory[address / kAlign]).load(std::memory_order_acquire);
  if (super == nullptr) return false;
  const uint64_t offset = address - reinterpret_cast<uintptr_t>(super->base);
  const uint64_t slot = offset / kSlotBytes;
  return slot < super->slots && offset % kSlotBytes >= super->guardFrom[slot].load(std::memory_order_acquire);
}

bool isGuardAddress(uintptr_t address) noexcept { return GuardedPool::isGuard(address); }

bool GuardedPool::mayReserve() const { return addressSpaceAllows(kSuperSizes[std::size(kSuperSizes) - 1].bytes); }

bool GuardedPool::tryReserve(uint32_t slots, uint64_t bytes) {
  if (!addressSpaceAllows(bytes) || supers_.size() == kMaxSupers) return false;
  uint8_t* base = reserveAligned(bytes, kAlign);
  if (base == nullptr) return false;
  auto* super = new Super;
  super->base = base;
  super->slots = slots;
  super->taken.init(slots, super->bitmap);
  for (auto& from : super->guardFrom) from.store(kNoGuard, std::memory_order_relaxed);
  for (uint64_t at = 0; at < bytes; at += kAlign) {
    std::atomic_ref(gDirectory[(reinterpret_cast<uintptr_t>(base) + at) / kAlign])
        .store(super, std::memory_order_release);
  }
  noteAddressSpace(static_cast<int64_t>(bytes));
  noteMappings(1);
  supers_.push_back(super);
  coldCount_.fetch_add(slots, std::memory_order_relaxed);
  return true;
}

std::expected<void, std::string> GuardedPool::reserveSuper() {
  int error = ENOMEM;
  for (const SuperSize& size : kSuperSizes) {
    errno = 0;
    if (tryReserve(size.slots, size.bytes)) return {};
    if (errno != 0) error = errno;
  }
  noteAddressSpaceEnd();
  return std::unexpected(std::string("cannot reserve 4 GiB of address space: ") + std::strerror(error));
}

GuardedPool::Slot GuardedPool::takeCold() {
  for (; firstWithRoom_ < supers_.size(); ++firstWithRoom_) {
    Super* super = supers_[firstWithRoom_];
    if (const auto number = super->taken.take()) {
      coldCount_.fetch_sub(1, std::memory_order_relaxed);
      return {super, *number, super->base + *number * kSlotBytes};
    }
  }
  return {};
}

GuardedPool::Slot GuardedPool::takeWarm(uint64_t bytes) {
  const auto list = warm_.find(bytes);
  if (list == warm_.end()) return {};
  const Slot slot = list->second.back();
  list->second.pop_back();
  if (list->second.empty()) warm_.erase(list);
  warmCount_.fetch_sub(1, std::memory_order_relaxed);
  return slot;
}

GuardedPool::Slot GuardedPool::takeAnyWarm(uint64_t& accessible) {
  if (warm_.empty()) return {};
  accessible = warm_.begin()->first;
  return takeWarm(accessible);
}

void GuardedPool::returnCold(const Slot& slot) {
  slot.super->taken.release(slot.number);
  coldCount_.fetch_add(1, std::memory_order_relaxed);
  const size_t index = static_cast<size_t>(std::find(supers_.begin(), supers_.end(), slot.super) - supers_.begin());
  firstWithRoom_ = std::min(firstWithRoom_, index);
}

std::expected<GuardedPool::Slot, std::string> GuardedPool::acquire(uint64_t bytes) {
  Slot slot;
  uint64_t accessible = bytes;
  {
    const std::lock_guard hold(lock_);
    if (bytes != 0) slot = takeWarm(bytes);
    if (slot.super == nullptr && (bytes == 0 || mappingsAllow(kMappingsPerGuarded))) {
      accessible = 0;
      slot = takeCold();
      if (slot.super == nullptr && warm_.empty()) {
        if (auto reserved = reserveSuper(); !reserved) return std::unexpected(reserved.error());
        slot = takeCold();
      }
    }
    if (slot.super == nullptr) slot = takeAnyWarm(accessible);
    if (slot.super == nullptr) {
      return std::unexpected("cannot commit a guarded memory: the process's mappings are spent (vm.max_map_count)");
    }
    ++liveCount_;
  }
  bool done = true;
  if (accessible < bytes) {
    done = mprotect(slot.base + accessible, bytes - accessible, PROT_READ | PROT_WRITE) == 0;
  } else if (accessible > bytes) {
    done = mprotect(slot.base + bytes, accessible - bytes, PROT_NONE) == 0;
  }
  if (!done) {
    const int error = errno;
    if (accessible != 0) noteMappings(-int64_t{kMappingsPerGuarded});
    cool(slot, 0);
    return std::unexpected("cannot commit " + std::to_string(bytes >> 10) + " KiB of memory: " + std::strerror(error));
  }
  if (accessible == 0 && bytes != 0) noteMappings(kMappingsPerGuarded);
  if (accessible != 0 && bytes == 0) noteMappings(-int64_t{kMappingsPerGuarded});
  slot.super->guardFrom[slot.number].store(bytes, std::memory_order_release);
  return slot;
}

bool GuardedPool::grow(const Slot& slot, uint64_t from, uint64_t to, bool shared) {
  if (from == 0 && !mappingsAllow(kMappingsPerGuarded)) return false;
  if (mprotect(slot.base + from, to - from, PROT_READ | PROT_WRITE) != 0) return false;
  if (from == 0) noteMappings(kMappingsPerGuarded);
  if (!shared) slot.super->guardFrom[slot.number].store(to, std::memory_order_release);
  return true;
}

// Makes the slot inaccessible and as cheap as if it had never been used. It is counted as live until here.
void GuardedPool::cool(const Slot& slot, uint64_t accessible) {
  if (mmap(slot.base, kSlotBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) ==
      MAP_FAILED) {
    // Out of mappings, perhaps: at least nothing in it can be reached or seen again.
    zeroPages(slot.base, accessible);
    (void)mprotect(slot.base, kSlotBytes, PROT_NONE);
  }
  if (accessible != 0) noteMappings(-int64_t{kMappingsPerGuarded});
  const std::lock_guard hold(lock_);
  --liveCount_;
  returnCold(slot);
}

void GuardedPool::release(const Slot& slot, uint64_t accessible, uint64_t initial) {
  slot.super->guardFrom[slot.number].store(kNoGuard, std::memory_order_release);
  if (accessible > kWarmBytes || initial == 0) {
    cool(slot, accessible);
  } else {
    zeroPages(slot.base, accessible);
    if (accessible != initial && mprotect(slot.base + initial, accessible - initial, PROT_NONE) != 0)
      initial = accessible;
    const std::lock_guard hold(lock_);
    --liveCount_;
    warm_[initial].push_back(slot);
    warmCount_.fetch_add(1, std::memory_order_relaxed);
  }
  coolSurplus();
}

void GuardedPool::coolSurplus() {
  for (int i = 0; i < 2; ++i) {
    Slot slot;
    uint64_t accessible = 0;
    {
      const std::lock_guard hold(lock_);
      if (warmCount_.load(std::memory_order_relaxed) <= std::max(kWarmLeast, liveCount_ / 2)) return;
      slot = takeAnyWarm(accessible);
      ++liveCount_;
    }
    cool(slot, accessible);
  }
}

}  // namespace wattle::sandbox
