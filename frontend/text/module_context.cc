#include "frontend/text/module_context.h"

#include <algorithm>

#include "frontend/text/utf8.h"

namespace wattle::frontend::text {
namespace {

// The name in a (@name "...") annotation at the cursor.
std::optional<std::string_view> nameAnnotation(Cursor& cursor, const char* kind, std::deque<std::string>& storage) {
  const Annotation* annotation = cursor.takeAnnotation(AnnotationKind::Name);
  if (annotation == nullptr) return std::nullopt;
  const std::vector<Token>& tokens = annotation->tokens;
  auto fail = [&](std::string problem) { cursor.failAt(annotation->begin, "@name annotation: " + std::move(problem)); };
  if (tokens[0].kind != TokenKind::String || tokens[1].kind != TokenKind::End) {
    fail("unexpected token");
    return std::nullopt;
  }
  std::string name = decodeString(cursor.stream().text(tokens[0]));
  if (!isUtf8(name)) fail("malformed UTF-8 encoding");
  if (cursor.takeAnnotation(AnnotationKind::Name)) fail(std::string("multiple ") + kind);
  return storage.emplace_back(std::move(name));
}

}  // namespace

uint32_t IndexSpace::bind(Cursor& cursor, std::deque<std::string>& storage) {
  uint32_t index = count_++, begin = cursor.offset();
  std::optional<std::string_view> name = cursor.takeId();
  if (name && !byName_.try_emplace(*name, index).second) {
    cursor.failAt(begin, std::string("duplicate ") + kind_ + " $" + std::string(*name));
  }
  if (auto annotated = nameAnnotation(cursor, noun_, storage)) name = annotated;
  if (name) names_.emplace_back(index, *name);
  return index;
}

uint32_t IndexSpace::use(Cursor& cursor) const {
  if (!cursor.is(TokenKind::Id)) return cursor.expectU32();
  auto found = byName_.find(cursor.idName());
  if (found == byName_.end()) {
    cursor.fail(std::string("unknown ") + noun_ + " $" + std::string(cursor.idName()));
    return 0;
  }
  cursor.advance();
  return found->second;
}

void IndexSpace::clear() {
  count_ = 0;
  byName_.clear();
  names_.clear();
}

void TypeTable::add(TypeDef type) {
  types_.push_back(std::move(type));
  ++groups_.back();
}

std::string TypeTable::key(const FuncType& type) {
  std::string key;
  auto put = [&key](ValType t) {
    uint32_t bits = t.bits();
    key.append(reinterpret_cast<const char*>(&bits), sizeof bits);
  };
  for (ValType param : type.params) put(param);
  put(kBottom);
  for (ValType result : type.results) put(result);
  return key;
}

void TypeTable::indexSignatures() {
  uint32_t index = 0;
  for (uint32_t size : groups_) {
    if (size == 1) {
      const TypeDef& type = types_[index];
      bool plain = type.kind == CompositeKind::Func && type.isFinal && type.supertypes.empty() && !type.describes &&
                   !type.descriptor;
      if (plain) signatures_.try_emplace(key(type.func), index);
    }
    index += size;
  }
}

IndexSpace& ModuleContext::space(ExternKind kind) {
  switch (kind) {
    case ExternKind::Func: return functions;
    case ExternKind::Table: return tables;
    case ExternKind::Memory: return memories;
    case ExternKind::Global: return globals;
    case ExternKind::Tag: break;
  }
  return tags;
}

std::optional<ExternKind> externKindOf(std::string_view word) {
  static constexpr std::string_view kWords[] = {"func", "table", "memory", "global", "tag"};
  auto found = std::ranges::find(kWords, word);
  if (found == std::end(kWords)) return std::nullopt;
  return static_cast<ExternKind>(found - std::begin(kWords));
}

uint32_t TypeTable::findOrAdd(const FuncType& type) {
  auto [entry, isNew] = signatures_.try_emplace(key(type), static_cast<uint32_t>(types_.size()));
  if (isNew) {
    beginGroup();
    TypeDef def;
    def.func = type;
    add(std::move(def));
  }
  return entry->second;
}

}  // namespace wattle::frontend::text
