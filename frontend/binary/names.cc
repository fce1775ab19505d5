// The name section (spec "Appendix / Custom Sections / Name Section").
#include "frontend/binary/module_decoder.h"
#include "frontend/binary/reader.h"

namespace wattle::frontend {
namespace {

constexpr uint8_t kModuleName = 0, kFunctionNames = 1;

void readFunctionNames(Reader& reader, std::vector<std::string>& names) {
  const uint32_t count = reader.u32();
  for (uint32_t i = 0; i < count && reader.ok(); i++) {
    const uint32_t index = reader.u32();
    const std::string_view name = reader.name();
    if (reader.ok() && index < names.size()) names[index] = name;
  }
}

}  // namespace

Names decodeNames(const ModuleInfo& module, std::span<const uint8_t> bytes) {
  for (const CustomSection& section : module.customSections) {
    if (section.name != "name") continue;
    const uint8_t* begin = bytes.data() + section.bytes.offset;
    Reader reader(begin, begin + section.bytes.size, section.bytes.offset);
    Names names;
    names.functions.resize(module.functions.size());
    while (reader.ok() && !reader.atEnd()) {
      const uint8_t id = reader.byte();
      const uint32_t size = reader.length();
      if (!reader.ok()) break;
      Reader part(reader.position(), reader.position() + size, reader.offset());
      if (id == kModuleName) names.module = part.name();
      if (id == kFunctionNames) readFunctionNames(part, names.functions);
      if (!part.ok()) return {};
      reader.skip(size);
    }
    if (reader.ok()) return names;
    return {};
  }
  return {};
}

}  // namespace wattle::frontend
