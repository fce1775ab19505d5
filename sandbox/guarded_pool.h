// Slots of 4 GiB and a guard, for memories without bounds checks. The essay is in guarded_pool.cc.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "sandbox/linear_memory.h"

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
  };

  static GuardedPool& process();

  // A slot of which exactly the first `bytes` (a multiple of the page) are accessible, and zero. Everything else in it
  // faults.
  std::expected<Slot, std::string> acquire(uint64_t bytes);
  // Makes more of it accessible. False when the system refuses. What another thread may have been refused a moment ago
  // (`shared`) goes on counting as guard.
  bool grow(const Slot& slot, uint64_t from, uint64_t to, bool shared);
  // `initial`: what acquire() was asked for; `accessible`: what is accessible now.
  void release(const Slot& slot, uint64_t accessible, uint64_t initial);

  // Safe in a signal handler, even when no pool was ever made.
  static bool isGuard(uintptr_t address) noexcept;

  uint64_t warmSlots() const { return warmCount_.load(std::memory_order_relaxed); }
  uint64_t coldSlots() const { return coldCount_.load(std::memory_order_relaxed); }
  bool mayReserve() const;

 private:
  GuardedPool() = default;
  Slot takeWarm(uint64_t bytes);
  Slot takeAnyWarm(uint64_t& accessible);
  Slot takeCold();
  std::expected<void, std::string> reserveSuper();
  bool tryReserve(uint32_t slots, uint64_t bytes);
  void returnCold(const Slot& slot);
  void coolSurplus();
  void cool(const Slot& slot, uint64_t accessible);

  mutable std::mutex lock_;
  std::vector<Super*> supers_;
  size_t firstWithRoom_ = 0;
  std::unordered_map<uint64_t, std::vector<Slot>> warm_;  // by accessible bytes
  std::atomic<uint64_t> warmCount_{0};
  std::atomic<uint64_t> coldCount_{0};
  uint64_t liveCount_ = 0;
};

}  // namespace wattle::sandbox
