#include "runtime/cli/asm_listing.h"

#include <fmt/format.h>

#include "runtime/cli/native_listing.h"
#include "runtime/cli/quantities.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/wasm_listing.h"

namespace wattle::cli {

namespace {

// Prints the wasm instructions up to and including the one at `offset`.
class WasmLines {
 public:
  explicit WasmLines(std::vector<ListedInstruction> list) : list_(std::move(list)) {}

  void printUpTo(uint64_t offset) {
    for (; next_ < list_.size() && list_[next_].offset <= offset; next_++) {
      const ListedInstruction& i = list_[next_];
      print("{}\n", onOutput(Style::Green, fmt::format("  {:#08x}  {:{}}{}", i.offset, "", 2 * i.depth, i.text)));
    }
  }
  void printRest() { printUpTo(~0ull); }

 private:
  std::vector<ListedInstruction> list_;
  size_t next_ = 0;
};

std::string hexBytes(std::span<const uint8_t> bytes) {
  std::string text;
  for (uint8_t b : bytes) text += fmt::format("{:02x}", b);
  return text;
}

}  // namespace

Result<void> printAsmListing(const FunctionInfo& function, std::span<const uint8_t> module,
                             const CompiledFunction& compiled) {
  auto native = disassemble(compiled.code, compiled.address);
  if (!native) return std::unexpected(Error::make(ErrorKind::Unsupported, native.error()));
  print("{}\n",
        onOutput(Style::Bold, fmt::format("function {} {} {}: {} wasm, {} native", function.index, function.name,
                                          function.type, formatSize(function.size), formatSize(compiled.code.size()))));
  WasmLines wasm(listBody(module.subspan(function.offset, function.size), function.offset));
  auto position = compiled.positions.begin();
  for (const NativeInstruction& i : *native) {
    for (; position != compiled.positions.end() && position->codeOffset <= i.offset; ++position) {
      wasm.printUpTo(position->moduleOffset);
    }
    std::string bytes = hexBytes(std::span(compiled.code).subspan(i.offset, i.size));
    print("{}\n", fmt::format("            {:>6x}: {} {}", i.offset, onOutput(Style::Dim, fmt::format("{:<22}", bytes)),
                              i.text));
  }
  wasm.printRest();
  write("\n");
  return {};
}

}  // namespace wattle::cli
