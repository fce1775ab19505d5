// wattle.h: statistics.
#include "runtime/capi/wattle_capi.h"
#include "wattle/stats.hpp"

struct wattle_stats_t {
  wattle::Stats stats;
};

wattle_stats_t* wattle_engine_stats(const wasm_engine_t* engine) {
  return wattle::capi::orNothing([&] { return new wattle_stats_t{engine->engine.stats()}; });
}
void wattle_stats_delete(wattle_stats_t* stats) { delete stats; }

uint64_t wattle_stats_get(const wattle_stats_t* stats, wattle_stat_t which) {
  const auto& [code, modules, sandbox, disk] = stats->stats;
  switch (which) {
    case WATTLE_STAT_CODE_USED: return code.bytesUsed;
    case WATTLE_STAT_CODE_MAPPED: return code.bytesMapped;
    case WATTLE_STAT_CODE_COMMITTED: return code.bytesCommitted;
    case WATTLE_STAT_CODE_FRAGMENTED: return code.bytesFragmented;
    case WATTLE_STAT_CODE_RESERVED: return code.bytesReserved;
    case WATTLE_STAT_CODE_LIMIT: return code.limit;
    case WATTLE_STAT_CODE_BLOCKS: return code.blocks;
    case WATTLE_STAT_MODULES_LIVE: return modules.live;
    case WATTLE_STAT_MODULES_SHARED: return modules.shared;
    case WATTLE_STAT_MODULES_CREATED: return modules.created;
    case WATTLE_STAT_MEMORIES_GUARDED: return sandbox.guardedMemories;
    case WATTLE_STAT_MEMORIES_PACKED: return sandbox.packedMemories;
    case WATTLE_STAT_ADDRESS_SPACE_USED: return sandbox.addressSpaceUsed;
    case WATTLE_STAT_ADDRESS_SPACE_LIMIT: return sandbox.addressSpaceLimit;
    case WATTLE_STAT_MAPPINGS_USED: return sandbox.mappingsUsed;
    case WATTLE_STAT_MAPPINGS_LIMIT: return sandbox.mappingsLimit;
    case WATTLE_STAT_DISK_CACHE_HITS: return disk.hits;
    case WATTLE_STAT_DISK_CACHE_MISSES: return disk.misses;
    case WATTLE_STAT_DISK_CACHE_STORES: return disk.stores;
  }
  return 0;
}

void wattle_stats_json(const wattle_stats_t* stats, wasm_name_t* out) {
  wattle::capi::giveName(out, [&] { return wattle::toJson(stats->stats); });
}

void wattle_set_code_cache_limit(uint64_t bytes) { wattle::setCodeCacheLimit(bytes); }
