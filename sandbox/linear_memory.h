// Linear memories: address space reserved, pages committed, bounds by guard pages or by checks (DESIGN section 4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace wattle::sandbox {

inline constexpr uint64_t kWasm32Space = 4ull << 30;
// Behind 4 GiB lie this many bytes of guard: an access with a static offset below it (and at most 16 bytes wide) needs
// no check.
inline constexpr uint64_t kGuardBytes = 64ull << 20;

enum class Bounds : uint8_t {
  Guarded,  // 4 GiB + guard reserved; out-of-bounds accesses fault; the base never moves
  Checked,  // only what is used (growth may move the base); generated code compares
};

class MemoryImage;  // memory_image.h

struct MemoryConfig {
  uint64_t initialBytes = 0;
  uint64_t maximumBytes = kWasm32Space;  // already clamped by the store's limits
  Bounds bounds = Bounds::Guarded;
  bool shared = false;                            // shared memories never move: a checked one reserves its maximum
  std::shared_ptr<const MemoryImage> image = {};  // what it holds at first (at most initialBytes); none: zeros
};

class LinearMemory {
 public:
  LinearMemory() = default;
  // Error: one line ("cannot reserve 4 GiB of address space: …", "cannot commit …"). A guarded memory ends at a page,
  // so its initial size must be a multiple of 4096 bytes (any multiple of the 64 KiB wasm page is); ask for Checked
  // when the module's page size is smaller.
  static std::expected<LinearMemory, std::string> create(const MemoryConfig& config);
  LinearMemory(LinearMemory&& other) noexcept;
  LinearMemory& operator=(LinearMemory&& other) noexcept;
  ~LinearMemory();  // pages go back to the pool or the system

  uint8_t* base() const { return base_; }
  uint64_t byteSize() const { return size_; }
  uint64_t reservedBytes() const { return reserved_; }
  Bounds bounds() const { return bounds_; }
  std::span<uint8_t> bytes() const { return {base_, size_}; }
  // New pages read as zero. False when `newSize` exceeds the maximum or the system refuses; then nothing changed.
  // A checked, unshared memory may move. A guarded one wants a multiple of 4096 bytes. One grow() at a time (shared
  // memories: the caller locks).
  bool grow(uint64_t newSize);

 private:
  friend struct LinearMemoryMaker;
  void release();

  uint8_t* base_ = nullptr;
  uint64_t size_ = 0;
  uint64_t committed_ = 0;  // guarded: accessible bytes; checked: most bytes there ever were at this base
  uint64_t reserved_ = 0;
  uint64_t maximum_ = 0;
  uint64_t initial_ = 0;
  void* home_ = nullptr;  // the pool's: arena of a packed memory, super-reservation of a guarded one
  uint64_t kept_ = 0;     // pages that were resident at first (pages.h)
  std::shared_ptr<const MemoryImage> image_;  // mapped into the slot
  uint32_t slot_ = 0;
  Bounds bounds_ = Bounds::Checked;
  bool shared_ = false;
};

// What the process may still spend. Guarded memories draw on both; when either is near its end `preferred` says
// Checked.
struct BudgetState {
  uint64_t addressSpaceUsed = 0;
  uint64_t addressSpaceLimit = 0;
  uint64_t mappingsUsed = 0;
  uint64_t mappingsLimit = 0;  // from vm.max_map_count, less a reserve for the host
};
BudgetState budget();
Bounds preferredBounds();
// For tests: pretend the budget is this.
void overrideBudget(std::optional<BudgetState> state);

// Memories alive in the process.
struct MemoryUsage {
  uint64_t guarded = 0;
  uint64_t packed = 0;  // but for those too large to be packed, which have a mapping each
};
MemoryUsage memoryUsage();

// True when the address lies in some live guarded memory's reservation (its guard or its uncommitted part). Of a shared
// memory everything beyond its initial size counts: another thread may have committed the page between the fault and
// the question. Lock-free and async-signal-safe.
bool isGuardAddress(uintptr_t address) noexcept;

}  // namespace wattle::sandbox
