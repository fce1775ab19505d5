// The instructions of a function body as text, for listings.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace wattle::cli {

struct ListedInstruction {
  uint64_t offset = 0;  // in the module
  unsigned depth = 0;   // of nesting
  std::string text;     // "i32.load offset=4"
};

// `body` is a code section entry without its size, at `offset` in the module, of a module that was found valid.
std::vector<ListedInstruction> listBody(std::span<const uint8_t> body, uint64_t offset);

}  // namespace wattle::cli
