#include "runtime/cli/native_listing.h"

#include <Zydis/Zydis.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <utility>

#include "runtime/compile/abi/trap_reason.h"

namespace wattle::cli {

namespace {

struct Zydis {
  decltype(&ZydisDecoderInit) decoderInit = nullptr;
  decltype(&ZydisDecoderDecodeFull) decode = nullptr;
  decltype(&ZydisFormatterInit) formatterInit = nullptr;
  decltype(&ZydisFormatterFormatInstruction) format = nullptr;

  bool open() {
    void* library = dlopen(WATTLE_ZYDIS_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library) return false;
    auto find = [&]<class F>(F& function, const char* name) {
      function = reinterpret_cast<F>(dlsym(library, name));
      return function != nullptr;
    };
    return find(decoderInit, "ZydisDecoderInit") && find(decode, "ZydisDecoderDecodeFull") &&
           find(formatterInit, "ZydisFormatterInit") && find(format, "ZydisFormatterFormatInstruction");
  }
};

}  // namespace

std::expected<std::vector<NativeInstruction>, std::string> disassemble(std::span<const uint8_t> code,
                                                                       uint64_t address) {
  static Zydis zydis;
  static const bool opened = zydis.open();
  if (!opened) {
    return std::unexpected(fmt::format("{} cannot be opened (Debian package libzydis4.0)", WATTLE_ZYDIS_LIBRARY));
  }
  ZydisDecoder decoder;
  ZydisFormatter formatter;
  zydis.decoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  zydis.formatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
  std::vector<NativeInstruction> list;
  for (size_t at = 0; at < code.size();) {
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    char text[128];
    bool valid = ZYAN_SUCCESS(zydis.decode(&decoder, code.data() + at, code.size() - at, &instruction, operands)) &&
                 ZYAN_SUCCESS(zydis.format(&formatter, &instruction, operands, instruction.operand_count_visible, text,
                                           sizeof text, address + at, nullptr));
    uint32_t size = valid ? instruction.length : 1;
    std::string line = valid ? text : fmt::format("db {:#04x}", code[at]);
    // A trap site: the byte after ud2 is the reason.
    if (valid && instruction.mnemonic == ZYDIS_MNEMONIC_UD2 && at + size < code.size()) {
      line += fmt::format("  ; {}", abi::toString(static_cast<abi::TrapReason>(code[at + size])));
      size++;
    }
    list.push_back({static_cast<uint32_t>(at), size, std::move(line)});
    at += size;
  }
  return list;
}

}  // namespace wattle::cli
