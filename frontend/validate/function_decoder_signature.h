// Instructions whose typing the signature column gives in full: numeric and vector instructions, loads and stores,
// constants. Included by function_decoder.h.
#pragma once

#include <array>
#include <cstring>

#include "frontend/validate/function_decoder.h"

namespace wattle::frontend {

// Pops the operands and pushes the results. One comparison of all operand words serves the common case.
template <class Sink>
template <Op op>
bool FunctionDecoder<Sink>::apply(Cursor& at, ValType address) {
  static constexpr Signature signature = signatureOf(op);
  constexpr int operands = signature.operands, results = signature.results;
  uint32_t different = 0;
  for (int i = 0; i < operands; i++) {
    const ValType expected = i == 0 && signature.address ? address : signature.operand[i];
    different |= at.top[i - operands].bits() ^ expected.bits();
  }
  if (different != 0) [[unlikely]]
    return popped(at, applySlow(at.top, signature, address));
  at.top += results - operands;
  for (int i = 0; i < results; i++) {
    // What lies there already need not be written.
    const bool same = i < operands && !signature.address && signature.result[i] == signature.operand[i];
    if (!same) at.top[i - results] = signature.result[i];
  }
  return true;
}

template <class Sink>
template <Op op>
bool FunctionDecoder<Sink>::readMemArg(Cursor& at, MemArg& arg, ValType& address) {
  constexpr unsigned natural = naturalAlignment(op);
  arg.alignLog2 = *at.pos;
  arg.memory = 0;
  address = memory0_;
  if (arg.alignLog2 <= natural && !memory0_.isBottom()) [[likely]] {
    at.pos++;
  } else {
    const MemoryUse use = readMemoryUse(at.pos);
    if (!use.next) return false;
    at.pos = use.next;
    arg.alignLog2 = use.alignLog2;
    arg.memory = use.memory;
    address = addressType(module_.memories[arg.memory].type.is64);
  }
  arg.offset = readU64(at);
  if (arg.alignLog2 > natural || (isAtomic(op) && arg.alignLog2 != natural) ||
      (address == kI32 && arg.offset > UINT32_MAX)) [[unlikely]] {
    return memArgError(arg.alignLog2, arg.offset, natural, isAtomic(op));
  }
  return true;
}

template <class Sink>
template <Op op>
bool FunctionDecoder<Sink>::constant(Cursor& at) {
  static constexpr ValType type = signatureOf(op).result[0];
  if constexpr (info(op).imm == Imm::I32) {
    const int32_t value = readS32(at);
    push(at, type);
    emitQuietly([&](Sink& sink) { sink.constI32(value); });
  } else if constexpr (info(op).imm == Imm::I64) {
    const int64_t value = readS64(at);
    push(at, type);
    emitQuietly([&](Sink& sink) { sink.constI64(value); });
  } else if constexpr (info(op).imm == Imm::F32) {
    uint32_t bits;
    std::memcpy(&bits, at.pos, 4);
    at.pos += 4;
    push(at, type);
    emitQuietly([&](Sink& sink) { sink.constF32(bits); });
  } else if constexpr (info(op).imm == Imm::F64) {
    uint64_t bits;
    std::memcpy(&bits, at.pos, 8);
    at.pos += 8;
    push(at, type);
    emitQuietly([&](Sink& sink) { sink.constF64(bits); });
  } else {
    std::array<uint8_t, 16> bits;
    std::memcpy(bits.data(), at.pos, 16);
    at.pos += 16;
    push(at, type);
    emit(at, [&](Sink& sink) { sink.constV128(bits); });
  }
  return true;
}

template <class Sink>
template <Op op>
bool FunctionDecoder<Sink>::exec(OpTag<op>, Cursor& at) {
  static_assert(hasSignature(op), "this instruction needs a handler of its own");
  constexpr Imm imm = info(op).imm;
  if constexpr (imm == Imm::None) {
    if (!apply<op>(at)) return false;
    emit(at, [](Sink& sink) { sink.template simple<op>(); });
  } else if constexpr (imm == Imm::MemArg || imm == Imm::MemArgLane) {
    MemArg arg;
    ValType address;
    if (!readMemArg<op>(at, arg, address)) return false;
    if constexpr (imm == Imm::MemArg) {
      if (!apply<op>(at, address)) return false;
      emit(at, [&](Sink& sink) { sink.template memory<op>(arg); });
    } else {
      const uint8_t lane = *at.pos++;
      if (lane >= laneCount(op)) return invalid("invalid lane index " + std::to_string(lane));
      if (!apply<op>(at, address)) return false;
      emit(at, [&](Sink& sink) { sink.template memoryLane<op>(arg, lane); });
    }
  } else if constexpr (imm == Imm::Lane) {
    const uint8_t lane = *at.pos++;
    if (lane >= laneCount(op)) return invalid("invalid lane index " + std::to_string(lane));
    if (!apply<op>(at)) return false;
    emit(at, [&](Sink& sink) { sink.template lane<op>(lane); });
  } else if constexpr (imm == Imm::Shuffle) {
    std::array<uint8_t, 16> lanes;
    std::memcpy(lanes.data(), at.pos, 16);
    at.pos += 16;
    for (const uint8_t lane : lanes) {
      if (lane >= 32) return invalid("invalid lane index " + std::to_string(lane));
    }
    if (!apply<op>(at)) return false;
    emit(at, [&](Sink& sink) { sink.shuffle(lanes); });
  } else if constexpr (imm == Imm::Fence) {
    if (*at.pos++ != 0) return malformed("zero byte expected in atomic.fence");
    emit(at, [](Sink& sink) { sink.atomicFence(); });
  } else {
    return constant<op>(at);
  }
  return true;
}

}  // namespace wattle::frontend
