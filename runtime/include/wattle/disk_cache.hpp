// The directory in which compiled modules are kept for other processes. Engines use it by themselves when
// Config::cacheDirectory names it; this is for looking at it and emptying it.
//
// It must belong to the user of the process and be writable by nobody else, since code from it is run. Any number of
// processes may use it at once. Files are never changed or cut short, only renamed into place and unlinked, so emptying
// it disturbs nobody; a file system on which something else truncates them would end processes that run them (SIGBUS).
// Thread safety: any thread. Units: bytes. Source: runtime/vm/disk_cache.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "wattle/error.hpp"

namespace wattle {

namespace vm {
class DiskCache;
}

class WATTLE_API DiskCache {
 public:
  struct Usage {
    uint64_t bytes = 0;
    uint64_t files = 0;
  };
  // Makes the directory if it is not there. Errors: Io, with the reason for which it cannot be used.
  static Result<DiskCache> open(const std::string& directory);
  Usage usage() const;
  // Removes all modules; gives back what they took.
  Usage clear() const;

 private:
  std::shared_ptr<vm::DiskCache> impl_;
};

}  // namespace wattle
