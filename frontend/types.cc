#include "frontend/types.h"

#include <array>
#include <string_view>

namespace wattle::frontend {
namespace {

// In the order of AbstractHeap.
constexpr std::array<std::string_view, 12> kHeapNames = {"func", "nofunc", "extern", "noextern", "any", "eq",
                                                         "i31",  "struct", "array",  "none",     "exn", "noexn"};
// The one-word spelling of a nullable reference to each.
constexpr std::array<std::string_view, 12> kNullableNames = {"funcref",  "nullfuncref", "externref", "nullexternref",
                                                             "anyref",   "eqref",       "i31ref",    "structref",
                                                             "arrayref", "nullref",     "exnref",    "nullexnref"};

std::string join(const std::vector<ValType>& types) {
  std::string text = "(";
  for (size_t i = 0; i < types.size(); i++) {
    if (i > 0) text += ", ";
    text += toString(types[i]);
  }
  return text + ")";
}

}  // namespace

std::string toString(HeapType type) {
  if (type == kBottomHeap) return "bot";
  if (type.isIndex()) return std::to_string(type.typeIndex());
  return std::string(kHeapNames[static_cast<unsigned>(type.abstractKind())]);
}

std::string toString(ValType type) {
  switch (type.kind()) {
    case ValKind::Bottom: return "bot";
    case ValKind::I32: return "i32";
    case ValKind::I64: return "i64";
    case ValKind::F32: return "f32";
    case ValKind::F64: return "f64";
    case ValKind::V128: return "v128";
    case ValKind::I8: return "i8";
    case ValKind::I16: return "i16";
    case ValKind::Ref: break;
  }
  const HeapType heap = type.heap();
  if (heap.isAbstract() && heap != kBottomHeap && type.isNullable() && !type.isExact()) {
    return std::string(kNullableNames[static_cast<unsigned>(heap.abstractKind())]);
  }
  std::string text = type.isNullable() ? "(ref null " : "(ref ";
  text += type.isExact() ? "(exact " + toString(heap) + ")" : toString(heap);
  return text + ")";
}

std::string toString(const FuncType& type) { return join(type.params) + " -> " + join(type.results); }

}  // namespace wattle::frontend
