// A text module on its way to a binary one: its names and its sections.
//
// The parser goes over a module twice. The first pass binds every name, so that the second can write each section's
// bytes as it reads; nothing but bytes is kept of the fields. Types come in between, since they are what type uses
// refer to.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "frontend/module.h"
#include "frontend/text/byte_writer.h"
#include "frontend/text/cursor.h"
#include "frontend/types.h"

namespace wattle::frontend::text {

using NameMap = std::vector<std::pair<uint32_t, std::string_view>>;  // index to name, by rising index

// The indices and names of one kind of thing.
class IndexSpace {
 public:
  // `kind` is the word of "duplicate func", `noun` that of "unknown function" and "import after function".
  IndexSpace(const char* kind, const char* noun) : kind_(kind), noun_(noun) {}

  // Takes the next index, with the identifier and the (@name) annotation that may stand at the cursor.
  uint32_t bind(Cursor& cursor, std::deque<std::string>& storage);
  uint32_t bindAnonymous() { return count_++; }
  void bindAnonymous(uint32_t howMany) { count_ += howMany; }
  // Reads an index; a number is not checked against count().
  uint32_t use(Cursor& cursor) const;

  const char* noun() const { return noun_; }
  const NameMap& names() const { return names_; }
  void clear();

 private:
  const char* kind_;
  const char* noun_;
  uint32_t count_ = 0;
  std::unordered_map<std::string_view, uint32_t> byName_;
  NameMap names_;
};

// A type definition as written. Indices are the module's own and unchecked.
struct TypeDef {
  CompositeKind kind = CompositeKind::Func;
  bool isFinal = true;
  std::vector<uint32_t> supertypes;
  std::optional<uint32_t> describes;
  std::optional<uint32_t> descriptor;
  FuncType func;
  std::vector<FieldType> fields;
};

class TypeTable {
 public:
  void beginGroup() { groups_.push_back(0); }
  void add(TypeDef type);  // to the last group
  // The first type that is (rec (sub final (func ...))) of that signature; a new one at the end if there is none.
  uint32_t findOrAdd(const FuncType& type);
  const TypeDef* find(uint32_t index) const { return index < types_.size() ? &types_[index] : nullptr; }
  // Once all definitions are in: makes those that stand alone available to findOrAdd.
  void indexSignatures();

  const std::vector<TypeDef>& types() const { return types_; }
  const std::vector<uint32_t>& groups() const { return groups_; }  // sizes, in order

 private:
  static std::string key(const FuncType& type);

  std::vector<TypeDef> types_;
  std::vector<uint32_t> groups_;
  std::unordered_map<std::string, uint32_t> signatures_;
};

struct Section {
  uint32_t count = 0;
  ByteWriter body;  // the entries, without their count
};

// Sections in their order in a binary module; the values are ranks, not the encoding's numbers.
enum class SectionRank : uint8_t {
  Type,
  Import,
  Function,
  Table,
  Memory,
  Tag,
  Global,
  Export,
  Start,
  Element,
  DataCount,
  Code,
  Data,
};

// Where a (@custom) annotation puts its section: slots 2 * rank + 1 and 2 * rank + 2 are before and after a section.
using CustomSlot = unsigned;
inline constexpr CustomSlot kFirstSlot = 0;
inline constexpr CustomSlot kLastSlot = 2 * static_cast<unsigned>(SectionRank::Data) + 3;

struct CustomText {
  std::string name;
  std::string bytes;
  CustomSlot slot = kLastSlot;
};

struct BranchHint {
  uint32_t offset = 0;  // of the branch, from the start of the function's body
  uint8_t value = 0;
};

struct FunctionNotes {
  uint32_t function = 0;
  NameMap locals;
  std::vector<BranchHint> hints;
};

struct ModuleContext {
  IndexSpace typeNames{"type", "type"};
  IndexSpace functions{"func", "function"};
  IndexSpace tables{"table", "table"};
  IndexSpace memories{"memory", "memory"};
  IndexSpace globals{"global", "global"};
  IndexSpace tags{"tag", "tag"};
  IndexSpace elements{"elem", "elem segment"};
  IndexSpace data{"data", "data segment"};
  std::unordered_map<uint32_t, IndexSpace> fields;  // by type, for structures

  TypeTable types;
  Section imports, functionTypes, tableSection, memorySection, tagSection, globalSection, exports, elementSection, code,
      dataSection;
  std::optional<uint32_t> start;
  bool codeUsesData = false;  // then a data count section is needed

  std::optional<std::string_view> name;
  std::vector<CustomText> customs;
  std::vector<FunctionNotes> notes;     // of functions that have any
  std::deque<std::string> nameStorage;  // names that the source does not spell

  IndexSpace& space(ExternKind kind);
};

// What "func", "table", "memory", "global" or "tag" names.
std::optional<ExternKind> externKindOf(std::string_view word);

}  // namespace wattle::frontend::text
