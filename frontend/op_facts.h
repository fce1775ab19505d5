// Facts about instructions that follow from their names and signatures, computed at compile time: operand types, access
// width, lane count. Nothing here lists opcodes; see opcodes.def.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

#include "frontend/opcodes.h"
#include "frontend/types.h"

namespace wattle::frontend {

// The signature column, parsed. Valid for every instruction whose column is not "*".
struct Signature {
  uint8_t operands = 0;
  uint8_t results = 0;
  bool address = false;  // operand 0 is of the memory's address type
  ValType operand[4];
  ValType result[2];
};

constexpr ValType valTypeOfLetter(char letter) {
  switch (letter) {
    case 'i': return kI32;
    case 'I': return kI64;
    case 'f': return kF32;
    case 'F': return kF64;
    case 'v': return kV128;
    default: return kBottom;
  }
}

constexpr bool hasSignature(Op op) { return info(op).signature != "*"; }

constexpr Signature signatureOf(Op op) {
  Signature signature;
  bool inResults = false;
  for (const char letter : info(op).signature) {
    if (letter == ':') {
      inResults = true;
    } else if (inResults) {
      signature.result[signature.results++] = valTypeOfLetter(letter);
    } else {
      if (letter == 'a') signature.address = true;
      signature.operand[signature.operands++] = valTypeOfLetter(letter);
    }
  }
  return signature;
}

// How many indices, each an unsigned LEB of 32 bits, the immediate is; 0 if it is something else, or more than that.
constexpr unsigned indexCount(Imm imm) {
  switch (imm) {
    case Imm::Label:
    case Imm::Function:
    case Imm::Type:
    case Imm::Local:
    case Imm::Global:
    case Imm::Table:
    case Imm::Tag:
    case Imm::Elem:
    case Imm::Data:
    case Imm::Memory: return 1;
    case Imm::TypeTable:
    case Imm::TableTable:
    case Imm::ElemTable:
    case Imm::DataMemory:
    case Imm::MemoryMemory:
    case Imm::TypeField:
    case Imm::TypeType:
    case Imm::TypeData:
    case Imm::TypeElem:
    case Imm::TypeCount: return 2;
    default: return 0;
  }
}

namespace detail {

constexpr bool isDigit(char c) { return c >= '0' && c <= '9'; }

// The number at the start of `text`, or 0.
constexpr unsigned leadingNumber(std::string_view text) {
  unsigned number = 0;
  for (size_t i = 0; i < text.size() && isDigit(text[i]); i++)
    number = number * 10 + static_cast<unsigned>(text[i] - '0');
  return number;
}

constexpr std::string_view after(std::string_view text, std::string_view word) {
  const size_t at = text.find(word);
  return at == std::string_view::npos ? std::string_view() : text.substr(at + word.size());
}

}  // namespace detail

// Bytes that a load, store or atomic access touches: "i64.load32_s" 4, "v128.load8x8_u" 8, "i32.atomic.rmw8.add_u" 1.
constexpr unsigned accessBytes(Op op) {
  const std::string_view name = info(op).name;
  for (const std::string_view word : {".load", ".store", ".rmw", ".wait"}) {
    const std::string_view rest = detail::after(name, word);
    if (const unsigned bits = detail::leadingNumber(rest)) {
      const std::string_view shape = rest.substr(rest.find_first_not_of("0123456789") == std::string_view::npos
                                                     ? rest.size()
                                                     : rest.find_first_not_of("0123456789"));
      return shape.starts_with('x') ? bits * detail::leadingNumber(shape.substr(1)) / 8 : bits / 8;
    }
  }
  if (name == "memory.atomic.notify") return 4;
  return detail::leadingNumber(name.substr(1)) / 8;  // the value's own width: i32, f64, v128
}

// The natural alignment, as an exponent of two.
constexpr unsigned naturalAlignment(Op op) { return static_cast<unsigned>(std::bit_width(accessBytes(op)) - 1); }

// Lanes of the vector that a lane immediate may select from.
constexpr unsigned laneCount(Op op) {
  if (info(op).imm == Imm::MemArgLane) return 16 / accessBytes(op);
  return detail::leadingNumber(detail::after(info(op).name, "x"));  // "i8x16.extract_lane_s"
}

constexpr bool isAtomic(Op op) { return info(op).feature == Feature::Threads; }

}  // namespace wattle::frontend
