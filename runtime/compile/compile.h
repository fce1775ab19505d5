// Compilation of whole modules: bodies through a tier, in parallel, into one block of the code cache.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "frontend/error.h"
#include "frontend/module.h"
#include "runtime/codecache/code_cache.h"
#include "runtime/compile/abi/entry.h"
#include "runtime/compile/abi/vmcontext.h"

namespace wattle::compile {

// What code depends on besides the module: part of every cache key.
struct Settings {
  bool guarded = true;  // memories 0.. of 32 bits are guarded (sandbox::Bounds::Guarded); else every access compares
  bool fuel = false;
  bool lazy = false;  // functions are compiled at first call, through a jump table
  bool polls = true;  // loops notice an interruption by abi/poll.h; else they compare rsp with the stack limit
  bool operator==(const Settings&) const = default;
};

struct Error {
  frontend::Error error;     // Malformed/Invalid/Limit: from decoding the bodies
  bool cacheFull = false;    // then error.message is the code cache's
  bool unsupported = false;  // error.message names the feature
};

// Code as it was written down: its ranges (functions only, by their place in the block), its bytes, and where they
// belong in the block.
struct CodeImage {
  std::span<const codecache::CodeRange> ranges;
  uint32_t codeAt = 0;  // lazy code: behind the jump table
  std::span<const uint8_t> code;
  int file = -1;  // of a page-aligned copy that may be run from where it is; -1: to be copied
  uint64_t fileOffset = 0;
  // From here on it is worth two mappings.
  static constexpr uint32_t kMapBytes = 256 * 1024;
};

class WorkerPool;  // worker_pool.h
class LazyState;   // lazy.h

// The native code of one module for one Settings. Immutable but for lazily compiled functions; shared by all instances.
class ModuleCode {
 public:
  ~ModuleCode();
  // Entry of a defined function (index in the module's function space). Stable for the life of the ModuleCode.
  const void* entry(uint32_t functionIndex) const;
  // The function's own code, compiled now if it is lazy and has not been called yet: what the CompileLazy builtin
  // returns. Any thread.
  std::expected<const void*, Error> materialize(uint32_t functionIndex) const;
  const codecache::CodeRef& block() const { return block_; }
  const Settings& settings() const { return settings_; }
  uint64_t codeBytes() const;
  // Of a function that is not lazy: offset of its entry in the block, and CodeRange::flags in the low four bits.
  uint32_t packedEntry(uint32_t functionIndex) const { return offsets_[functionIndex - firstFunction_]; }

  explicit ModuleCode(Settings settings);
  // What there is to write down: all code, or of lazy code what has been compiled by now into the block that will be
  // there again. Valid as long as this. `ranges` receives what the image refers to.
  CodeImage image(std::vector<codecache::CodeRange>& ranges) const;
  // Code that was read back; `image` must be one of this very module for these settings. `module` and `bytes` as in
  // compileModule(). The error is the code cache's; nothing (and no error) when the image contradicts the module.
  static std::expected<std::shared_ptr<ModuleCode>, std::string> restore(const frontend::ModuleInfo& module,
                                                                         std::span<const uint8_t> bytes,
                                                                         const Settings& settings,
                                                                         const CodeImage& image);

 private:
  friend class ModuleCompiler;
  void publish();
  bool adoptRanges(std::span<const codecache::CodeRange> ranges);
  Settings settings_;
  codecache::CodeRef block_;
  uint32_t firstFunction_ = 0;
  std::vector<uint32_t> offsets_;  // packedEntry of each defined function
  std::unique_ptr<LazyState> lazy_;
};

// Validates and compiles every body. `module` and `bytes` must live as long as the result when settings.lazy.
std::expected<std::shared_ptr<ModuleCode>, Error> compileModule(const frontend::ModuleInfo& module,
                                                                std::span<const uint8_t> bytes,
                                                                const Settings& settings, WorkerPool& pool);

// Where in the module the code at `codeOffset` (from the function's entry) comes from. No map is kept: the compiler is
// deterministic, so the function is compiled once more, noting positions. For a return address pass offset - 1.
std::optional<uint64_t> sourceOffset(const frontend::ModuleInfo& module, std::span<const uint8_t> bytes,
                                     const Settings& settings, uint32_t functionIndex, uint32_t codeOffset);

// With settings.fuel: how many units have been charged at that place for instructions that come after it.
uint64_t fuelAhead(const frontend::ModuleInfo& module, std::span<const uint8_t> bytes, const Settings& settings,
                   uint32_t functionIndex, uint32_t codeOffset);

// --- stubs: shared by all modules, one per shape of signature, kept for the life of the process; nullptr: the code
// cache is full -----

// What entry code needs of vm/call.cc. The same in all calls of a process.
struct EntrySupport {
  int32_t threadOffset = 0;  // from the thread pointer (fs) to the VMThread*, which is null until prepare was called
  const void* prepareStub = nullptr;              // prepareStub(prepare)
  void (*restore)(abi::VMActivation*) = nullptr;  // called after a call with a `lender`
};
// prepare() makes the stack limit of the activation's store right for a call that starts at its stackPointer, and gives
// the thread; or nullptr, and has set the activation's reason.
const void* prepareStub(abi::VMThread* (*prepare)(abi::VMActivation*));
// Host to guest, as entry_stubs.cc says: arguments and results in the activation's `values`.
using EntryStub = void (*)(abi::VMActivation*);
EntryStub entryStub(const frontend::FuncType& type, const EntrySupport& support);
// The same with arguments and result in registers, for signatures with so many integer arguments, at most 6.
const void* typedEntry(unsigned integers, const EntrySupport& support);
const void* trapExit(const EntrySupport& support);

// Guest to host: code for a VMFuncRef/VMFunctionImport whose context is a host function's VMContext. It stores the
// arguments to an array of RawValue on the stack, calls hostEntry(context, values, callerContext), traps when that
// returns nonzero (reason in eax), and loads the results from the same array. UncaughtException is no trap: it throws
// the store context's pendingException.
using HostEntry = uint32_t (*)(abi::VMContext* hostContext, abi::RawValue* values, abi::VMContext* callerContext);
const void* hostStub(const frontend::FuncType& type, HostEntry entry);
// The same for host functions with a VMHostContext::thunk (abi/entry.h), which all arguments and the result are passed
// to in registers.
const void* typedHostStub(unsigned integers);
// Fill BuiltinTable::safepointStub and throwStub.
const void* safepointStub();
const void* allocationStub();
const void* throwStub();

}  // namespace wattle::compile
