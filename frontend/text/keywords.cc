#include "frontend/text/keywords.h"

#include <algorithm>
#include <array>
#include <bit>

namespace wattle::frontend::text {
namespace {

constexpr size_t kOpCount = static_cast<size_t>(Op::Count);

// The table of instructions by name: open addressing, one probe for nearly every word.
class OpIndex {
 public:
  OpIndex() {
    slots_.fill(kEmpty);
    for (size_t i = 0; i < kOpCount; ++i) insert(static_cast<uint16_t>(i));
  }

  std::optional<Op> find(std::string_view name) const {
    for (size_t slot = hash(name);; slot = (slot + 1) % kSlots) {
      if (slots_[slot] == kEmpty) return std::nullopt;
      if (kOpInfo[slots_[slot]].name == name) return static_cast<Op>(slots_[slot]);
    }
  }

 private:
  static constexpr size_t kSlots = std::bit_ceil(kOpCount * 4);
  static constexpr uint16_t kEmpty = 0xffff;

  static size_t hash(std::string_view name) {
    uint32_t h = 2166136261u;
    for (char c : name) h = (h ^ static_cast<uint8_t>(c)) * 16777619u;
    return (h ^ h >> 15) % kSlots;
  }

  void insert(uint16_t op) {
    size_t slot = hash(kOpInfo[op].name);
    while (slots_[slot] != kEmpty) {
      if (kOpInfo[slots_[slot]].name == kOpInfo[op].name) return;
      slot = (slot + 1) % kSlots;
    }
    slots_[slot] = op;
  }

  std::array<uint16_t, kSlots> slots_;
};

// Sorted. Instructions are not repeated here.
// clang-format off
constexpr std::string_view kKeywords[] = {
    "after", "any", "anyref", "array", "arrayref", "assert_exception", "assert_exhaustion", "assert_invalid",
    "assert_invalid_custom", "assert_malformed", "assert_malformed_custom", "assert_return",
    "assert_suspension", "assert_trap", "assert_unlinkable", "before", "binary", "catch_all_ref", "catch_ref",
    "code", "custom", "data", "declare", "definition", "describes", "descriptor", "do", "either", "elem", "eq",
    "eqref", "exact", "exn", "exnref", "export", "extern", "externref", "f32", "f32x4", "f64", "f64x2", "field",
    "final", "first", "func", "funcref", "get", "global", "i16", "i16x8", "i31", "i31ref", "i32", "i32x4",
    "i64", "i64x2", "i8", "i8x16", "import", "instance", "invoke", "item", "last", "local", "memory", "module",
    "mut", "nan:arithmetic", "nan:canonical", "noexn", "noextern", "nofunc", "none", "null", "nullexnref",
    "nullexternref", "nullfuncref", "nullref", "offset", "pagesize", "param", "quote", "rec", "ref", "ref.any",
    "ref.array", "ref.exn", "ref.extern", "ref.host", "ref.struct", "register", "result", "shared", "start",
    "struct", "structref", "sub", "table", "tag", "then", "thread", "type", "v128", "wait",
};
// clang-format on
static_assert(std::ranges::is_sorted(kKeywords));

}  // namespace

std::optional<Op> findOp(std::string_view name) {
  static const OpIndex index;
  return index.find(name);
}

bool isKnownKeyword(std::string_view word) {
  return std::ranges::binary_search(kKeywords, word) || findOp(word) || word.starts_with("offset=") ||
         word.starts_with("align=");
}

}  // namespace wattle::frontend::text
