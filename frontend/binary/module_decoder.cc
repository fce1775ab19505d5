#include "frontend/binary/module_decoder.h"

#include <cstring>

#include "frontend/binary/const_expr.h"
#include "frontend/binary/limits.h"
#include "frontend/binary/module_decoder_impl.h"

namespace wattle::frontend {
namespace {

enum SectionId : uint8_t {
  kCustom,
  kType,
  kImport,
  kFunction,
  kTable,
  kMemory,
  kGlobal,
  kExport,
  kStart,
  kElement,
  kCode,
  kData,
  kDataCount,
  kTag,
  kSectionIds,
};

// Where each section may stand among the others (spec "Binary Format / Modules"); by id.
constexpr int kOrder[kSectionIds] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 11, 6};

}  // namespace

ModuleDecoder::ModuleDecoder(std::span<const uint8_t> bytes, const Features& features,
                             std::span<const BodyRange> bodies)
    : bytes_(bytes), known_(bodies), reader_(bytes.data(), bytes.data() + bytes.size(), 0) {
  module_.features = features;
}

ModuleDecoder::~ModuleDecoder() = default;

Result<ModuleInfo> ModuleDecoder::run() {
  if (decode()) return std::move(module_);
  Error error = reader_.takeError();
  if (std::optional<Error> earlier = malformedBody()) return std::unexpected(std::move(*earlier));
  return std::unexpected(std::move(error));
}

// When the sections do not add up, a body may be to blame for it: one that is malformed comes first in the file.
std::optional<Error> ModuleDecoder::malformedBody() {
  if (bodies_.empty() || bodies_.size() != module_.functions.size() - module_.importedFunctions) return std::nullopt;
  assignBodies();
  const auto checked =
      validateFunctions(module_, bytes_, module_.importedFunctions, static_cast<uint32_t>(module_.functions.size()));
  if (checked || checked.error().kind != ErrorKind::Malformed) return std::nullopt;
  return checked.error();
}

void ModuleDecoder::assignBodies() {
  for (size_t i = 0; i < bodies_.size(); i++) module_.functions[module_.importedFunctions + i].body = bodies_[i];
}

bool ModuleDecoder::decode() {
  if (!header()) return false;
  while (!reader_.atEnd()) {
    if (!section()) return false;
  }
  return finish();
}

bool ModuleDecoder::header() {
  const std::string_view magic = reader_.bytes(4);
  if (reader_.ok() && magic != std::string_view("\0asm", 4)) {
    return reader_.failAt(0, ErrorKind::Malformed, "magic header not detected");
  }
  const uint64_t version = reader_.fixed(4);
  if (reader_.ok() && version != 1) {
    return reader_.failAt(4, ErrorKind::Malformed, "unknown binary version " + std::to_string(version));
  }
  return reader_.ok();
}

// A section's size is compared with what was read only after its contents were: what is wrong with those is said first.
bool ModuleDecoder::section() {
  const uint64_t start = reader_.offset();
  const uint8_t id = reader_.byte();
  if (id >= kSectionIds)
    return reader_.failAt(start, ErrorKind::Malformed, "malformed section id " + std::to_string(id));
  const uint32_t size = reader_.length();
  if (!reader_.ok()) return false;
  const Range contents{reader_.offset(), size};
  module_.sections.push_back({id, contents});
  sectionEnd_ = contents.offset + size;
  if (id == kCustom) return customSection(sectionEnd_);
  if (kOrder[id] <= lastOrder_) {
    return reader_.failAt(start, ErrorKind::Malformed,
                          "unexpected content after last section: section " + std::to_string(id) + " is out of order");
  }
  lastOrder_ = kOrder[id];
  if (!sectionBody(id) || !reader_.ok()) return false;
  if (reader_.offset() != sectionEnd_) {
    return reader_.malformed("section size mismatch: section " + std::to_string(id) + " has " + std::to_string(size) +
                             " bytes, its contents take " + std::to_string(reader_.offset() - contents.offset));
  }
  return true;
}

bool ModuleDecoder::sectionBody(uint8_t id) {
  switch (id) {
    case kType: return decodeTypes(reader_, module_);
    case kImport: return importSection();
    case kFunction: return functionSection();
    case kTable: return tableSection();
    case kMemory: return memorySection();
    case kGlobal: return globalSection();
    case kExport: return exportSection();
    case kStart: return startSection();
    case kElement: return elementSection();
    case kCode: return codeSection();
    case kData: return dataSection();
    case kDataCount: return dataCountSection();
    case kTag: return tagSection();
    default: return false;
  }
}

bool ModuleDecoder::customSection(uint64_t end) {
  CustomSection section;
  Reader contents(reader_.position(), bytes_.data() + end, reader_.offset());
  section.name = contents.name();
  if (!contents.ok()) {
    const Error error = contents.takeError();
    return reader_.failAt(error.offset, error.kind, error.message);
  }
  section.bytes = {contents.offset(), end - contents.offset()};
  module_.customSections.push_back(std::move(section));
  reader_.skip(end - reader_.offset());
  return true;
}

bool ModuleDecoder::functionSection() {
  const uint32_t count = reader_.count(kMaxFunctions, "functions");
  reader_.reserve(module_.functions, count);
  reader_.reserve(module_.functionTypes, count);
  const TypeScope types = scope();
  for (uint32_t i = 0; i < count && reader_.ok(); i++) {
    Function function;
    readFuncTypeIndex(reader_, types, function.typeIndex);
    addFunction(function);
  }
  return reader_.ok();
}

void ModuleDecoder::addFunction(const Function& function) {
  module_.functions.push_back(function);
  module_.functionTypes.push_back(function.typeIndex);
}

bool ModuleDecoder::codeSection() {
  const uint32_t count = reader_.count(kMaxFunctions, "functions");
  reader_.reserve(bodies_, count);
  if (count != 0 && count == known_.size()) return knownBodies();
  for (uint32_t i = 0; i < count && reader_.ok(); i++) {
    const uint32_t size = reader_.length();
    bodies_.push_back({reader_.offset(), size});
    module_.codeBytes += size;
    reader_.skip(size);
  }
  return reader_.ok();
}

bool ModuleDecoder::knownBodies() {
  uint64_t from = reader_.offset();
  for (const BodyRange& body : known_) {
    if (body.offset <= from || body.size > sectionEnd_ || body.offset > sectionEnd_ - body.size) {
      return reader_.malformed("these are another module's bodies");
    }
    bodies_.push_back({body.offset, body.size});
    module_.codeBytes += body.size;
    from = uint64_t{body.offset} + body.size;
  }
  reader_.skip(sectionEnd_ - reader_.offset());
  return reader_.ok();
}

bool ModuleDecoder::dataCountSection() {
  module_.dataCount = reader_.u32();
  return reader_.ok();
}

bool ModuleDecoder::finish() {
  const size_t defined = module_.functions.size() - module_.importedFunctions;
  if (bodies_.size() != defined) {
    return reader_.malformed("function and code section have inconsistent lengths: " + std::to_string(defined) +
                             " and " + std::to_string(bodies_.size()));
  }
  if (module_.dataCount && *module_.dataCount != module_.data.size()) {
    return reader_.malformed("data count and data section have inconsistent lengths: " +
                             std::to_string(*module_.dataCount) + " and " + std::to_string(module_.data.size()));
  }
  assignBodies();
  return true;
}

Result<ModuleInfo> decodeModule(std::span<const uint8_t> bytes, const Features& features,
                                std::span<const BodyRange> bodies) {
  return ModuleDecoder(bytes, features, bodies).run();
}

Result<ModuleInfo> validateModule(std::span<const uint8_t> bytes, const Features& features) {
  Result<ModuleInfo> module = decodeModule(bytes, features);
  if (!module) return module;
  const auto first = module->importedFunctions;
  const auto checked = validateFunctions(*module, bytes, first, static_cast<uint32_t>(module->functions.size()));
  if (!checked) return std::unexpected(checked.error());
  return module;
}

}  // namespace wattle::frontend
