// One region of the code cache: a memory file mapped twice, and the tables beside it. The essay is in code_cache.cc.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <mutex>
#include <string>

#include "runtime/codecache/code_cache.h"
#include "runtime/codecache/free_runs.h"
#include "sandbox/slot_bitmap.h"

namespace wattle::codecache {

inline constexpr uint32_t kGranule = 64;
inline constexpr uint32_t kPage = 4096;
inline constexpr uint32_t kGranulesPerPage = kPage / kGranule;
inline constexpr size_t kRegionAlign = size_t{64} << 20;  // of the executable view's address and size
inline constexpr size_t kRegionBytes = size_t{1} << 30;   // less where the system refuses that much address space

constexpr uint32_t granulesFor(uint32_t bytes) { return bytes / kGranule + (bytes % kGranule != 0 || bytes == 0); }

class Region {
 public:
  enum class State : uint8_t {
    Open,     // in use
    Held,     // shared with a forked child that may live: nothing is reused or returned, until it is gone
    Frozen,   // a forked parent's: runs, never written
    Retired,  // was Frozen, and its last block is gone: no longer mapped
  };

  explicit Region(uint32_t index) : index_(index) {}
  static Region& of(const CodeBlock& block);
  // Maps the views (and the tables, the first time). One line of error.
  std::expected<void, std::string> map();

  // --- any thread, no lock held ---

  // nullptr when no run of free granules is long enough, or the region is not open. With `wait` false also when another
  // thread is at work here, and then `contended` is set.
  CodeBlock* allocate(uint32_t size, bool wait, bool& contended);
  // The same, at the beginning of a page, `part` left without memory: for mapFile().
  CodeBlock* allocateMapped(uint32_t size, const CodeCache::FilePart& part);
  // False: the system refuses, and the block can only be freed.
  static bool mapFile(const CodeBlock& block, const CodeCache::FilePart& part);
  // True when the region has been emptied and is of no more use (Frozen, last block).
  bool free(CodeBlock& block);
  void shrink(CodeBlock& block, uint32_t size);
  void enterInTables(const CodeBlock& block);
  // The published block over this offset, or nullptr. Lock-free, async-signal-safe.
  const CodeBlock* find(size_t offset) const noexcept;
  void addTo(Stats& stats);

  // May be out of date at once; says "no" only when there is nothing to hope for.
  bool mayFit(uint32_t granules) const {
    return state() == State::Open && longestRun_.load(std::memory_order_relaxed) >= granules;
  }
  State state() const { return state_.load(std::memory_order_acquire); }
  const uint8_t* code() const { return code_; }
  size_t bytes() const { return bytes_; }
  uint32_t index() const { return index_; }

  // --- around fork(); see code_cache.cc ---
  void lockForFork();
  void unlock() { lock_.unlock(); }
  void hold();    // locked: parent, a child lives
  void freeze();  // locked: in the child
  void resume();  // not locked: the children are gone
  void unmap();   // locked or unreachable: Frozen and empty -> Retired
  bool empty() const { return blockCount_ == 0; }

 private:
  static constexpr uint32_t kFreeTag = 1u << 31;
  static constexpr uint32_t kPunchAtOnce = 256 << 10;  // a freed block this big returns its own pages, outside the lock
  static constexpr uint32_t kRetainPages = 256;        // wholly free pages kept at least
  static constexpr uint32_t kSpareBlockPages = 64;     // same, of CodeBlocks (up to twice that, between clean-ups)
  static constexpr uint32_t kPunchesAtATime = 32;      // system calls made with the lock held

  struct PageRange {
    uint32_t first, end;
    bool empty() const { return first >= end; }
  };

  std::expected<void, std::string> mapViews(size_t bytes);
  std::expected<void, std::string> mapTables(size_t bytes);
  void resetRuns();

  uint32_t firstGranule(const CodeBlock& block) const {
    return static_cast<uint32_t>((block.code_ - code_) / kGranule);
  }
  void fillTables(const CodeBlock& block, uint32_t value);
  uint32_t freeRunAt(uint32_t granule) const;
  void setGranule(uint32_t granule, uint32_t value);
  void commit(uint32_t start, uint32_t granules);
  void takeRun(uint32_t id, uint32_t granules);
  CodeBlock* makeBlock(uint32_t start, uint32_t size);
  bool unmapFile(const CodeBlock& block);
  void addFree(uint32_t start, uint32_t granules);
  uint32_t largePagesOf(const CodeBlock& block) const;
  bool punchUnlocked(PageRange pages);
  void forget(PageRange pages);
  void purge();
  uint32_t retainedRunBefore(uint32_t end) const;
  void returnTablePages(PageRange pages);
  CodeBlock* takeBlock();
  void releaseBlock(CodeBlock& block);
  void returnBlockPages();
  uint32_t retainLimit() const {
    return std::max(kRetainPages, (trackedPages_ - std::min(trackedPages_, largePages_)) / 16);
  }

  const uint32_t index_;
  std::atomic<State> state_{State::Retired};
  std::atomic<uint32_t> longestRun_{0};
  int file_ = -1;
  const uint8_t* code_ = nullptr;  // read-execute
  uint8_t* writable_ = nullptr;    // read-write
  size_t bytes_ = 0;
  uint32_t granules_ = 0;

  // In side memory, zero at first, demand-paged.
  uint8_t* tables_ = nullptr;
  size_t tableBytes_ = 0;
  uint32_t* pageOwner_ = nullptr;  // per page: block number + 1 when the page lies wholly within a published block
  uint32_t* granuleOwner_ =
      nullptr;  // per granule otherwise: block number + 1, or kFreeTag | run at both ends of a free run
  void* nodes_ = nullptr;
  CodeBlock* blocks_ = nullptr;
  uint64_t* residentBlockPages_ = nullptr;
  uint64_t* tracked_ = nullptr;   // page may hold memory: a block covered it since it was last returned
  uint64_t* retained_ = nullptr;  // tracked, and wholly free

  // Guarded by lock_.
  std::mutex lock_;
  std::condition_variable idle_;
  uint32_t punching_ = 0;
  FreeRuns runs_;
  sandbox::SlotBitmap blockSlots_;
  uint32_t spareBlockPages_ = 0;
  uint32_t blockCount_ = 0;
  uint32_t usedGranules_ = 0;
  uint32_t mappedGranules_ = 0;  // of those: pages of files
  uint32_t mappedParts_ = 0;
  uint32_t trackedPages_ = 0;
  uint32_t largePages_ = 0;
  uint32_t retainedPages_ = 0;
};

}  // namespace wattle::codecache
