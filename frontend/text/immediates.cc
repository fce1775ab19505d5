// Opcodes and immediates, by the kinds that the table of instructions names.
#include <bit>
#include <string>

#include "frontend/op_facts.h"
#include "frontend/text/instructions.h"
#include "frontend/text/keywords.h"
#include "frontend/text/literals.h"
#include "frontend/text/numbers.h"
#include "frontend/text/types.h"

namespace wattle::frontend::text {
namespace {

// Instructions of one name, where the type decides: the encoding for nullable types follows the one for the others.
constexpr Op nextOp(Op op) { return static_cast<Op>(static_cast<unsigned>(op) + 1); }
static_assert(nextOp(Op::Select) == Op::SelectT && nextOp(Op::RefTest) == Op::RefTestNull);
static_assert(nextOp(Op::RefCast) == Op::RefCastNull && nextOp(Op::RefCastDescEq) == Op::RefCastDescEqNull);

void writeOp(ByteWriter& out, Op op) {
  const OpInfo& instruction = info(op);
  if (instruction.prefix == 0) return out.byte(static_cast<uint8_t>(instruction.code));
  out.byte(instruction.prefix);
  out.u32(instruction.code);
}

}  // namespace

void InstructionParser::writeInstruction(Op op, ByteWriter& out) {
  switch (op) {
    case Op::RefTest:
    case Op::RefCast:
    case Op::RefCastDescEq: {
      ValType type = parseRefType(cursor_, context_);
      writeOp(out, type.isNullable() ? nextOp(op) : op);
      return writeHeapType(out, type);
    }
    case Op::Select:
      if (cursor_.isOpen("result")) op = Op::SelectT;
      break;
    default: break;
  }
  writeOp(out, op);
  writeImmediates(op, out);
}

void InstructionParser::writeImmediates(Op op, ByteWriter& out) {
  switch (info(op).imm) {
    case Imm::None: return;
    case Imm::Block: return writeBlockType(out);
    case Imm::TryTable: writeBlockType(out); return writeCatches(out);
    case Imm::Label: return out.u32(labels_.use(cursor_));
    case Imm::LabelTable: return writeLabelTable(out);
    case Imm::TypeTable: return writeCallIndirect(out);
    case Imm::MemArg:
    case Imm::MemArgLane: return writeMemArg(op, out);
    case Imm::Lane: return cursor_.is(TokenKind::Nat) ? writeLane(out) : cursor_.failUnexpected();
    case Imm::Shuffle: return writeShuffle(out);
    case Imm::I32: return out.s64(static_cast<int32_t>(parseIntegerLiteral(cursor_, 32)));
    case Imm::I64: return out.s64(static_cast<int64_t>(parseIntegerLiteral(cursor_, 64)));
    case Imm::F32: return out.littleEndian(parseFloatLiteral(cursor_, 32), 4);
    case Imm::F64: return out.littleEndian(parseFloatLiteral(cursor_, 64), 8);
    case Imm::V128: return out.append(parseVectorLiteral(cursor_));
    case Imm::SelectTypes: {
      std::vector<ValType> types;
      parseResults(cursor_, context_, types);
      return writeValTypes(out, types);
    }
    case Imm::HeapType: return writeHeapType(out, parseHeapType(cursor_, context_));
    case Imm::BrCast: return writeBrCast(out);
    case Imm::Fence: return out.byte(0);
    default: return writeIndexImmediates(info(op).imm, out);
  }
}

// Immediates that are indices, always written.
void InstructionParser::writeIndexImmediates(Imm imm, ByteWriter& out) {
  auto use = [&](const IndexSpace& space) { out.u32(space.use(cursor_)); };
  switch (imm) {
    case Imm::Function: return use(context_.functions);
    case Imm::Type: return use(context_.typeNames);
    case Imm::Local: return use(locals_);
    case Imm::Global: return use(context_.globals);
    case Imm::Tag: return use(context_.tags);
    case Imm::Table: return out.u32(optionalIndex(context_.tables));
    case Imm::Memory: return out.u32(optionalIndex(context_.memories));
    case Imm::TableTable: return writeTwoOptional(context_.tables, out);
    case Imm::MemoryMemory: return writeTwoOptional(context_.memories, out);
    case Imm::TypeType: use(context_.typeNames); return use(context_.typeNames);
    case Imm::TypeCount: use(context_.typeNames); return out.u32(cursor_.expectU32());
    case Imm::TypeField: return writeField(out);
    default: return writeSegmentImmediates(imm, out);
  }
}

void InstructionParser::writeSegmentImmediates(Imm imm, ByteWriter& out) {
  bool isData = imm == Imm::Data || imm == Imm::DataMemory || imm == Imm::TypeData;
  const IndexSpace& segments = isData ? context_.data : context_.elements;
  if (isData) context_.codeUsesData = true;
  if (imm == Imm::TypeData || imm == Imm::TypeElem) out.u32(context_.typeNames.use(cursor_));
  bool hasTarget = imm == Imm::DataMemory || imm == Imm::ElemTable;
  uint32_t target = 0;  // comes first in the text and last in the bytes
  if (hasTarget && cursor_.isIndex(1)) target = (isData ? context_.memories : context_.tables).use(cursor_);
  out.u32(segments.use(cursor_));
  if (hasTarget) out.u32(target);
}

uint32_t InstructionParser::optionalIndex(const IndexSpace& space) {
  return cursor_.isIndex() ? space.use(cursor_) : 0;
}

// Both indices or neither.
void InstructionParser::writeTwoOptional(const IndexSpace& space, ByteWriter& out) {
  bool given = cursor_.isIndex();
  for (int i = 0; i < 2; ++i) out.u32(given ? space.use(cursor_) : 0);
}

void InstructionParser::writeBlockType(ByteWriter& out) {
  TypeUse use = parseTypeUse(cursor_, context_);
  const FuncType& type = use.written;
  if (use.explicitIndex || !type.params.empty() || type.results.size() > 1) {
    out.s64(resolveTypeUse(cursor_, context_, use));
  } else if (type.results.empty()) {
    out.byte(0x40);
  } else {
    writeValType(out, type.results[0]);
  }
}

void InstructionParser::writeCatches(ByteWriter& out) {
  static constexpr std::string_view kKinds[] = {"catch", "catch_ref", "catch_all", "catch_all_ref"};
  ByteWriter clauses;
  uint32_t count = 0;
  for (bool more = true; more;) {
    more = false;
    for (uint8_t kind = 0; kind < 4; ++kind) {
      if (!cursor_.takeOpen(kKinds[kind])) continue;
      more = true;
      ++count;
      clauses.byte(kind);
      if (kind < 2) clauses.u32(context_.tags.use(cursor_));
      clauses.u32(labels_.use(cursor_));
      cursor_.expectClose();
    }
  }
  out.u32(count);
  out.append(clauses.bytes());
}

void InstructionParser::writeLabelTable(ByteWriter& out) {
  std::vector<uint32_t> labels{labels_.use(cursor_)};
  while (cursor_.isIndex()) labels.push_back(labels_.use(cursor_));
  out.u64(labels.size() - 1);
  for (uint32_t label : labels) out.u32(label);
}

void InstructionParser::writeCallIndirect(ByteWriter& out) {
  uint32_t table = optionalIndex(context_.tables);
  TypeUse use = parseTypeUse(cursor_, context_);
  out.u32(resolveTypeUse(cursor_, context_, use));
  out.u32(table);
}

// "key=number": its value.
std::optional<uint64_t> InstructionParser::takeAssignment(std::string_view key) {
  if (!cursor_.is(TokenKind::Keyword) || !cursor_.text().starts_with(key)) return std::nullopt;
  std::string_view number = cursor_.text().substr(key.size());
  if (classifyNumber(number) != TokenKind::Nat) {
    cursor_.fail("unknown operator " + cursor_.excerpt());
    return std::nullopt;
  }
  std::optional<uint64_t> value = parseNat(number, UINT64_MAX);
  if (!value) cursor_.fail("i64 constant out of range: " + cursor_.excerpt());
  cursor_.advance();
  return value;
}

// In front of a lane index, a number is a memory only when more immediates follow it.
bool InstructionParser::atMemoryBeforeLane() const {
  if (cursor_.is(TokenKind::Id)) return true;
  if (!cursor_.is(TokenKind::Nat)) return false;
  if (cursor_.kind(1) == TokenKind::Nat) return true;
  return cursor_.kind(1) == TokenKind::Keyword &&
         (cursor_.text(1).starts_with("offset=") || cursor_.text(1).starts_with("align="));
}

void InstructionParser::writeMemArg(Op op, ByteWriter& out) {
  constexpr uint32_t kHasMemory = 0x40;
  bool hasLane = info(op).imm == Imm::MemArgLane;
  bool hasMemory = hasLane ? atMemoryBeforeLane() : cursor_.isIndex();
  uint32_t memory = hasMemory ? context_.memories.use(cursor_) : 0;
  uint64_t offset = takeAssignment("offset=").value_or(0);
  std::optional<uint64_t> align = takeAssignment("align=");
  if (align && !std::has_single_bit(*align)) cursor_.fail("alignment must be a power of two");
  uint32_t log2 = align ? static_cast<uint32_t>(std::countr_zero(*align)) : naturalAlignment(op);
  out.u32(log2 | (memory != 0 ? kHasMemory : 0));
  if (memory != 0) out.u32(memory);
  out.u64(offset);
  if (hasLane) writeLane(out);
}

void InstructionParser::writeLane(ByteWriter& out) {
  std::optional<uint64_t> lane;
  if (cursor_.is(TokenKind::Nat)) lane = parseNat(cursor_.text(), 255);
  if (!lane) cursor_.fail("i8 constant out of range: " + cursor_.excerpt());
  cursor_.advance();
  out.byte(static_cast<uint8_t>(lane.value_or(0)));
}

void InstructionParser::writeShuffle(ByteWriter& out) {
  constexpr unsigned kLanes = 16;
  if (countNumbers(cursor_, kLanes + 1) != kLanes) cursor_.fail("invalid lane length");
  for (unsigned i = 0; i < kLanes; ++i) writeLane(out);
}

void InstructionParser::writeBrCast(ByteWriter& out) {
  uint32_t label = labels_.use(cursor_);
  ValType from = parseRefType(cursor_, context_), to = parseRefType(cursor_, context_);
  out.byte(static_cast<uint8_t>((from.isNullable() ? 1 : 0) | (to.isNullable() ? 2 : 0)));
  out.u32(label);
  writeHeapType(out, from);
  writeHeapType(out, to);
}

void InstructionParser::writeField(ByteWriter& out) {
  static const IndexSpace kNoFields("field", "field");
  uint32_t type = context_.typeNames.use(cursor_);
  auto fields = context_.fields.find(type);
  out.u32(type);
  out.u32((fields == context_.fields.end() ? kNoFields : fields->second).use(cursor_));
}

}  // namespace wattle::frontend::text
