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
//   warm: free, zero again (or the image of its module again, memory_image.h), its first pages still accessible.
// A memory of the same initial size and image takes a warm slot without any system call. A slot that grew is cut back
// to its initial size when it is freed, so that it meets the next instance of the same module. Warm slots hold a few
// KiB of page tables each, and mappings; so there are at most max(64, half the live ones), and a slot of more than 64
// MiB goes cold at once. A store that collects its instances frees some hundreds at a time, which the next rounds want
// again: so up to 512 stay warm if as many were live a little while ago (some 8,000 releases). Cooling maps the slot
// afresh, which gives the page tables back too.
//
// Zero before reuse: release() drops or overwrites every page that was accessible (pages.cc) before the slot enters any
// list.
#include "sandbox/guarded_pool.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "sandbox/budget.h"
#include "sandbox/memory_image.h"
#include "sandbox/slot_bitmap.h"

namespace wattle::sandbox {

namespace {

constexpr uint32_t kMaxSlotsPerSuper = 63;
constexpr uint64_t kAlign = uint64_t{4} << 30;
constexpr unsigned kAddressBits = 47;
constexpr uint64_t kNoGuard = UINT64_MAX;
constexpr uint64_t kWarmLeast = 64;
constexpr uint64_t kWarmMost = 512;  // of those that were live lately
constexpr unsigned kForgetShift = 13;
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

// What a warm slot offers: so many accessible bytes, with this image (0: zeros). 21 bits are enough for the pages of 4
// GiB.
constexpr uint64_t keyOf(uint64_t bytes, uint64_t image) { return image << 21 | bytes / kOsPage; }
uint64_t keyOf(uint64_t bytes, const MemoryImage* image) { return keyOf(bytes, image == nullptr ? 0 : image->id()); }
// An image stands between other pages.
constexpr unsigned mappingsFor(uint64_t key) {
  if (key == 0) return 0;
  return key >> 21 == 0 ? kMappingsPerGuarded : kMappingsPerGuarded + 2;
}

}  // namespace

struct GuardedPool::Super {
  uint8_t* base = nullptr;
  size_t index = 0;
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
  super->index = supers_.size();
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
      return {super, *number, super->base + *number * kSlotBytes, 0};
    }
  }
  return {};
}

GuardedPool::Slot GuardedPool::takeWarm(uint64_t key) {
  const auto list = warm_.find(key);
  if (list == warm_.end()) return {};
  warmKeys_.splice(warmKeys_.end(), warmKeys_, list->second.key);
  if (list->second.slots.empty()) return {};
  const Slot slot = list->second.slots.back();
  list->second.slots.pop_back();
  leaveKept(slot.kept);
  warmCount_.fetch_sub(1, std::memory_order_relaxed);
  return slot;
}

void GuardedPool::putWarm(uint64_t key, const Slot& slot) {
  const auto [list, isNew] = warm_.try_emplace(key);
  if (isNew) {
    list->second.key = warmKeys_.insert(warmKeys_.end(), key);
  } else {
    warmKeys_.splice(warmKeys_.end(), warmKeys_, list->second.key);
  }
  list->second.slots.push_back(slot);
  warmCount_.fetch_add(1, std::memory_order_relaxed);
}

// One of the kind that has not been used for the longest time.
GuardedPool::Taken GuardedPool::takeAnyWarm() {
  while (!warmKeys_.empty()) {
    const uint64_t key = warmKeys_.front();
    std::vector<Slot>& slots = warm_[key].slots;
    if (slots.empty()) {
      warm_.erase(key);
      warmKeys_.pop_front();
      continue;
    }
    const Slot slot = slots.back();
    slots.pop_back();
    leaveKept(slot.kept);
    warmCount_.fetch_sub(1, std::memory_order_relaxed);
    return {slot, false, mappingsFor(key)};
  }
  return {};
}

// A slot just as wanted; or one that is cold; or, when there are none or no mappings for them, one that somebody else
// might have wanted.
std::expected<GuardedPool::Taken, std::string> GuardedPool::take(uint64_t key, unsigned mappings) {
  const std::lock_guard hold(lock_);
  Taken taken{takeWarm(key), true, mappings};
  if (taken.slot.super == nullptr) {
    taken = {};
    if (mappingsAllow(mappings)) {
      taken.slot = takeCold();
      if (taken.slot.super == nullptr && warmCount_.load(std::memory_order_relaxed) == 0) {
        if (auto reserved = reserveSuper(); !reserved) return std::unexpected(reserved.error());
        taken.slot = takeCold();
      }
    }
    if (taken.slot.super == nullptr) taken = takeAnyWarm();
    if (taken.slot.super == nullptr) {
      return std::unexpected("cannot commit a guarded memory: the process's mappings are spent (vm.max_map_count)");
    }
  }
  recentLive_ = std::max(recentLive_.load(), ++liveCount_ << kForgetShift);
  return taken;
}

std::expected<GuardedPool::Slot, std::string> GuardedPool::acquire(uint64_t bytes, const MemoryImage* image) {
  const uint64_t key = keyOf(bytes, image);
  const unsigned mappings = mappingsFor(key);
  const auto taken = take(key, mappings);
  if (!taken) return std::unexpected(taken.error());
  const Slot& slot = taken->slot;
  if (!taken->ready) {
    bool done = taken->mappings == 0 || blank(slot, taken->mappings);
    done = done && (bytes == 0 || mprotect(slot.base, bytes, PROT_READ | PROT_WRITE) == 0);
    done = done && (image == nullptr || image->mapInto(slot.base));
    if (!done) {
      const int error = errno;
      cool(slot, 0);
      return std::unexpected("cannot commit " + std::to_string(bytes >> 10) +
                             " KiB of memory: " + std::strerror(error));
    }
    noteMappings(mappings);
  }
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

// As if the slot had never been used: inaccessible, no pages, no page tables, one mapping with its neighbours.
bool GuardedPool::blank(const Slot& slot, unsigned mappings) {
  if (mmap(slot.base, kSlotBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) ==
      MAP_FAILED) {
    return false;
  }
  noteMappings(-static_cast<int64_t>(mappings));
  return true;
}

// The caller owns the slot, counted as live.
void GuardedPool::cool(const Slot& slot, unsigned mappings) {
  const bool done = blank(slot, mappings);
  const std::lock_guard hold(lock_);
  --liveCount_;
  if (!done)
    return;  // the system is out of mappings even for fewer of them: better lose the slot than hand out its contents
  slot.super->taken.release(slot.number);
  coldCount_.fetch_add(1, std::memory_order_relaxed);
  firstWithRoom_ = std::min(firstWithRoom_, slot.super->index);
}

uint64_t GuardedPool::mostWarm() const {
  const uint64_t recent = recentLive_.load(std::memory_order_relaxed) >> kForgetShift;
  return std::max({kWarmLeast, liveCount_.load(std::memory_order_relaxed) / 2, std::min(recent, kWarmMost)});
}

void GuardedPool::release(const Slot& slot, uint64_t accessible, uint64_t initial, const MemoryImage* image) {
  slot.super->guardFrom[slot.number].store(kNoGuard, std::memory_order_release);
  const uint64_t key = keyOf(initial, image);
  const unsigned mappings = accessible == 0 ? 0 : std::max(mappingsFor(key), kMappingsPerGuarded);
  bool warm = accessible <= kWarmBytes && initial != 0;
  Slot clean = slot;
  if (warm && image != nullptr) {
    // Dropping what was written brings the image back.
    warm = image->isWarmSize(initial) && madvise(slot.base, accessible, MADV_DONTNEED) == 0;
  } else if (warm) {
    clean.kept = resetPages(slot.base, accessible, slot.kept, habits_[std::bit_width(initial)]);
  }
  if (warm && accessible != initial) {
    warm = mprotect(slot.base + initial, accessible - initial, PROT_NONE) == 0;
    if (!warm) leaveKept(clean.kept);
  }
  if (!warm) {
    cool(slot, mappings);
  } else {
    const std::lock_guard hold(lock_);
    --liveCount_;
    putWarm(key, clean);
    recentLive_ = std::max(recentLive_ - (recentLive_ >> kForgetShift), liveCount_ << kForgetShift);
  }
  coolSurplus();
}

void GuardedPool::coolSurplus() {
  const auto surplus = [this] { return warmCount_.load(std::memory_order_relaxed) > mostWarm(); };
  for (int i = 0; i < 2 && surplus(); ++i) {
    Taken taken;
    {
      const std::lock_guard hold(lock_);
      taken = takeAnyWarm();
      if (taken.slot.super == nullptr) return;
      ++liveCount_;
    }
    cool(taken.slot, taken.mappings);
  }
}

void GuardedPool::forgetImage(uint64_t id, uint64_t bytes) {
  const uint64_t key = keyOf(bytes, id);
  for (;;) {
    Slot slot;
    {
      const std::lock_guard hold(lock_);
      slot = takeWarm(key);
      if (slot.super == nullptr) {
        if (const auto list = warm_.find(key); list != warm_.end()) {
          warmKeys_.erase(list->second.key);
          warm_.erase(list);
        }
        return;
      }
      ++liveCount_;
    }
    cool(slot, mappingsFor(key));
  }
}

}  // namespace wattle::sandbox
