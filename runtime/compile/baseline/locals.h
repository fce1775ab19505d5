// Where locals live.
//
// Each local has one home for the whole function: a pinned register, or a frame slot. Homes never move, so control flow
// has no shuffling of locals to do. Registers that callees save (rbx, r12, r15) simply keep their local. The other pins
// ("volatile": rdi, r8..r10, xmm6..xmm13) have a frame slot as well, since calls destroy them; for each the compiler
// knows two facts at each point:
//     valid   the register holds the current value
//     clean   the slot holds the current value              (valid | clean always holds)
// Writing a local makes it valid and unclean. A call stores those that are unclean and leaves all clean and invalid.
// Reading an invalid one loads it. At a join the facts are intersected while the label is still unbound, which costs no
// code on any edge, unless a local would be neither; a loop header fixes them on entry (see control.cc) and back edges
// conform.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/compile/baseline/operand.h"
#include "runtime/compile/baseline/prescan.h"

namespace wattle::compile::baseline {

// The facts of all volatile pins: bits 0..15 general, 16..31 vector registers, by register number.
struct PinFacts {
  uint32_t valid = 0;
  uint32_t clean = 0;
};

// What holds where either may have been.
constexpr PinFacts meet(const PinFacts& a, const PinFacts& b) { return {a.valid & b.valid, a.clean & b.clean}; }

inline constexpr uint8_t kNoPin = 0xff;
constexpr uint32_t pinBit(bool isFloat, unsigned reg) { return 1u << (reg + (isFloat ? 16 : 0)); }

class LocalHome {
 public:
  LocalHome() = default;
  LocalHome(Type type, bool isUnused)
      : head_(Operand::head(Where::Local, type, kNoPin) | (isUnused ? Operand::kUnused : 0)) {}
  void pinTo(uint8_t reg, bool isVolatile) {
    const uint32_t fact = static_cast<uint32_t>(std::countr_zero(pinBit(isFloat(type()), reg)));
    head_ = Operand::head(Where::Pin, type(), reg) | fact << 24 | (isVolatile ? Operand::kVolatile : 0) |
            (head_ & Operand::kUnused);
  }
  uint32_t head() const { return head_; }  // of operands that name it
  Type type() const { return operand().type(); }
  uint8_t pin() const { return operand().reg(); }                    // register number
  bool isVolatile() const { return operand().isVolatile(); }         // the pin does not survive calls
  bool isUnused() const { return (head_ & Operand::kUnused) != 0; }  // as the scan says: it has no value
  uint32_t factBit() const { return operand().factBit(); }           // of the pin
  int32_t slot = 0;  // rbp-relative; 0 when there is none (callee-saved pin)

 private:
  Operand operand() const { return Operand::local(head_, 0); }
  uint32_t head_ = 0;
};

// Chosen once per function.
class LocalHomes {
 public:
  // Slots grow downwards from `frameTop` (a negative rbp offset); returns the new lowest offset.
  int32_t assign(std::span<const frontend::ValType> locals, const Prescan& scan, int32_t frameTop);

  const LocalHome& operator[](uint32_t local) const { return homes_[local]; }
  uint32_t count() const { return static_cast<uint32_t>(homes_.size()); }
  RegSet usedGprPins() const { return gprPins_; }
  RegSet usedXmmPins() const { return xmmPins_; }
  uint32_t volatilePins() const { return volatilePins_; }                     // in PinFacts form
  uint32_t localOfPin(unsigned factBit) const { return pinOwner_[factBit]; }  // factBit as in PinFacts

 private:
  struct Candidate {
    uint32_t weight, local;
  };
  void pinIntegers(bool leaf);
  void pinFloats();
  void give(uint32_t local, uint8_t reg, bool isVolatile);
  std::vector<LocalHome> homes_;
  std::vector<Candidate> integers_, floats_;
  RegSet gprPins_ = 0, xmmPins_ = 0;
  uint32_t volatilePins_ = 0;
  uint32_t pinOwner_[32] = {};
};

}  // namespace wattle::compile::baseline
