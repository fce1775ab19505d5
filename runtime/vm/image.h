// Compiled modules as bytes: what Module::serialize gives, `wattle compile` writes and the disk cache keeps.
//
//   | Header | code ranges | body ranges | wasm bytes | zeros to the next page | native code |
//   '-------------- head ---------------' '---------------------- body ----------------------'
//
// Code has no relocations (DESIGN section 2), so it is written as it stands in the code cache, and begins on a page of
// its own so that it can be mapped as is. Everything is little-endian and sized by the header. What does not match this
// build, this processor's features, these settings or its checksums is refused with an error; a cache takes that for a
// miss.
//
// Head and body have a checksum each. The head's is always verified. The body's may be left out by who knows that the
// file has not been changed since it was verified (disk_cache.h): then opening a module of 40 MB touches a few pages.
// The checksums guard against damage, not against malice: native code from an untrusted source must not be loaded.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "frontend/binary/module_decoder.h"
#include "runtime/codecache/code_cache.h"
#include "runtime/compile/compile.h"
#include "sandbox/linear_memory.h"
#include "wattle/error.hpp"

namespace wattle::vm {

struct ImageHeader {
  char magic[8];
  uint32_t format;
  uint32_t headerBytes;
  uint64_t build;  // buildKey()
  uint64_t cpuFeatures;
  uint32_t settings;   // settingsKey
  uint32_t functions;  // defined ones
  uint64_t wasmHash;   // XXH3 of the wasm bytes: their key in a ModuleTable
  uint64_t rangesAt;   // behind them, for each function, where its body is (frontend::BodyRange)
  uint32_t ranges;     // CodeRange, 8 bytes each, by place
  uint32_t codePlace;  // of the code in its block (CodeImage::codeAt)
  uint64_t wasmAt, wasmBytes;
  uint64_t codeAt, codeBytes;
  uint64_t fileBytes;
  uint64_t bodyChecksum;  // XXH3 from wasmAt to the end
  uint64_t headChecksum;  // XXH3 from the beginning to wasmAt, with this field zero
};
static_assert(sizeof(ImageHeader) == 120 && sizeof(codecache::CodeRange) == 8 && sizeof(frontend::BodyRange) == 8);

// Tells builds of the compiler apart: of everything that is linked together with it.
uint64_t buildKey();
uint32_t settingsKey(const compile::Settings& settings);

bool isImage(std::span<const uint8_t> file);

// Checks all that can be checked without knowing the module. `bodyKnown`: see above.
Result<ImageHeader> readImage(std::span<const uint8_t> file, bool bodyKnown);
std::vector<codecache::CodeRange> rangesOf(const ImageHeader& header, std::span<const uint8_t> file);
std::vector<frontend::BodyRange> bodiesOf(const ImageHeader& header, std::span<const uint8_t> file);

// An image about to be written: its parts in order. They refer to the module and its code, and to this.
class ImageParts {
 public:
  ImageParts(const compile::ModuleCode& code, const compile::Settings& settings, const frontend::ModuleInfo& module,
             std::span<const uint8_t> wasm, uint64_t wasmHash);
  ImageParts(const ImageParts&) = delete;
  ImageParts& operator=(const ImageParts&) = delete;
  std::vector<std::span<const uint8_t>> parts() const;
  uint64_t size() const { return header_.fileBytes; }
  uint64_t codeBytes() const { return header_.codeBytes; }
  uint64_t bodyChecksum() const { return header_.bodyChecksum; }

 private:
  ImageHeader header_{};
  std::vector<codecache::CodeRange> ranges_;
  std::vector<frontend::BodyRange> bodies_;
  std::span<const uint8_t> wasm_, code_;
};

std::unexpected<Error> refuseImage(std::string why);

}  // namespace wattle::vm
