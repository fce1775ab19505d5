// Compiled modules as bytes: what Module::serialize gives, `wattle compile` writes and, one day, the disk cache keeps.
//
//   | Header | entry offsets | wasm bytes | zeros to the next page | native code |
//
// Code has no relocations (DESIGN section 2), so it is written as it stands in the code cache, and begins on a page of
// its own so that it can be mapped as is. Everything is little-endian and sized by the header. What does not match this
// build, this processor's features, these settings or its checksum is refused with an error; a cache takes that for a
// miss. The checksum guards against damage, not against malice: native code from an untrusted source must not be
// deserialized.
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "runtime/compile/x64/cpu_features.h"
#include "runtime/vm/module.h"

namespace wattle::vm {

namespace {

constexpr char kMagic[8] = {'\0', 'w', 'a', 't', 't', 'l', 'e', '\n'};
constexpr uint32_t kFormat = 3;
constexpr uint64_t kPage = 4096;

struct Header {
  char magic[8];
  uint32_t format;
  uint32_t headerBytes;
  uint64_t build;  // hash of Wattle's version
  uint64_t cpuFeatures;
  uint32_t settings;   // bit 0 guarded, 1 fuel
  uint32_t functions;  // defined ones: packed entries (ModuleCode::packedEntry) of 4 bytes each
  uint64_t offsetsAt;
  uint64_t wasmAt, wasmBytes;
  uint64_t codeAt, codeBytes;
  uint64_t fileBytes;
  uint64_t checksum;  // XXH3 of the whole file with this field zero
};
static_assert(sizeof(Header) == 96);

uint64_t buildKey() {
  std::string_view v = version();
  return XXH3_64bits(v.data(), v.size());
}

uint32_t settingsKey(const compile::Settings& settings) {
  return (settings.guarded ? 1u : 0) | (settings.fuel ? 2u : 0);
}

uint64_t checksumOf(std::span<const uint8_t> file) {
  Header header;
  std::memcpy(&header, file.data(), sizeof header);
  header.checksum = 0;
  XXH3_state_t* state = XXH3_createState();
  XXH3_64bits_reset(state);
  XXH3_64bits_update(state, &header, sizeof header);
  XXH3_64bits_update(state, file.data() + sizeof header, file.size() - sizeof header);
  uint64_t sum = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  return sum;
}

std::unexpected<Error> refuse(std::string why) {
  return std::unexpected(
      Error::make(ErrorKind::Malformed, fmt::format("not a compiled module for this Wattle: {}", why)));
}

bool lies(uint64_t at, uint64_t size, uint64_t within) { return at <= within && size <= within - at; }

// Everything but the settings, which depend on the module.
Result<Header> readHeader(std::span<const uint8_t> file) {
  Header header;
  if (file.size() < sizeof header) return refuse("too short");
  std::memcpy(&header, file.data(), sizeof header);
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0) return refuse("no compiled module at all");
  if (header.format != kFormat || header.headerBytes != sizeof header || header.build != buildKey()) {
    return refuse("written by another version");
  }
  if (header.fileBytes != file.size()) return refuse("cut short");
  if (header.checksum != checksumOf(file)) return refuse("damaged (the checksum does not match)");
  if (header.cpuFeatures != x64::cpuFeatures().bits()) return refuse("compiled for a processor with other features");
  if (!lies(header.offsetsAt, 4ull * header.functions, file.size()) ||
      !lies(header.wasmAt, header.wasmBytes, file.size()) || !lies(header.codeAt, header.codeBytes, file.size()) ||
      header.codeBytes > UINT32_MAX) {
    return refuse("damaged");
  }
  return header;
}

}  // namespace

bool Module::isSerialized(std::span<const uint8_t> bytes) {
  return bytes.size() >= sizeof kMagic && std::memcmp(bytes.data(), kMagic, sizeof kMagic) == 0;
}

Result<std::vector<uint8_t>> Module::serialize() {
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
  const codecache::CodeBlock& block = *source->block().get();

  Header header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.format = kFormat;
  header.headerBytes = sizeof header;
  header.build = buildKey();
  header.cpuFeatures = x64::cpuFeatures().bits();
  header.settings = settingsKey(wanted);
  header.functions = static_cast<uint32_t>(info_.functions.size()) - info_.importedFunctions;
  header.offsetsAt = sizeof header;
  header.wasmAt = header.offsetsAt + 4ull * header.functions;
  header.wasmBytes = bytes_.span().size();
  header.codeAt = (header.wasmAt + header.wasmBytes + kPage - 1) & ~(kPage - 1);
  header.codeBytes = block.size();
  header.fileBytes = header.codeAt + header.codeBytes;

  std::vector<uint8_t> file(header.fileBytes);
  for (uint32_t i = 0; i < header.functions; ++i) {
    uint32_t entry = source->packedEntry(info_.importedFunctions + i);
    std::memcpy(file.data() + header.offsetsAt + 4ull * i, &entry, 4);
  }
  if (header.wasmBytes) std::memcpy(file.data() + header.wasmAt, bytes_.span().data(), header.wasmBytes);
  std::memcpy(file.data() + header.codeAt, block.code(), block.size());
  std::memcpy(file.data(), &header, sizeof header);
  header.checksum = checksumOf(file);
  std::memcpy(file.data(), &header, sizeof header);
  return file;
}

Result<std::shared_ptr<Module>> Module::deserialize(std::shared_ptr<Engine> engine, ModuleBytes file) {
  auto span = file.span();
  auto header = readHeader(span);
  if (!header) return std::unexpected(header.error());
  auto codeBytes = span.subspan(header->codeAt, header->codeBytes);
  auto wasm = span.subspan(header->wasmAt, header->wasmBytes);
  std::vector<uint32_t> offsets(header->functions);
  if (!offsets.empty()) std::memcpy(offsets.data(), span.data() + header->offsetsAt, 4ull * header->functions);
  uint64_t hash = XXH3_64bits(wasm.data(), wasm.size());
  if (auto known = engine->modules.find(hash, wasm)) return known;

  std::shared_ptr<Module> module(
      new Module(std::move(engine), std::move(file).slice(header->wasmAt, header->wasmBytes)));
  if (auto decoded = module->decode(); !decoded) return std::unexpected(decoded.error());
  auto bounds = header->settings & 1 ? sandbox::Bounds::Guarded : sandbox::Bounds::Checked;
  compile::Settings settings = module->settings(bounds);
  settings.lazy = false;
  if (settingsKey(settings) != header->settings) return refuse("compiled with other settings");
  const frontend::ModuleInfo& info = module->info_;
  if (offsets.size() != info.functions.size() - info.importedFunctions ||
      std::ranges::any_of(offsets, [&](uint32_t o) { return (o & ~15u) >= header->codeBytes; })) {
    return refuse("damaged");
  }
  auto block = codecache::CodeCache::process().allocate(static_cast<uint32_t>(header->codeBytes));
  if (!block) return std::unexpected(Error::make(ErrorKind::Resource, std::move(block.error())));
  std::memcpy((*block)->writable(), codeBytes.data(), codeBytes.size());
  unsigned which = module->guardable_ && bounds == sandbox::Bounds::Checked ? 1 : 0;
  module->code_[which] =
      compile::ModuleCode::adopt(settings, std::move(*block), info.importedFunctions, std::move(offsets));
  module->ready_[which].store(module->code_[which].get(), std::memory_order_release);
  return publish(std::move(module), hash);
}

}  // namespace wattle::vm
