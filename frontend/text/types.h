// Types in the text format, and their binary encoding.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "frontend/text/module_context.h"

namespace wattle::frontend::text {

ValType parseValType(Cursor& cursor, const ModuleContext& context);  // fails on packed types
ValType parseRefType(Cursor& cursor, const ModuleContext& context);
bool atRefType(const Cursor& cursor);
// A heap type, or (exact x), in `ValType::ref`, non-null.
ValType parseHeapType(Cursor& cursor, const ModuleContext& context);
// The abstract heap type that a keyword names.
std::optional<HeapType> heapTypeOfWord(std::string_view word);

// One definition: cursor after "(type $id?", up to before the ")". Field names go to context.fields[index].
TypeDef parseTypeDef(Cursor& cursor, ModuleContext& context, uint32_t index);

// "$x t" or "t*" up to a ")" and past it: what param, local and field clauses hold. `parseOne` reads one t.
template <class ParseOne>
void parseBindings(Cursor& cursor, ModuleContext& context, IndexSpace& space, ParseOne parseOne) {
  if (cursor.isBinding()) {
    space.bind(cursor, context.nameStorage);
    parseOne();
  } else {
    while (!cursor.failed() && !cursor.is(TokenKind::Close)) {
      space.bindAnonymous();
      parseOne();
    }
  }
  cursor.expectClose();
}

// t* up to a ")" and past it.
void parseValTypes(Cursor& cursor, const ModuleContext& context, std::vector<ValType>& types);
// (result t*)*
void parseResults(Cursor& cursor, const ModuleContext& context, std::vector<ValType>& results);

// (type x)? (param ...)* (result ...)*
struct TypeUse {
  std::optional<uint32_t> explicitIndex;
  FuncType written;         // what the param and result clauses say
  bool hasClauses = false;  // is there any?
};
// With `locals`, params may have identifiers, which are bound there.
TypeUse parseTypeUse(Cursor& cursor, ModuleContext& context, IndexSpace* locals = nullptr);
// The type index; checks clauses against an explicit index, and makes a type for clauses alone.
uint32_t resolveTypeUse(Cursor& cursor, ModuleContext& context, const TypeUse& use);

void writeValType(ByteWriter& out, ValType type);
void writeValTypes(ByteWriter& out, const std::vector<ValType>& types);
void writeHeapType(ByteWriter& out, ValType reference);  // the heap type of a reference, with its exactness
void writeTypeSection(ByteWriter& out, const TypeTable& types);

}  // namespace wattle::frontend::text
