// Gives memory back to the system after much has been dropped.
//
// What modules and instances hold beside code and linear memories comes from malloc, and the C library keeps what is
// freed in the middle of its heap. After a million dropped modules that is gigabytes. So what is dropped is counted,
// and when it comes to more than what is left, the C library is asked to let go (malloc_trim). That costs in proportion
// to the free blocks, hence the threshold: the live half is halved again before the next time, or 16 MiB have come and
// gone.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace wattle::vm {

// Thread safe. Figures are estimates.
class HeapTrim {
 public:
  void made(size_t bytes) { live_.fetch_add(static_cast<int64_t>(bytes), std::memory_order_relaxed); }
  // After freeing, without locks.
  void dropped(size_t bytes) {
    const auto amount = static_cast<int64_t>(bytes);
    const int64_t live = live_.fetch_sub(amount, std::memory_order_relaxed) - amount;
    const int64_t gone = dropped_.fetch_add(amount, std::memory_order_relaxed) + amount;
    if (gone >= kLeast && gone >= live) [[unlikely]]
      trim();
  }

 private:
  static constexpr int64_t kLeast = 16 << 20;
  void trim();
  std::atomic<int64_t> live_{0};
  std::atomic<int64_t> dropped_{0};
};

}  // namespace wattle::vm
