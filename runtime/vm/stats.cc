// wattle/stats.hpp and wattle/disk_cache.hpp.
#include "wattle/stats.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "runtime/codecache/code_cache.h"
#include "runtime/vm/disk_cache.h"
#include "runtime/vm/engine.h"
#include "sandbox/linear_memory.h"
#include "wattle/disk_cache.hpp"
#include "wattle/wattle.hpp"

namespace wattle {

namespace {

std::string size(uint64_t bytes) {
  static constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

}  // namespace

CodeCacheStats codeCacheStats() {
  const codecache::Stats now = codecache::CodeCache::process().stats();
  CodeCacheStats out;
  out.bytesUsed = now.bytesUsed;
  out.bytesMapped = now.bytesMapped;
  out.bytesCommitted = now.bytesCommitted;
  out.bytesFragmented = now.bytesFree;
  out.bytesReserved = now.bytesReserved;
  out.limit = now.limit;
  out.blocks = now.blocks;
  out.regions = now.regions;
  out.heldRegions = now.heldRegions;
  out.mappings = now.mappings;
  return out;
}

SandboxStats sandboxStats() {
  const sandbox::BudgetState budget = sandbox::budget();
  const sandbox::MemoryUsage memories = sandbox::memoryUsage();
  SandboxStats out;
  out.guardedMemories = memories.guarded;
  out.packedMemories = memories.packed;
  out.addressSpaceUsed = budget.addressSpaceUsed;
  out.addressSpaceLimit = budget.addressSpaceLimit;
  out.mappingsUsed = budget.mappingsUsed;
  out.mappingsLimit = budget.mappingsLimit;
  return out;
}

void setCodeCacheLimit(uint64_t bytes) { codecache::CodeCache::process().setLimit(bytes); }

Stats Engine::stats() const {
  Stats out;
  out.codeCache = codeCacheStats();
  out.sandbox = sandboxStats();
  out.modules = impl_->modules.stats();
  if (const vm::DiskCache* disk = impl_->openedDiskCache()) {
    out.diskCache = {.enabled = true, .hits = disk->hits(), .misses = disk->misses(), .stores = disk->stores()};
  }
  return out;
}

std::string toString(const Stats& s) {
  const auto& c = s.codeCache;
  std::string out = fmt::format(
      "code cache      {} of {} used in {} blocks ({} mapped from files)\n"
      "                {} committed, {} of that fragmented; {} reserved in {} region{}, {} mappings\n",
      size(c.bytesUsed), size(c.limit), c.blocks, size(c.bytesMapped), size(c.bytesCommitted), size(c.bytesFragmented),
      size(c.bytesReserved), c.regions, c.regions == 1 ? "" : "s", c.mappings);
  out += fmt::format("modules         {} live, {} created, {} shared\n", s.modules.live, s.modules.created,
                     s.modules.shared);
  out += fmt::format("sandbox         {} guarded and {} packed memories; {} of {} address space, {} of {} mappings\n",
                     s.sandbox.guardedMemories, s.sandbox.packedMemories, size(s.sandbox.addressSpaceUsed),
                     size(s.sandbox.addressSpaceLimit), s.sandbox.mappingsUsed, s.sandbox.mappingsLimit);
  if (!s.diskCache.enabled) return out + "disk cache      not used\n";
  return out + fmt::format("disk cache      {} hits, {} misses, {} stored\n", s.diskCache.hits, s.diskCache.misses,
                           s.diskCache.stores);
}

std::string toJson(const Stats& s) {
  const auto& c = s.codeCache;
  std::string out = fmt::format(
      R"({{"codeCache":{{"bytesUsed":{},"bytesMapped":{},"bytesCommitted":{},"bytesFragmented":{},"bytesReserved":{},)"
      R"("limit":{},"blocks":{},"regions":{},"heldRegions":{},"mappings":{}}})",
      c.bytesUsed, c.bytesMapped, c.bytesCommitted, c.bytesFragmented, c.bytesReserved, c.limit, c.blocks, c.regions,
      c.heldRegions, c.mappings);
  out += fmt::format(R"(,"modules":{{"live":{},"shared":{},"created":{}}})", s.modules.live, s.modules.shared,
                     s.modules.created);
  const auto& b = s.sandbox;
  out += fmt::format(
      R"(,"sandbox":{{"guardedMemories":{},"packedMemories":{},"addressSpaceUsed":{},"addressSpaceLimit":{},)"
      R"("mappingsUsed":{},"mappingsLimit":{}}})",
      b.guardedMemories, b.packedMemories, b.addressSpaceUsed, b.addressSpaceLimit, b.mappingsUsed, b.mappingsLimit);
  return out + fmt::format(R"(,"diskCache":{{"enabled":{},"hits":{},"misses":{},"stores":{}}}}})", s.diskCache.enabled,
                           s.diskCache.hits, s.diskCache.misses, s.diskCache.stores);
}

// --- the directory -------------------------------------------------------------------------------------------------

Result<DiskCache> DiskCache::open(const std::string& directory) {
  auto opened = vm::DiskCache::open(directory, 0);
  if (!opened) return std::unexpected(std::move(opened.error()));
  DiskCache cache;
  cache.impl_ = std::move(*opened);
  return cache;
}

DiskCache::Usage DiskCache::usage() const {
  const auto usage = impl_->usage();
  return {usage.bytes, usage.files};
}

DiskCache::Usage DiskCache::clear() const {
  const auto removed = impl_->clear();
  return {removed.bytes, removed.files};
}

}  // namespace wattle
