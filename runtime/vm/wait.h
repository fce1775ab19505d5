// memory.atomic.wait and notify (threads proposal): a table of waiters for the whole process. The essay is in wait.cc.
#pragma once

#include <atomic>
#include <cstdint>

namespace wattle::vm {

struct StoreCells;

enum class WaitResult : uint32_t { Woken = 0, NotEqual = 1, TimedOut = 2, Interrupted = 3 };

// If the cell holds `expected`, sleeps until a notify of its address, or for so many nanoseconds (negative: for ever),
// or until the store is interrupted. `wide`: 64 bits, else 32. The cell is aligned.
WaitResult waitOn(StoreCells& cells, const uint8_t* cell, uint64_t expected, bool wide, int64_t timeout);
// Wakes at most `count` of those that wait on the address, the first to come first. How many.
uint32_t notifyWaiters(const uint8_t* cell, uint32_t count);

// What a store's thread sleeps on, in StoreCells. Async-signal-safe.
class WaitCell {
 public:
  void interrupt();

 private:
  friend WaitResult waitOn(StoreCells&, const uint8_t*, uint64_t, bool, int64_t);
  friend uint32_t notifyWaiters(const uint8_t*, uint32_t);
  static constexpr uint32_t kAsleep = 0, kNotified = 1, kInterrupted = 2;
  std::atomic<uint32_t> word_{kNotified};
};

}  // namespace wattle::vm
