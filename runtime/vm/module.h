// A module: what its bytes say, its types' canonical ids, and its code. Immutable to the eye; code for another kind of
// bounds, names and the like are made at first need. Shared by any number of threads, stores and instances.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/binary/module_decoder.h"
#include "frontend/module.h"
#include "runtime/compile/abi/vmcontext.h"
#include "runtime/compile/compile.h"
#include "runtime/vm/engine.h"
#include "runtime/vm/image.h"
#include "runtime/vm/module_bytes.h"
#include "runtime/vm/once.h"
#include "runtime/vm/type_registry.h"
#include "sandbox/linear_memory.h"
#include "sandbox/memory_image.h"
#include "wattle/wattle.hpp"

namespace wattle::vm {

class Module {
 public:
  // Decodes, validates, compiles; or finds the equal module that lives already.
  static Result<std::shared_ptr<Module>> create(std::shared_ptr<Engine> engine, ModuleBytes bytes);
  ~Module();
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  const std::shared_ptr<Engine>& engine() const { return engine_; }
  // Without the functions' bodies if hasBodies() is false, and all ranges of info() but theirs are of what is left.
  std::span<const uint8_t> bytes() const { return bytes_.span(); }
  bool hasBodies() const { return hasBodies_; }
  static Error withoutBodies(std::string_view what);  // that it cannot be
  const frontend::ModuleInfo& info() const { return info_; }
  const abi::Layout& layout() const { return layout_; }
  std::span<const uint32_t> typeIds() const { return types_.ids; }
  uint32_t functionTypeId(uint32_t function) const { return types_.ids[info_.functions[function].typeIndex]; }

  // Some memory could be guarded, so that code for both kinds of bounds differs.
  bool hasGuardableMemory() const { return guardable_; }
  static bool canGuard(const frontend::MemoryType& type) { return !type.is64 && type.pageSizeLog2 == 16; }
  // Compiled on demand.
  Result<const compile::ModuleCode*> code(sandbox::Bounds bounds);
  compile::Settings settings(sandbox::Bounds bounds) const;

  // What a defined memory holds after instantiation, laid out once for all instances. nullptr when the segments are
  // better applied one by one: for the first instance, little data, or offsets known only then.
  std::shared_ptr<const sandbox::MemoryImage> memoryImage(uint32_t memory);

  // Some of its lazy code has just been compiled.
  static void compiledMore(const std::shared_ptr<Module>& module) {
    if (module->toStore_) storeNowAndThen(module);
  }

  const frontend::Export* findExport(std::string_view name) const;
  const frontend::Names& names() const;
  std::string functionName(uint32_t index) const;  // name section, else an export's name, else empty
  ExternType externType(frontend::ExternKind kind, uint32_t index) const;

  // serialize.cc
  Result<std::vector<uint8_t>> serialize();
  static bool isSerialized(std::span<const uint8_t> bytes);
  static Result<std::shared_ptr<Module>> deserialize(std::shared_ptr<Engine> engine, ModuleBytes bytes);

 private:
  Module(std::shared_ptr<Engine> engine, ModuleBytes bytes) : engine_(std::move(engine)), bytes_(std::move(bytes)) {}
  Result<void> decode(std::span<const frontend::BodyRange> bodies = {});
  // Yet to be decoded.
  static std::shared_ptr<Module> empty(std::shared_ptr<Engine> engine, ModuleBytes bytes);
  static Result<std::shared_ptr<Module>> compileNew(std::shared_ptr<Engine> engine, ModuleBytes bytes,
                                                    sandbox::Bounds bounds);
  // Of a module of so many bytes.
  static compile::Settings settings(const Config& config, size_t bytes, bool guarded);
  void dropBodies();
  // serialize.cc
  void mapBytesFrom(const DiskCache& disk, const std::string& name);
  static Result<std::shared_ptr<Module>> fromImage(std::shared_ptr<Engine> engine, ModuleBytes file,
                                                   const ImageHeader& header, const std::string* name);
  static Result<std::shared_ptr<Module>> createCached(std::shared_ptr<Engine> engine, DiskCache& disk,
                                                      ModuleBytes bytes, sandbox::Bounds bounds);
  void willStore(std::string name, sandbox::Bounds bounds, uint64_t stored);
  static void storeNowAndThen(const std::shared_ptr<Module>& module);
  bool worthStoring() const;
  void storeLazyCode() noexcept;
  void makeImages();
  static std::shared_ptr<Module> publish(std::shared_ptr<Module> module, uint64_t hash);

  std::shared_ptr<Engine> engine_;
  ModuleBytes bytes_;
  frontend::ModuleInfo info_;
  abi::Layout layout_;
  ModuleTypes types_;
  std::vector<uint32_t> exportOrder_;  // export indices by name, when there are many
  uint64_t hash_ = 0;
  bool guardable_ = false;
  bool hasBodies_ = true;
  bool published_ = false;  // in the engine's table
  size_t footprint_ = 0;    // as HeapTrim was told

  std::mutex codeMutex_;
  std::shared_ptr<compile::ModuleCode> code_[2];  // by Bounds; guarded by codeMutex_
  std::atomic<const compile::ModuleCode*> ready_[2] = {nullptr, nullptr};
  struct ToStore {
    std::string name;
    unsigned which;                // of code_
    std::atomic<uint64_t> stored;  // bytes of code that the disk cache has
    std::atomic<int64_t> next;     // not before (steady clock, nanoseconds) ...
    std::atomic<int64_t> pause;    // ... and then after so much more
  };
  std::unique_ptr<ToStore> toStore_;  // lazy code of the disk cache
  std::atomic<bool> instantiated_ = false;
  Once imagesOnce_;
  std::vector<std::shared_ptr<const sandbox::MemoryImage>> images_;  // by defined memory; empty: none
  mutable Once namesOnce_;
  mutable std::unique_ptr<frontend::Names> names_;
};

// A frontend's or compiler's error as one of the API.
Error toApi(const frontend::Error& error);
Error toApi(const compile::Error& error);

}  // namespace wattle::vm
