// Modules to images and back, and their way through the disk cache.
//
// An eager module is stored as soon as it is compiled. A lazy one is stored when it dies (and now and then before),
// with the functions that were compiled, that is called, up to then; a process that finds it maps those and compiles
// what it needs beyond, and stores all of it again if that was much. So a second start compiles next to nothing, and
// nobody ever compiles or stores what nobody calls.
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <chrono>
#include <new>

#include "runtime/vm/disk_cache.h"
#include "runtime/vm/image.h"
#include "runtime/vm/module.h"

namespace wattle::vm {

namespace {

// New code is worth writing a file again when it is this much, and this share of what the file has.
constexpr uint64_t kWorthStoring = 32 << 10;
constexpr uint64_t kWorthShare = 8;
// Of a program that goes on running: first after two seconds, then after eight more, ...
constexpr int64_t kFirstPause = 2'000'000'000;
constexpr int64_t kPauseGrows = 4;

uint32_t definedFunctions(const frontend::ModuleInfo& info) {
  return static_cast<uint32_t>(info.functions.size()) - info.importedFunctions;
}

int64_t steadyNow() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

// A file that others could change under running code is copied instead of mapped.
bool mayRunFromFile(const ModuleBytes& file) {
  const struct stat* status = file.wholeFile();
  return status != nullptr && (status->st_uid == geteuid() || status->st_uid == 0) && (status->st_mode & 022) == 0;
}

}  // namespace

bool Module::isSerialized(std::span<const uint8_t> bytes) { return isImage(bytes); }

Result<std::vector<uint8_t>> Module::serialize() {
  if (!hasBodies_) return std::unexpected(withoutBodies("serialized"));
  auto bounds = engine_->config.bounds == BoundsMode::Checked ? sandbox::Bounds::Checked : sandbox::Bounds::Guarded;
  compile::Settings wanted = settings(bounds);
  wanted.lazy = false;  // all of it, so compile once more if the module's own code is lazy
  std::shared_ptr<compile::ModuleCode> eager;
  if (settings(bounds).lazy) {
    auto compiled = compile::compileModule(info_, bytes_.span(), wanted, engine_->pool);
    if (!compiled) return std::unexpected(toApi(compiled.error()));
    eager = std::move(*compiled);
  }
  const compile::ModuleCode* source = eager.get();
  if (!source) {
    auto compiled = code(bounds);
    if (!compiled) return std::unexpected(compiled.error());
    source = *compiled;
  }
  const uint64_t hash = XXH3_64bits(bytes_.span().data(), bytes_.span().size());
  const ImageParts image(*source, wanted, info_, bytes_.span(), hash);
  std::vector<uint8_t> file;
  file.reserve(image.size());
  for (const auto& part : image.parts()) file.insert(file.end(), part.begin(), part.end());
  return file;
}

Result<std::shared_ptr<Module>> Module::deserialize(std::shared_ptr<Engine> engine, ModuleBytes file) {
  DiskCache* disk =
      file.wholeFile() != nullptr && file.span().size() >= DiskCache::kLeastBytes ? engine->diskCache() : nullptr;
  auto header = readImage(file.span(), disk != nullptr && disk->knowsBody(file));
  if (!header) return std::unexpected(header.error());
  if (disk != nullptr) disk->verifiedBody(file, *header);
  return fromImage(std::move(engine), std::move(file), *header, nullptr);
}

Result<std::shared_ptr<Module>> Module::fromImage(std::shared_ptr<Engine> engine, ModuleBytes file,
                                                  const ImageHeader& header, const std::string* name) {
  const auto span = file.span();
  const auto wasm = span.subspan(header.wasmAt, header.wasmBytes);
  if (auto known = engine->modules.find(header.wasmHash, wasm)) return known;
  const auto ranges = rangesOf(header, span);
  const auto bodies = bodiesOf(header, span);
  compile::CodeImage image{.ranges = ranges,
                           .codeAt = header.codePlace,
                           .code = span.subspan(header.codeAt, header.codeBytes),
                           .file = mayRunFromFile(file) ? file.file() : -1,
                           .fileOffset = header.codeAt};
  const bool sorted = std::ranges::is_sorted(ranges, {}, &codecache::CodeRange::start);
  const uint64_t end = uint64_t{header.codePlace} + header.codeBytes;
  if (!sorted || (!ranges.empty() && ranges.back().start >= end)) return refuseImage("damaged");

  std::shared_ptr<Module> module(new Module(std::move(engine), std::move(file).slice(header.wasmAt, header.wasmBytes)));
  if (auto decoded = module->decode(bodies); !decoded) return std::unexpected(decoded.error());
  const auto whole = module->bytes_.trim();  // the code is yet to be copied from there
  const auto bounds = header.settings & 1 ? sandbox::Bounds::Guarded : sandbox::Bounds::Checked;
  compile::Settings settings = module->settings(bounds);
  settings.lazy = (header.settings & 4) != 0;
  if (settingsKey(settings) != header.settings) return refuseImage("compiled with other settings");
  if (header.functions != definedFunctions(module->info_)) return refuseImage("damaged");
  auto code = compile::ModuleCode::restore(module->info_, module->bytes_.span(), settings, image);
  if (!code) return std::unexpected(Error::make(ErrorKind::Resource, std::move(code.error())));
  if (!*code) return refuseImage("damaged");
  module->bytes_.closeFile();
  const unsigned which = module->guardable_ && bounds == sandbox::Bounds::Checked ? 1 : 0;
  module->code_[which] = std::move(*code);
  module->ready_[which].store(module->code_[which].get(), std::memory_order_release);
  if (name != nullptr && settings.lazy) module->willStore(*name, bounds, header.codeBytes);
  return publish(std::move(module), header.wasmHash);
}

// --- the disk cache ------------------------------------------------------------------------------------------------

Result<std::shared_ptr<Module>> Module::createCached(std::shared_ptr<Engine> engine, DiskCache& disk, ModuleBytes bytes,
                                                     sandbox::Bounds bounds) {
  const auto content = disk.contentOf(bytes);
  if (auto known = engine->modules.find(content.hash, bytes.span())) return known;
  const compile::Settings request = settings(engine->config, bytes.span().size(), bounds == sandbox::Bounds::Guarded);
  const std::string name = disk.nameOf(content, settingsKey(request));
  if (auto found = disk.find(name)) {
    auto module = fromImage(engine, std::move(found->file), found->header, &name);
    if (module || module.error().kind == ErrorKind::Resource) return module;
    disk.discard(name);
  }
  auto module = compileNew(std::move(engine), std::move(bytes), bounds);
  if (!module) return module;
  if (request.lazy) {
    (*module)->willStore(name, bounds, 0);
  } else {
    const auto& code = (*module)->code_[(*module)->guardable_ && bounds == sandbox::Bounds::Checked ? 1 : 0];
    const ImageParts image(*code, code->settings(), (*module)->info_, (*module)->bytes(), content.hash);
    if (disk.store(name, image)) (*module)->mapBytesFrom(disk, name);
  }
  return publish(std::move(*module), content.hash);
}

// The file that has just been written holds the bytes too: they need not be in memory a second time. Before anybody
// else knows the module.
void Module::mapBytesFrom(const DiskCache& disk, const std::string& name) {
  if (bytes_.isMapped()) return;
  auto file = disk.fileOf(name);
  if (!file || !file->isMapped()) return;
  const auto header = readImage(file->span(), true);
  if (!header) return;
  auto wasm = std::move(*file).slice(header->wasmAt, header->wasmBytes);
  // Some other process may have put another file there.
  if (!std::ranges::equal(wasm.span(), bytes_.span())) return;
  bytes_ = std::move(wasm);
  bytes_.closeFile();
}

// Before anybody else knows the module.
void Module::willStore(std::string name, sandbox::Bounds bounds, uint64_t stored) {
  const unsigned which = guardable_ && bounds == sandbox::Bounds::Checked ? 1 : 0;
  toStore_.reset(new ToStore{std::move(name), which, stored, steadyNow() + kFirstPause, kFirstPause});
}

bool Module::worthStoring() const {
  const uint64_t have = code_[toStore_->which]->codeBytes(), stored = toStore_->stored.load(std::memory_order_relaxed);
  if (stored == 0) return have != 0;
  return have > stored && have - stored >= std::max(kWorthStoring, stored / kWorthShare);
}

// A program that runs for long may be killed at its end: what it has compiled is stored meanwhile, at growing
// intervals, when it compiles something more.
void Module::storeNowAndThen(const std::shared_ptr<Module>& module) {
  ToStore& to = *module->toStore_;
  const int64_t now = steadyNow();
  int64_t next = to.next.load(std::memory_order_relaxed);
  if (now < next) return;
  const int64_t pause = to.pause.load(std::memory_order_relaxed) * kPauseGrows;
  if (!to.next.compare_exchange_strong(next, now + pause, std::memory_order_relaxed)) return;
  to.pause.store(pause, std::memory_order_relaxed);
  if (!module->worthStoring()) return;
  (void)module->engine_->background.start([module] { module->storeLazyCode(); });
}

// By the destructor, or by a thread while the module is in use.
void Module::storeLazyCode() noexcept {
  try {
    const auto& code = code_[toStore_->which];
    DiskCache* disk = engine_->diskCache();
    if (!code || disk == nullptr || !worthStoring()) return;
    const ImageParts image(*code, code->settings(), info_, bytes_.span(), hash_);
    if (disk->store(toStore_->name, image)) toStore_->stored.store(image.codeBytes(), std::memory_order_relaxed);
  } catch (const std::bad_alloc&) {  // then it is not stored
  }
}

}  // namespace wattle::vm
