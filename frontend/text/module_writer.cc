#include "frontend/text/module_writer.h"

#include <algorithm>

#include "frontend/text/types.h"

namespace wattle::frontend::text {
namespace {

constexpr uint8_t kCustomId = 0;
constexpr uint8_t kSectionIds[] = {1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11};  // by SectionRank

// Subsections of the name section.
enum class NameKind : uint8_t {
  Module,
  Function,
  Local,
  Label,
  Type,
  Table,
  Memory,
  Global,
  Element,
  Data,
  Field,
  Tag
};

class ModuleWriter {
 public:
  ModuleWriter(const ModuleContext& context, const WatOptions& options) : context_(context), options_(options) {}

  std::vector<uint8_t> write() {
    out_.append(std::string_view("\0asm\1\0\0\0", 8));
    CustomSlot slot = kFirstSlot;
    writeCustoms(slot++);
    for (unsigned rank = 0; rank < std::size(kSectionIds); ++rank) {
      writeCustoms(slot++);
      writeRank(static_cast<SectionRank>(rank));
      writeCustoms(slot++);
    }
    writeCustoms(slot);
    if (options_.nameSection) writeNames();
    return out_.release();
  }

 private:
  void section(uint8_t id, const ByteWriter& contents) {
    out_.byte(id);
    out_.sized(contents.bytes());
  }

  void custom(std::string_view name, std::span<const uint8_t> bytes) {
    ByteWriter contents;
    contents.sized(name);
    contents.append(bytes);
    section(kCustomId, contents);
  }

  void writeCustoms(CustomSlot slot) {
    for (const CustomText& text : context_.customs) {
      if (text.slot != slot) continue;
      ByteWriter bytes;
      bytes.append(text.bytes);
      custom(text.name, bytes.bytes());
    }
  }

  void writeRank(SectionRank rank) {
    uint8_t id = kSectionIds[static_cast<unsigned>(rank)];
    switch (rank) {
      case SectionRank::Type: return writeTypes(id);
      case SectionRank::Import: return writeCounted(id, context_.imports);
      case SectionRank::Function: return writeCounted(id, context_.functionTypes);
      case SectionRank::Table: return writeCounted(id, context_.tableSection);
      case SectionRank::Memory: return writeCounted(id, context_.memorySection);
      case SectionRank::Tag: return writeCounted(id, context_.tagSection);
      case SectionRank::Global: return writeCounted(id, context_.globalSection);
      case SectionRank::Export: return writeCounted(id, context_.exports);
      case SectionRank::Start:
        if (context_.start) writeNumber(id, *context_.start);
        return;
      case SectionRank::Element: return writeCounted(id, context_.elementSection);
      case SectionRank::DataCount:
        if (context_.codeUsesData) writeNumber(id, context_.dataSection.count);
        return;
      case SectionRank::Code: writeHints(); return writeCounted(id, context_.code);
      case SectionRank::Data: return writeCounted(id, context_.dataSection);
    }
  }

  void writeTypes(uint8_t id) {
    if (context_.types.groups().empty()) return;
    ByteWriter contents;
    writeTypeSection(contents, context_.types);
    section(id, contents);
  }

  void writeCounted(uint8_t id, const Section& entries) {
    if (entries.count == 0) return;
    ByteWriter contents;
    contents.u32(entries.count);
    out_.byte(id);
    out_.u64(contents.size() + entries.body.size());
    out_.append(contents.bytes());
    out_.append(entries.body.bytes());
  }

  void writeNumber(uint8_t id, uint32_t number) {
    ByteWriter contents;
    contents.u32(number);
    section(id, contents);
  }

  void writeHints() {
    ByteWriter functions;
    uint32_t count = 0;
    for (const FunctionNotes& notes : context_.notes) {
      if (notes.hints.empty()) continue;
      ++count;
      functions.u32(notes.function);
      std::vector<BranchHint> hints = notes.hints;
      std::ranges::sort(hints, {}, &BranchHint::offset);
      functions.u64(hints.size());
      for (const BranchHint& hint : hints) {
        functions.u32(hint.offset);
        functions.u32(1);  // size of the value
        functions.byte(hint.value);
      }
    }
    if (count == 0) return;
    ByteWriter contents;
    contents.u32(count);
    contents.append(functions.bytes());
    custom("metadata.code.branch_hint", contents.bytes());
  }

  static void appendMap(ByteWriter& out, const NameMap& names) {
    out.u64(names.size());
    for (auto [index, name] : names) {
      out.u32(index);
      out.sized(name);
    }
  }

  static void subsection(ByteWriter& out, NameKind kind, const ByteWriter& contents) {
    out.byte(static_cast<uint8_t>(kind));
    out.sized(contents.bytes());
  }

  static void mapSubsection(ByteWriter& out, NameKind kind, const NameMap& names) {
    if (names.empty()) return;
    ByteWriter contents;
    appendMap(contents, names);
    subsection(out, kind, contents);
  }

  using IndirectMap = std::vector<std::pair<uint32_t, const NameMap*>>;
  static void indirectSubsection(ByteWriter& out, NameKind kind, const IndirectMap& maps) {
    if (maps.empty()) return;
    ByteWriter contents;
    contents.u64(maps.size());
    for (auto [index, names] : maps) {
      contents.u32(index);
      appendMap(contents, *names);
    }
    subsection(out, kind, contents);
  }

  void writeNames() {
    ByteWriter names;
    if (context_.name) {
      ByteWriter contents;
      contents.sized(*context_.name);
      subsection(names, NameKind::Module, contents);
    }
    mapSubsection(names, NameKind::Function, context_.functions.names());
    IndirectMap locals, fields;
    for (const FunctionNotes& notes : context_.notes) {
      if (!notes.locals.empty()) locals.emplace_back(notes.function, &notes.locals);
    }
    indirectSubsection(names, NameKind::Local, locals);
    mapSubsection(names, NameKind::Type, context_.typeNames.names());
    mapSubsection(names, NameKind::Table, context_.tables.names());
    mapSubsection(names, NameKind::Memory, context_.memories.names());
    mapSubsection(names, NameKind::Global, context_.globals.names());
    mapSubsection(names, NameKind::Element, context_.elements.names());
    mapSubsection(names, NameKind::Data, context_.data.names());
    for (const auto& [type, space] : context_.fields) {
      if (!space.names().empty()) fields.emplace_back(type, &space.names());
    }
    std::ranges::sort(fields);
    indirectSubsection(names, NameKind::Field, fields);
    mapSubsection(names, NameKind::Tag, context_.tags.names());
    if (!names.empty()) custom("name", names.bytes());
  }

  const ModuleContext& context_;
  const WatOptions& options_;
  ByteWriter out_;
};

}  // namespace

std::vector<uint8_t> writeModule(const ModuleContext& context, const WatOptions& options) {
  return ModuleWriter(context, options).write();
}

}  // namespace wattle::frontend::text
