// Collection of the GC heap: marking and sweeping. See gc_heap.h.
#include <algorithm>
#include <bit>
#include <cstring>

#include "runtime/vm/boundary.h"
#include "runtime/vm/collect.h"
#include "runtime/vm/gc_heap.h"
#include "runtime/vm/roots.h"
#include "runtime/vm/store.h"
#include "sandbox/pages.h"

namespace wattle::vm {

using abi::GcTrace;

namespace {

// What a collection from all Objects of the store starts with. Stack words are judged as they come: later, marks are
// gone.
class HeapRoots final : public RootVisitor {
 public:
  explicit HeapRoots(const GcHeap& heap) : heap_(heap) {}
  void reference(uint64_t word, RefKind kind) override {
    ++visited;
    if (kind != RefKind::Any && kind != RefKind::Extern) return;
    if ((word & (abi::kGcAlignment - 1)) == 0) objects.push_back(word);
  }
  void stackWord(uint64_t word) override {
    ++visited;
    if (word != 0 && heap_.isObject(word)) objects.push_back(word);
  }
  std::vector<uint64_t> objects;
  uint64_t visited = 0;

 private:
  const GcHeap& heap_;
};

}  // namespace

bool GcHeap::collect() {
  if (collecting_) return false;
  HeapRoots roots(*this);
  if (!orElse(false, [&] { return markRoots(store_, roots); })) return false;
  collecting_ = true;
  beginMarking();
  markFrom(roots.objects, nullptr);
  sweep(roots.visited);
  collecting_ = false;
  return true;
}

// --- marking -------------------------------------------------------------------------------------------------------

void GcHeap::beginMarking() {
  std::memset(lines_, kFree, uint64_t{top_} * kLinesPerBlock);
  std::memset(marks_, 0, uint64_t{top_} * kBlockBytes / 64);
  lines_[0] = kLive;
  for (uint32_t i = 0; i < top_; ++i) blocks_[i].isMarked = false;
  typesSeen_.clear();
  seenAllTypes_ = true;
  lastTypeSeen_ = 0;
}

void GcHeap::markFrom(std::vector<uint64_t>& roots, Tracer* tracer) {
  for (uint64_t object : roots) push(static_cast<uint32_t>(object));
  roots.clear();
  tracePending(tracer);
  while (std::exchange(overflowed_, false)) traceMarked(tracer);
}

void GcHeap::tracePending(Tracer* tracer) {
  // Whether an object is marked already is asked when it is its turn, not when a reference to it is found: what lies
  // between (a short queue behind the stack) is the time in which its header and its mark bit come to the processor's
  // cache.
  constexpr uint32_t kAhead = 16;
  uint32_t ahead[kAhead];
  for (uint32_t taken = 0, put = 0;;) {
    while (put - taken < kAhead && !pending_.empty()) {
      const uint32_t next = pending_.back();
      pending_.pop_back();
      __builtin_prefetch(base_ + next);
      __builtin_prefetch(&marks_[next >> 9], 1);
      ahead[put++ % kAhead] = next;
    }
    if (put == taken) return;
    const uint32_t object = ahead[taken++ % kAhead];
    if (mark(object)) trace(object, tracer);
  }
}

// All that is marked once more, since nobody knows what has not been traced. Each time something new is marked, so it
// ends.
void GcHeap::traceMarked(Tracer* tracer) {
  for (uint64_t at = 0, words = uint64_t{top_} * (kBlockBytes / 512); at < words; ++at) {
    for (uint64_t bits = marks_[at]; bits; bits &= bits - 1) {
      trace(at << 9 | static_cast<uint64_t>(std::countr_zero(bits)) << 3, tracer);
      tracePending(tracer);
    }
  }
}

[[gnu::noinline]] void GcHeap::pushGrowing(uint32_t object) {
  if (!appended(pending_, object)) markUntraced(object);
}

void GcHeap::markUntraced(uint64_t object) {
  if (mark(object)) overflowed_ = true;
}

[[gnu::always_inline]] inline void GcHeap::visit(uint32_t word, Tracer* tracer) {
  if ((word & (abi::kGcAlignment - 1)) == 0) {
    if (word != 0) push(word);
  } else if (tracer && (word & 7) == 2) {
    tracer->mark(word, RefKind::Extern);
  }
}

[[gnu::always_inline]] inline void GcHeap::markLines(uint64_t object, uint64_t size) {
  if (size >= kLargeObject && blocks_[object / kBlockBytes].state == State::Large) {
    blocks_[object / kBlockBytes].isMarked = true;
    return;
  }
  const uint64_t first = object / kLineBytes, last = (object + size - 1) / kLineBytes;
  lines_[first] = lines_[last] = kLive;
  if (last - first > 1) std::memset(lines_ + first + 1, kLive, last - first - 1);
}

void GcHeap::trace(uint64_t object, Tracer* tracer) {
  const uint32_t type = typeOf(object);
  const abi::VMTypeRow& row = rows_[type];
  markLines(object, sizeOf(object));
  if (tracer && type != lastTypeSeen_) {
    lastTypeSeen_ = type;
    seenAllTypes_ = seenAllTypes_ && orElse(false, [&] { return typesSeen_.insert(type), true; });
  }
  switch (row.trace) {
    case GcTrace::None: return;
    case GcTrace::Words:
      visit(*at<uint32_t>(object, abi::kGcDescriptorAt), tracer);
      for (uint64_t bits = row.references; bits; bits &= bits - 1) {
        visit(*at<uint32_t>(object, abi::kGcHeader + 4 * static_cast<uint32_t>(std::countr_zero(bits))), tracer);
      }
      return;
    case GcTrace::References: {
      const auto* items = at<uint32_t>(object, abi::kGcHeader);
      uint32_t before = 0;  // tables are often full of one object
      for (uint32_t i = 0, n = lengthOf(object); i < n; ++i) {
        if (items[i] != before) visit(items[i], tracer);
        before = items[i];
      }
      return;
    }
    case GcTrace::Slow: traceSlow(object, tracer);
  }
}

void GcHeap::traceSlow(uint64_t object, Tracer* tracer) {
  const frontend::SubType& type = TypeRegistry::process().entry(typeOf(object)).type;
  auto wide = [&](uint64_t word, frontend::ValType of) {
    if (tracer) tracer->mark(word, refKind(of));
  };
  if (type.kind == frontend::CompositeKind::Array) {
    const auto* items = at<uint64_t>(object, abi::kGcHeader);
    for (uint32_t i = 0, n = lengthOf(object); tracer && i < n; ++i) wide(items[i], type.fields[0].type);
    return;
  }
  visit(*at<uint32_t>(object, abi::kGcDescriptorAt), tracer);
  auto kindOf = [](uint32_t id) { return TypeRegistry::process().entry(id).type.kind; };
  abi::layOutStruct(type, kindOf, [&](uint32_t field, abi::Storage storage, uint32_t offset) {
    if (storage == abi::Storage::Ref) visit(*at<uint32_t>(object, offset), tracer);
    if (storage == abi::Storage::WideRef) wide(*at<uint64_t>(object, offset), type.fields[field].type);
  });
}

// --- sweeping ------------------------------------------------------------------------------------------------------

void GcHeap::sweepBlock(uint32_t block) {
  const uint8_t* lines = lines_ + uint64_t{block} * kLinesPerBlock;
  uint64_t words[kLinesPerBlock / 8];
  std::memcpy(words, lines, sizeof(words));
  uint64_t live = 0, all = ~uint64_t{0};
  for (uint64_t word : words) {
    live |= word;
    all &= word;
  }
  if (live == 0 || (block == 0 && std::count(lines, lines + kLinesPerBlock, kLive) == 1)) {
    blocks_[block].state = State::Free;
    return;
  }
  blocks_[block].state = all == 0x0101010101010101 ? State::Full : State::Recyclable;
  ++inUse_;
  for (uint64_t word : words) liveLines_ += static_cast<uint32_t>(std::popcount(word));
}

void GcHeap::sweep(uint64_t rootWords) {
  span_ = overflow_ = {};
  if (!stress_) cells_.gcCursor = cells_.gcLimit = 0;
  inUse_ = liveLines_ = 0;
  for (uint32_t i = 0; i < top_; ++i) {
    Block& block = blocks_[i];
    if (block.state == State::Large) {
      if (block.isMarked) {
        inUse_ += block.count;
        liveLines_ += block.count * kLinesPerBlock;
      } else {
        for (uint32_t k = i; k < i + block.count; ++k) blocks_[k].state = State::Free;
      }
      i += block.count - 1;
    } else if (block.state != State::Free) {
      sweepBlock(i);
    }
  }
  freeScan_ = recycleBlock_ = recycleLine_ = 0;
  ++collections_;
  // A collection costs what the roots and the live objects cost: spread it over that much allocation. Some of that
  // finds room in the free lines of blocks in use; but not all of those lines serve objects of any size, so some blocks
  // are always added.
  const uint32_t live = (liveLines_ + kLinesPerBlock - 1) / kLinesPerBlock;
  const uint32_t beside = std::max(live / 4, live - std::min(live, inUse_ - live));
  const auto budget =
      static_cast<uint32_t>(std::min<uint64_t>(std::max<uint64_t>({64, beside, rootWords / 1024}), limit_));
  due_ = std::min(limit_, inUse_ + budget);
  giveBack(due_ - inUse_);
  if (!stress_) return;
  for (uint64_t line = 0; line < uint64_t{top_} * kLinesPerBlock;
       ++line) {  // so that what is used after it is freed shows
    if (lines_[line] == kFree && blocks_[line / kLinesPerBlock].state == State::Recyclable)
      std::memset(base_ + line * kLineBytes, 0xd8, kLineBytes);
  }
}

// Gives back the memory of free blocks beyond those the next cycle will use.
void GcHeap::giveBack(uint32_t keep) {
  uint32_t dirty = 0;
  for (uint32_t i = 0; i < top_; ++i) {
    if (blocks_[i].state != State::Free || !blocks_[i].isDirty || dirty++ < keep) continue;
    uint32_t end = i;
    while (end < top_ && blocks_[end].state == State::Free && blocks_[end].isDirty) blocks_[end++].isDirty = false;
    sandbox::zeroPages(base_ + uint64_t{i} * kBlockBytes, uint64_t{end - i} * kBlockBytes);
    i = end - 1;
  }
}

}  // namespace wattle::vm
