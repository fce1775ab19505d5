// Allocation; the essay is in the header.
#include "runtime/vm/gc_heap.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "runtime/vm/module.h"
#include "runtime/vm/store.h"
#include "sandbox/pages.h"

namespace wattle::vm {

namespace {

constexpr uint64_t kMostBytes = uint64_t{4} << 30;  // what a 32-bit reference reaches
constexpr uint32_t kNoBlock = ~0u;
constexpr uint64_t kPage = 4096;

constexpr uint64_t pages(uint64_t bytes) { return (bytes + kPage - 1) & ~(kPage - 1); }

}  // namespace

// --- the mapping ---------------------------------------------------------------------------------------------------

std::unique_ptr<GcHeap> GcHeap::create(Store& store, uint64_t limitBytes, uint32_t stress) {
  std::unique_ptr<GcHeap> heap(new GcHeap(store, store.context()));
  if (!heap->map(limitBytes)) return nullptr;
  heap->rows_ = TypeRegistry::process().rows();
  heap->stress_ = stress;
  return heap;
}

bool GcHeap::map(uint64_t limitBytes) {
  limitBytes = std::min(limitBytes, kMostBytes);
  limit_ = static_cast<uint32_t>(std::max<uint64_t>(limitBytes / kBlockBytes, 1));
  // Room to spare, so that large objects find blocks that stand together.
  uint64_t wanted = std::min(kMostBytes, std::max<uint64_t>(limitBytes * 4, 1 << 20));
  for (uint64_t bytes = wanted & ~uint64_t{kBlockBytes - 1}; bytes >= 1 << 20;
       bytes = bytes / 2 & ~uint64_t{kBlockBytes - 1}) {
    const uint64_t lineBytes = pages(bytes / kLineBytes), markBytes = pages(bytes / 64);
    const uint64_t blockBytes = pages(bytes / kBlockBytes * sizeof(Block));
    mappingBytes_ = lineBytes + markBytes + blockBytes + bytes;
    void* at = mmap(nullptr, mappingBytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) continue;
    mapping_ = static_cast<uint8_t*>(at);
    madvise(mapping_, mappingBytes_, MADV_NOHUGEPAGE);  // a small heap is to stay small
    lines_ = mapping_;
    marks_ = reinterpret_cast<uint64_t*>(mapping_ + lineBytes);
    blocks_ = reinterpret_cast<Block*>(mapping_ + lineBytes + markBytes);
    base_ = mapping_ + lineBytes + markBytes + blockBytes;
    capacity_ = static_cast<uint32_t>(bytes / kBlockBytes);
    limit_ = std::min(limit_, capacity_);
    due_ = std::min(limit_, 64u);
    lines_[0] = kLive;  // null is no object
    return true;
  }
  return false;
}

GcHeap::~GcHeap() {
  if (mapping_) munmap(mapping_, mappingBytes_);
  cells_.gcCursor = cells_.gcLimit = 0;
}

// --- allocation ----------------------------------------------------------------------------------------------------

uint64_t GcHeap::allocate(uint64_t bytes) {
  if (!stress_) span_.cursor = cells_.gcCursor;
  uint64_t at = 0;
  if (stress_ && ++allocations_ % stress_ == 0) collect();
  if (bytes < kMostBytes) {
    at = tryAllocate(bytes, due_);
    if (at == 0) {
      if (!stress_) cells_.gcCursor = span_.cursor;
      if (collect()) at = tryAllocate(bytes, due_);
    }
    if (at == 0) {
      at = tryAllocate(bytes, limit_);
      due_ = std::clamp(inUse_ + inUse_ / 2 + 64, due_, limit_);
    }
  }
  cells_.gcCursor = stress_ ? 1 : span_.cursor;  // under stress no inline allocation fits
  cells_.gcLimit = stress_ ? 0 : span_.limit;
  return at;
}

uint64_t GcHeap::allocateStruct(uint32_t type) {
  uint64_t at = allocate(rows_[type].size);
  if (at) *this->at<uint32_t>(at) = type;
  return at;
}

uint64_t GcHeap::allocateArray(uint32_t type, uint32_t length) {
  uint64_t at = allocate(abi::gcAligned(abi::kGcHeader + (uint64_t{length} << rows_[type].elementShift)));
  if (!at) return 0;
  *this->at<uint32_t>(at) = type;
  *this->at<uint32_t>(at, abi::kGcLengthAt) = length;
  return at;
}

uint64_t GcHeap::tryAllocate(uint64_t bytes, uint32_t mostBlocks) {
  if (uint64_t at = span_.take(bytes)) return at;
  if (bytes >= kLargeObject) return allocateLarge(bytes, mostBlocks);
  if (bytes > kLineBytes && span_.limit - span_.cursor >= kLineBytes) {
    if (uint64_t at = overflow_.take(bytes)) return at;
    return takeBlock(overflow_, mostBlocks) ? overflow_.take(bytes) : 0;
  }
  if (!nextRecycled(bytes) && !takeBlock(span_, mostBlocks)) return 0;
  return span_.take(bytes);
}

uint64_t GcHeap::allocateLarge(uint64_t bytes, uint32_t mostBlocks) {
  const auto count = static_cast<uint32_t>((bytes + kBlockBytes - 1) / kBlockBytes);
  // A whole block is not for block 0, whose start is null.
  const uint32_t first = findBlocks(count, mostBlocks);
  if (first == kNoBlock) return 0;
  blocks_[first].state = State::Large;
  blocks_[first].count = count;
  for (uint32_t i = 1; i < count; ++i) blocks_[first + i].state = State::LargeRest;
  for (uint32_t i = 0; i < count; ++i) blocks_[first + i].isDirty = true;
  inUse_ += count;
  return uint64_t{first} * kBlockBytes;
}

// The next span of free lines in a block that is partly live, long enough.
bool GcHeap::nextRecycled(uint64_t bytes) {
  for (; recycleBlock_ < top_; ++recycleBlock_, recycleLine_ = 0) {
    if (blocks_[recycleBlock_].state != State::Recyclable) continue;
    const uint8_t* lines = lines_ + uint64_t{recycleBlock_} * kLinesPerBlock;
    while (recycleLine_ < kLinesPerBlock) {
      uint32_t begin = recycleLine_;
      while (begin < kLinesPerBlock && lines[begin] != kFree) ++begin;
      uint32_t end = begin;
      while (end < kLinesPerBlock && lines[end] == kFree) ++end;
      recycleLine_ = end;
      if ((end - begin) * kLineBytes < bytes) continue;
      const uint64_t block = uint64_t{recycleBlock_} * kBlockBytes;
      handOut(span_, block + begin * kLineBytes, block + end * kLineBytes, true);
      return true;
    }
    blocks_[recycleBlock_].state = State::Full;
  }
  return false;
}

bool GcHeap::takeBlock(Span& span, uint32_t mostBlocks) {
  const uint32_t block = findBlocks(1, mostBlocks);
  if (block == kNoBlock) return false;
  blocks_[block].state = State::Full;
  blocks_[block].isDirty = true;
  ++inUse_;
  const uint64_t begin = uint64_t{block} * kBlockBytes;
  handOut(span, begin + (block == 0 ? kLineBytes : 0), begin + kBlockBytes, false);
  return true;
}

uint32_t GcHeap::findBlocks(uint32_t count, uint32_t mostBlocks) {
  if (count > mostBlocks || inUse_ > mostBlocks - count) return kNoBlock;
  while (freeScan_ < top_ && blocks_[freeScan_].state != State::Free) ++freeScan_;
  uint32_t first = freeScan_, run = 0;
  for (uint32_t i = freeScan_; i < capacity_; ++i) {
    const bool isFree = i >= top_ || blocks_[i].state == State::Free;
    if (!isFree || (i == 0 && count > 1)) {
      run = 0;
      continue;
    }
    if (run++ == 0) first = i;
    if (run < count) continue;
    top_ = std::max(top_, first + count);
    clean(first, count);
    return first;
  }
  return kNoBlock;
}

void GcHeap::clean(uint32_t block, uint32_t count) {
  for (uint32_t i = block; i < block + count; ++i) {
    if (blocks_[i].isDirty) std::memset(base_ + uint64_t{i} * kBlockBytes, 0, kBlockBytes);
    blocks_[i].isDirty = false;
  }
}

void GcHeap::handOut(Span& span, uint64_t begin, uint64_t end, bool isDirty) {
  if (isDirty) std::memset(base_ + begin, 0, end - begin);
  uint8_t* lines = lines_ + begin / kLineBytes;
  std::memset(lines, kSpan, (end - begin) / kLineBytes);
  lines[0] = kSpanStart;
  span = {begin, end};
}

// --- which words are objects ---------------------------------------------------------------------------------------

bool GcHeap::isObject(uint64_t word) const {
  if (word & (abi::kGcAlignment - 1) || word >= uint64_t{top_} * kBlockBytes) return false;
  const Block& block = blocks_[word / kBlockBytes];
  switch (block.state) {
    case State::Free:
    case State::LargeRest: return false;
    case State::Large: return word % kBlockBytes == 0;
    default: break;
  }
  switch (lines_[word / kLineBytes]) {
    case kFree: return false;
    case kLive: return marks_[word >> 9] >> (word >> 3 & 63) & 1;
    default: return isInSpan(word);
  }
}

bool GcHeap::isInSpan(uint64_t word) const {
  uint64_t line = word / kLineBytes;
  while (lines_[line] != kSpanStart) --line;
  uint64_t at = line * kLineBytes;
  while (at < word && typeOf(at) != 0) at += sizeOf(at);
  return at == word && typeOf(at) != 0;
}

// --- what the host holds -------------------------------------------------------------------------------------------

GcRoots::GcRoots(Store& store, const std::vector<abi::RawValue>& values)
    : store_(store), values_(values), outer_(store.gcRoots) {
  store.gcRoots = this;
}

GcRoots::~GcRoots() { store_.gcRoots = outer_; }

void GcTypes::retain(uint32_t type) {
  const auto& registry = TypeRegistry::process();
  auto [at, isNew] = groups_.try_emplace(registry.entry(type).group);
  if (isNew) at->second = registry.hold(type);
}

void GcTypes::retain(const Module& module) {
  const auto& types = module.info().types;
  if (std::ranges::all_of(types, [](const auto& t) { return t.kind == frontend::CompositeKind::Func; })) return;
  if (known_.contains(&module)) return;
  for (size_t i = 0; i < types.size(); ++i) {
    if (types[i].kind != frontend::CompositeKind::Func) retain(module.typeIds()[i]);
  }
  known_.insert(&module);  // last: there may be no memory on the way
}

void GcTypes::prune(const std::vector<const Module*>& modules, const std::unordered_set<uint32_t>& seen) {
  if (groups_.empty()) return;
  GcTypes kept;
  for (const Module* module : modules) kept.retain(*module);
  for (uint32_t type : seen) kept.retain(type);
  *this = std::move(kept);
}

}  // namespace wattle::vm
