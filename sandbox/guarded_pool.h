// Slots of 4 GiB and a guard, for memories without bounds checks. The essay is in guarded_pool.cc.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <list>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "sandbox/linear_memory.h"
#include "sandbox/pages.h"

namespace wattle::sandbox {

inline constexpr uint64_t kSlotBytes = kWasm32Space + kGuardBytes;
inline constexpr uint64_t kOsPage = 4096;
inline constexpr unsigned kMappingsPerGuarded = 2;  // the accessible pages, and the inaccessible ones behind them

class GuardedPool {
 public:
  struct Super;
  struct Slot {
    Super* super = nullptr;
    uint32_t number = 0;
    uint8_t* base = nullptr;
    uint64_t kept = 0;  // pages that were resident when the slot was handed out (pages.h)
  };

  static GuardedPool& process();

  // A slot of which exactly the first `bytes` (a multiple of the page) are accessible, and zero. Everything else in it
  // faults.
  std::expected<Slot, std::string> acquire(uint64_t bytes, const MemoryImage* image);
  // Makes more of it accessible. False when the system refuses. What another thread may have been refused a moment ago
  // (`shared`) goes on counting as guard.
  bool grow(const Slot& slot, uint64_t from, uint64_t to, bool shared);
  // `initial`: what acquire() was asked for; `accessible`: what is accessible now.
  void release(const Slot& slot, uint64_t accessible, uint64_t initial, const MemoryImage* image);
  // No memory has it any more: slots that wait with it go cold.
  void forgetImage(uint64_t id, uint64_t bytes);

  // Safe in a signal handler, even when no pool was ever made.
  static bool isGuard(uintptr_t address) noexcept;

  uint64_t liveSlots() const { return liveCount_.load(std::memory_order_relaxed); }
  uint64_t warmSlots() const { return warmCount_.load(std::memory_order_relaxed); }
  uint64_t coldSlots() const { return coldCount_.load(std::memory_order_relaxed); }
  bool mayReserve() const;

 private:
  GuardedPool() = default;
  struct WarmList {
    std::vector<Slot> slots;  // may be empty
    std::list<uint64_t>::iterator key;
  };
  struct Taken {
    Slot slot;
    bool ready = false;     // warm, and just as wanted
    unsigned mappings = 0;  // those it has
  };
  std::expected<Taken, std::string> take(uint64_t key, unsigned mappings);
  Slot takeWarm(uint64_t key);
  void putWarm(uint64_t key, const Slot& slot);
  Taken takeAnyWarm();
  Slot takeCold();
  std::expected<void, std::string> reserveSuper();
  bool tryReserve(uint32_t slots, uint64_t bytes);
  bool blank(const Slot& slot, unsigned mappings);
  void cool(const Slot& slot, unsigned mappings);
  void coolSurplus();
  uint64_t mostWarm() const;

  mutable std::mutex lock_;
  std::vector<Super*> supers_;
  size_t firstWithRoom_ = 0;
  std::unordered_map<uint64_t, WarmList> warm_;  // by keyOf(accessible bytes, image)
  std::list<uint64_t> warmKeys_;                 // of warm_, the longest unused first
  std::atomic<uint64_t> warmCount_{0};
  std::atomic<uint64_t> coldCount_{0};
  std::atomic<uint64_t> liveCount_{0};
  std::atomic<uint64_t> recentLive_{0};  // liveCount_ lately, in 8,192ths: each release forgets as small a part of it
  TouchHabit habits_[40];                // by magnitude of the initial size
};

}  // namespace wattle::sandbox
