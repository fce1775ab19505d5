// A quick look over a body before it is compiled: how often each local is used, weighted by loop depth, and where calls stand.
//
// The baseline compiler is one pass and gives each hot local one register for the whole function ("pinning", see locals.h). Which ones are hot
// has to be known before the first instruction. The scan only skips over immediates, so it costs a few per cent of compiling. The body is not
// validated yet: the scan stops at the first oddity, and what it says is a hint that never decides about correctness.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "frontend/types.h"

namespace wattle::compile::baseline {

class Prescan {
 public:
  // `instructions` is the body after its local declarations.
  void run(std::span<const uint8_t> instructions, uint32_t localCount);

  uint32_t weight(uint32_t local) const { return weights_[local]; }
  bool hasCalls() const { return hasCalls_; }          // anything that may clobber caller-saved registers
  bool hasVectors() const { return hasVectors_; }      // some instruction with prefix 0xfd
  bool complete() const { return complete_; }          // reached the end; otherwise assume the worst
  // Whether the n-th loop of the body (in order of appearance) has a call in it.
  bool loopHasCalls(uint32_t ordinal) const { return !complete_ || ordinal >= loops_.size() || loops_[ordinal].hasCalls; }

 private:
  struct Loop {
    bool hasCalls;
  };
  struct Open {             // an enclosing construct
    uint32_t loop;          // ordinal, or ~0
    uint32_t weight;        // of uses outside of it
  };
  void count(uint32_t local, uint32_t weight) {
    if (local < weights_.size()) weights_[local] += weight;
  }
  const uint8_t* scan(const uint8_t* p, const uint8_t* end);
  void noteCall();
  std::vector<uint32_t> weights_;
  std::vector<Loop> loops_;
  std::vector<Open> open_;
  bool hasCalls_ = false;
  bool hasVectors_ = false;
  bool complete_ = false;
};

}  // namespace wattle::compile::baseline
