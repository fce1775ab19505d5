// A set of numbered slots, handed out lowest first, in a few word operations.
//
// One bit a slot, set when the slot is taken; above it one bit a word, set when the word is full, and so on up to one
// word. The lowest free slot is found by descending along the first zero bit of each level: 4 steps for 16 million
// slots. Handing out the lowest keeps live slots together, so that the pages at the far end become free and can be
// returned.
//
//   level 1            [ 1 1 0 . ]              first zero: word 2
//                        | | |
//   level 0   [1111] [1111] [1101] [0000]       first zero in word 2: slot 10
//
// The memory belongs to the caller and must be zero: a bitmap over slots never used costs no page. Not thread-safe.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace wattle::sandbox {

class SlotBitmap {
 public:
  static constexpr unsigned kLevels = 4;
  static constexpr uint32_t kMaxSlots = 1u << (6 * kLevels);

  static size_t bytesFor(uint32_t slots) {
    size_t words = 0;
    for (uint32_t n = slots; n > 1; n = wordsFor(n)) words += wordsFor(n);
    return (words == 0 ? 1 : words) * sizeof(uint64_t);
  }

  // `memory`: bytesFor(slots) zero bytes.
  void init(uint32_t slots, void* memory) {
    auto* word = static_cast<uint64_t*>(memory);
    levels_ = 0;
    uint32_t n = slots;
    do {
      level_[levels_++] = word;
      const uint32_t words = wordsFor(n);
      // What lies beyond the last slot counts as taken.
      if (n % 64 != 0) word[words - 1] = ~uint64_t{0} << (n % 64);
      word += words;
      n = words;
    } while (n > 1);
  }

  std::optional<uint32_t> take() {
    uint32_t index = 0;
    for (unsigned l = levels_; l-- > 0;) {
      const uint64_t word = level_[l][index];
      if (word == ~uint64_t{0}) return std::nullopt;  // only at the top
      index = index * 64 + static_cast<uint32_t>(std::countr_one(word));
    }
    uint32_t at = index;
    for (unsigned l = 0; l < levels_; ++l) {
      uint64_t& word = level_[l][at / 64];
      word |= uint64_t{1} << (at % 64);
      if (word != ~uint64_t{0}) break;
      at /= 64;
    }
    return index;
  }

  void release(uint32_t slot) {
    for (unsigned l = 0; l < levels_; ++l) {
      uint64_t& word = level_[l][slot / 64];
      const bool wasFull = word == ~uint64_t{0};
      word &= ~(uint64_t{1} << (slot % 64));
      if (!wasFull) break;
      slot /= 64;
    }
  }

  bool taken(uint32_t slot) const { return level_[0][slot / 64] >> (slot % 64) & 1; }
  // No slot taken in the aligned group of 64 around `slot`.
  bool groupEmpty(uint32_t slot) const { return level_[0][slot / 64] == 0; }
  bool aloneInGroup(uint32_t slot) const { return level_[0][slot / 64] == uint64_t{1} << (slot % 64); }
  bool full() const { return level_[levels_ - 1][0] == ~uint64_t{0}; }

 private:
  static constexpr uint32_t wordsFor(uint32_t n) { return (n + 63) / 64; }

  uint64_t* level_[kLevels] = {};
  unsigned levels_ = 0;
};

}  // namespace wattle::sandbox
