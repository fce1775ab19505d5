// The process-wide budgets: address space and mappings.
//
// Both end suddenly and for everybody: when vm.max_map_count (65,530 by default) is reached, malloc in the host fails
// too; when the 47 bits are full, so do its threads' stacks. So we stop well before, and new memories become checked
// ones, which need neither (linear_memory.cc). We count what we take ourselves and leave the rest a reserve: 4,096
// mappings (a quarter, where there are fewer), and 16 TiB.
#include "sandbox/budget.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>

#include "sandbox/guarded_pool.h"
#include "sandbox/linear_memory.h"

namespace wattle::sandbox {

namespace {

std::atomic<int64_t> gMappings{0};
std::atomic<int64_t> gAddressSpace{0};
std::atomic<uint64_t> gAddressSpaceEnd{UINT64_MAX};

std::mutex gOverrideLock;
std::atomic<bool> gOverridden{false};
BudgetState gOverride;

uint64_t maxMapCount() {
  uint64_t count = 65530;
  const int file = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
  if (file < 0) return count;
  char text[24] = {};
  if (read(file, text, sizeof text - 1) > 0) count = std::strtoull(text, nullptr, 10);
  close(file);
  return count;
}

uint64_t mappingsLimit() {
  static const uint64_t limit = [] {
    const uint64_t count = maxMapCount();
    return count - std::min<uint64_t>(4096, count / 4);
  }();
  return limit;
}

uint64_t addressSpaceLimit() {
  static const uint64_t limit = [] {
    const uint64_t all = (uint64_t{1} << 47) - (uint64_t{16} << 40);
    rlimit rule{};
    if (getrlimit(RLIMIT_AS, &rule) != 0 || rule.rlim_cur == RLIM_INFINITY) return all;
    return std::min<uint64_t>(all, rule.rlim_cur / 2);
  }();
  return std::min(limit, gAddressSpaceEnd.load(std::memory_order_relaxed));
}

uint64_t atLeastZero(int64_t value) { return value > 0 ? static_cast<uint64_t>(value) : 0; }

}  // namespace

void noteMappings(int64_t count) { gMappings.fetch_add(count, std::memory_order_relaxed); }
void noteAddressSpace(int64_t bytes) { gAddressSpace.fetch_add(bytes, std::memory_order_relaxed); }
void noteAddressSpaceEnd() {
  gAddressSpaceEnd.store(atLeastZero(gAddressSpace.load(std::memory_order_relaxed)), std::memory_order_relaxed);
}

BudgetState budget() {
  if (gOverridden.load(std::memory_order_acquire)) {
    const std::lock_guard hold(gOverrideLock);
    return gOverride;
  }
  return {atLeastZero(gAddressSpace.load(std::memory_order_relaxed)), addressSpaceLimit(),
          atLeastZero(gMappings.load(std::memory_order_relaxed)), mappingsLimit()};
}

bool budgetOverridden() { return gOverridden.load(std::memory_order_acquire); }

bool addressSpaceAllows(uint64_t bytes) {
  const BudgetState now = budget();
  return now.addressSpaceUsed + bytes <= now.addressSpaceLimit;
}

bool mappingsAllow(uint64_t count) {
  const BudgetState now = budget();
  return now.mappingsUsed + count <= now.mappingsLimit;
}

bool fileSizeAllows(uint64_t bytes) {
  rlimit rule{};
  return getrlimit(RLIMIT_FSIZE, &rule) != 0 || bytes <= rule.rlim_cur;
}

// A margin of 1/64 of the mappings stays for those who asked before us and are about to create, and for growth.
Bounds preferredBounds() {
  const BudgetState now = budget();
  if (budgetOverridden()) {
    const bool room = now.addressSpaceUsed + kWasm32Space + kGuardBytes <= now.addressSpaceLimit &&
                      now.mappingsUsed + kMappingsPerGuarded <= now.mappingsLimit;
    return room ? Bounds::Guarded : Bounds::Checked;
  }
  const GuardedPool& pool = GuardedPool::process();
  if (pool.warmSlots() > 0) return Bounds::Guarded;
  if (now.mappingsUsed + kMappingsPerGuarded + now.mappingsLimit / 64 > now.mappingsLimit) return Bounds::Checked;
  return pool.coldSlots() > 0 || pool.mayReserve() ? Bounds::Guarded : Bounds::Checked;
}

void overrideBudget(std::optional<BudgetState> state) {
  const std::lock_guard hold(gOverrideLock);
  if (state) gOverride = *state;
  gOverridden.store(state.has_value(), std::memory_order_release);
}

}  // namespace wattle::sandbox
