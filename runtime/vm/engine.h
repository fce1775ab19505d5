// What modules and stores of one configuration share.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "runtime/compile/worker_pool.h"
#include "runtime/vm/background_task.h"
#include "runtime/vm/heap_trim.h"
#include "runtime/vm/once.h"
#include "wattle/stats.hpp"
#include "wattle/wattle.hpp"

namespace wattle::vm {

class DiskCache;
class Module;

// The living modules of an engine by content: equal bytes give the same Module. Thread safety: any thread.
class ModuleTable {
 public:
  std::shared_ptr<Module> find(uint64_t hash, std::span<const uint8_t> bytes);
  // The module, or the equal one that another thread has added meanwhile.
  std::shared_ptr<Module> add(uint64_t hash, std::shared_ptr<Module> module);
  ModuleStats stats();
  // By the destructor of a module that was added.
  void remove(uint64_t hash, const Module* module);

 private:
  static constexpr unsigned kShards = 16;
  struct Entry {
    const Module* module;
    std::weak_ptr<Module> reference;
  };
  struct Shard {
    std::mutex mutex;
    std::unordered_multimap<uint64_t, Entry> modules;
    uint64_t shared = 0, created = 0;
  };
  // `passed` takes what was looked at in vain: it may hold the last reference by now, and dropping that needs the lock.
  using Passed = std::vector<std::shared_ptr<Module>>;
  static std::shared_ptr<Module> findIn(Shard& shard, uint64_t hash, std::span<const uint8_t> bytes, Passed& passed);
  std::array<Shard, kShards> shards_;
};

struct Engine {
  explicit Engine(const Config& config);
  const Config config;
  HeapTrim heap;  // before what drops into it
  // Opened at first use; nullptr: Config names none, or it cannot be used.
  DiskCache* diskCache();
  const DiskCache* openedDiskCache() const { return diskOpen_.load(std::memory_order_acquire); }
  compile::WorkerPool pool;
  ModuleTable modules;

 private:
  Once diskOnce_;
  std::shared_ptr<DiskCache> disk_;
  std::atomic<const DiskCache*> diskOpen_{nullptr};

 public:
  BackgroundTask background;  // last: its task may use the rest
};

}  // namespace wattle::vm
