// A quick look over a body before it is compiled: how often each local is used, weighted by loop depth, and where calls stand.
//
// The baseline compiler is one pass and gives each hot local one register for the whole function ("pinning", see locals.h). Which ones are hot
// has to be known before the first instruction. The scan only skips over immediates, so it costs a few per cent of compiling. The body is not
// validated yet: the scan stops at the first oddity, and what it says is a hint that never decides about correctness. What the code does
// rely on (a local that is never used has no value, no call needs no stack check, no memory no base register...) the compiler sees for itself
// as it goes; where the scan was wrong the function is compiled once more without believing it (Compiler::scanMissed).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "frontend/types.h"

namespace wattle::compile::baseline {

class Prescan {
 public:
  // `instructions` is the body after its local declarations. Without `believe` the scan counts as incomplete.
  void run(std::span<const uint8_t> instructions, uint32_t localCount, bool believe);

  uint32_t weight(uint32_t local) const { return weights_[local]; }
  bool hasCalls() const { return hasCalls_; }          // anything that may clobber caller-saved registers
  bool usesMemory() const { return usesMemory_; }      // loads or stores
  bool hasVectors() const { return hasVectors_; }      // some instruction with prefix 0xfd
  bool hasTry() const { return hasTry_; }              // try or try_table
  bool complete() const { return complete_; }          // reached the end; otherwise assume the worst

  struct Loop {
    uint32_t offset;        // of its opcode, in the scanned instructions
    bool hasCalls;
    uint64_t used, written; // its locals, each as bit (index mod 64)
    static constexpr uint64_t bitOf(uint32_t local) { return uint64_t{1} << (local & 63); }
  };
  // The loop whose opcode stands at `offset`; null if the scan did not get there. Asked in ascending order, with a cursor that starts at
  // 0 (loops in dead code are never asked for).
  const Loop* loopAt(uint32_t offset, uint32_t& cursor) const {
    while (cursor < loops_.size() && loops_[cursor].offset < offset) ++cursor;
    return complete_ && cursor < loops_.size() ? &loops_[cursor] : nullptr;
  }

 private:
  struct Open {             // an enclosing construct
    uint32_t loop;          // ordinal, or ~0
    uint32_t weight;        // of uses outside of it
    uint64_t used, written; // of a loop: what the code around it has used so far
  };
  void count(uint32_t local, uint32_t weight) {
    if (size_t{local} + 1 < weights_.size()) weights_[local] += weight;
  }
  const uint8_t* scan(const uint8_t* start, const uint8_t* end);
  const uint8_t* scanOne(const uint8_t* start, const uint8_t* at, const uint8_t* end, uint32_t& weight);
  static void skipHeapType(const uint8_t*& p, const uint8_t* end);
  static void skipType(const uint8_t*& p, const uint8_t* end);
  void noteCall();
  void openLoop(uint32_t offset, uint32_t weight);
  void close();
  std::vector<uint32_t> weights_;
  std::vector<Loop> loops_;
  std::vector<Open> open_;
  uint64_t used_ = 0, written_ = 0;   // by the innermost loop so far
  bool hasCalls_ = false;
  bool usesMemory_ = false;
  bool hasVectors_ = false;
  bool hasTry_ = false;
  bool complete_ = false;
};

}  // namespace wattle::compile::baseline
