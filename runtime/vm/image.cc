#include "runtime/vm/image.h"

#include <elf.h>
#include <fmt/format.h>
#include <link.h>
#include <xxhash.h>

#include <cstring>

#include "runtime/compile/x64/cpu_features.h"
#include "wattle/wattle.hpp"

namespace wattle::vm {

namespace {

constexpr char kMagic[8] = {'\0', 'w', 'a', 't', 't', 'l', 'e', '\n'};
constexpr uint32_t kFormat = 5;
constexpr uint64_t kPage = 4096;
constexpr uint8_t kZeros[kPage] = {};
constexpr size_t kHeadParts = 3;  // of ImageParts::parts()

// XXH3 of bytes that come in pieces.
class Checksum {
 public:
  Checksum() { XXH3_64bits_reset(state_); }
  ~Checksum() { XXH3_freeState(state_); }
  Checksum(const Checksum&) = delete;
  Checksum& operator=(const Checksum&) = delete;
  Checksum& add(std::span<const uint8_t> bytes) {
    XXH3_64bits_update(state_, bytes.data(), bytes.size());
    return *this;
  }
  uint64_t value() const { return XXH3_64bits_digest(state_); }

 private:
  XXH3_state_t* state_ = XXH3_createState();
};

template <class T>
std::span<const uint8_t> bytesOf(const T& value) {
  return {reinterpret_cast<const uint8_t*>(&value), sizeof value};
}

uint64_t headChecksum(ImageHeader header, std::span<const uint8_t> rest) {
  header.headChecksum = 0;
  return Checksum().add(bytesOf(header)).add(rest).value();
}

bool lies(uint64_t at, uint64_t size, uint64_t within) { return at <= within && size <= within - at; }

// The linker's build id of the object this function is in; else all its code is hashed.
int keyOfObject(dl_phdr_info* info, size_t, void* result) {
  const auto here = reinterpret_cast<uintptr_t>(&buildKey);
  const std::span headers(info->dlpi_phdr, info->dlpi_phnum);
  std::span<const uint8_t> text, id;
  for (const ElfW(Phdr) & h : headers) {
    const auto* at = reinterpret_cast<const uint8_t*>(info->dlpi_addr + h.p_vaddr);
    const auto begin = reinterpret_cast<uintptr_t>(at);
    if (h.p_type == PT_LOAD && here >= begin && here - begin < h.p_memsz) text = {at, h.p_memsz};
    if (h.p_type != PT_NOTE) continue;
    for (size_t o = 0; o + sizeof(ElfW(Nhdr)) <= h.p_memsz;) {
      ElfW(Nhdr) note;
      std::memcpy(&note, at + o, sizeof note);
      const size_t nameAt = o + sizeof note, idAt = nameAt + (note.n_namesz + 3u) / 4 * 4;
      if (!lies(idAt, note.n_descsz, h.p_memsz)) break;
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(at + nameAt, "GNU", 4) == 0) {
        id = {at + idAt, note.n_descsz};
      }
      o = idAt + (note.n_descsz + 3u) / 4 * 4;
    }
  }
  if (text.empty()) return 0;
  if (id.empty()) id = text;
  *static_cast<uint64_t*>(result) = XXH3_64bits(id.data(), id.size());
  return 1;
}

}  // namespace

uint64_t buildKey() {
  static const uint64_t key = [] {
    uint64_t object = 0;
    dl_iterate_phdr(keyOfObject, &object);
    const std::string_view v = version();
    return XXH3_64bits_withSeed(v.data(), v.size(), object);
  }();
  return key;
}

uint32_t settingsKey(const compile::Settings& settings) {
  return (settings.guarded ? 1u : 0) | (settings.fuel ? 2u : 0) | (settings.lazy ? 4u : 0) | (settings.polls ? 8u : 0);
}

std::unexpected<Error> refuseImage(std::string why) {
  return std::unexpected(
      Error::make(ErrorKind::Malformed, fmt::format("not a compiled module for this Wattle: {}", why)));
}

bool isImage(std::span<const uint8_t> file) {
  return file.size() >= sizeof kMagic && std::memcmp(file.data(), kMagic, sizeof kMagic) == 0;
}

Result<ImageHeader> readImage(std::span<const uint8_t> file, bool bodyKnown) {
  ImageHeader header;
  if (file.size() < sizeof header) return refuseImage("too short");
  std::memcpy(&header, file.data(), sizeof header);
  if (!isImage(file)) return refuseImage("no compiled module at all");
  if (header.format != kFormat || header.headerBytes != sizeof header || header.build != buildKey()) {
    return refuseImage("written by another version");
  }
  if (header.fileBytes != file.size()) return refuseImage("cut short");
  const std::string damaged = "damaged (the checksum does not match)";
  if (header.wasmAt < sizeof header || header.wasmAt > file.size()) return refuseImage(damaged);
  if (header.headChecksum != headChecksum(header, file.subspan(sizeof header, header.wasmAt - sizeof header))) {
    return refuseImage(damaged);
  }
  if (header.cpuFeatures != x64::cpuFeatures().bits()) {
    return refuseImage("compiled for a processor with other features");
  }
  if (header.rangesAt != sizeof header ||
      !lies(header.rangesAt, 8ull * header.ranges + 8ull * header.functions, header.wasmAt) ||
      !lies(header.wasmAt, header.wasmBytes, header.codeAt) || header.codeAt % kPage != 0 ||
      !lies(header.codeAt, header.codeBytes, file.size()) || header.codeBytes > UINT32_MAX) {
    return refuseImage("damaged");
  }
  if (!bodyKnown && header.bodyChecksum != Checksum().add(file.subspan(header.wasmAt)).value()) {
    return refuseImage(damaged);
  }
  return header;
}

std::vector<codecache::CodeRange> rangesOf(const ImageHeader& header, std::span<const uint8_t> file) {
  std::vector<codecache::CodeRange> ranges(header.ranges);
  if (!ranges.empty()) std::memcpy(ranges.data(), file.data() + header.rangesAt, 8ull * header.ranges);
  return ranges;
}

std::vector<frontend::BodyRange> bodiesOf(const ImageHeader& header, std::span<const uint8_t> file) {
  std::vector<frontend::BodyRange> bodies(header.functions);
  const uint8_t* at = file.data() + header.rangesAt + 8ull * header.ranges;
  if (!bodies.empty()) std::memcpy(bodies.data(), at, 8ull * header.functions);
  return bodies;
}

ImageParts::ImageParts(const compile::ModuleCode& code, const compile::Settings& settings,
                       const frontend::ModuleInfo& module, std::span<const uint8_t> wasm, uint64_t wasmHash)
    : wasm_(wasm) {
  for (size_t i = module.importedFunctions; i < module.functions.size(); ++i) {
    const frontend::Range& body = module.functions[i].body;
    bodies_.push_back({static_cast<uint32_t>(body.offset), static_cast<uint32_t>(body.size)});
  }
  const compile::CodeImage image = code.image(ranges_);
  code_ = image.code;
  std::memcpy(header_.magic, kMagic, sizeof kMagic);
  header_.format = kFormat;
  header_.headerBytes = sizeof header_;
  header_.build = buildKey();
  header_.cpuFeatures = x64::cpuFeatures().bits();
  header_.settings = settingsKey(settings);
  header_.functions = static_cast<uint32_t>(bodies_.size());
  header_.wasmHash = wasmHash;
  header_.rangesAt = sizeof header_;
  header_.ranges = static_cast<uint32_t>(ranges_.size());
  header_.codePlace = image.codeAt;
  header_.wasmAt = header_.rangesAt + 8ull * header_.ranges + 8ull * header_.functions;
  header_.wasmBytes = wasm.size();
  header_.codeAt = (header_.wasmAt + header_.wasmBytes + kPage - 1) & ~(kPage - 1);
  header_.codeBytes = code_.size();
  header_.fileBytes = header_.codeAt + header_.codeBytes;
  Checksum body;
  const auto all = parts();
  for (const auto& part : std::span(all).subspan(kHeadParts)) body.add(part);
  header_.bodyChecksum = body.value();
  Checksum head;  // its own field is zero yet
  for (const auto& part : std::span(all).first(kHeadParts)) head.add(part);
  header_.headChecksum = head.value();
}

std::vector<std::span<const uint8_t>> ImageParts::parts() const {
  const std::span ranges(reinterpret_cast<const uint8_t*>(ranges_.data()), ranges_.size() * 8);
  const std::span padding(kZeros, header_.codeAt - header_.wasmAt - header_.wasmBytes);
  const std::span bodies(reinterpret_cast<const uint8_t*>(bodies_.data()), bodies_.size() * 8);
  return {bytesOf(header_), ranges, bodies, wasm_, padding, code_};
}

}  // namespace wattle::vm
