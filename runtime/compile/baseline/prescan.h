// A quick look over a body before it is compiled: how often each local is used, weighted by loop depth, and where calls
// stand.
//
// The baseline compiler is one pass and gives each hot local one register for the whole function ("pinning", see
// locals.h). Which ones are hot has to be known before the first instruction. The scan only skips over immediates, so
// it costs a few per cent of compiling. The body is not validated yet: the scan stops at the first oddity, and what it
// says is a hint that never decides about correctness. What the code does rely on (a local that is never used has no
// value, no call needs no stack check, no memory no base register...) the compiler sees for itself as it goes; where
// the scan was wrong the function is compiled once more without believing it (Compiler::scanMissed).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "frontend/types.h"

namespace wattle::compile::baseline {

class Prescan {
 public:
  struct Body {
    std::span<const uint8_t> bytes;
    uint32_t locals;
  };
  // Scans functions, each a body from its declarations of locals on, and the number of its parameters. Several take
  // less time than each alone.
  static void runAll(std::span<const Body> functions, Prescan* scans);
  // What was said about the body was wrong: it counts as incomplete.
  void disbelieve() { finish(false); }
  // Whether it has scanned the instructions at this place, with so many locals.
  bool isOf(const uint8_t* instructions, size_t locals) const {
    return at_ == instructions && weights_.size() == locals + 1;
  }
  // Nothing is known of these.
  void giveUp(const uint8_t* instructions, size_t locals) {
    start({instructions, 0}, static_cast<uint32_t>(locals));
    finish(false);
  }

  uint32_t weight(uint32_t local) const { return weights_[local]; }
  bool hasCalls() const { return seen_.calls; }  // anything that may clobber caller-saved registers
  bool hasTailCalls() const { return hasTailCalls_; }
  bool hasLoops() const { return !loops_.empty(); }
  bool usesMemory() const { return usesMemory_; }  // loads or stores
  bool hasVectors() const { return hasVectors_; }  // some instruction with prefix 0xfd
  bool hasTry() const { return hasTry_; }          // try or try_table
  bool complete() const { return complete_; }      // reached the end; otherwise assume the worst

  struct Seen {
    uint64_t used = 0, written = 0;  // locals, each as bit (index mod 64)
    bool calls = false;
    void add(const Seen& other) {
      used |= other.used;
      written |= other.written;
      calls |= other.calls;
    }
  };
  struct Loop {
    uint32_t offset;  // of its opcode, in the scanned instructions
    Seen seen;        // in it
    static constexpr uint64_t bitOf(uint32_t local) { return uint64_t{1} << (local & 63); }
  };
  // The loop whose opcode stands at `offset`; null if the scan did not get there. Asked in ascending order, with a
  // cursor that starts at 0 (loops in dead code are never asked for).
  const Loop* loopAt(uint32_t offset, uint32_t& cursor) const {
    while (cursor < loops_.size() && loops_[cursor].offset < offset) ++cursor;
    return complete_ && cursor < loops_.size() ? &loops_[cursor] : nullptr;
  }

 private:
  struct Open {     // a loop that is open, and what is said of the code around it
    uint32_t loop;  // ordinal
    uint32_t stop;
    uint32_t weight;
    Seen seen;
  };
  void count(uint32_t local) {
    if (size_t{local} + 1 < weights_.size()) weights_[local] += weight_;
  }
  struct Lane;
  class Lanes;
  static std::optional<Body> skipLocals(const Body& function);
  void start(std::span<const uint8_t> instructions, uint32_t localCount);
  void finish(bool complete);
  const uint8_t* scanOne(const uint8_t* at, const uint8_t* end, bool& closed);
  static void skipHeapType(const uint8_t*& p, const uint8_t* end);
  static void skipType(const uint8_t*& p, const uint8_t* end);
  bool noteLocals(std::span<const uint64_t> uses);
  void openLoop(uint32_t offset);
  void closeLoop();
  bool close();
  const uint8_t* at_ = nullptr;  // the first instruction
  std::vector<uint32_t> weights_;
  std::vector<Loop> loops_;
  std::vector<Open> open_;
  Seen seen_;            // in the innermost loop so far
  uint32_t depth_ = 1;   // of open constructs, the body among them
  uint32_t stop_ = 0;    // the depth outside of the innermost loop, or body: where that ends
  uint32_t weight_ = 1;  // of a use here
  bool hasTailCalls_ = false;
  bool usesMemory_ = false;
  bool hasVectors_ = false;
  bool hasTry_ = false;
  bool complete_ = false;
};

}  // namespace wattle::compile::baseline
