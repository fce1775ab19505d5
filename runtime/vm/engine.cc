#include "runtime/vm/engine.h"

#include <malloc.h>

#include <algorithm>

#include "runtime/vm/disk_cache.h"
#include "runtime/vm/module.h"
#include "runtime/vm/traps.h"

namespace wattle::vm {

void HeapTrim::trim() {
  if (dropped_.exchange(0, std::memory_order_relaxed) >= kLeast) malloc_trim(0);  // else another thread is at it
}

Engine::Engine(const Config& c) : config(c), pool(c.compileThreads) { installTrapHandler(c.installSignalHandlers); }

DiskCache* Engine::diskCache() {
  if (config.cacheDirectory.empty()) return nullptr;
  diskOnce_([this] {
    if (auto opened = DiskCache::open(config.cacheDirectory, config.cacheBytes)) disk_ = std::move(*opened);
    diskOpen_.store(disk_.get(), std::memory_order_release);
  });
  return disk_.get();
}

std::shared_ptr<Module> ModuleTable::findIn(Shard& shard, uint64_t hash, std::span<const uint8_t> bytes,
                                            Passed& passed) {
  auto [first, last] = shard.modules.equal_range(hash);
  for (auto it = first; it != last; ++it) {
    auto module = it->second.reference.lock();
    if (module && module->hasBodies() && std::ranges::equal(module->bytes(), bytes)) return module;
    passed.push_back(std::move(module));
  }
  return nullptr;
}

std::shared_ptr<Module> ModuleTable::find(uint64_t hash, std::span<const uint8_t> bytes) {
  Passed passed;
  Shard& shard = shards_[hash % kShards];
  std::lock_guard lock(shard.mutex);
  auto found = findIn(shard, hash, bytes, passed);
  if (found) ++shard.shared;
  return found;
}

std::shared_ptr<Module> ModuleTable::add(uint64_t hash, std::shared_ptr<Module> module) {
  Passed passed;
  Shard& shard = shards_[hash % kShards];
  std::lock_guard lock(shard.mutex);
  if (module->hasBodies()) {
    if (auto other = findIn(shard, hash, module->bytes(), passed)) {
      ++shard.shared;
      return other;
    }
  }
  ++shard.created;
  shard.modules.emplace(hash, Entry{module.get(), module});
  return module;
}

ModuleStats ModuleTable::stats() {
  ModuleStats out;
  for (Shard& shard : shards_) {
    std::lock_guard lock(shard.mutex);
    out.live += shard.modules.size();
    out.shared += shard.shared;
    out.created += shard.created;
  }
  return out;
}

void ModuleTable::remove(uint64_t hash, const Module* module) {
  Shard& shard = shards_[hash % kShards];
  std::lock_guard lock(shard.mutex);
  auto [first, last] = shard.modules.equal_range(hash);
  auto it = std::find_if(first, last, [&](const auto& item) { return item.second.module == module; });
  if (it != last) shard.modules.erase(it);
}

}  // namespace wattle::vm
