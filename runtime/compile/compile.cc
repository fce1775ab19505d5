// Whole modules through the baseline compiler.
//
// Workers take functions in batches, in order, and note where their direct calls are. The code of a large module goes
// straight to chunks of one reserved block of the code cache; that of a small one to ordinary memory, from where it is
// copied to a block of just its size. When all is done the calls are linked: all within the block, so no displacement
// can fail to reach. Code is position independent and names no address; nothing is ever relocated afterwards.
#include "runtime/compile/compile.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>

#include "frontend/binary/module_decoder.h"
#include "runtime/compile/baseline/function_compiler.h"
#include "runtime/compile/lazy.h"
#include "runtime/compile/module_context.h"
#include "runtime/compile/worker_pool.h"

namespace wattle::compile {

namespace {

using baseline::CallSite;
using baseline::FunctionCompiler;
using baseline::ModuleContext;

constexpr uint32_t kAlignment = 16;
// Below this many bytes of bodies the other threads would come too late.
constexpr uint64_t kParallelBytes = 48 * 1024;
constexpr uint32_t kBatch = 64;
// From this size on code is written straight into a block reserved for so many native bytes per byte of wasm.
constexpr uint64_t kDirectBytes = 512 * 1024;
constexpr uint64_t kExpansion = 4;

// The room for a module's code while it is compiled: a large block of the cache, of which workers claim chunks (address
// space is free, and what is left over goes back), or for small modules chunks of ordinary memory.
class Room {
 public:
  static constexpr uint32_t kChunk = 512 * 1024;
  Room() = default;
  explicit Room(codecache::CodeRef block) : block_(std::move(block)) {}
  const codecache::CodeRef& block() const { return block_; }
  uint32_t used() const { return static_cast<uint32_t>(std::min<uint64_t>(next_.load(), block_->size())); }
  // The offset of a fresh chunk of the block; nothing when it is used up.
  std::optional<uint32_t> claim(uint32_t bytes) {
    const uint32_t size = (bytes + kChunk - 1) / kChunk * kChunk;
    const uint64_t at = next_.fetch_add(size, std::memory_order_relaxed);
    if (at + size > block_->size()) return std::nullopt;
    // One system call instead of a fault a page. Refusal (old kernels) costs the faults.
    constexpr uintptr_t kPage = 4096;
    const uintptr_t begin = reinterpret_cast<uintptr_t>(block_->writable() + at) & ~(kPage - 1);
    const uintptr_t last = reinterpret_cast<uintptr_t>(block_->writable() + at + size - 1) | (kPage - 1);
    madvise(reinterpret_cast<void*>(begin), last + 1 - begin, kMadvPopulateWrite);
    return static_cast<uint32_t>(at);
  }

 private:
  static constexpr int kMadvPopulateWrite = 23;
  codecache::CodeRef block_;
  std::atomic<uint64_t> next_{0};
};

// A worker's finished functions.
class Arena {
 public:
  struct Piece {
    uint8_t* code;
    uint32_t offset;  // in the room's block
    uint32_t size;
    uint32_t function : 28;
    uint32_t flags : 4;  // of the code range
    uint32_t firstCall, callCount;
  };
  // False when the room is used up.
  bool add(Room* room, uint32_t function, const baseline::Compiler& compiled) {
    std::span<const uint8_t> code = compiled.code();
    std::span<const CallSite> sites = compiled.callSites();
    const size_t padded = (code.size() + kAlignment - 1) & ~static_cast<size_t>(kAlignment - 1);
    if (padded > left_) {
      if (room) {
        auto chunk = room->claim(static_cast<uint32_t>(padded));
        if (!chunk) return false;
        offset_ = *chunk;
        at_ = room->block()->writable() + offset_;
        left_ = std::max<size_t>(padded, Room::kChunk);
      } else {
        left_ = std::max<size_t>(padded, kChunk);
        chunks_.push_back(std::make_unique_for_overwrite<uint8_t[]>(left_));
        at_ = chunks_.back().get();
      }
    }
    std::memcpy(at_, code.data(), code.size());
    pieces_.push_back({at_, offset_, static_cast<uint32_t>(code.size()), function & 0xfffffff,
                       compiled.rangeFlags() & 15u, static_cast<uint32_t>(calls_.size()),
                       static_cast<uint32_t>(sites.size())});
    calls_.insert(calls_.end(), sites.begin(), sites.end());
    at_ += padded;
    offset_ += static_cast<uint32_t>(padded);
    left_ -= padded;
    return true;
  }
  const std::vector<Piece>& pieces() const { return pieces_; }
  std::span<const CallSite> calls(const Piece& p) const { return {calls_.data() + p.firstCall, p.callCount}; }

 private:
  static constexpr size_t kChunk = 64 * 1024;
  std::vector<std::unique_ptr<uint8_t[]>> chunks_;
  std::vector<Piece> pieces_;
  std::vector<CallSite> calls_;
  uint8_t* at_ = nullptr;
  uint32_t offset_ = 0;
  size_t left_ = 0;
};

}  // namespace

class ModuleCompiler {
 public:
  ModuleCompiler(const frontend::ModuleInfo& module, std::span<const uint8_t> bytes, const Settings& settings,
                 WorkerPool& pool)
      : module_(module), layout_(module), pool_(pool), settings_(settings) {
    context_ = moduleContext(module, bytes, layout_, settings);
    parallel_ = module.codeBytes >= kParallelBytes && pool.width() > 1;
    arenas_.resize(parallel_ ? pool.width() : 1);
  }

  std::expected<std::shared_ptr<ModuleCode>, Error> run() {
    if (settings_.lazy) return runLazy();
    auto code = std::make_shared<ModuleCode>(settings_);
    code->firstFunction_ = module_.importedFunctions;
    code->offsets_.resize(module_.functions.size() - module_.importedFunctions);
    std::optional<Room> room = openRoom();
    each([&](unsigned worker) { compileBatches(worker, room ? &*room : nullptr); });
    if (roomUsedUp_) {  // far more code than such a module usually has: once more, with the size known at the end
      room.reset();
      restart();
      each([&](unsigned worker) { compileBatches(worker, nullptr); });
    }
    if (error_) return std::unexpected(std::move(*error_));
    if (room) {
      code->block_ = room->block();
      code->block_->shrink(std::max(room->used(), kAlignment));
      for (const Arena& arena : arenas_) {
        for (const Arena::Piece& p : arena.pieces()) code->offsets_[p.function - module_.importedFunctions] = p.offset;
      }
    } else {
      auto size = place(*code);
      if (!size) return std::unexpected(cacheFull("a module's code may not exceed 1 GiB"));
      auto block = codecache::CodeCache::process().allocate(*size);
      if (!block) return std::unexpected(cacheFull(std::move(block.error())));
      code->block_ = std::move(*block);
    }
    std::atomic<size_t> next{0};  // not by worker: a worker that compiled may be too late to link
    each([&](unsigned) {
      for (size_t i; (i = next.fetch_add(1)) < arenas_.size();) link(*code, arenas_[i], room.has_value());
    });
    for (const Arena& arena : arenas_) {
      for (const Arena::Piece& p : arena.pieces()) code->offsets_[p.function - module_.importedFunctions] |= p.flags;
    }
    code->publish();
    return code;
  }

 private:
  static Error cacheFull(std::string message) {
    return {{frontend::ErrorKind::Limit, std::move(message), 0, {}}, true, false};
  }
  void each(const std::function<void(unsigned)>& body) {
    if (parallel_)
      pool_.run(body);
    else
      body(0);
  }

  std::expected<std::shared_ptr<ModuleCode>, Error> runLazy() {
    each([this](unsigned) { validateBatches(); });
    if (error_) return std::unexpected(std::move(*error_));
    auto code = std::make_shared<ModuleCode>(settings_);
    code->firstFunction_ = module_.importedFunctions;
    auto lazy = LazyState::create(module_, context_.bytes, settings_, code.get());
    if (!lazy) return std::unexpected(cacheFull(std::move(lazy.error())));
    code->lazy_ = std::move(*lazy);
    code->block_ = code->lazy_->block();
    return code;
  }

  void validateBatches() {
    constexpr uint32_t kLazyBatch = 64;
    const uint32_t end = static_cast<uint32_t>(module_.functions.size());
    while (!failed_.load(std::memory_order_relaxed)) {
      uint32_t first = module_.importedFunctions + next_.fetch_add(kLazyBatch, std::memory_order_relaxed);
      if (first >= end) return;
      auto checked = frontend::validateFunctions(module_, context_.bytes, first, std::min(first + kLazyBatch, end));
      if (!checked) {
        uint32_t function = checked.error().function.value_or(first);
        return fail(function, {std::move(checked.error()), false, false});
      }
    }
  }

  // Errors: the one in the lowest function, whatever the number of threads. All batches below it have been taken by
  // then.
  void compileBatches(unsigned worker, Room* room) {
    FunctionCompiler compiler(context_);
    const uint32_t end = static_cast<uint32_t>(module_.functions.size());
    while (!failed_.load(std::memory_order_relaxed)) {
      uint32_t first = module_.importedFunctions + next_.fetch_add(kBatch, std::memory_order_relaxed);
      if (first >= end) return;
      const uint32_t last = std::min(first + kBatch, end);
      compiler.scanAhead(first, last);
      for (uint32_t i = first; i < last; ++i) {
        if (auto error = compiler.compile(i)) return fail(i, std::move(*error));
        if (!arenas_[worker].add(room, i, compiler.compiler())) {
          roomUsedUp_ = failed_ = true;
          return;
        }
      }
    }
  }
  void restart() {
    for (Arena& arena : arenas_) arena = Arena();
    next_ = 0;
    failed_ = error_.has_value();
  }
  // Large modules are compiled straight into the cache. Not if it has no room to spare: then the exact size may still
  // fit.
  std::optional<Room> openRoom() {
    if (module_.codeBytes < kDirectBytes) return std::nullopt;
    const uint64_t wanted = module_.codeBytes * kExpansion + arenas_.size() * 2 * Room::kChunk;
    auto block =
        codecache::CodeCache::process().allocate(static_cast<uint32_t>(std::min<uint64_t>(wanted, 1000u << 20)));
    if (!block) return std::nullopt;
    return std::optional<Room>(std::in_place, std::move(*block));
  }
  void fail(uint32_t function, Error error) {
    failed_ = true;
    std::lock_guard lock(mutex_);
    if (!error_ || function < failedFunction_) {
      error_ = std::move(error);
      failedFunction_ = function;
    }
  }

  // Offsets for all functions, in the order of their indices. The size of the block, if it fits one.
  std::optional<uint32_t> place(ModuleCode& code) {
    for (const Arena& arena : arenas_) {
      for (const Arena::Piece& p : arena.pieces()) code.offsets_[p.function - module_.importedFunctions] = p.size;
    }
    uint64_t at = 0;
    for (uint32_t& offset : code.offsets_) {
      uint32_t size = offset;
      offset = static_cast<uint32_t>(at);
      at = (at + size + kAlignment - 1) & ~static_cast<uint64_t>(kAlignment - 1);
      if (at > (1u << 30)) return std::nullopt;
    }
    return std::max<uint32_t>(static_cast<uint32_t>(at), kAlignment);
  }

  void link(ModuleCode& code, const Arena& arena, bool inPlace) {
    uint8_t* base = code.block_->writable();
    for (const Arena::Piece& p : arena.pieces()) {
      const uint32_t offset = code.offsets_[p.function - module_.importedFunctions];
      if (!inPlace) std::memcpy(base + offset, p.code, p.size);
      for (const CallSite& site : arena.calls(p)) {
        const uint32_t from = offset + site.position + 4;
        const int32_t distance = static_cast<int32_t>(code.offsets_[site.function - module_.importedFunctions] - from);
        std::memcpy(base + offset + site.position, &distance, 4);
      }
    }
  }

  const frontend::ModuleInfo& module_;
  abi::Layout layout_;
  WorkerPool& pool_;
  Settings settings_;
  ModuleContext context_;
  bool parallel_ = false;
  std::vector<Arena> arenas_;
  std::atomic<uint32_t> next_{0};
  std::atomic<bool> failed_{false};
  std::atomic<bool> roomUsedUp_{false};
  std::mutex mutex_;
  std::optional<Error> error_;
  uint32_t failedFunction_ = 0;
};

ModuleCode::ModuleCode(Settings settings) : settings_(settings) {}
ModuleCode::~ModuleCode() = default;

CodeImage ModuleCode::image(std::vector<codecache::CodeRange>& ranges) const {
  if (lazy_) return lazy_->image(ranges);
  ranges.assign(block_->ranges().begin(), block_->ranges().end());
  return {.ranges = ranges, .code = {block_->code(), block_->size()}};
}

std::expected<codecache::CodeRef, std::string> blockOf(const CodeImage& image, uint32_t blockBytes) {
  auto& cache = codecache::CodeCache::process();
  const uint32_t size = static_cast<uint32_t>(image.code.size());
  if (image.file >= 0 && size >= CodeImage::kMapBytes) {
    auto mapped = cache.map(blockBytes, {image.file, image.fileOffset, image.codeAt, size});
    if (mapped) return mapped;  // else there is a reason not to map: copied
  }
  auto block = cache.allocate(blockBytes);
  if (block && size != 0) std::memcpy((*block)->writable() + image.codeAt, image.code.data(), size);
  return block;
}

std::expected<std::shared_ptr<ModuleCode>, std::string> ModuleCode::restore(const frontend::ModuleInfo& module,
                                                                            std::span<const uint8_t> bytes,
                                                                            const Settings& settings,
                                                                            const CodeImage& image) {
  auto code = std::make_shared<ModuleCode>(settings);
  code->firstFunction_ = module.importedFunctions;
  if (settings.lazy) {
    auto lazy = LazyState::restore(module, bytes, settings, code.get(), image);
    if (!lazy) return std::unexpected(std::move(lazy.error()));
    if (!*lazy) return nullptr;
    code->lazy_ = std::move(*lazy);
    code->block_ = code->lazy_->block();
    return code;
  }
  code->offsets_.assign(module.functions.size() - module.importedFunctions, ~0u);
  if (image.ranges.size() != code->offsets_.size() || image.codeAt != 0 || !code->adoptRanges(image.ranges))
    return nullptr;
  auto block = blockOf(image, static_cast<uint32_t>(image.code.size()));
  if (!block) return std::unexpected(std::move(block.error()));
  code->block_ = std::move(*block);
  code->block_->setOwner(code.get());
  code->block_->publish({image.ranges.begin(), image.ranges.end()});
  return code;
}

// Offsets from ranges; false when a function has two.
bool ModuleCode::adoptRanges(std::span<const codecache::CodeRange> ranges) {
  for (const codecache::CodeRange& range : ranges) {
    const uint32_t i = range.index - firstFunction_;
    if (i >= offsets_.size() || offsets_[i] != ~0u) return false;
    offsets_[i] = range.start | range.flags;
  }
  return true;
}

void ModuleCode::publish() {
  std::vector<codecache::CodeRange> ranges(offsets_.size());
  for (uint32_t i = 0; i < ranges.size(); ++i) {
    ranges[i].start = offsets_[i] & ~15u;
    ranges[i].index = (firstFunction_ + i) & 0xffffff;
    ranges[i].kind = static_cast<uint32_t>(codecache::RangeKind::Function) & 15;
    ranges[i].flags = offsets_[i] & 15;
  }
  std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return a.start < b.start; });
  block_->setOwner(this);
  block_->publish(std::move(ranges));
}

const void* ModuleCode::entry(uint32_t functionIndex) const {
  if (lazy_) return lazy_->slot(functionIndex);
  return block_->code() + (packedEntry(functionIndex) & ~15u);
}

std::expected<const void*, Error> ModuleCode::materialize(uint32_t functionIndex) const {
  if (lazy_) return lazy_->materialize(functionIndex);
  return entry(functionIndex);
}

uint64_t ModuleCode::codeBytes() const { return lazy_ ? lazy_->codeBytes() : block_->size(); }

std::expected<std::shared_ptr<ModuleCode>, Error> compileModule(const frontend::ModuleInfo& module,
                                                                std::span<const uint8_t> bytes,
                                                                const Settings& settings, WorkerPool& pool) {
  return ModuleCompiler(module, bytes, settings, pool).run();
}

namespace {

// What the compiler noted for the code at `codeOffset`, told to `found`.
template <class Found>
void findPosition(const frontend::ModuleInfo& module, std::span<const uint8_t> bytes, const Settings& settings,
                  uint32_t functionIndex, uint32_t codeOffset, Found&& found) {
  abi::Layout layout(module);
  ModuleContext context = moduleContext(module, bytes, layout, settings);
  FunctionCompiler compiler(context);
  compiler.compiler().recordPositions(true);
  if (compiler.compile(functionIndex)) return;
  const baseline::Position* last = nullptr;
  for (const baseline::Position& p : compiler.compiler().positions()) {
    if (p.code > codeOffset) break;
    last = &p;
  }
  if (last) found(compiler.compiler(), *last);
}

}  // namespace

std::optional<uint64_t> sourceOffset(const frontend::ModuleInfo& module, std::span<const uint8_t> bytes,
                                     const Settings& settings, uint32_t functionIndex, uint32_t codeOffset) {
  std::optional<uint64_t> offset;
  findPosition(module, bytes, settings, functionIndex, codeOffset,
               [&](const auto&, const baseline::Position& p) { offset = p.module; });
  return offset;
}

uint64_t fuelAhead(const frontend::ModuleInfo& module, std::span<const uint8_t> bytes, const Settings& settings,
                   uint32_t functionIndex, uint32_t codeOffset) {
  uint64_t ahead = 0;
  findPosition(module, bytes, settings, functionIndex, codeOffset,
               [&](const baseline::Compiler& compiler, const baseline::Position& p) { ahead = compiler.fuelAhead(p); });
  return ahead;
}

}  // namespace wattle::compile
