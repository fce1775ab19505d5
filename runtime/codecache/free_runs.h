// The free runs of one region, by size.
//
// A run is a maximal sequence of free granules. Each has a node here, in one list of runs of about its size:
//
//   length 1 .. 63        one list per length                                  (exact)
//   length 64 and more    16 lists per power of two                            (within 1/16)
//
// and a bit per list that says whether it is empty. find() is best fit: below 64 granules (4 KiB, nearly every module)
// exactly so; above, the best of the first few in the request's own list, else the first of the next list that is not
// empty. So the cost is constant, and the slack that the inexactness leaves behind is at most 1/16 of a large request,
// and is itself a run like any other.
//
// Nodes live in side memory that the region provides (zero, demand-paged), never in the code pages. Ids start at 1. Not
// thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>

namespace wattle::codecache {

class FreeRuns {
 public:
  struct Node {
    uint32_t start = 0;
    uint32_t length = 0;
    uint32_t previous = 0;
    uint32_t next = 0;  // in the list, or of the next unused node
  };

  // Room for one node more than there can be runs (every second granule).
  static size_t bytesFor(uint32_t granules) { return (size_t{granules} / 2 + 3) * sizeof(Node); }
  void init(void* memory);

  uint32_t insert(uint32_t start, uint32_t length);
  void erase(uint32_t id);
  // The run keeps its id and end, and begins later.
  void trimFront(uint32_t id, uint32_t by);
  void extend(uint32_t id, uint32_t start, uint32_t length);

  // A run of at least `length`, 0 if there is none.
  uint32_t find(uint32_t length) const;
  const Node& operator[](uint32_t id) const { return nodes_[id]; }
  // No run is longer than this (0: no runs).
  uint32_t longestAtMost() const;
  uint32_t nodesUsed() const { return used_; }  // most runs there ever were

 private:
  static constexpr uint32_t kExact = 64;
  static constexpr uint32_t kSub = 16;
  static constexpr uint32_t kBins = kExact + (32 - 6) * kSub;
  static constexpr uint32_t kScan = 24;  // nodes looked at in the request's own list

  static uint32_t binOf(uint32_t length);
  static uint32_t binEnd(uint32_t bin);  // longest length in it
  void link(uint32_t id);
  void unlink(uint32_t id);
  uint32_t firstBinFrom(uint32_t bin) const;

  Node* nodes_ = nullptr;
  uint32_t used_ = 0;    // nodes ever used
  uint32_t unused_ = 0;  // chain of returned nodes
  uint32_t heads_[kBins] = {};
  uint64_t filled_[(kBins + 63) / 64] = {};
};

}  // namespace wattle::codecache
