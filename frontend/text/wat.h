// The text format: a text module becomes a binary module.
//
// Only what the text format itself asks for is checked here (tokens, grammar, names, literals, inline types). The bytes
// are then decoded and validated like any other module.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "frontend/error.h"

namespace wattle::frontend {

struct WatOptions {
  bool nameSection = true;  // write the identifiers ($x) to a "name" custom section
};

// Error::offset is a byte offset in `source`; see lineColumn. Sources of 4 GiB and more are refused (ErrorKind::Limit).
Result<std::vector<uint8_t>> parseWat(std::string_view source, const WatOptions& options = {});

struct LineColumn {
  uint32_t line = 1;    // from 1
  uint32_t column = 1;  // from 1, in bytes
};

LineColumn lineColumn(std::string_view source, uint64_t offset);

}  // namespace wattle::frontend
