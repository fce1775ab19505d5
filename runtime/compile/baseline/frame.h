// Places of arguments and results by the calling convention (abi/registers.h), and fixed slots of a frame.
#pragma once

#include <cstdint>
#include <vector>

#include "frontend/types.h"
#include "runtime/compile/abi/registers.h"
#include "runtime/compile/baseline/operand.h"
#include "runtime/compile/x64/assembler.h"

namespace wattle::compile::baseline {

inline constexpr int32_t kContextSlot = -8;
inline constexpr int32_t kResultsSlot = -16;
constexpr int32_t kSavedSlot(size_t i) { return -24 - 8 * static_cast<int32_t>(i); }
inline constexpr int32_t kFrameTop = -40;

// --- results -------------------------------------------------------------------------------------------------------

struct ResultPlace {
  enum Where : uint8_t { Integer, Float, Memory } where = Integer;
  uint8_t reg = 0;      // rax or rdx; xmm0 or xmm1
  uint32_t offset = 0;  // Memory: in the results area
};

// Walks the results of a signature in order.
class ResultPlaces {
 public:
  explicit ResultPlaces(const frontend::FuncType& type) {
    for (auto t : type.results) count(t);
    inMemory = memory_;
    area = memory_ ? static_cast<uint32_t>(type.results.size()) * 16 : 0;
    integers_ = floats_ = memory_ = index_ = 0;
  }
  ResultPlace next(frontend::ValType t) { return count(t); }
  uint32_t inMemory = 0;  // how many are in the results area
  uint32_t area = 0;      // its size in bytes

 private:
  ResultPlace count(frontend::ValType t) {
    uint32_t i = index_++;
    if (isFloat(typeOf(t))) {
      if (floats_ < abi::kResultRegisters) return {ResultPlace::Float, static_cast<uint8_t>(floats_++), 0};
    } else if (integers_ < abi::kResultRegisters) {
      return {ResultPlace::Integer, static_cast<uint8_t>(integers_++ ? Gpr::rdx : Gpr::rax), 0};
    }
    ++memory_;
    return {ResultPlace::Memory, 0, i * 16};
  }
  uint32_t integers_ = 0, floats_ = 0, memory_ = 0, index_ = 0;
};

// --- arguments -----------------------------------------------------------------------------------------------------

struct ArgumentPlace {
  enum Where : uint8_t { Integer, Float, Stack } where = Integer;
  uint8_t reg = 0;
  uint32_t offset = 0;  // Stack: from the first stack argument
  Gpr gpr() const { return static_cast<Gpr>(reg); }
  Xmm xmm() const { return static_cast<Xmm>(reg); }
};

class ArgumentPlaces {
 public:
  explicit ArgumentPlaces(const frontend::FuncType& type) : integers_(ResultPlaces(type).inMemory ? 1 : 0) {}
  ArgumentPlace next(frontend::ValType t) {
    Type type = typeOf(t);
    if (isFloat(type)) {
      if (floats_ < abi::kFloatArguments) return {ArgumentPlace::Float, static_cast<uint8_t>(floats_++), 0};
    } else if (integers_ < abi::kIntegerArguments) {
      return {ArgumentPlace::Integer, static_cast<uint8_t>(kIntegerArgumentRegs[integers_++]), 0};
    }
    uint32_t at = stack_;
    stack_ += type == Type::V128 ? 16 : 8;
    return {ArgumentPlace::Stack, 0, at};
  }
  uint32_t stackBytes() const { return (stack_ + 15) & ~15u; }  // of those seen so far
  static uint32_t stackBytes(const frontend::FuncType& type) {
    ArgumentPlaces places(type);
    for (auto t : type.params) places.next(t);
    return places.stackBytes();
  }

 private:
  uint32_t integers_, floats_ = 0, stack_ = 0;
};

// What a call of a signature needs to know, worked out once per module and type.
struct CallShape {
  std::vector<ArgumentPlace> arguments;
  uint32_t stackBytes = 0;   // of the argument area
  uint32_t resultsArea = 0;  // bytes of the results area; 0: all results in registers
  CallShape() = default;
  explicit CallShape(const frontend::FuncType& type) {
    ArgumentPlaces places(type);
    arguments.reserve(type.params.size());
    for (auto t : type.params) arguments.push_back(places.next(t));
    stackBytes = places.stackBytes();
    resultsArea = ResultPlaces(type).area;
  }
};

// --- parallel moves ------------------------------------------------------------------------------------------------

// Moves among registers that all happen at once: a move whose target nobody still reads goes first; what is left are
// cycles, opened through the scratch register.
template <class Reg>
class ParallelMoves {
 public:
  void add(Reg dst, Reg src) {
    if (dst == src) return;
    source_[x64::num(dst)] = static_cast<uint8_t>(src);
    pending_ |= bit(dst);
    ++readers_[x64::num(src)];
  }
  template <class Assembler>
  void emit(Assembler& as, Reg scratch) {
    while (pending_) {
      RegSet ready = 0;
      for (RegSet p = pending_; p; p &= p - 1) {
        if (readers_[lowest(p)] == 0) ready |= 1u << lowest(p);
      }
      if (!ready) {  // only cycles are left
        unsigned first = lowest(pending_);
        copy(as, scratch, static_cast<Reg>(first));
        for (RegSet p = pending_; p; p &= p - 1) {
          if (source_[lowest(p)] == first) source_[lowest(p)] = static_cast<uint8_t>(scratch);
        }
        readers_[first] = 0;
        continue;
      }
      for (; ready; ready &= ready - 1) {
        unsigned dst = lowest(ready);
        copy(as, static_cast<Reg>(dst), static_cast<Reg>(source_[dst]));
        --readers_[source_[dst]];
        pending_ &= ~(1u << dst);
      }
    }
  }

 private:
  template <class Assembler>
  static void copy(Assembler& as, Gpr dst, Gpr src) {
    as.mov(x64::w64, dst, src);
  }
  template <class Assembler>
  static void copy(Assembler& as, Xmm dst, Xmm src) {
    as.movaps(dst, src);
  }
  uint8_t source_[16] = {};
  uint8_t readers_[16] = {};
  RegSet pending_ = 0;
};
using RegisterMoves = ParallelMoves<Gpr>;
using FloatMoves = ParallelMoves<Xmm>;

}  // namespace wattle::compile::baseline
