// Linear memories: address space reserved, pages committed, bounds by guard pages or by checks (DESIGN section 4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>

namespace wattle::sandbox {

inline constexpr uint64_t kWasm32Space = 4ull << 30;
// Behind 4 GiB lie this many bytes of guard: an access with a static offset below it (and at most 16 bytes wide) needs no check.
inline constexpr uint64_t kGuardBytes = 64ull << 20;

enum class Bounds : uint8_t {
  Guarded,   // 4 GiB + guard reserved; out-of-bounds accesses fault; the base never moves
  Checked,   // only what is used (growth may move the base); generated code compares
};

struct MemoryConfig {
  uint64_t initialBytes = 0;
  uint64_t maximumBytes = kWasm32Space;  // already clamped by the store's limits
  Bounds bounds = Bounds::Guarded;
  bool shared = false;                   // shared memories never move: a checked one reserves its maximum
};

class LinearMemory {
 public:
  LinearMemory() = default;
  // Error: one line ("cannot reserve 4 GiB of address space: …", "cannot commit …").
  static std::expected<LinearMemory, std::string> create(const MemoryConfig& config);
  LinearMemory(LinearMemory&& other) noexcept;
  LinearMemory& operator=(LinearMemory&& other) noexcept;
  ~LinearMemory();   // pages go back to the pool or the system

  uint8_t* base() const { return base_; }
  uint64_t byteSize() const { return size_; }
  uint64_t reservedBytes() const { return reserved_; }
  Bounds bounds() const { return bounds_; }
  std::span<uint8_t> bytes() const { return {base_, size_}; }
  // New pages read as zero. False when `newSize` exceeds the maximum or the system refuses; then nothing changed.
  // A checked, unshared memory may move.
  bool grow(uint64_t newSize);

 private:
  uint8_t* base_ = nullptr;
  uint64_t size_ = 0;
  uint64_t committed_ = 0;
  uint64_t reserved_ = 0;
  uint64_t maximum_ = 0;
  Bounds bounds_ = Bounds::Checked;
  bool shared_ = false;
};

// What the process may still spend. Guarded memories draw on both; when either is near its end `preferred` says Checked.
struct BudgetState {
  uint64_t addressSpaceUsed = 0;
  uint64_t addressSpaceLimit = 0;
  uint64_t mappingsUsed = 0;
  uint64_t mappingsLimit = 0;     // from vm.max_map_count, less a reserve for the host
};
BudgetState budget();
Bounds preferredBounds();
// For tests: pretend the budget is this.
void overrideBudget(std::optional<BudgetState> state);

// True when the address lies in some guarded memory's reservation (its guard or its uncommitted part). Lock-free and async-signal-safe.
bool isGuardAddress(uintptr_t address) noexcept;

}  // namespace wattle::sandbox
