// How loops notice an interruption (sandbox/poll_page.h): a load through gs whose result nobody reads. The fault hook
// knows it by its bytes.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

namespace wattle::abi {

// mov r11d, gs:[0]; r11 is nobody's (registers.h)
inline constexpr std::array<uint8_t, 9> kPoll = {0x65, 0x44, 0x8b, 0x1c, 0x25, 0, 0, 0, 0};

// Is it the instruction at this address, within code?
inline bool isPoll(uintptr_t pc) {
  return std::ranges::equal(kPoll, std::span(reinterpret_cast<const uint8_t*>(pc), kPoll.size()));
}

}  // namespace wattle::abi
