// The heap of a store's structures and arrays: mark-region after Immix (Blackburn & McKinley 2008), objects that never
// move.
//
//   one mapping, reserved when the store allocates its first object, committed as it is touched:
//
//   | lines | marks | blocks | block 0    | block 1    | block 2 ...      top                      capacity
//                            ^ base = VMContext::gcHeap; a reference is an offset from here
//
//   a block, 32 KiB = 256 lines of 128 bytes:
//
//     | obj obj | obj --- | ------- | -- obj | obj obj | ------- | ------- |      live lines were marked by the last
//       live      live      free      live     live      free      free           collection; free lines form spans
//                           ^cursor                      ^limit
//                           spans are where allocation bumps a cursor
//
// Allocation. Code has the current span's cursor and limit in VMStoreContext and allocates there inline; all of the
// span is zero, so fields that stay at their default cost nothing. When the span is used up, refill() goes to the next
// span of a block that has free lines, then to free blocks. An object of more than a line for which a span is too short
// goes to an overflow span of its own, so that small ones can use the span up. Objects of 16 KiB and more take whole
// blocks.
//
// Collection (gc_mark.cc) marks from the roots: exactly from globals, tables and what else the store's Objects hold
// (roots.h), conservatively from the stack. So the heap must tell whether a word is an object:
//   - the word lies in a line that was live at the last collection: the object has a mark bit;
//   - in a span handed out since then (the line table says so): objects stand end to end from the span's start, each with
//     its size known from its type, up to the first zero. Few stack words lead here, so that is cheaper than to note each
//     object's start.
// That is why an allocation writes its header before anything else can happen, and why type ids are never 0.
//
// References that are yet to be looked at wait in a list. Where that cannot grow, their objects are only marked, and in
// the end all that is marked is traced again until nothing new turns up: a collection that has begun needs no memory.
//
// Garbage costs nothing: sweeping looks at line marks only, 256 bytes a block. The next collection is due when as much
// has been allocated as is live, counted in lines (2 MiB at least, and in proportion to the roots), or the limit of the
// store is reached.
//
// Types of objects must stay as long as the objects; see GcTypes.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "runtime/compile/abi/gc.h"
#include "runtime/compile/abi/vmcontext.h"
#include "runtime/vm/type_registry.h"

namespace wattle::vm {

class Module;
class Store;
class Tracer;

class GcHeap {
 public:
  static constexpr uint32_t kBlockBytes = 32 << 10;
  static constexpr uint32_t kLineBytes = 128;
  static constexpr uint32_t kLinesPerBlock = kBlockBytes / kLineBytes;
  static constexpr uint32_t kLargeObject = 16 << 10;

  // nullptr: no address space. `stress`: collects at every so many allocations (0: only when due).
  static std::unique_ptr<GcHeap> create(Store& store, uint64_t limitBytes, uint32_t stress);
  ~GcHeap();
  GcHeap(const GcHeap&) = delete;
  GcHeap& operator=(const GcHeap&) = delete;

  uint8_t* base() const { return base_; }
  template <class T>
  T* at(uint64_t reference, uint32_t offset = 0) const {
    return reinterpret_cast<T*>(base_ + reference + offset);
  }
  uint32_t typeOf(uint64_t object) const { return *at<uint32_t>(object); }
  uint32_t lengthOf(uint64_t array) const { return *at<uint32_t>(array, abi::kGcLengthAt); }

  // Zeros, a multiple of 8 bytes; the caller writes the header at once. 0: the limit is reached. May collect.
  uint64_t allocate(uint64_t bytes);
  // With its header. `type` is a canonical id.
  uint64_t allocateStruct(uint32_t type);
  uint64_t allocateArray(uint32_t type, uint32_t length);

  // Is the word a reference to an object?
  bool isObject(uint64_t word) const;
  // Bytes in blocks that are in use.
  uint64_t usedBytes() const { return uint64_t{inUse_} * kBlockBytes; }
  uint64_t collections() const { return collections_; }

  // --- collection (gc_mark.cc) --------------------------------------------------------------------------------------
  // With every Object of the store taken for alive. False, and nothing has happened, when roots cannot be seen now, or
  // there is no memory for the list of them.
  bool collect();
  // As a part of Store::collect: beginMarking, then markFrom as often as roots turn up, then sweep.
  void beginMarking();
  // Marks what `roots` reach, and empties it. Other references than those to objects are told to the tracer, if given.
  void markFrom(std::vector<uint64_t>& roots, Tracer* tracer);
  void sweep(uint64_t rootWords);
  // Ids of the types of all objects that the markings since beginMarking() came by with a tracer.
  const std::unordered_set<uint32_t>& typesSeen() const { return typesSeen_; }
  // False: there was no memory for all of them.
  bool hasSeenAllTypes() const { return seenAllTypes_; }
  // For when there is no memory for a list of them: the next markFrom() goes on from it.
  void markUntraced(uint64_t object);

 private:
  enum class State : uint8_t { Free, Full, Recyclable, Large, LargeRest };
  // What a line is: see the essay.
  enum Line : uint8_t { kFree, kLive, kSpanStart, kSpan };
  struct Block {
    State state = State::Free;
    bool isDirty = false;   // may hold other than zeros
    bool isMarked = false;  // Large
    uint32_t count = 0;     // Large: blocks of the object
  };
  struct Span {
    uint64_t cursor = 0;
    uint64_t limit = 0;
    uint64_t take(uint64_t bytes) {
      if (bytes > limit - cursor) return 0;
      cursor += bytes;
      return cursor - bytes;
    }
  };

  GcHeap(Store& store, abi::VMStoreContext& cells) : store_(store), cells_(cells) {}
  bool map(uint64_t limitBytes);
  uint64_t tryAllocate(uint64_t bytes, uint32_t mostBlocks);
  uint64_t allocateLarge(uint64_t bytes, uint32_t mostBlocks);
  bool nextRecycled(uint64_t bytes);
  bool takeBlock(Span& span, uint32_t mostBlocks);
  // First of `count` free blocks that stand together; they are made zero. ~0: none.
  uint32_t findBlocks(uint32_t count, uint32_t mostBlocks);
  void clean(uint32_t block, uint32_t count);
  void handOut(Span& span, uint64_t begin, uint64_t end, bool isDirty);
  void retireSpans();
  uint64_t sizeOf(uint64_t object) const {
    const abi::VMTypeRow& row = rows_[typeOf(object)];
    if (row.kind == abi::rowKind(frontend::CompositeKind::Struct)) return row.size;
    return abi::gcAligned(abi::kGcHeader + (uint64_t{lengthOf(object)} << row.elementShift));
  }
  bool isInSpan(uint64_t word) const;

  bool mark(uint64_t object) {
    uint64_t& word = marks_[object >> 9];
    const uint64_t bit = uint64_t{1} << (object >> 3 & 63);
    if (word & bit) return false;
    word |= bit;
    return true;
  }
  void push(uint32_t object) {
    if (pending_.size() < pending_.capacity()) [[likely]]
      pending_.push_back(object);
    else
      pushGrowing(object);
  }
  void pushGrowing(uint32_t object);
  void tracePending(Tracer* tracer);
  void traceMarked(Tracer* tracer);
  void trace(uint64_t object, Tracer* tracer);
  void traceSlow(uint64_t object, Tracer* tracer);
  void visit(uint32_t word, Tracer* tracer);
  void markLines(uint64_t object, uint64_t size);
  void sweepBlock(uint32_t block);
  void giveBack(uint32_t keep);

  Store& store_;
  abi::VMStoreContext& cells_;
  const abi::VMTypeRow* rows_ = nullptr;
  uint8_t* mapping_ = nullptr;
  uint64_t mappingBytes_ = 0;
  uint8_t* base_ = nullptr;
  uint8_t* lines_ = nullptr;   // a Line each
  uint64_t* marks_ = nullptr;  // a bit for each 8 bytes: objects that lived at the last collection
  Block* blocks_ = nullptr;
  uint32_t capacity_ = 0;  // blocks that the mapping holds
  uint32_t limit_ = 0;     // blocks that may be in use
  uint32_t top_ = 0;       // blocks that were ever in use
  uint32_t inUse_ = 0;
  uint32_t liveLines_ = 0;     // as the last sweep found them
  uint32_t due_ = 0;           // collect rather than have more in use
  uint32_t freeScan_ = 0;      // below it no block is free
  uint32_t recycleBlock_ = 0;  // where nextRecycled() goes on
  uint32_t recycleLine_ = 0;
  Span span_;  // the cells' copy is the newer one while code runs, unless stress_
  Span overflow_;
  uint32_t stress_ = 0;
  uint64_t allocations_ = 0;  // under stress
  uint64_t collections_ = 0;
  bool collecting_ = false;
  std::vector<uint32_t> pending_;  // references found by marking, yet to be looked at
  bool overflowed_ = false;        // some are marked and have not been traced
  std::unordered_set<uint32_t> typesSeen_;
  bool seenAllTypes_ = true;
  uint32_t lastTypeSeen_ = 0;
};

// Values that the host holds in passing while it allocates: roots.
class GcRoots {
 public:
  GcRoots(Store& store, const std::vector<abi::RawValue>& values);
  ~GcRoots();
  GcRoots(const GcRoots&) = delete;
  GcRoots& operator=(const GcRoots&) = delete;
  const std::vector<abi::RawValue>& values() const { return values_; }
  const GcRoots* outer() const { return outer_; }

 private:
  Store& store_;
  const std::vector<abi::RawValue>& values_;
  const GcRoots* outer_;
};

// The references that keep the types of a store's objects.
class GcTypes {
 public:
  // A module is instantiated: its code may allocate objects of its types.
  void retain(const Module& module);
  // Keeps only what living modules and objects need.
  void prune(const std::vector<const Module*>& modules, const std::unordered_set<uint32_t>& seen);

 private:
  void retain(uint32_t type);
  std::unordered_map<const RecGroup*, GroupRef> groups_;
  std::unordered_set<const Module*> known_;  // only to be quick; forgotten by prune
};

}  // namespace wattle::vm
