// Plain pages for checked memories, packed by size. The essay is in packed_pool.cc.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <mutex>
#include <string>
#include <vector>

#include "sandbox/pages.h"

namespace wattle::sandbox {

class PackedPool {
 public:
  struct Arena;
  struct Block {
    uint8_t* base = nullptr;
    uint64_t capacity = 0;   // bytes that may be used; all read as zero at first
    Arena* arena = nullptr;  // nullptr: a mapping of its own
    uint32_t slot = 0;
    uint64_t kept = 0;  // pages that were resident when it was handed out (pages.h)
  };

  static PackedPool& process();

  std::expected<Block, std::string> acquire(uint64_t bytes);
  // `used`: no byte beyond was ever written.
  void release(const Block& block, uint64_t used);
  // More room, contents kept (the first `used` bytes); `block` is replaced. False: refused, nothing changed.
  bool enlarge(Block& block, uint64_t used, uint64_t bytes);

  struct Usage {
    uint64_t arenas = 0;
    uint64_t blocks = 0;
  };
  Usage usage() const;

 private:
  static constexpr unsigned kClasses = 15;  // 4 KiB << class; the last is 64 MiB

  struct Class {
    std::mutex lock;
    std::vector<Arena*> arenas;  // with gaps
    size_t firstWithRoom = 0;
    uint64_t blocks = 0;
    uint64_t emptyArenas = 0;
    std::atomic<size_t> warmCount{0};
    std::vector<Block> warm;  // free and zero, with pages; still counted in their arenas
    TouchHabit habit;
  };

  PackedPool() = default;
  static unsigned classFor(uint64_t bytes);
  void releaseSlot(Class& group, const Block& block);
  std::expected<Block, std::string> acquirePacked(unsigned index);
  std::expected<void, std::string> addArena(Class& group, unsigned index);
  std::expected<Block, std::string> acquireOwn(uint64_t bytes);
  bool movePages(Block& block, uint64_t used, uint64_t bytes);
  void lockAll();
  void unlockAll();

  mutable Class classes_[kClasses];
};

}  // namespace wattle::sandbox
