// Granules and pages of one region. The essay is in code_cache.cc.
#include "runtime/codecache/region.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <new>

namespace wattle::codecache {

namespace {

// Table words are read by look-ups while others are written.
inline uint32_t loadWord(const uint32_t& word) {
  return std::atomic_ref(const_cast<uint32_t&>(word)).load(std::memory_order_acquire);
}
inline void storeWord(uint32_t& word, uint32_t value) { std::atomic_ref(word).store(value, std::memory_order_release); }

constexpr uint32_t wholePagesFrom(uint32_t granule) { return (granule + kGranulesPerPage - 1) / kGranulesPerPage; }
constexpr uint32_t wholePagesTo(uint32_t granule) { return granule / kGranulesPerPage; }

// Calls each(word index, mask) for the words that hold the bits [first, end).
template <class Each>
void forWords(uint32_t first, uint32_t end, Each each) {
  while (first < end) {
    const uint32_t word = first / 64;
    const uint32_t stop = std::min(end, (word + 1) * 64);
    const uint64_t mask = (~uint64_t{0} >> (64 - (stop - first))) << (first % 64);
    each(word, mask);
    first = stop;
  }
}

}  // namespace

void Region::resetRuns() {
  runs_.init(nodes_);
  const uint32_t id = runs_.insert(0, granules_);
  setGranule(0, kFreeTag | id);
  setGranule(granules_ - 1, kFreeTag | id);
  longestRun_.store(runs_.longestAtMost(), std::memory_order_relaxed);
}

void Region::setGranule(uint32_t granule, uint32_t value) { storeWord(granuleOwner_[granule], value); }

// The free run that begins or ends at this granule; 0 if it is in a block.
uint32_t Region::freeRunAt(uint32_t granule) const {
  if (loadWord(pageOwner_[granule / kGranulesPerPage]) != 0) return 0;
  const uint32_t entry = loadWord(granuleOwner_[granule]);
  return entry & kFreeTag ? entry & ~kFreeTag : 0;
}

const CodeBlock* Region::find(size_t offset) const noexcept {
  uint32_t entry = loadWord(pageOwner_[offset / kPage]);
  if (entry == 0) {
    entry = loadWord(granuleOwner_[offset / kGranule]);
    if (entry == 0 || (entry & kFreeTag) != 0) return nullptr;
  }
  return &blocks_[entry - 1];
}

// Writes `value` over the block: its whole pages in the page table, what sticks out in the granule table. Only the
// owner does this.
void Region::fillTables(const CodeBlock& block, uint32_t value) {
  const uint32_t start = firstGranule(block);
  const uint32_t end = start + granulesFor(block.size_);
  const uint32_t firstPage = wholePagesFrom(start);
  const uint32_t endPage = wholePagesTo(end);
  if (firstPage >= endPage) {
    for (uint32_t g = start; g < end; ++g) storeWord(granuleOwner_[g], value);
    return;
  }
  for (uint32_t g = start; g < firstPage * kGranulesPerPage; ++g) storeWord(granuleOwner_[g], value);
  for (uint32_t p = firstPage; p < endPage; ++p) storeWord(pageOwner_[p], value);
  for (uint32_t g = endPage * kGranulesPerPage; g < end; ++g) storeWord(granuleOwner_[g], value);
}

void Region::enterInTables(const CodeBlock& block) { fillTables(block, static_cast<uint32_t>(&block - blocks_) + 1); }

// --- blocks --------------------------------------------------------------------------------------------------------

// CodeBlocks are numbered slots, 64 to a page, the lowest free one first. A page that has become empty is kept (spare)
// up to a limit.
CodeBlock* Region::takeBlock() {
  static_assert(kPage / sizeof(CodeBlock) == 64, "a page of blocks is a word of the bitmap");
  const uint32_t slot = *blockSlots_.take();  // there are as many as granules
  if (blockSlots_.aloneInGroup(slot)) {
    const uint32_t page = slot / 64;
    uint64_t& resident = residentBlockPages_[page / 64];
    const uint64_t bit = uint64_t{1} << (page % 64);
    if (resident & bit) --spareBlockPages_;
    resident |= bit;
  }
  ++blockCount_;
  return new (&blocks_[slot]) CodeBlock();
}

void Region::releaseBlock(CodeBlock& block) {
  const auto slot = static_cast<uint32_t>(&block - blocks_);
  block.~CodeBlock();
  blockSlots_.release(slot);
  --blockCount_;
  if (!blockSlots_.groupEmpty(slot)) return;
  if (++spareBlockPages_ > 2 * kSpareBlockPages) returnBlockPages();
}

// Gives the empty pages of blocks back, the highest first (the lowest are the next to be used), until the permitted
// number is left.
void Region::returnBlockPages() {
  for (uint32_t word = granules_ / 64 / 64; word-- > 0 && spareBlockPages_ > kSpareBlockPages;) {
    uint64_t& resident = residentBlockPages_[word];
    for (uint64_t left = resident; left != 0 && spareBlockPages_ > kSpareBlockPages;) {
      const uint32_t bit = 63 - static_cast<uint32_t>(std::countl_zero(left));
      const uint32_t page = word * 64 + bit;
      left &= ~(uint64_t{1} << bit);
      if (!blockSlots_.groupEmpty(page * 64)) continue;
      if (madvise(blocks_ + size_t{page} * 64, kPage, MADV_DONTNEED) != 0) return;
      resident &= ~(uint64_t{1} << bit);
      --spareBlockPages_;
    }
  }
}

CodeBlock* Region::allocate(uint32_t size, bool wait, bool& contended) {
  std::unique_lock hold(lock_, std::defer_lock);
  if (wait) {
    hold.lock();
  } else if (!hold.try_lock()) {
    contended = true;
    return nullptr;
  }
  if (state() != State::Open) return nullptr;
  const uint32_t granules = granulesFor(size);
  const uint32_t id = runs_.find(granules);
  if (id == 0) return nullptr;
  const uint32_t start = runs_[id].start;
  takeRun(id, granules);
  commit(start, granules);
  usedGranules_ += granules;
  CodeBlock* block = makeBlock(start, size);
  largePages_ += largePagesOf(*block);
  return block;
}

// Takes the first so many granules of a free run.
void Region::takeRun(uint32_t id, uint32_t granules) {
  const FreeRuns::Node run = runs_[id];
  setGranule(run.start, 0);
  if (run.length == granules) {
    setGranule(run.start + granules - 1, 0);
    runs_.erase(id);
  } else {
    runs_.trimFront(id, granules);
    setGranule(run.start + granules, kFreeTag | id);
  }
  longestRun_.store(runs_.longestAtMost(), std::memory_order_relaxed);
}

CodeBlock* Region::makeBlock(uint32_t start, uint32_t size) {
  CodeBlock* block = takeBlock();
  const size_t offset = size_t{start} * kGranule;
  block->code_ = code_ + offset;
  block->writable_ = writable_ + offset;
  block->size_ = size;
  block->region_ = index_;
  return block;
}

CodeBlock* Region::allocateMapped(uint32_t size, const CodeCache::FilePart& part) {
  const std::lock_guard hold(lock_);
  if (state() != State::Open) return nullptr;
  const uint32_t granules = granulesFor(size);
  const uint32_t taken = granules + kGranulesPerPage - 1;
  const uint32_t id = runs_.find(taken);
  if (id == 0) return nullptr;
  const uint32_t first = runs_[id].start;
  takeRun(id, taken);
  // What is too much on both sides goes back.
  const uint32_t start = wholePagesFrom(first) * kGranulesPerPage;
  const auto giveBack = [this](uint32_t from, uint32_t to) {
    if (from == to) return;
    commit(from, to - from);
    addFree(from, to - from);
  };
  giveBack(first, start);
  giveBack(start + granules, first + taken);
  // Pages that waited for their next use lie under the file now: they are returned, or count on as memory.
  const uint32_t page = start / kGranulesPerPage + part.at / kPage;
  const PageRange pages{page, page + (part.bytes + kPage - 1) / kPage};
  bool memory = false;
  forWords(pages.first, pages.end, [&](uint32_t word, uint64_t mask) { memory |= (tracked_[word] & mask) != 0; });
  const size_t bytes = size_t{pages.end - pages.first} * kPage;
  if (memory && madvise(writable_ + size_t{pages.first} * kPage, bytes, MADV_REMOVE) != 0) {
    commit(pages.first * kGranulesPerPage, (pages.end - pages.first) * kGranulesPerPage);
  } else {
    forget(pages);
  }
  const uint32_t partEnd = pages.end * kGranulesPerPage;
  commit(start, pages.first * kGranulesPerPage - start);
  commit(partEnd, start + granules - partEnd);
  usedGranules_ += granules;
  CodeBlock* block = makeBlock(start, size);
  block->mappedAt_ = part.at / kPage;
  block->mappedPages_ = pages.end - pages.first;
  largePages_ += largePagesOf(*block);
  mappedGranules_ += partEnd - pages.first * kGranulesPerPage;
  ++mappedParts_;
  return block;
}

bool Region::free(CodeBlock& block) {
  if (block.ranges_.load(std::memory_order_relaxed) != nullptr) fillTables(block, 0);
  block.dropRanges();
  const bool whole = block.mappedPages_ == 0 || unmapFile(block);
  const uint32_t start = firstGranule(block);
  const uint32_t granules = granulesFor(block.size_);
  const PageRange pages{wholePagesFrom(start), wholePagesTo(start + granules)};
  const bool punched = block.size_ >= kPunchAtOnce && punchUnlocked(pages);
  const std::lock_guard hold(lock_);
  if (punched) forget(pages);
  if (block.mappedPages_ != 0) {
    mappedGranules_ -= block.mappedPages_ * kGranulesPerPage;
    --mappedParts_;
  }
  if (whole) {  // else the address space is lost
    addFree(start, granules);
    usedGranules_ -= granules;
    largePages_ -= largePagesOf(block);
  }
  releaseBlock(block);
  if (state() == State::Open) {
    if (retainedPages_ > retainLimit()) purge();
    if (blockCount_ == 0 && runs_.nodesUsed() > kPage) {
      (void)madvise(nodes_, FreeRuns::bytesFor(granules_), MADV_DONTNEED);
      resetRuns();
    }
  }
  return blockCount_ == 0 && state() == State::Frozen;
}

void Region::shrink(CodeBlock& block, uint32_t size) {
  const uint32_t start = firstGranule(block) + granulesFor(size);
  const uint32_t end = firstGranule(block) + granulesFor(block.size_);
  const uint32_t before = largePagesOf(block);
  block.size_ = size;
  if (start >= end) return;
  const PageRange pages{wholePagesFrom(start), wholePagesTo(end)};
  const bool punched = size_t{end - start} * kGranule >= kPunchAtOnce && punchUnlocked(pages);
  const std::lock_guard hold(lock_);
  if (punched) forget(pages);
  largePages_ -= before - largePagesOf(block);
  addFree(start, end - start);
  usedGranules_ -= end - start;
}

// --- pages ---------------------------------------------------------------------------------------------------------

// The pages that a large block returns itself when it is freed, so that they never come to the stock.
uint32_t Region::largePagesOf(const CodeBlock& block) const {
  if (block.size_ < kPunchAtOnce) return 0;
  const uint32_t start = firstGranule(block);
  return wholePagesTo(start + granulesFor(block.size_)) - wholePagesFrom(start) - block.mappedPages_;
}

// The granules go to a block: their pages count as holding memory from now on.
void Region::commit(uint32_t start, uint32_t granules) {
  forWords(wholePagesTo(start), wholePagesFrom(start + granules), [this](uint32_t word, uint64_t mask) {
    retainedPages_ -= static_cast<uint32_t>(std::popcount(retained_[word] & mask));
    trackedPages_ += static_cast<uint32_t>(std::popcount(mask & ~tracked_[word]));
    retained_[word] &= ~mask;
    tracked_[word] |= mask;
  });
}

// Adds a free run, merged with its neighbours.
void Region::addFree(uint32_t start, uint32_t granules) {
  const uint32_t end = start + granules;
  const uint32_t left = start > 0 ? freeRunAt(start - 1) : 0;
  const uint32_t right = end < granules_ ? freeRunAt(end) : 0;
  const uint32_t from = left != 0 ? runs_[left].start : start;
  const uint32_t to = right != 0 ? end + runs_[right].length : end;
  if (left != 0) setGranule(start - 1, 0);
  if (right != 0) setGranule(end, 0);
  uint32_t id = left != 0 ? left : right;
  if (left != 0 && right != 0) runs_.erase(right);
  if (id != 0) {
    runs_.extend(id, from, to - from);
  } else {
    id = runs_.insert(from, to - from);
  }
  setGranule(from, kFreeTag | id);
  setGranule(to - 1, kFreeTag | id);
  longestRun_.store(runs_.longestAtMost(), std::memory_order_relaxed);
  // Pages that are wholly free only now: in the merged run, and touched by [start, end).
  const uint32_t firstPage = std::max(wholePagesFrom(from), wholePagesTo(start));
  const uint32_t endPage = std::min(wholePagesTo(to), wholePagesFrom(end));
  forWords(firstPage, endPage, [this](uint32_t word, uint64_t mask) {
    const uint64_t now = tracked_[word] & mask;
    retained_[word] |= now;
    retainedPages_ += static_cast<uint32_t>(std::popcount(now));
  });
}

// Returns pages that the caller owns (they are in its block), without the lock. False: not allowed now, or refused.
bool Region::punchUnlocked(PageRange pages) {
  if (pages.empty()) return false;
  {
    const std::lock_guard hold(lock_);
    if (state() != State::Open) return false;
    ++punching_;  // a fork waits for us
  }
  const bool done =
      madvise(writable_ + size_t{pages.first} * kPage, size_t{pages.end - pages.first} * kPage, MADV_REMOVE) == 0;
  const std::lock_guard hold(lock_);
  if (--punching_ == 0) idle_.notify_all();
  return done;
}

// These pages hold no memory any more.
void Region::forget(PageRange pages) {
  forWords(pages.first, pages.end, [this](uint32_t word, uint64_t mask) {
    trackedPages_ -= static_cast<uint32_t>(std::popcount(tracked_[word] & mask));
    retainedPages_ -= static_cast<uint32_t>(std::popcount(retained_[word] & mask));
    tracked_[word] &= ~mask;
    retained_[word] &= ~mask;
  });
}

// The end of the run of retained pages below `end`, whose last page is retained: its first page.
uint32_t Region::retainedRunBefore(uint32_t end) const {
  uint32_t first = end;
  while (first > 0) {
    const uint32_t word = (first - 1) / 64, bits = (first - 1) % 64 + 1;  // of the word, from the lowest
    const auto ones = static_cast<uint32_t>(std::countl_one(retained_[word] << (64 - bits)));
    first -= std::min(ones, bits);
    if (ones < bits) break;
  }
  return first;
}

// Returns wholly free pages, the highest first, until half the permitted number is left or so many system calls have
// been made with the lock held.
void Region::purge() {
  uint32_t calls = kPunchesAtATime;
  const uint32_t keep = retainLimit() / 2;
  for (auto word = static_cast<uint32_t>(bytes_ / kPage / 64); word-- > 0 && retainedPages_ > keep;) {
    while (retained_[word] != 0 && retainedPages_ > keep) {
      if (calls-- == 0) return;
      const uint32_t end = word * 64 + 64 - static_cast<uint32_t>(std::countl_zero(retained_[word]));
      const PageRange pages{retainedRunBefore(end), end};
      const size_t bytes = size_t{pages.end - pages.first} * kPage;
      if (madvise(writable_ + size_t{pages.first} * kPage, bytes, MADV_REMOVE) != 0) return;
      forget(pages);
      returnTablePages(pages);
    }
  }
}

// A page of the granule table describes 16 pages of code. When none of those holds memory no block is there, so all its
// entries are zero but, maybe, the first and last (ends of a free run that begins or stops exactly here).
void Region::returnTablePages(PageRange pages) {
  constexpr uint32_t kPerTablePage = kPage / sizeof(uint32_t);       // granules
  constexpr uint32_t kCodePages = kPerTablePage / kGranulesPerPage;  // 16
  for (uint32_t t = pages.first / kCodePages; t * kCodePages < pages.end; ++t) {
    const uint64_t group = tracked_[t * kCodePages / 64] >> (t * kCodePages % 64) & 0xffff;
    uint32_t* table = granuleOwner_ + size_t{t} * kPerTablePage;
    if (group != 0 || loadWord(table[0]) != 0 || loadWord(table[kPerTablePage - 1]) != 0) continue;
    (void)madvise(table, kPage, MADV_DONTNEED);
  }
}

}  // namespace wattle::codecache
