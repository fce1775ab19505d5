// Compiled modules kept in a directory, for other processes. The essay is in disk_cache.cc.
//
// Thread safety: any thread, any number of processes.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "runtime/vm/cache_index.h"
#include "runtime/vm/image.h"
#include "runtime/vm/module_bytes.h"
#include "wattle/error.hpp"

namespace wattle::vm {

class DiskCache {
 public:
  // Modules of less than this many bytes are compiled sooner than looked for.
  static constexpr uint64_t kLeastBytes = 32 << 10;

  // Makes the directory if there is none. Io: it cannot be made or used, or others could write to it.
  static Result<std::shared_ptr<DiskCache>> open(const std::string& directory, uint64_t limit);
  ~DiskCache();
  DiskCache(const DiskCache&) = delete;
  DiskCache& operator=(const DiskCache&) = delete;

  // What a module's bytes are, known without reading them for a file that was asked for before.
  struct Content {
    uint64_t low = 0, high = 0;  // keyed by the index's secret
    uint64_t hash = 0;           // XXH3
  };
  Content contentOf(const ModuleBytes& wasm) const;
  // The name of the file for it. `settings`: whatever else the code depends on, but for build and processor.
  std::string nameOf(const Content& content, uint32_t settings) const;

  struct Found {
    ModuleBytes file;
    ImageHeader header{};
  };
  // A file with good checksums, opened for mapping. Damaged ones are removed.
  std::optional<Found> find(const std::string& name);
  // The same without a look inside, and whatever is there stays. `isForeign`: that is nothing of ours.
  std::optional<ModuleBytes> fileOf(const std::string& name, bool* isForeign = nullptr) const;
  // It turned out not to fit.
  void discard(const std::string& name);
  // The same for a file that somebody else keeps: whether its body was verified before, and that it was just now.
  bool knowsBody(const ModuleBytes& file) const;
  void verifiedBody(const ModuleBytes& file, const ImageHeader& header) const;
  // Written under another name, renamed when whole. The least recently used ones go to make room. False: not kept.
  bool store(const std::string& name, const ImageParts& image);

  struct Usage {
    uint64_t bytes = 0;
    uint64_t files = 0;
  };
  Usage usage() const;
  Usage clear();  // what was removed

  const std::string& directory() const { return path_; }
  uint64_t limit() const { return limit_; }
  uint64_t hits() const { return hits_.load(std::memory_order_relaxed); }
  uint64_t misses() const { return misses_.load(std::memory_order_relaxed); }
  uint64_t stores() const { return stores_.load(std::memory_order_relaxed); }

 private:
  DiskCache(std::string path, uint64_t limit) : path_(std::move(path)), limit_(limit) {}
  bool reserve(const std::string& name, uint64_t bytes);
  void countOut(uint64_t bytes);
  uint64_t evict(uint64_t target);
  int writeFile(const std::string& temporary, const ImageParts& image);

  const std::string path_;
  const uint64_t limit_;
  int directory_ = -1;
  CacheIndex index_;
  mutable std::mutex mutex_;  // with the index's lock: threads of one process share that
  std::atomic<uint64_t> hits_{0}, misses_{0}, stores_{0}, writes_{0};
};

}  // namespace wattle::vm
