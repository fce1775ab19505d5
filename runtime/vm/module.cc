#include "runtime/vm/module.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <numeric>

#include "runtime/vm/disk_cache.h"
#include "runtime/vm/types.h"

namespace wattle::vm {

namespace {

constexpr size_t kManyExports = 8;
// Above this, functions are compiled at first call unless Config::lazy says otherwise.
constexpr size_t kLazyBytes = 2 << 20;
// From this size on modules are decoded on one thread while another tells whether they are known.
constexpr size_t kApartBytes = 1 << 20;
// Memories with this much data get an image, unless most of it would be holes.
constexpr uint64_t kImageBytes = 64 << 10;
constexpr uint64_t kImageSparse = 4;

}  // namespace

Error toApi(const frontend::Error& error) {
  Error out = Error::make(ErrorKind::Malformed, error.message);
  switch (error.kind) {
    case frontend::ErrorKind::Malformed: out.kind = ErrorKind::Malformed; break;
    case frontend::ErrorKind::Invalid: out.kind = ErrorKind::Invalid; break;
    case frontend::ErrorKind::Limit: out.kind = ErrorKind::Limit; break;
  }
  out.offset = error.offset;
  out.function = error.function;
  return out;
}

Error toApi(const compile::Error& error) {
  Error out = toApi(error.error);
  if (error.cacheFull) out.kind = ErrorKind::Resource;
  if (error.unsupported) out.kind = ErrorKind::Unsupported;
  return out;
}

Error Module::withoutBodies(std::string_view what) {
  return Error::make(ErrorKind::Resource,
                     fmt::format("the module's bytes were not kept (Config::keepBytes), so it cannot be {}", what));
}

Result<std::shared_ptr<Module>> Module::create(std::shared_ptr<Engine> engine, ModuleBytes bytes) {
  // Bodies are checked by being compiled, so one kind of code has to be made now.
  auto bounds = sandbox::Bounds::Guarded;
  if (engine->config.bounds == BoundsMode::Checked) bounds = sandbox::Bounds::Checked;
  if (engine->config.bounds == BoundsMode::Auto) bounds = sandbox::preferredBounds();
  if (bytes.span().size() >= DiskCache::kLeastBytes) {
    DiskCache* disk = engine->diskCache();
    if (disk != nullptr) return createCached(std::move(engine), *disk, std::move(bytes), bounds);
  }
  const auto hashOf = [](std::span<const uint8_t> all) { return XXH3_64bits(all.data(), all.size()); };
  if (bytes.span().size() < kApartBytes) {
    const uint64_t hash = hashOf(bytes.span());
    if (auto known = engine->modules.find(hash, bytes.span())) return known;
    auto module = compileNew(std::move(engine), std::move(bytes), bounds);
    if (!module) return module;
    return publish(std::move(*module), hash);
  }
  // Both take milliseconds.
  std::shared_ptr<Module> module = empty(std::move(engine), std::move(bytes));
  uint64_t hash = 0;
  Result<void> decoded;
  std::atomic<int> next{0};
  module->engine_->pool.run([&](unsigned) {
    for (int task; (task = next.fetch_add(1)) < 2;) {
      if (task == 0)
        decoded = module->decode();
      else
        hash = hashOf(module->bytes());
    }
  });
  if (!decoded) return std::unexpected(std::move(decoded.error()));
  if (auto known = module->engine_->modules.find(hash, module->bytes())) return known;
  if (auto code = module->code(bounds); !code) return std::unexpected(code.error());
  return publish(std::move(module), hash);
}

std::shared_ptr<Module> Module::empty(std::shared_ptr<Engine> engine, ModuleBytes bytes) {
  bytes.closeFile();
  return std::shared_ptr<Module>(new Module(std::move(engine), std::move(bytes)));
}

Result<std::shared_ptr<Module>> Module::compileNew(std::shared_ptr<Engine> engine, ModuleBytes bytes,
                                                   sandbox::Bounds bounds) {
  auto module = empty(std::move(engine), std::move(bytes));
  if (auto decoded = module->decode(); !decoded) return std::unexpected(decoded.error());
  if (auto code = module->code(bounds); !code) return std::unexpected(code.error());
  return module;
}

Result<void> Module::decode(std::span<const frontend::BodyRange> bodies) {
  auto info = frontend::decodeModule(bytes_.span(), {}, bodies);
  if (!info) return std::unexpected(toApi(info.error()));
  info_ = std::move(*info);
  info_.sections = decltype(info_.sections)();  // of use to `wattle inspect` only, which decodes for itself
  auto types = TypeRegistry::process().internModule(info_);
  if (!types) return std::unexpected(types.error());
  types_ = std::move(*types);
  layout_ = abi::Layout(info_);
  guardable_ = std::ranges::any_of(info_.memories, [](const auto& m) { return canGuard(m.type); });
  if (info_.exports.size() > kManyExports) {
    exportOrder_.resize(info_.exports.size());
    std::iota(exportOrder_.begin(), exportOrder_.end(), 0u);
    std::ranges::sort(exportOrder_, {}, [this](uint32_t i) -> std::string_view { return info_.exports[i].name; });
  }
  return {};
}

// Instances need what is around the bodies: data, constant expressions, names. To compile again, or to tell whether
// some other bytes are equal, takes all of them. Before anybody else knows the module.
void Module::dropBodies() {
  if (info_.codeBytes == 0 ||
      std::ranges::any_of(code_, [](const auto& code) { return code && code->settings().lazy; }))
    return;
  const uint64_t from = info_.functions[info_.importedFunctions].body.offset;
  const uint64_t to = info_.functions.back().body.offset + info_.functions.back().body.size;
  if (!bytes_.cutOut(from, to - from)) return;
  hasBodies_ = false;
  const auto move = [&](frontend::Range& range) {
    if (range.offset >= to) range.offset -= to - from;
  };
  // Only these sections may follow the code (spec "Binary format / Modules").
  for (auto& segment : info_.data) {
    move(segment.offset.bytes);
    move(segment.bytes);
  }
  for (auto& custom : info_.customSections) move(custom.bytes);
}

std::shared_ptr<Module> Module::publish(std::shared_ptr<Module> module, uint64_t hash) {
  constexpr size_t kBookkeeping = 2048;  // of a small module
  auto engine = module->engine_;
  if (!engine->config.keepBytes && !engine->config.fuel) module->dropBodies();
  module->hash_ = hash;
  module->footprint_ = kBookkeeping + (module->bytes_.isMapped() ? 0 : module->bytes_.span().size());
  engine->heap.made(module->footprint_);
  module->published_ = true;
  return engine->modules.add(hash, std::move(module));
}

Module::~Module() {
  if (toStore_) storeLazyCode();
  if (published_) engine_->modules.remove(hash_, this);
  if (footprint_) engine_->heap.dropped(footprint_);
}

compile::Settings Module::settings(sandbox::Bounds bounds) const {
  return settings(engine_->config, bytes_.span().size(), !guardable_ || bounds == sandbox::Bounds::Guarded);
}

compile::Settings Module::settings(const Config& config, size_t bytes, bool guarded) {
  return {.guarded = guarded,
          .fuel = config.fuel,
          .lazy = config.lazy.value_or(bytes > kLazyBytes),
          .polls = config.loopCheck == LoopCheck::Segment};
}

Result<const compile::ModuleCode*> Module::code(sandbox::Bounds bounds) {
  unsigned which = guardable_ && bounds == sandbox::Bounds::Checked ? 1 : 0;
  if (auto* code = ready_[which].load(std::memory_order_acquire)) return code;
  std::lock_guard lock(codeMutex_);
  if (auto* code = code_[which].get()) return code;
  if (!hasBodies_) return std::unexpected(withoutBodies("compiled for the other kind of memories"));
  auto compiled = compile::compileModule(info_, bytes_.span(), settings(bounds), engine_->pool);
  if (!compiled) return std::unexpected(toApi(compiled.error()));
  code_[which] = std::move(*compiled);
  ready_[which].store(code_[which].get(), std::memory_order_release);
  return code_[which].get();
}

std::shared_ptr<const sandbox::MemoryImage> Module::memoryImage(uint32_t memory) {
  if (!instantiated_.load(std::memory_order_relaxed)) {
    if (memory + 1 == info_.memories.size()) instantiated_.store(true, std::memory_order_relaxed);
    return nullptr;
  }
  imagesOnce_([this] { makeImages(); });
  return images_.empty() ? nullptr : images_[memory - info_.importedMemories];
}

// Early data is not told from data in its time unless somebody can look in between: a function of an instance that
// fails when its elements are applied, called through an imported table.
void Module::makeImages() {
  if (info_.importedTables != 0) return;
  for (uint32_t m = info_.importedMemories; m < info_.memories.size(); ++m) {
    const auto& type = info_.memories[m].type;
    unsigned __int128 least = static_cast<unsigned __int128>(type.limits.min) << type.pageSizeLog2;
    uint64_t bytes = 0, extent = 0;
    bool known = true;
    for (const auto& segment : info_.data) {
      if (segment.mode != frontend::SegmentMode::Active || segment.memory != m) continue;
      uint64_t offset = segment.offset.value[0];
      known &= segment.offset.kind == frontend::ConstExpr::Kind::Value && offset <= least &&
               segment.bytes.size <= least - offset;
      if (!known) break;
      bytes += segment.bytes.size;
      extent = std::max(extent, offset + segment.bytes.size);
    }
    if (!known || bytes < kImageBytes || extent > bytes * kImageSparse) continue;
    std::vector<uint8_t> contents(extent);
    for (const auto& segment : info_.data) {
      if (segment.mode != frontend::SegmentMode::Active || segment.memory != m) continue;
      std::copy_n(bytes_.span().data() + segment.bytes.offset, segment.bytes.size,
                  contents.data() + segment.offset.value[0]);
    }
    auto image = sandbox::MemoryImage::create(contents);
    if (!image) continue;
    images_.resize(info_.memories.size() - info_.importedMemories);
    images_[m - info_.importedMemories] = std::move(*image);
  }
}

const frontend::Export* Module::findExport(std::string_view name) const {
  const auto& exports = info_.exports;
  if (exportOrder_.empty()) {
    auto it = std::ranges::find(exports, name, [](const auto& e) -> std::string_view { return e.name; });
    return it == exports.end() ? nullptr : &*it;
  }
  auto nameOf = [&](uint32_t i) -> std::string_view { return exports[i].name; };
  auto it = std::ranges::lower_bound(exportOrder_, name, {}, nameOf);
  return it == exportOrder_.end() || nameOf(*it) != name ? nullptr : &exports[*it];
}

const frontend::Names& Module::names() const {
  namesOnce_([this] { names_ = std::make_unique<frontend::Names>(frontend::decodeNames(info_, bytes_.span())); });
  return *names_;
}

std::string Module::functionName(uint32_t index) const {
  const auto& known = names().functions;
  if (index < known.size() && !known[index].empty()) return known[index];
  for (const auto& e : info_.exports) {
    if (e.kind == frontend::ExternKind::Func && e.index == index) return e.name;
  }
  return {};
}

ExternType Module::externType(frontend::ExternKind kind, uint32_t index) const {
  const auto& registry = TypeRegistry::process();
  switch (kind) {
    case frontend::ExternKind::Func: return toApi(registry.funcType(functionTypeId(index)));
    case frontend::ExternKind::Table: return toApi(canonical(info_.tables[index].type, types_.ids));
    case frontend::ExternKind::Memory: return toApi(info_.memories[index].type);
    case frontend::ExternKind::Global: return toApi(canonical(info_.globals[index].type, types_.ids));
    case frontend::ExternKind::Tag: break;
  }
  return TagType{toApi(registry.funcType(types_.ids[info_.tags[index].typeIndex]))};
}

}  // namespace wattle::vm
