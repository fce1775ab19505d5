// Functions compiled at their first call.
//
// A lazy module's block begins with a stub and a jump table of one slot per defined function; the rest is reserved
// address space that is committed as functions are compiled into it, in the order of their first calls. That code calls
// slots only, at fixed distances, so all of it together is an image that another process maps at the same place of its
// block (behind a table of its own) and goes on from.
//
//   +0       lazy stub: saves the arguments, asks the CompileLazy builtin for the code of function r11d, jumps there
//   slots    16 bytes each   at first:  mov r11d, index; jmp stub      later:  jmp code  (the bytes behind it stay)
//   code ...           from the next page on
//
// Every direct call and every entry handed out goes to a slot, so an address never changes. A slot is rewritten by one
// aligned 8-byte store whose last three bytes are the old ones: a thread that has executed the old `mov` finds the old
// `jmp` intact.
#pragma once

#include <atomic>
#include <expected>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "runtime/compile/baseline/function_compiler.h"
#include "runtime/compile/compile.h"

namespace wattle::compile {

// A block with the image's code in its place, mapped or copied.
std::expected<codecache::CodeRef, std::string> blockOf(const CodeImage& image, uint32_t blockBytes);

class LazyState {
 public:
  // Reserves the block and fills the table. The bodies have been validated. The error is the code cache's.
  static std::expected<std::unique_ptr<LazyState>, std::string> create(const frontend::ModuleInfo& module,
                                                                       std::span<const uint8_t> bytes,
                                                                       const Settings& settings, const void* owner);
  // The same, with code that was compiled in another process. Null: the image is not one of this module.
  static std::expected<std::unique_ptr<LazyState>, std::string> restore(const frontend::ModuleInfo& module,
                                                                        std::span<const uint8_t> bytes,
                                                                        const Settings& settings, const void* owner,
                                                                        const CodeImage& image);
  // What has been compiled, but for what found no place in the first block.
  CodeImage image(std::vector<codecache::CodeRange>& ranges) const;
  const codecache::CodeRef& block() const { return block_; }
  const void* slot(uint32_t functionIndex) const {
    return block_->code() + slotOffset(functionIndex - module_.importedFunctions);
  }
  // The function's code, compiled now if need be. Any thread.
  std::expected<const void*, Error> materialize(uint32_t functionIndex);
  uint64_t codeBytes() const;

 private:
  static std::unique_ptr<LazyState> make(const frontend::ModuleInfo& module, std::span<const uint8_t> bytes,
                                         const Settings& settings, const void* owner);
  uint32_t blockBytes() const;
  bool fits(std::span<const codecache::CodeRange> ranges);
  void open(codecache::CodeRef block, std::span<const codecache::CodeRange> ranges);
  LazyState(const frontend::ModuleInfo& module, std::span<const uint8_t> bytes, const Settings& settings);
  static constexpr uint32_t kSlotBytes = 16;
  uint32_t slotOffset(uint32_t i) const { return slots_ + i * kSlotBytes; }
  std::unique_ptr<baseline::FunctionCompiler> takeCompiler();
  std::expected<const void*, std::string> place(uint32_t functionIndex, const baseline::Compiler& compiled);
  void link(uint8_t* writable, const uint8_t* code, uint32_t size, std::span<const baseline::CallSite> sites);
  void patchSlot(uint32_t i, const void* code);
  std::expected<void, std::string> openBlock(uint64_t bytes);

  const frontend::ModuleInfo& module_;
  abi::Layout layout_;
  baseline::ModuleContext context_;
  const void* owner_ = nullptr;
  codecache::CodeRef block_;              // with the table
  std::vector<codecache::CodeRef> more_;  // further ones, should the first be too small
  std::unique_ptr<std::atomic<const void*>[]> code_;
  uint32_t slots_ = 0;
  uint32_t count_ = 0;   // of slots
  uint32_t codeAt_ = 0;  // the first page behind them: an image of the code can be mapped there

  mutable std::mutex mutex_;  // held to place code, never while compiling
  codecache::CodeBlock* current_ = nullptr;
  uint32_t used_ = 0;       // of the current block
  uint32_t firstUsed_ = 0;  // of the first block
  uint64_t codeBytes_ = 0;
  std::vector<std::unique_ptr<baseline::FunctionCompiler>> idle_;
};

}  // namespace wattle::compile
