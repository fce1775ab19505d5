#include "runtime/codecache/free_runs.h"

#include <bit>
#include <iterator>

namespace wattle::codecache {

void FreeRuns::init(void* memory) {
  *this = FreeRuns();
  nodes_ = static_cast<Node*>(memory);
}

uint32_t FreeRuns::binOf(uint32_t length) {
  if (length < kExact) return length;
  const uint32_t log = 31 - static_cast<uint32_t>(std::countl_zero(length));
  return kExact + (log - 6) * kSub + (length >> (log - 4)) % kSub;
}

uint32_t FreeRuns::binEnd(uint32_t bin) {
  if (bin < kExact) return bin;
  const uint32_t log = (bin - kExact) / kSub + 6;
  const uint32_t sub = (bin - kExact) % kSub;
  return ((kSub + sub + 1) << (log - 4)) - 1;
}

void FreeRuns::link(uint32_t id) {
  Node& node = nodes_[id];
  const uint32_t bin = binOf(node.length);
  node.previous = 0;
  node.next = heads_[bin];
  if (node.next != 0) nodes_[node.next].previous = id;
  heads_[bin] = id;
  filled_[bin / 64] |= uint64_t{1} << (bin % 64);
}

void FreeRuns::unlink(uint32_t id) {
  const Node& node = nodes_[id];
  if (node.next != 0) nodes_[node.next].previous = node.previous;
  if (node.previous != 0) {
    nodes_[node.previous].next = node.next;
    return;
  }
  const uint32_t bin = binOf(node.length);
  heads_[bin] = node.next;
  if (node.next == 0) filled_[bin / 64] &= ~(uint64_t{1} << (bin % 64));
}

uint32_t FreeRuns::insert(uint32_t start, uint32_t length) {
  uint32_t id = unused_;
  if (id != 0) {
    unused_ = nodes_[id].next;
  } else {
    id = ++used_;
  }
  nodes_[id].start = start;
  nodes_[id].length = length;
  link(id);
  return id;
}

void FreeRuns::erase(uint32_t id) {
  unlink(id);
  nodes_[id].next = unused_;
  unused_ = id;
}

void FreeRuns::trimFront(uint32_t id, uint32_t by) { extend(id, nodes_[id].start + by, nodes_[id].length - by); }

void FreeRuns::extend(uint32_t id, uint32_t start, uint32_t length) {
  if (binOf(length) == binOf(nodes_[id].length)) {
    nodes_[id].start = start;
    nodes_[id].length = length;
    return;
  }
  unlink(id);
  nodes_[id].start = start;
  nodes_[id].length = length;
  link(id);
}

uint32_t FreeRuns::firstBinFrom(uint32_t bin) const {
  uint32_t word = bin / 64;
  uint64_t bits = bin < kBins ? filled_[word] & (~uint64_t{0} << (bin % 64)) : 0;
  while (bits == 0) {
    if (++word >= std::size(filled_)) return kBins;
    bits = filled_[word];
  }
  return word * 64 + static_cast<uint32_t>(std::countr_zero(bits));
}

uint32_t FreeRuns::find(uint32_t length) const {
  uint32_t bin = binOf(length);
  if (bin >= kExact) {
    uint32_t best = 0;
    uint32_t looked = 0;
    for (uint32_t id = heads_[bin]; id != 0 && looked < kScan; id = nodes_[id].next, ++looked) {
      if (nodes_[id].length < length) continue;
      if (best == 0 || nodes_[id].length < nodes_[best].length) best = id;
      if (nodes_[best].length == length) break;
    }
    if (best != 0) return best;
    ++bin;
  }
  bin = firstBinFrom(bin);
  return bin < kBins ? heads_[bin] : 0;
}

uint32_t FreeRuns::longestAtMost() const {
  for (uint32_t word = std::size(filled_); word-- > 0;) {
    if (filled_[word] == 0) continue;
    return binEnd(word * 64 + 63 - static_cast<uint32_t>(std::countl_zero(filled_[word])));
  }
  return 0;
}

}  // namespace wattle::codecache
