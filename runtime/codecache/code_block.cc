// What a block says about its code: the ranges, which look-ups read while the owner may be replacing or extending them.
//
//   block ──ranges_──▶ [count|capacity|previous ─▶ [count|capacity|previous ─▶ 0 | range …] | range range range …]
//
// A list, once shown, is changed in one way only: entries are written behind `count` and then `count` is raised
// (release; readers acquire). When there is no room, or the ranges are others altogether, a new list takes its place
// and the old one stays on the chain `previous`: a reader, be it a signal handler, may be in the middle of it. The
// chain dies with the block. append() doubles the capacity, so all retired lists together are smaller than the last
// one.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#include "runtime/codecache/code_cache.h"
#include "runtime/codecache/region.h"

// Of the leak checker, where the program has one: blocks live in memory that it does not search. Asked for at run time,
// since the program may be built with it when this library is not.
extern "C" __attribute__((weak)) void __lsan_ignore_object(const void* pointer);

namespace wattle::codecache {

struct CodeBlock::RangeList {
  RangeList* previous;
  std::atomic<uint32_t> count;
  uint32_t capacity;

  CodeRange* items() { return reinterpret_cast<CodeRange*>(this + 1); }

  static RangeList* make(size_t capacity, RangeList* previous) {
    void* memory = std::malloc(sizeof(RangeList) + capacity * sizeof(CodeRange));
    if (memory == nullptr) throw std::bad_alloc();
    auto* list = new (memory) RangeList{previous, 0, static_cast<uint32_t>(capacity)};
    if (__lsan_ignore_object) __lsan_ignore_object(list);
    return list;
  }

  void add(std::span<const CodeRange> ranges) {
    const uint32_t have = count.load(std::memory_order_relaxed);
    if (!ranges.empty()) std::memcpy(items() + have, ranges.data(), ranges.size_bytes());
    count.store(have + static_cast<uint32_t>(ranges.size()), std::memory_order_release);
  }
};

std::span<const CodeRange> CodeBlock::ranges() const {
  RangeList* list = ranges_.load(std::memory_order_acquire);
  if (list == nullptr) return {};
  return {list->items(), list->count.load(std::memory_order_acquire)};
}

void CodeBlock::show(RangeList* list) {
  const bool first = ranges_.load(std::memory_order_relaxed) == nullptr;
  ranges_.store(list, std::memory_order_release);
  if (first) Region::of(*this).enterInTables(*this);
}

void CodeBlock::publish(std::vector<CodeRange> ranges) {
  RangeList* list = RangeList::make(ranges.size(), ranges_.load(std::memory_order_relaxed));
  list->add(ranges);
  show(list);
}

void CodeBlock::append(std::span<const CodeRange> ranges) {
  RangeList* list = ranges_.load(std::memory_order_relaxed);
  const size_t have = list == nullptr ? 0 : list->count.load(std::memory_order_relaxed);
  if (list != nullptr && list->capacity - have >= ranges.size()) {
    list->add(ranges);
    return;
  }
  RangeList* longer = RangeList::make(std::max<size_t>(have + ranges.size(), std::max<size_t>(have * 2, 8)), list);
  if (list != nullptr) longer->add({list->items(), have});
  longer->add(ranges);
  show(longer);
}

void CodeBlock::dropRanges() {
  RangeList* list = ranges_.exchange(nullptr, std::memory_order_relaxed);
  while (list != nullptr) {
    RangeList* previous = list->previous;
    std::free(list);
    list = previous;
  }
}

bool CodeBlock::frozen() const { return Region::of(*this).state() == Region::State::Frozen; }

}  // namespace wattle::codecache
