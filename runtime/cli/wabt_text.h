// Text of a module by wabt.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>

namespace wattle::cli {

enum class TextForm { Wat, Decompiled };

// The error is one line: the installed wabt does not know all of Wasm 3.0.
std::expected<std::string, std::string> printModule(std::span<const uint8_t> bytes, TextForm form);

}  // namespace wattle::cli
