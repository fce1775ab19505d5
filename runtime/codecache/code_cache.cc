// The code cache of the process.
//
// REGIONS. Code lives in regions of 1 GiB of address space (64 MiB at least, where the system refuses that much). A
// region is one memory file, mapped twice: what the compiler writes through one view, the processor runs through the
// other, and no page is both writable and executable. Beside it lie its tables, in private memory that costs nothing
// until touched. Three mappings a region, whatever it holds: a million modules are no more mappings than one.
//
//     code_      r-x  ┌───────────┬────┬─────────┬──────────────────────────────┐
//                     │ block     │    │ block   │   never touched: no memory   │   the same
//     writable_  rw-  ├───────────┼────┼─────────┼──────────────────────────────┤   memory file
//                     │ block     │free│ block   │                              │
//                     └───────────┴────┴─────────┴──────────────────────────────┘
//     tables_    rw-  pageOwner    per 4 KiB page: the block that covers all of it, or 0
//                     granuleOwner per 64 B granule of the other pages: its block; or the free run, at both ends of one
//                     runs, blocks, and two bits per page
//
// LOOK-UP. From a pc: the top bits give the region (a flat directory, 64 MiB a step), then the page's owner or else the
// granule's. Two or three loads, no lock, no loop; then a binary search in the block's own ranges. Filling the tables
// costs a word per granule for the ragged ends and a word per page between them: at most 126 words and 1/1000 of the
// block's size. A granule's entry is nonzero only for published blocks and at the two ends of a free run. So neighbours
// of a block that is being freed are known to be free or not by one load each (boundary tags), and no tag ever stands
// in the code.
//
// PLACEMENT. Best fit over segregated lists (free_runs.h), coalescing at once; blocks are never moved, since return
// addresses point into them. Three promises:
//
// (1) A page is returned to the system when no live granule is on it, up to a small stock a region: max(1 MiB, 1/16 of
// the pages that smaller blocks use). A block of 256 KiB or more returns its own pages as it is freed.
//
// (2) So memory is at most 64 times the live bytes plus that stock, whatever a host does. (One live granule a page: no
// allocator that does not move blocks is without such a factor.)
//
// (3) Under churn, with random sizes and lifetimes around a constant live size, the free bytes in committed pages stay
// under 1/8 of the committed bytes plus 1 MiB a region. 2 to 6 % are measured; churn_test.cc asserts the bound for
// sizes spread log-uniformly from 64 B to 64 KiB, for 64 B to 2 KiB, and for mostly small ones among large;
// pages_test.cc in several regions, around a fork, and by the kernel's own count of pages.
//
// THREADS. A lock per region, held for some 50 ns: find a run, set a few words. A thread stays with the region it last
// used; where it meets another thread too often, another region is opened, up to one per processor (16 at most). No
// lock is held while code is written or a big block's pages are returned. The bytes used are one atomic number, so that
// the limit is exact.
//
// FORK. The views are shared mappings: after fork() both processes have the same pages. Neither may write where the
// other's code is.
//
// The child freezes every region that it inherits. Their code runs on; the writable view is gone, so nothing in the
// child can ever change the parent's code; freeing only counts; new code goes to new regions; a frozen region that has
// become empty is unmapped.
//
// The parent must not *reuse* or return what was live at the fork while a child may still run it. It holds its regions:
// they take nothing new until a witness (fork_witness.h) says that every such child has exited or called exec. Blocks
// already allocated may be written: the child knows nothing of the code in them that is yet to come.
//
// posix_spawn, vfork and system() share nothing past exec and run none of this.
//
// FILES. A large module of the disk cache runs from its file: map() gives it a block like any other, and lays a private
// read-execute mapping of the file over that part of the executable view. Look-ups, limits and references know no
// difference; the writable view beneath holds no memory. When the block dies the region's own file comes back. Each
// such part splits the executable view, so their number is limited.
//
// Regions and tables, once made, stay at their addresses for the life of the process: a look-up that races with
// anything reads old words, never unmapped ones. On x86-64 nothing need be flushed: code becomes reachable through
// pointers stored after it was written, and the processor keeps instruction caches coherent with stores to the same
// physical memory.
#include "runtime/codecache/code_cache.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>

#include "runtime/codecache/fork_witness.h"
#include "runtime/codecache/region.h"
#include "sandbox/budget.h"

namespace wattle::codecache {

namespace {

constexpr size_t kMaxRegions = 8192;
constexpr unsigned kAddressBits = 47;
constexpr size_t kDirectorySize = (size_t{1} << kAddressBits) / kRegionAlign;
constexpr unsigned kContentionBeforeSplit = 32;
constexpr unsigned kFreesBetweenChecks = 64;
constexpr size_t kMiB = size_t{1} << 20;
constexpr int64_t kMappingsPerPart = 2;  // the file's, and the second half of the view that it splits

// Both are zero pages until a region is entered. Plain words, accessed as atomic ones, since 2 million constructors are
// no constant initializer.
constinit Region* gRegions[kMaxRegions] = {};
constinit uint16_t gDirectory[kDirectorySize] = {};  // region number + 1

thread_local uint32_t tHome = 0;       // the region this thread last allocated from
thread_local unsigned tContended = 0;  // how often it found another thread there
thread_local unsigned tFreedWhileHeld = 0;

Region* regionAt(uint32_t index) { return std::atomic_ref(gRegions[index]).load(std::memory_order_acquire); }

void enterInDirectory(const Region& region, uint16_t value) {
  const size_t first = reinterpret_cast<uintptr_t>(region.code()) / kRegionAlign;
  for (size_t i = 0; i < region.bytes() / kRegionAlign; ++i) {
    std::atomic_ref(gDirectory[first + i]).store(value, std::memory_order_release);
  }
}

const Region* regionOver(uintptr_t pc) noexcept {
  if (pc >> kAddressBits != 0) return nullptr;
  const uint16_t entry = std::atomic_ref(gDirectory[pc / kRegionAlign]).load(std::memory_order_acquire);
  return entry == 0 ? nullptr : regionAt(entry - 1u);
}

size_t defaultLimit() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const size_t half = pages > 0 ? static_cast<size_t>(pages) * kPage / 2 : size_t{1} << 30;
  return std::min<size_t>(half, size_t{16} << 30);
}

std::string tooBig(size_t bytes, size_t region) {
  return "code cache: a block of " + std::to_string((bytes + kMiB - 1) / kMiB) + " MiB does not fit in a region of " +
         std::to_string(region / kMiB) + " MiB";
}

}  // namespace

Region& Region::of(const CodeBlock& block) { return *regionAt(block.region_); }

struct CodeCache::Impl {
  std::mutex grow;  // taken before any region's lock
  std::atomic<uint32_t> regionCount{0};
  std::atomic<size_t> used{0};
  std::atomic<size_t> limit{defaultLimit()};
  std::atomic<size_t> reserve{kReserve};  // what is left of it
  std::atomic<bool> anyHeld{false};
  std::atomic<uint32_t> mapped{0};
  const uint32_t spread = std::clamp(std::thread::hardware_concurrency(), 1u, 16u);
  ForkWitness witness;

  bool charge(size_t bytes);
  bool chargeReserve(size_t bytes);
  std::expected<CodeRef, std::string> allocateCharged(uint32_t size);
  std::string full(size_t bytes) const;
  Stats stats() const;
  CodeBlock* allocateIn(uint32_t index, uint32_t size, bool wait, bool& contended);
  CodeBlock* allocateExisting(uint32_t size);
  std::expected<CodeBlock*, std::string> allocateSlow(uint32_t size);
  std::expected<CodeBlock*, std::string> allocateMapped(uint32_t size, const FilePart& part);
  void releaseMapping();
  std::expected<Region*, std::string> openRegion();
  void resumeIfChildrenGone();
  void retire(Region& region);
  void prepareFork();
  void afterForkInParent();
  void afterForkInChild();
};

// --- references ----------------------------------------------------------------------------------------------------

CodeRef::CodeRef(const CodeRef& other) : block_(other.block_) {
  if (block_ != nullptr) block_->references_.fetch_add(1, std::memory_order_relaxed);
}

CodeRef::~CodeRef() {
  if (block_ != nullptr && block_->references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    CodeCache::process().free(block_);
  }
}

// --- allocation ----------------------------------------------------------------------------------------------------

bool CodeCache::Impl::charge(size_t bytes) {
  const size_t most = limit.load(std::memory_order_relaxed);
  size_t now = used.load(std::memory_order_relaxed);
  do {
    if (bytes > most || now > most - bytes) return false;
  } while (!used.compare_exchange_weak(now, now + bytes, std::memory_order_relaxed));
  return true;
}

bool CodeCache::Impl::chargeReserve(size_t bytes) {
  size_t left = reserve.load(std::memory_order_relaxed);
  do {
    if (bytes > left) return false;
  } while (!reserve.compare_exchange_weak(left, left - bytes, std::memory_order_relaxed));
  used.fetch_add(bytes, std::memory_order_relaxed);
  return true;
}

std::string CodeCache::Impl::full(size_t bytes) const {
  const size_t most = limit.load(std::memory_order_relaxed);
  const bool whole = most % kMiB == 0;
  const size_t unit = whole ? kMiB : 1024;
  const std::string name = whole ? " MiB" : " KiB";
  const Stats now = stats();
  std::string text = "code cache is full: " + std::to_string((now.bytesUsed + unit - 1) / unit) + name + " of " +
                     std::to_string(most / unit) + name + " in " + std::to_string(now.blocks) + " modules";
  if (bytes >= kMiB) text += " (" + std::to_string((bytes + kMiB - 1) / kMiB) + " MiB more asked for)";
  return text;
}

CodeBlock* CodeCache::Impl::allocateIn(uint32_t index, uint32_t size, bool wait, bool& contended) {
  Region* region = regionAt(index);
  if (!region->mayFit(granulesFor(size))) return nullptr;
  CodeBlock* block = region->allocate(size, wait, contended);
  if (block != nullptr) tHome = index;
  return block;
}

// From the regions there are: first without waiting, this thread's own one before the others.
CodeBlock* CodeCache::Impl::allocateExisting(uint32_t size) {
  const uint32_t count = regionCount.load(std::memory_order_acquire);
  if (count == 0) return nullptr;
  bool contended = false;
  for (uint32_t i = 0; i < count; ++i) {
    if (CodeBlock* block = allocateIn((tHome + i) % count, size, false, contended)) return block;
  }
  if (!contended) return nullptr;
  if (++tContended >= kContentionBeforeSplit && count < spread) {
    tContended = 0;
    return nullptr;  // a region more
  }
  for (uint32_t i = 0; i < count; ++i) {
    if (CodeBlock* block = allocateIn((tHome + i) % count, size, true, contended)) return block;
  }
  return nullptr;
}

std::expected<Region*, std::string> CodeCache::Impl::openRegion() {
  const uint32_t count = regionCount.load(std::memory_order_relaxed);
  uint32_t index = 0;
  while (index < count && regionAt(index)->state() != Region::State::Retired) ++index;
  if (index == kMaxRegions) return std::unexpected("code cache: too many regions");
  Region* region = index < count ? regionAt(index) : new Region(index);
  if (auto mapped = region->map(); !mapped) {
    if (index == count) delete region;
    return std::unexpected(mapped.error());
  }
  std::atomic_ref(gRegions[index]).store(region, std::memory_order_release);
  enterInDirectory(*region, static_cast<uint16_t>(index + 1));
  if (index == count) regionCount.store(count + 1, std::memory_order_release);
  return region;
}

std::expected<CodeBlock*, std::string> CodeCache::Impl::allocateSlow(uint32_t size) {
  const std::lock_guard hold(grow);
  resumeIfChildrenGone();
  const uint32_t count = regionCount.load(std::memory_order_relaxed);
  bool contended = false;
  // Another thread may have opened one while we waited for the lock.
  for (uint32_t i = count; i-- > 0;) {
    if (CodeBlock* block = allocateIn(i, size, false, contended)) return block;
  }
  uint32_t open = 0;
  for (uint32_t i = 0; i < count; ++i) open += regionAt(i)->state() == Region::State::Open;
  const auto waitForOne = [&]() -> CodeBlock* {
    for (uint32_t i = 0; i < count; ++i) {
      if (CodeBlock* block = allocateIn(i, size, true, contended)) return block;
    }
    return nullptr;
  };
  if (contended && open >= spread) {
    if (CodeBlock* block = waitForOne()) return block;
  }
  auto region = openRegion();
  if (!region) {
    if (CodeBlock* block = waitForOne()) return block;
    return std::unexpected(region.error());
  }
  if (CodeBlock* block = allocateIn((*region)->index(), size, true, contended)) return block;
  return std::unexpected(tooBig(size, (*region)->bytes()));
}

std::expected<CodeRef, std::string> CodeCache::Impl::allocateCharged(uint32_t size) {
  if (CodeBlock* block = allocateExisting(size)) return CodeRef(block);
  auto block = allocateSlow(size);
  if (block) return CodeRef(*block);
  used.fetch_sub(size_t{granulesFor(size)} * kGranule, std::memory_order_relaxed);
  return std::unexpected(std::move(block.error()));
}

std::expected<CodeRef, std::string> CodeCache::allocate(uint32_t size) {
  const size_t bytes = size_t{granulesFor(size)} * kGranule;
  if (bytes > kRegionBytes) return std::unexpected(tooBig(bytes, kRegionBytes));
  if (!impl_->charge(bytes)) return std::unexpected(impl_->full(bytes));
  return impl_->allocateCharged(size);
}

std::expected<CodeRef, std::string> CodeCache::allocateForGood(uint32_t size) {
  const size_t bytes = size_t{granulesFor(size)} * kGranule;
  if (!impl_->charge(bytes) && !impl_->chargeReserve(bytes)) return std::unexpected(impl_->full(bytes));
  return impl_->allocateCharged(size);
}

std::expected<CodeBlock*, std::string> CodeCache::Impl::allocateMapped(uint32_t size, const FilePart& part) {
  const std::lock_guard hold(grow);
  resumeIfChildrenGone();
  const uint32_t count = regionCount.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < count; ++i) {
    Region* region = regionAt(i);
    if (!region->mayFit(granulesFor(size) + kGranulesPerPage - 1)) continue;
    if (CodeBlock* block = region->allocateMapped(size, part)) return block;
  }
  auto region = openRegion();
  if (!region) return std::unexpected(region.error());
  if (CodeBlock* block = (*region)->allocateMapped(size, part)) return block;
  return std::unexpected(tooBig(size, (*region)->bytes()));
}

void CodeCache::Impl::releaseMapping() {
  mapped.fetch_sub(1, std::memory_order_relaxed);
  sandbox::noteMappings(-kMappingsPerPart);
}

std::expected<CodeRef, std::string> CodeCache::map(uint32_t size, const FilePart& part) {
  // The last page that is mapped is all the block's.
  const uint64_t end = part.at + (uint64_t{part.bytes} + kPage - 1) / kPage * kPage;
  if (end > kRegionBytes) return std::unexpected(tooBig(end, kRegionBytes));
  size = std::max(size, static_cast<uint32_t>(end));
  const size_t bytes = size_t{granulesFor(size)} * kGranule;
  if (bytes + kPage > kRegionBytes) return std::unexpected(tooBig(bytes, kRegionBytes));
  if (impl_->mapped.fetch_add(1, std::memory_order_relaxed) >= kMostMapped ||
      !sandbox::mappingsAllow(kMappingsPerPart)) {
    impl_->mapped.fetch_sub(1, std::memory_order_relaxed);
    return std::unexpected("code cache: too many files are mapped");
  }
  sandbox::noteMappings(kMappingsPerPart);
  if (!impl_->charge(bytes)) {
    impl_->releaseMapping();
    return std::unexpected(impl_->full(bytes));
  }
  auto block = impl_->allocateMapped(size, part);
  if (!block) {
    impl_->releaseMapping();
    impl_->used.fetch_sub(bytes, std::memory_order_relaxed);
    return std::unexpected(std::move(block.error()));
  }
  CodeRef reference(*block);  // from here on free() takes back all of it
  if (!Region::mapFile(**block, part)) {
    return std::unexpected(std::string("code cache: the file cannot be mapped: ") + std::strerror(errno));
  }
  return reference;
}

void CodeCache::free(CodeBlock* block) {
  Region& region = Region::of(*block);
  const size_t bytes = size_t{granulesFor(block->size_)} * kGranule;
  if (block->mappedPages_ != 0) impl_->releaseMapping();
  if (region.free(*block)) impl_->retire(region);
  impl_->used.fetch_sub(bytes, std::memory_order_relaxed);
  // A host that only drops modules after a fork gets its memory back too.
  if (impl_->anyHeld.load(std::memory_order_relaxed) && ++tFreedWhileHeld % kFreesBetweenChecks == 0) {
    const std::lock_guard hold(impl_->grow);
    impl_->resumeIfChildrenGone();
  }
}

void CodeBlock::shrink(uint32_t size) {
  if (size >= size_) return;
  const size_t bytes = (size_t{granulesFor(size_)} - granulesFor(size)) * kGranule;
  Region::of(*this).shrink(*this, size);
  CodeCache::process().impl_->used.fetch_sub(bytes, std::memory_order_relaxed);
}

void CodeCache::Impl::retire(Region& region) {
  const std::lock_guard hold(grow);
  if (region.state() != Region::State::Frozen || !region.empty()) return;
  enterInDirectory(region, 0);
  region.unmap();
}

// --- look-up -------------------------------------------------------------------------------------------------------

bool CodeCache::contains(uintptr_t pc) const noexcept { return regionOver(pc) != nullptr; }

CodeCache::Hit CodeCache::lookup(uintptr_t pc) const noexcept {
  const Region* region = regionOver(pc);
  if (region == nullptr) return {};
  const CodeBlock* block = region->find(pc - reinterpret_cast<uintptr_t>(region->code()));
  if (block == nullptr) return {};
  const size_t offset = pc - reinterpret_cast<uintptr_t>(block->code_);
  if (offset >= block->size_) return {};
  Hit hit{block, static_cast<uint32_t>(offset), nullptr};
  const std::span<const CodeRange> ranges = block->ranges();
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), hit.offset,
                                      [](uint32_t at, const CodeRange& range) { return at < range.start; });
  if (after != ranges.begin()) hit.range = &*(after - 1);
  return hit;
}

// --- fork ----------------------------------------------------------------------------------------------------------

void CodeCache::Impl::prepareFork() {
  grow.lock();
  const uint32_t count = regionCount.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < count; ++i) regionAt(i)->lockForFork();
  if (count != 0) witness.prepare();
}

void CodeCache::Impl::afterForkInParent() {
  const uint32_t count = regionCount.load(std::memory_order_relaxed);
  if (count != 0) witness.parent();
  for (uint32_t i = 0; i < count; ++i) {
    regionAt(i)->hold();
    regionAt(i)->unlock();
  }
  if (count != 0) anyHeld.store(true, std::memory_order_relaxed);
  grow.unlock();
}

void CodeCache::Impl::afterForkInChild() {
  witness.child();
  const uint32_t count = regionCount.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < count; ++i) {
    Region* region = regionAt(i);
    region->freeze();
    if (region->state() == Region::State::Frozen && region->empty()) {
      enterInDirectory(*region, 0);
      region->unmap();
    }
    region->unlock();
  }
  anyHeld.store(false, std::memory_order_relaxed);
  grow.unlock();
}

void CodeCache::Impl::resumeIfChildrenGone() {
  if (!anyHeld.load(std::memory_order_relaxed) || !witness.childrenGone()) return;
  anyHeld.store(false, std::memory_order_relaxed);
  const uint32_t count = regionCount.load(std::memory_order_relaxed);
  for (uint32_t i = 0; i < count; ++i) regionAt(i)->resume();
}

// --- the process's cache -------------------------------------------------------------------------------------------

CodeCache::CodeCache() : impl_(new Impl) {}

CodeCache& CodeCache::process() {
  static CodeCache* cache = [] {
    auto* made = new CodeCache;
    pthread_atfork([] { process().impl_->prepareFork(); }, [] { process().impl_->afterForkInParent(); },
                   [] { process().impl_->afterForkInChild(); });
    return made;
  }();
  return *cache;
}

void CodeCache::setLimit(size_t bytes) { impl_->limit.store(bytes, std::memory_order_relaxed); }

Stats CodeCache::Impl::stats() const {
  Stats all;
  const uint32_t count = regionCount.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < count; ++i) regionAt(i)->addTo(all);
  all.limit = limit.load(std::memory_order_relaxed);
  return all;
}

Stats CodeCache::stats() const {
  if (impl_->anyHeld.load(std::memory_order_relaxed)) {
    const std::lock_guard hold(impl_->grow);
    impl_->resumeIfChildrenGone();
  }
  return impl_->stats();
}

}  // namespace wattle::codecache
