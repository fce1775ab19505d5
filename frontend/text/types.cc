#include "frontend/text/types.h"

#include <algorithm>

namespace wattle::frontend::text {
namespace {

constexpr HeapType abstractHeap(AbstractHeap kind) { return HeapType::abstract(kind); }

struct HeapWord {
  std::string_view heap;       // in (ref null? heap)
  std::string_view shorthand;  // of (ref null heap)
  AbstractHeap kind;
  uint8_t code;
};
constexpr HeapWord kHeapWords[] = {
    {"func", "funcref", AbstractHeap::Func, 0x70},       {"nofunc", "nullfuncref", AbstractHeap::NoFunc, 0x73},
    {"extern", "externref", AbstractHeap::Extern, 0x6f}, {"noextern", "nullexternref", AbstractHeap::NoExtern, 0x72},
    {"any", "anyref", AbstractHeap::Any, 0x6e},          {"eq", "eqref", AbstractHeap::Eq, 0x6d},
    {"i31", "i31ref", AbstractHeap::I31, 0x6c},          {"struct", "structref", AbstractHeap::Struct, 0x6b},
    {"array", "arrayref", AbstractHeap::Array, 0x6a},    {"none", "nullref", AbstractHeap::None, 0x71},
    {"exn", "exnref", AbstractHeap::Exn, 0x69},          {"noexn", "nullexnref", AbstractHeap::NoExn, 0x74},
};

struct NumberWord {
  std::string_view word;
  ValKind kind;
  uint8_t code;
};
constexpr NumberWord kNumberWords[] = {
    {"i32", ValKind::I32, 0x7f}, {"i64", ValKind::I64, 0x7e},   {"f32", ValKind::F32, 0x7d},
    {"f64", ValKind::F64, 0x7c}, {"v128", ValKind::V128, 0x7b}, {"i8", ValKind::I8, 0x78},
    {"i16", ValKind::I16, 0x77},
};

constexpr uint8_t kRefCode = 0x64, kRefNullCode = 0x63, kExactCode = 0x62;
constexpr uint8_t kRecCode = 0x4e, kSubCode = 0x50, kSubFinalCode = 0x4f, kDescribesCode = 0x4c, kDescriptorCode = 0x4d;

const HeapWord& heapWord(HeapType heap) { return *std::ranges::find(kHeapWords, heap.abstractKind(), &HeapWord::kind); }

std::optional<ValType> refShorthand(std::string_view word) {
  auto found = std::ranges::find(kHeapWords, word, &HeapWord::shorthand);
  if (found == std::end(kHeapWords)) return std::nullopt;
  return ValType::ref(abstractHeap(found->kind), true);
}

HeapType parseTypeIndex(Cursor& cursor, const ModuleContext& context) {
  uint32_t begin = cursor.offset(), index = context.typeNames.use(cursor);
  if (index >= HeapType::kAbstractBase) {
    cursor.failAt(begin, "unknown type " + std::to_string(index), ErrorKind::Invalid);
    index = 0;
  }
  return HeapType::index(index);
}

ValType parseStorageType(Cursor& cursor, const ModuleContext& context) {
  if (cursor.is(TokenKind::Keyword)) {
    auto found = std::ranges::find(kNumberWords, cursor.text(), &NumberWord::word);
    if (found != std::end(kNumberWords)) {
      cursor.advance();
      return ValType(found->kind);
    }
  }
  return parseRefType(cursor, context);
}

FieldType parseFieldType(Cursor& cursor, const ModuleContext& context) {
  bool isMutable = cursor.takeOpen("mut");
  FieldType field{parseStorageType(cursor, context), isMutable};
  if (isMutable) cursor.expectClose();
  return field;
}

// (param $x t) or (param t*), after its keyword.
void parseParams(Cursor& cursor, ModuleContext& context, IndexSpace& locals, std::vector<ValType>& params) {
  parseBindings(cursor, context, locals, [&] { params.push_back(parseValType(cursor, context)); });
}

void parseFunction(Cursor& cursor, ModuleContext& context, TypeDef& type) {
  IndexSpace ignored("local", "local");  // identifiers of parameters mean nothing here, and may be repeated
  while (cursor.takeOpen("param")) {
    ignored.clear();
    parseParams(cursor, context, ignored, type.func.params);
  }
  parseResults(cursor, context, type.func.results);
}

void parseStruct(Cursor& cursor, ModuleContext& context, TypeDef& type, uint32_t index) {
  IndexSpace& names = context.fields.try_emplace(index, "field", "field").first->second;
  while (cursor.takeOpen("field")) {
    parseBindings(cursor, context, names, [&] { type.fields.push_back(parseFieldType(cursor, context)); });
  }
}

// (func ...), (struct ...) or (array ...)
void parseComposite(Cursor& cursor, ModuleContext& context, TypeDef& type, uint32_t index) {
  if (cursor.takeOpen("func")) {
    type.kind = CompositeKind::Func;
    parseFunction(cursor, context, type);
  } else if (cursor.takeOpen("struct")) {
    type.kind = CompositeKind::Struct;
    parseStruct(cursor, context, type, index);
  } else if (cursor.takeOpen("array")) {
    type.kind = CompositeKind::Array;
    type.fields.push_back(parseFieldType(cursor, context));
  } else {
    if (cursor.is(TokenKind::Open)) cursor.advance();
    cursor.failUnexpected();
  }
  cursor.expectClose();
}

void parseDescriptorClauses(Cursor& cursor, const ModuleContext& context, TypeDef& type) {
  if (cursor.takeOpen("describes")) {
    type.describes = parseTypeIndex(cursor, context).typeIndex();
    cursor.expectClose();
  }
  if (cursor.takeOpen("descriptor")) {
    type.descriptor = parseTypeIndex(cursor, context).typeIndex();
    cursor.expectClose();
  }
}

void writeField(ByteWriter& out, const FieldType& field) {
  writeValType(out, field.type);
  out.byte(field.isMutable);
}

void writeTypeDef(ByteWriter& out, const TypeDef& type) {
  if (!type.isFinal || !type.supertypes.empty()) {
    out.byte(type.isFinal ? kSubFinalCode : kSubCode);
    out.u64(type.supertypes.size());
    for (uint32_t supertype : type.supertypes) out.u32(supertype);
  }
  if (type.describes) {
    out.byte(kDescribesCode);
    out.u32(*type.describes);
  }
  if (type.descriptor) {
    out.byte(kDescriptorCode);
    out.u32(*type.descriptor);
  }
  switch (type.kind) {
    case CompositeKind::Func:
      out.byte(0x60);
      writeValTypes(out, type.func.params);
      writeValTypes(out, type.func.results);
      break;
    case CompositeKind::Struct:
      out.byte(0x5f);
      out.u64(type.fields.size());
      for (const FieldType& field : type.fields) writeField(out, field);
      break;
    case CompositeKind::Array:
      out.byte(0x5e);
      writeField(out, type.fields[0]);
      break;
  }
}

}  // namespace

std::optional<HeapType> heapTypeOfWord(std::string_view word) {
  auto found = std::ranges::find(kHeapWords, word, &HeapWord::heap);
  if (found == std::end(kHeapWords)) return std::nullopt;
  return abstractHeap(found->kind);
}

ValType parseHeapType(Cursor& cursor, const ModuleContext& context) {
  if (cursor.takeOpen("exact")) {
    ValType type = ValType::ref(parseTypeIndex(cursor, context), false, true);
    cursor.expectClose();
    return type;
  }
  if (cursor.isIndex()) return ValType::ref(parseTypeIndex(cursor, context), false);
  std::optional<HeapType> heap = cursor.is(TokenKind::Keyword) ? heapTypeOfWord(cursor.text()) : std::nullopt;
  if (!heap) {
    cursor.failUnexpected();
    return {};
  }
  cursor.advance();
  return ValType::ref(*heap, false);
}

bool atRefType(const Cursor& cursor) {
  return cursor.isOpen("ref") || (cursor.is(TokenKind::Keyword) && refShorthand(cursor.text()));
}

ValType parseRefType(Cursor& cursor, const ModuleContext& context) {
  if (cursor.takeOpen("ref")) {
    bool nullable = cursor.takeKeyword("null");
    ValType type = parseHeapType(cursor, context);
    cursor.expectClose();
    return nullable ? type.asNullable() : type;
  }
  std::optional<ValType> shorthand = cursor.is(TokenKind::Keyword) ? refShorthand(cursor.text()) : std::nullopt;
  if (!shorthand) {
    if (cursor.is(TokenKind::Open)) cursor.advance();
    cursor.failUnexpected();
    return {};
  }
  cursor.advance();
  return *shorthand;
}

ValType parseValType(Cursor& cursor, const ModuleContext& context) {
  if (cursor.isKeyword("i8") || cursor.isKeyword("i16")) {
    cursor.failUnexpected();
    return {};
  }
  return parseStorageType(cursor, context);
}

TypeDef parseTypeDef(Cursor& cursor, ModuleContext& context, uint32_t index) {
  TypeDef type;
  bool isSub = cursor.takeOpen("sub");
  if (isSub) {
    type.isFinal = cursor.takeKeyword("final");
    while (cursor.isIndex()) type.supertypes.push_back(parseTypeIndex(cursor, context).typeIndex());
  }
  parseDescriptorClauses(cursor, context, type);
  parseComposite(cursor, context, type, index);
  if (isSub) cursor.expectClose();
  return type;
}

void parseValTypes(Cursor& cursor, const ModuleContext& context, std::vector<ValType>& types) {
  while (!cursor.failed() && !cursor.is(TokenKind::Close)) types.push_back(parseValType(cursor, context));
  cursor.expectClose();
}

void parseResults(Cursor& cursor, const ModuleContext& context, std::vector<ValType>& results) {
  while (cursor.takeOpen("result")) parseValTypes(cursor, context, results);
}

TypeUse parseTypeUse(Cursor& cursor, ModuleContext& context, IndexSpace* locals) {
  TypeUse use;
  if (cursor.takeOpen("type")) {
    use.explicitIndex = context.typeNames.use(cursor);
    cursor.expectClose();
  }
  use.hasClauses = cursor.isOpen("param") || cursor.isOpen("result");
  while (cursor.takeOpen("param")) {
    if (locals) {
      parseParams(cursor, context, *locals, use.written.params);
    } else {
      parseValTypes(cursor, context, use.written.params);
    }
  }
  parseResults(cursor, context, use.written.results);
  if (cursor.isOpen("param") || cursor.isOpen("type")) {
    cursor.advance();
    cursor.failUnexpected();
  }
  if (locals && use.explicitIndex && !use.hasClauses) {
    const TypeDef* type = context.types.find(*use.explicitIndex);
    if (type) locals->bindAnonymous(static_cast<uint32_t>(type->func.params.size()));
  }
  return use;
}

uint32_t resolveTypeUse(Cursor& cursor, ModuleContext& context, const TypeUse& use) {
  if (cursor.failed()) return 0;
  if (!use.explicitIndex) return context.types.findOrAdd(use.written);
  if (use.hasClauses) {
    const TypeDef* type = context.types.find(*use.explicitIndex);
    if (!type) {
      cursor.fail("unknown type " + std::to_string(*use.explicitIndex));
    } else if (type->kind != CompositeKind::Func || type->func != use.written) {
      cursor.fail("inline function type does not match type " + std::to_string(*use.explicitIndex));
    }
  }
  return *use.explicitIndex;
}

void writeHeapType(ByteWriter& out, ValType reference) {
  HeapType heap = reference.heap();
  if (heap.isAbstract()) return out.byte(heapWord(heap).code);
  if (reference.isExact()) {
    out.byte(kExactCode);
    out.u32(heap.typeIndex());
  } else {
    out.s64(heap.typeIndex());
  }
}

void writeValType(ByteWriter& out, ValType type) {
  if (!type.isRef()) {
    auto found = std::ranges::find(kNumberWords, type.kind(), &NumberWord::kind);
    return out.byte(found == std::end(kNumberWords) ? 0 : found->code);
  }
  if (!type.isNullable() || !type.heap().isAbstract()) out.byte(type.isNullable() ? kRefNullCode : kRefCode);
  writeHeapType(out, type);
}

void writeValTypes(ByteWriter& out, const std::vector<ValType>& types) {
  out.u64(types.size());
  for (ValType type : types) writeValType(out, type);
}

void writeTypeSection(ByteWriter& out, const TypeTable& types) {
  out.u64(types.groups().size());
  uint32_t index = 0;
  for (uint32_t size : types.groups()) {
    if (size != 1) {
      out.byte(kRecCode);
      out.u32(size);
    }
    for (uint32_t end = index + size; index < end; ++index) writeTypeDef(out, types.types()[index]);
  }
}

}  // namespace wattle::frontend::text
