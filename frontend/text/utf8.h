// UTF-8 (RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace wattle::frontend::text {

// Length of the well-formed sequence that starts at `at`, or 0 when there is none.
size_t utf8SequenceLength(std::string_view text, size_t at);
bool isUtf8(std::string_view text);
bool isScalarValue(uint32_t codePoint);
void appendUtf8(std::string& out, uint32_t codePoint);

}  // namespace wattle::frontend::text
