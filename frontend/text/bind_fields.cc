// The first pass over a module: every name, the order of imports, and custom sections.
#include <algorithm>

#include "frontend/text/module_parser.h"
#include "frontend/text/utf8.h"

namespace wattle::frontend::text {
namespace {

constexpr std::string_view kSectionWords[] = {
    // by SectionRank
    "type",   "import", "func", "table",     "memory", "tag",  "global",
    "export", "start",  "elem", "datacount", "code",   "data",
};

// The contents of a (@custom) annotation.
class CustomReader {
 public:
  CustomReader(Cursor& cursor, const Annotation& annotation) : cursor_(cursor), annotation_(annotation) {}

  CustomText read() {
    CustomText custom;
    if (kind() != TokenKind::String) return fail("missing section name");
    custom.name = decodeString(text());
    if (!isUtf8(custom.name)) return fail("malformed UTF-8 encoding");
    ++at_;
    if (kind() == TokenKind::Open) {
      ++at_;
      custom.slot = readPlace();
    }
    for (; kind() == TokenKind::String; ++at_) custom.bytes += decodeString(text());
    if (kind() != TokenKind::End) return fail("unexpected token");
    return custom;
  }

 private:
  TokenKind kind() const { return annotation_.tokens[at_].kind; }
  std::string_view text() const { return cursor_.stream().text(annotation_.tokens[at_]); }

  CustomText fail(const char* problem) {
    cursor_.failAt(annotation_.begin, std::string("@custom annotation: ") + problem);
    return {};
  }

  CustomSlot readPlace() {
    bool before = text() == "before";
    if (!before && text() != "after") return fail("malformed placement").slot;
    ++at_;
    std::string_view word = kind() == TokenKind::Keyword ? text() : "";
    auto section = std::ranges::find(kSectionWords, word);
    CustomSlot slot = kLastSlot;
    if (section != std::end(kSectionWords)) {
      slot = 2 * static_cast<CustomSlot>(section - std::begin(kSectionWords)) + (before ? 1 : 2);
    } else if (before && word == "first") {
      slot = kFirstSlot;
    } else if (before || word != "last") {
      return fail("malformed section kind").slot;
    }
    ++at_;
    if (kind() != TokenKind::Close) return fail("unexpected token").slot;
    ++at_;
    return slot;
  }

  Cursor& cursor_;
  const Annotation& annotation_;
  size_t at_ = 0;
};

}  // namespace

void ModuleParser::takeCustoms() {
  while (const Annotation* annotation = cursor_.takeAnnotation(AnnotationKind::Custom)) {
    context_.customs.push_back(CustomReader(cursor_, *annotation).read());
  }
}

void ModuleParser::bindFields() {
  takeCustoms();
  while (cursor_.is(TokenKind::Open)) {
    fields_.push_back(cursor_.position());
    bindField();
    takeCustoms();
  }
}

void ModuleParser::bindField() {
  cursor_.advance();
  if (!cursor_.is(TokenKind::Keyword)) return cursor_.failUnexpected();
  std::string_view word = cursor_.text();
  if (word == "type") return bindFieldName(context_.typeNames);
  if (word == "rec") return bindGroup();
  if (word == "import") return bindImport();
  if (std::optional<ExternKind> kind = externKindOf(word)) return bindDefinition(*kind);
  if (word == "elem") return bindFieldName(context_.elements);
  if (word == "data") return bindFieldName(context_.data);
  if (word != "export" && word != "start") return cursor_.failUnexpected();
  cursor_.skipToClose();
}

void ModuleParser::bindFieldName(IndexSpace& space) {
  cursor_.advance();
  space.bind(cursor_, context_.nameStorage);
  cursor_.skipToClose();
}

void ModuleParser::bindGroup() {
  cursor_.advance();
  while (cursor_.takeOpen("type")) {
    context_.typeNames.bind(cursor_, context_.nameStorage);
    cursor_.skipToClose();
  }
  cursor_.expectClose();
}

void ModuleParser::checkImportOrder(uint32_t begin) {
  if (defined_) cursor_.failAt(begin, std::string("import after ") + defined_);
}

void ModuleParser::bindImport() {
  checkImportOrder(cursor_.offset());
  cursor_.advance();
  for (int i = 0; i < 2; ++i) {
    if (!cursor_.take(TokenKind::String)) cursor_.failUnexpected();
  }
  cursor_.expectOpen();
  if (std::optional<ExternKind> kind = externKindOf(cursor_.text())) {
    bindFieldName(context_.space(*kind));
  } else {
    cursor_.failUnexpected();
  }
  cursor_.expectClose();
}

// A field that defines or imports: its name, and whether it has an anonymous segment within.
void ModuleParser::bindDefinition(ExternKind kind) {
  IndexSpace& space = context_.space(kind);
  uint32_t begin = cursor_.offset();
  cursor_.advance();
  space.bind(cursor_, context_.nameStorage);
  while (cursor_.takeOpen("export")) cursor_.skipToClose();
  if (cursor_.isOpen("import")) {
    checkImportOrder(begin);
  } else if (!defined_) {
    defined_ = space.noun();
  }
  if (kind == ExternKind::Table) bindInlineSegment("elem", context_.elements);
  if (kind == ExternKind::Memory) bindInlineSegment("data", context_.data);
  cursor_.skipToClose();
}

void ModuleParser::bindInlineSegment(std::string_view word, IndexSpace& segments) {
  while (!cursor_.failed() && !cursor_.is(TokenKind::Close)) {
    if (cursor_.isOpen(word)) segments.bindAnonymous();
    if (cursor_.take(TokenKind::Open)) {
      cursor_.skipToClose();
    } else {
      if (cursor_.is(TokenKind::End) || cursor_.is(TokenKind::Bad)) return cursor_.failUnexpected();
      cursor_.advance();
    }
  }
}

}  // namespace wattle::frontend::text
