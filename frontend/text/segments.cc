// Element and data segments, also those within tables and memories.
#include <span>

#include "frontend/text/instructions.h"
#include "frontend/text/module_parser.h"

namespace wattle::frontend::text {
namespace {

constexpr ValType kNonNullFunc = kFuncRef.asNonNull();
constexpr uint8_t kRefFuncCode = static_cast<uint8_t>(info(Op::RefFunc).code);
constexpr uint8_t kEndCode = static_cast<uint8_t>(info(Op::End).code);

// Is this a single ref.func, with its `end`?
bool isRefFunc(std::span<const uint8_t> expression) {
  if (expression.size() < 3 || expression[0] != kRefFuncCode) return false;
  size_t at = 1;
  while (expression[at] & 0x80) ++at;
  return at + 2 == expression.size();
}

const IndexSpace& noLocals() {
  static const IndexSpace none("local", "local");
  return none;
}

void writeZero(ByteWriter& out, bool is64) {
  out.byte(static_cast<uint8_t>(info(is64 ? Op::I64Const : Op::I32Const).code));
  out.byte(0);
  out.byte(kEndCode);
}

// The low bits of a segment's flags: 0 active in the first table or memory, 2 active elsewhere, 1 passive, 3
// declarative.
uint8_t modeBits(SegmentMode mode, bool isShort) {
  switch (mode) {
    case SegmentMode::Active: return isShort ? 0 : 2;
    case SegmentMode::Passive: return 1;
    case SegmentMode::Declarative: break;
  }
  return 3;
}

}  // namespace

void ModuleParser::parseConstExpr(ByteWriter& out) {
  InstructionParser(cursor_, context_, out, noLocals()).parseSequence();
  out.byte(kEndCode);
}

// (offset instr*) or one folded instruction.
void ModuleParser::parseOffset(ByteWriter& out) {
  if (cursor_.takeOpen("offset")) {
    parseConstExpr(out);
    return cursor_.expectClose();
  }
  InstructionParser(cursor_, context_, out, noLocals()).parseFolded();
  out.byte(kEndCode);
}

void ModuleParser::parseFunctionIndices(ElementList& list) {
  while (cursor_.isIndex()) {
    ++list.count;
    uint32_t function = context_.functions.use(cursor_);
    list.indices.u32(function);
    list.expressions.byte(kRefFuncCode);
    list.expressions.u32(function);
    list.expressions.byte(kEndCode);
  }
}

// ((item instr*) | folded instruction)*
void ModuleParser::parseElementExpressions(ElementList& list) {
  while (cursor_.is(TokenKind::Open)) {
    ByteWriter expression;
    if (cursor_.takeOpen("item")) {
      parseConstExpr(expression);
      cursor_.expectClose();
    } else {
      InstructionParser(cursor_, context_, expression, noLocals()).parseFolded();
      expression.byte(kEndCode);
    }
    ++list.count;
    std::span<const uint8_t> bytes = expression.bytes();
    list.asIndices = list.asIndices && isRefFunc(bytes);
    if (list.asIndices) list.indices.append(bytes.subspan(1, bytes.size() - 2));
    list.expressions.append(bytes);
  }
}

// func index* or reftype expression*
void ModuleParser::parseElementList(ElementList& list) {
  if (cursor_.takeKeyword("func")) {
    list.type = kNonNullFunc;
    return parseFunctionIndices(list);
  }
  list.type = parseRefType(cursor_, context_);
  list.asIndices = list.type == kNonNullFunc;
  parseElementExpressions(list);
}

void ModuleParser::parseElement() {
  cursor_.takeId();
  ElementList list;
  ByteWriter offset;
  if (cursor_.takeKeyword("declare")) {
    parseElementList(list);
    return writeElement(list, SegmentMode::Declarative, 0, offset);
  }
  if (atRefType(cursor_) || cursor_.isKeyword("func")) {
    parseElementList(list);
    return writeElement(list, SegmentMode::Passive, 0, offset);
  }
  uint32_t table = 0;
  bool hasTable = cursor_.takeOpen("table");
  if (hasTable) {
    table = context_.tables.use(cursor_);
    cursor_.expectClose();
  } else if (cursor_.is(TokenKind::Nat)) {  // (elem 0 ...), as before there were several
    table = context_.tables.use(cursor_);
  }
  parseOffset(offset);
  if (!hasTable && (cursor_.isIndex() || cursor_.is(TokenKind::Close))) {
    list.type = kNonNullFunc;
    parseFunctionIndices(list);
  } else {
    parseElementList(list);
  }
  writeElement(list, SegmentMode::Active, table, offset);
}

// (table reftype (elem ...)): after the type.
void ModuleParser::parseInlineElements(uint32_t table, ValType type, bool is64) {
  ElementList list;
  list.type = type;
  if (!cursor_.takeOpen("elem")) return cursor_.failUnexpected();
  if (cursor_.is(TokenKind::Open)) {
    list.asIndices = type == kNonNullFunc;
    parseElementExpressions(list);
  } else {
    list.asIndices = type == kFuncRef || type == kNonNullFunc;
    parseFunctionIndices(list);
  }
  cursor_.expectClose();
  ByteWriter offset;
  writeZero(offset, is64);
  ByteWriter& out = context_.tableSection.body;
  writeValType(out, type);
  out.byte(is64 ? 5 : 1);
  out.u32(list.count);
  out.u32(list.count);
  writeElement(list, SegmentMode::Active, table, offset);
}

void ModuleParser::writeElement(const ElementList& list, SegmentMode mode, uint32_t table, const ByteWriter& offset) {
  bool hasDefaultType = list.asIndices || list.type == kFuncRef;
  bool isShort = mode == SegmentMode::Active && table == 0 && hasDefaultType;
  ByteWriter& out = context_.elementSection.body;
  ++context_.elementSection.count;
  out.byte(static_cast<uint8_t>(modeBits(mode, isShort) | (list.asIndices ? 0 : 4)));
  if (mode == SegmentMode::Active && !isShort) out.u32(table);
  out.append(offset.bytes());
  if (!isShort) {
    if (list.asIndices) {
      out.byte(0);
    } else {
      writeValType(out, list.type);
    }
  }
  out.u32(list.count);
  out.append((list.asIndices ? list.indices : list.expressions).bytes());
}

std::string ModuleParser::parseStrings() {
  std::string bytes;
  while (cursor_.is(TokenKind::String)) bytes += cursor_.expectString();
  return bytes;
}

void ModuleParser::parseData() {
  cursor_.takeId();
  ByteWriter offset;
  uint32_t memory = 0;
  bool isActive = !cursor_.is(TokenKind::String) && !cursor_.is(TokenKind::Close);
  if (cursor_.takeOpen("memory")) {
    memory = context_.memories.use(cursor_);
    cursor_.expectClose();
  } else if (cursor_.is(TokenKind::Nat)) {  // (data 0 ...), as before there were several
    memory = context_.memories.use(cursor_);
  }
  if (isActive) parseOffset(offset);
  writeData(parseStrings(), isActive ? SegmentMode::Active : SegmentMode::Passive, memory, offset);
}

// (memory (data "...")): from the "(data"; sets the limits.
void ModuleParser::parseInlineData(uint32_t memory, MemoryType& type, bool hasPageSize) {
  if (!cursor_.takeOpen("data")) return cursor_.failUnexpected();
  std::string bytes = parseStrings();
  cursor_.expectClose();
  if (hasPageSize && type.pageSizeLog2 >= 64) return;
  uint64_t pageSize = uint64_t{1} << type.pageSizeLog2;
  type.limits.min = bytes.size() / pageSize + (bytes.size() % pageSize != 0);
  type.limits.max = type.limits.min;
  ByteWriter offset;
  writeZero(offset, type.is64);
  writeData(bytes, SegmentMode::Active, memory, offset);
}

void ModuleParser::writeData(std::string_view bytes, SegmentMode mode, uint32_t memory, const ByteWriter& offset) {
  ByteWriter& out = context_.dataSection.body;
  ++context_.dataSection.count;
  out.byte(modeBits(mode, memory == 0));
  if (mode == SegmentMode::Active && memory != 0) out.u32(memory);
  out.append(offset.bytes());
  out.sized(bytes);
}

}  // namespace wattle::frontend::text
