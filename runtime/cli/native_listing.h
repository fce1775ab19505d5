// Native code as text, by Zydis.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <vector>

namespace wattle::cli {

struct NativeInstruction {
  uint32_t offset = 0;
  uint32_t size = 0;
  std::string text;  // "mov eax, [rdi+0x10]"; "db 0x06" for a byte that is no instruction
};

// `address` is where the code stands: the base of relative targets. The error is one line: Zydis could not be opened.
std::expected<std::vector<NativeInstruction>, std::string> disassemble(std::span<const uint8_t> code, uint64_t address);

}  // namespace wattle::cli
