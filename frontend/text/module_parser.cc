// The second pass over a module, field by field. Segments are in segments.cc, the first pass in bind_fields.cc.
#include "frontend/text/module_parser.h"

#include <bit>

#include "frontend/text/instructions.h"
#include "frontend/text/module_writer.h"

namespace wattle::frontend::text {
namespace {

void writeLimits(ByteWriter& out, const Limits& limits, uint8_t flags) {
  out.byte(static_cast<uint8_t>(flags | (limits.max ? 1 : 0)));
  out.u64(limits.min);
  if (limits.max) out.u64(*limits.max);
}

void writeTableType(ByteWriter& out, const TableType& type) {
  writeValType(out, type.element);
  writeLimits(out, type.limits, type.is64 ? 4 : 0);
}

void writeGlobalType(ByteWriter& out, const GlobalType& type) {
  writeValType(out, type.type);
  out.byte(type.isMutable);
}

void writeTagType(ByteWriter& out, uint32_t type) {
  out.byte(0);
  out.u32(type);
}

}  // namespace

Result<std::vector<uint8_t>> ModuleParser::parseModule(bool inScript) {
  bool isWrapped = cursor_.takeOpen("module");
  if (isWrapped) {
    if (inScript) cursor_.takeKeyword("definition");
    IndexSpace self("module", "module");
    self.bind(cursor_, context_.nameStorage);
    if (!self.names().empty()) context_.name = self.names()[0].second;
  }
  bindFields();
  if (isWrapped) cursor_.expectClose();
  if (!cursor_.is(TokenKind::End)) cursor_.failUnexpected();
  parseTypes();
  for (uint32_t position : fields_) {
    if (cursor_.failed()) break;
    cursor_.seek(position);
    parseField();
  }
  if (!cursor_.failed()) cursor_.expectNoAnnotationsLeft();
  if (cursor_.failed()) return std::unexpected(*cursor_.error());
  return writeModule(context_, options_);
}

void ModuleParser::parseTypes() {
  uint32_t index = 0;
  for (uint32_t position : fields_) {
    if (cursor_.failed()) return;
    cursor_.seek(position);
    if (cursor_.isOpen("type")) {
      context_.types.beginGroup();
      parseTypeField(index);
    } else if (cursor_.takeOpen("rec")) {
      context_.types.beginGroup();
      while (cursor_.isOpen("type")) parseTypeField(index);
    }
  }
  context_.types.indexSignatures();
}

void ModuleParser::parseTypeField(uint32_t& index) {
  cursor_.takeOpen("type");
  cursor_.takeId();
  context_.types.add(parseTypeDef(cursor_, context_, index++));
  cursor_.expectClose();
}

void ModuleParser::parseField() {
  cursor_.advance();
  std::string_view word = cursor_.text();
  if (word == "type" || word == "rec") return;
  cursor_.advance();
  if (word == "import") {
    parseImport();
  } else if (word == "export") {
    parseExport();
  } else if (word == "start") {
    parseStart();
  } else if (word == "elem") {
    parseElement();
  } else if (word == "data") {
    parseData();
  } else {
    parseDefinition(*externKindOf(word));  // bindFields has seen to it that it is one
  }
  cursor_.expectClose();
}

// "module" "name": begins an entry of the import section.
void ModuleParser::parseImportName() {
  ++context_.imports.count;
  context_.imports.body.sized(cursor_.expectName());
  context_.imports.body.sized(cursor_.expectName());
}

// (import "module" "name" (kind $id? type)): after the keyword, up to before its last ")".
void ModuleParser::parseImport() {
  parseImportName();
  cursor_.expectOpen();
  std::optional<ExternKind> kind = externKindOf(cursor_.text());
  if (!kind) return cursor_.failUnexpected();
  cursor_.advance();
  cursor_.takeId();
  ++nextIndex_[static_cast<size_t>(*kind)];
  parseImportType(*kind);
  cursor_.expectClose();
}

void ModuleParser::parseImportType(ExternKind kind) {
  switch (kind) {
    case ExternKind::Func: return importFunction();
    case ExternKind::Table: return importTable();
    case ExternKind::Memory: return importMemory();
    case ExternKind::Global: return importGlobal();
    case ExternKind::Tag: return importTag();
  }
}

// A function, table, memory, global or tag: $id? (export "name")* and then an (import "module" "name") or a definition.
void ModuleParser::parseDefinition(ExternKind kind) {
  uint32_t index = nextIndex_[static_cast<size_t>(kind)]++;
  cursor_.takeId();
  while (cursor_.takeOpen("export")) {
    writeExport(cursor_.expectName(), kind, index);
    cursor_.expectClose();
  }
  if (cursor_.takeOpen("import")) {
    parseImportName();
    cursor_.expectClose();
    return parseImportType(kind);
  }
  switch (kind) {
    case ExternKind::Func: return parseFunction(index);
    case ExternKind::Table: return parseTable(index);
    case ExternKind::Memory: return parseMemory(index);
    case ExternKind::Global: return parseGlobal();
    case ExternKind::Tag: return parseTag();
  }
}

void ModuleParser::importFunction() {
  constexpr uint8_t kExactFunction = 0x20;
  bool isExact = cursor_.takeOpen("exact");
  IndexSpace parameters("local", "local");
  TypeUse use = parseTypeUse(cursor_, context_, &parameters);
  if (isExact) cursor_.expectClose();
  context_.imports.body.byte(isExact ? kExactFunction : static_cast<uint8_t>(ExternKind::Func));
  context_.imports.body.u32(resolveTypeUse(cursor_, context_, use));
}

void ModuleParser::importTable() {
  bool is64 = parseAddressType();
  context_.imports.body.byte(static_cast<uint8_t>(ExternKind::Table));
  writeTableType(context_.imports.body, parseTableType(is64));
}

void ModuleParser::importMemory() {
  bool is64 = parseAddressType(), hasPageSize = false;
  MemoryType type = parseMemoryType(is64, hasPageSize);
  context_.imports.body.byte(static_cast<uint8_t>(ExternKind::Memory));
  writeMemoryType(context_.imports.body, type, hasPageSize);
}

void ModuleParser::importGlobal() {
  context_.imports.body.byte(static_cast<uint8_t>(ExternKind::Global));
  writeGlobalType(context_.imports.body, parseGlobalType());
}

void ModuleParser::importTag() {
  IndexSpace parameters("local", "local");
  TypeUse use = parseTypeUse(cursor_, context_, &parameters);
  context_.imports.body.byte(static_cast<uint8_t>(ExternKind::Tag));
  writeTagType(context_.imports.body, resolveTypeUse(cursor_, context_, use));
}

void ModuleParser::writeExport(const std::string& name, ExternKind kind, uint32_t index) {
  ++context_.exports.count;
  context_.exports.body.sized(name);
  context_.exports.body.byte(static_cast<uint8_t>(kind));
  context_.exports.body.u32(index);
}

void ModuleParser::parseFunction(uint32_t index) {
  IndexSpace locals("local", "local");
  TypeUse use = parseTypeUse(cursor_, context_, &locals);
  ++context_.functionTypes.count;
  context_.functionTypes.body.u32(resolveTypeUse(cursor_, context_, use));
  ByteWriter body;
  parseLocals(locals, body);
  FunctionNotes notes{.function = index, .locals = {}, .hints = {}};
  InstructionParser(cursor_, context_, body, locals, &notes.hints).parseSequence();
  body.byte(static_cast<uint8_t>(info(Op::End).code));
  ++context_.code.count;
  context_.code.body.sized(body.bytes());
  notes.locals = locals.names();
  if (!notes.locals.empty() || !notes.hints.empty()) context_.notes.push_back(std::move(notes));
}

void ModuleParser::parseLocals(IndexSpace& locals, ByteWriter& out) {
  std::vector<std::pair<uint32_t, ValType>> runs;
  while (cursor_.takeOpen("local")) {
    parseBindings(cursor_, context_, locals, [&] {
      ValType type = parseValType(cursor_, context_);
      if (runs.empty() || runs.back().second != type) runs.emplace_back(0, type);
      ++runs.back().first;
    });
  }
  out.u64(runs.size());
  for (auto [count, type] : runs) {
    out.u32(count);
    writeValType(out, type);
  }
}

void ModuleParser::parseTable(uint32_t index) {
  ++context_.tableSection.count;
  bool is64 = parseAddressType();
  if (atRefType(cursor_)) return parseInlineElements(index, parseRefType(cursor_, context_), is64);
  TableType type = parseTableType(is64);
  ByteWriter& out = context_.tableSection.body;
  if (cursor_.is(TokenKind::Close)) return writeTableType(out, type);
  out.byte(0x40);
  out.byte(0);
  writeTableType(out, type);
  parseConstExpr(out);
}

void ModuleParser::parseMemory(uint32_t index) {
  ++context_.memorySection.count;
  MemoryType type;
  bool hasPageSize = false, is64 = parseAddressType();
  if (cursor_.isOpen("pagesize") || cursor_.isOpen("data")) {
    std::optional<uint8_t> pageSize = parsePageSize();
    type.is64 = is64;
    hasPageSize = pageSize.has_value();
    type.pageSizeLog2 = pageSize.value_or(type.pageSizeLog2);
    parseInlineData(index, type, hasPageSize);
  } else {
    type = parseMemoryType(is64, hasPageSize);
  }
  writeMemoryType(context_.memorySection.body, type, hasPageSize);
}

void ModuleParser::parseGlobal() {
  ++context_.globalSection.count;
  writeGlobalType(context_.globalSection.body, parseGlobalType());
  parseConstExpr(context_.globalSection.body);
}

void ModuleParser::parseTag() {
  IndexSpace parameters("local", "local");
  TypeUse use = parseTypeUse(cursor_, context_, &parameters);
  ++context_.tagSection.count;
  writeTagType(context_.tagSection.body, resolveTypeUse(cursor_, context_, use));
}

void ModuleParser::parseExport() {
  std::string name = cursor_.expectName();
  cursor_.expectOpen();
  std::optional<ExternKind> kind = externKindOf(cursor_.text());
  if (!kind) return cursor_.failUnexpected();
  cursor_.advance();
  writeExport(name, *kind, context_.space(*kind).use(cursor_));
  cursor_.expectClose();
}

void ModuleParser::parseStart() {
  if (context_.start) cursor_.fail("multiple start sections");
  context_.start = context_.functions.use(cursor_);
}

// i32 or i64, if given: is it i64?
bool ModuleParser::parseAddressType() {
  if (cursor_.takeKeyword("i64")) return true;
  cursor_.takeKeyword("i32");
  return false;
}

Limits ModuleParser::parseLimits() {
  Limits limits{cursor_.expectU64(), std::nullopt};
  if (cursor_.is(TokenKind::Nat)) limits.max = cursor_.expectU64();
  return limits;
}

TableType ModuleParser::parseTableType(bool is64) {
  TableType type;
  type.is64 = is64;
  type.limits = parseLimits();
  type.element = parseRefType(cursor_, context_);
  return type;
}

MemoryType ModuleParser::parseMemoryType(bool is64, bool& hasPageSize) {
  MemoryType type;
  type.is64 = is64;
  type.limits = parseLimits();
  type.isShared = cursor_.takeKeyword("shared");
  std::optional<uint8_t> pageSize = parsePageSize();
  hasPageSize = pageSize.has_value();
  type.pageSizeLog2 = pageSize.value_or(type.pageSizeLog2);
  return type;
}

// (pagesize n), if given: log2 of n.
std::optional<uint8_t> ModuleParser::parsePageSize() {
  if (!cursor_.takeOpen("pagesize")) return std::nullopt;
  uint32_t begin = cursor_.offset();
  uint64_t size = cursor_.expectU64();
  if (!std::has_single_bit(size)) cursor_.failAt(begin, "invalid custom page size");
  cursor_.expectClose();
  return static_cast<uint8_t>(std::countr_zero(size));
}

GlobalType ModuleParser::parseGlobalType() {
  bool isMutable = cursor_.takeOpen("mut");
  GlobalType type{parseValType(cursor_, context_), isMutable};
  if (isMutable) cursor_.expectClose();
  return type;
}

void ModuleParser::writeMemoryType(ByteWriter& out, const MemoryType& type, bool hasPageSize) {
  writeLimits(out, type.limits,
              static_cast<uint8_t>((type.isShared ? 2 : 0) | (type.is64 ? 4 : 0) | (hasPageSize ? 8 : 0)));
  if (hasPageSize) out.u32(type.pageSizeLog2);
}

}  // namespace wattle::frontend::text
