// The words of the text format.
#pragma once

#include <optional>
#include <string_view>

#include "frontend/opcodes.h"

namespace wattle::frontend::text {

// The instruction of that name. Where one name has two encodings ("select", "ref.test", ...) it is the first in the
// table.
std::optional<Op> findOp(std::string_view name);

// True for every keyword of modules and scripts: another word is an "unknown operator", a known one merely misplaced.
bool isKnownKeyword(std::string_view word);

}  // namespace wattle::frontend::text
