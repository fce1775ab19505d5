// What Wattle holds, in figures: for a host's own monitoring, `wattle run --stats`, and tests.
//
// Taking them costs some microseconds (a lock for each region of the code cache and each kind of memory, one after the
// other). The parts are therefore not of one instant when other threads are at work. Thread safety: any thread. Units:
// bytes and counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "wattle/error.hpp"

namespace wattle {

// The native code of all engines of the process.
struct CodeCacheStats {
  uint64_t bytesUsed = 0;        // in live code: what counts for the limit
  uint64_t bytesMapped = 0;      // of those: run straight from files of the disk cache
  uint64_t bytesCommitted = 0;   // memory that holds code, or held some that was dropped
  uint64_t bytesFragmented = 0;  // of those: free, between and beside live code
  uint64_t bytesReserved = 0;    // address space
  uint64_t limit = 0;            // see setCodeCacheLimit
  uint64_t blocks = 0;           // pieces of code: about one a module
  uint64_t regions = 0;          // each 1 GiB of address space
  uint64_t heldRegions = 0;      // of those: shared with a forked process, so nothing new goes there
  uint64_t mappings = 0;         // of the kernel's (vm.max_map_count)
};

// Of one engine.
struct ModuleStats {
  uint64_t live = 0;     // different modules
  uint64_t shared = 0;   // times that a module was found alive already, and shared
  uint64_t created = 0;  // times that it was not
};

// The linear memories of all engines of the process, and what else reserves address space.
struct SandboxStats {
  uint64_t guardedMemories = 0;    // with guard pages
  uint64_t packedMemories = 0;     // without, in pages side by side
  uint64_t addressSpaceUsed = 0;   // reserved, slots that wait for their next use included
  uint64_t addressSpaceLimit = 0;  // near it memories are packed
  uint64_t mappingsUsed = 0;
  uint64_t mappingsLimit = 0;  // the same
};

// Of one engine's use of its Config::cacheDirectory.
struct DiskCacheStats {
  bool enabled = false;  // a directory is named, can be used, and has been used
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t stores = 0;  // files written
};

struct Stats {
  CodeCacheStats codeCache;
  ModuleStats modules;
  SandboxStats sandbox;
  DiskCacheStats diskCache;
};

// For the whole process (Engine::stats() gives these and its own).
WATTLE_API CodeCacheStats codeCacheStats();
WATTLE_API SandboxStats sandboxStats();

// Most bytes of native code that the process may hold (at first half of its memory, 16 GiB at most). Code that is alive
// stays, even if it is more than this; what would exceed the limit fails to compile with an error of kind Resource,
// "code cache is full: 64 MiB of 64 MiB in 12345 modules", until enough has been dropped.
WATTLE_API void setCodeCacheLimit(uint64_t bytes);

// Several lines for people, or one of JSON with the names above.
WATTLE_API std::string toString(const Stats& stats);
WATTLE_API std::string toJson(const Stats& stats);

}  // namespace wattle
