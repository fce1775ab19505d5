// Value types, composite types and recursion groups (spec 3.0, "Structure / Types").
//
// A ValType is one 32-bit word, so comparing two of them is one instruction. Concrete heap types are module-local type
// indices. While a module is decoded each index is replaced by its *representative*: the smallest index in the module
// that names an equivalent type (spec "Validation / Types / Equivalence"). Hence two ValTypes of one module are the
// same type exactly when their words are equal.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace wattle::frontend {

// Abstract heap types. The values are the second half of HeapType's number space.
enum class AbstractHeap : uint32_t {
  Func,
  NoFunc,
  Extern,
  NoExtern,
  Any,
  Eq,
  I31,
  Struct,
  Array,
  None,
  Exn,
  NoExn,
};

class HeapType {
 public:
  static constexpr uint32_t kAbstractBase = 0x3ffff00;  // 26 bits; type indices stay far below it
  constexpr HeapType() = default;
  static constexpr HeapType abstract(AbstractHeap kind) {
    return HeapType(kAbstractBase + static_cast<uint32_t>(kind));
  }
  static constexpr HeapType index(uint32_t typeIndex) { return HeapType(typeIndex); }
  static constexpr HeapType fromCode(uint32_t code) { return HeapType(code); }
  constexpr bool isIndex() const { return code_ < kAbstractBase; }
  constexpr bool isAbstract() const { return code_ >= kAbstractBase; }
  constexpr uint32_t typeIndex() const { return code_; }
  constexpr AbstractHeap abstractKind() const { return static_cast<AbstractHeap>(code_ - kAbstractBase); }
  constexpr uint32_t code() const { return code_; }
  constexpr bool operator==(const HeapType&) const = default;

 private:
  explicit constexpr HeapType(uint32_t code) : code_(code) {}
  uint32_t code_ = kAbstractBase;
};

// The heap type of a reference in dead code about which nothing is known ("(ref bot)"). A sink never sees it.
inline constexpr HeapType kBottomHeap = HeapType::fromCode(0x3ffffff);

enum class ValKind : uint8_t {
  Bottom,
  I32,
  I64,
  F32,
  F64,
  V128,
  Ref,
  I8,
  I16
};  // I8, I16: storage types of fields only

// bits 0..3 kind, 4 nullable, 5 exact (custom descriptors), 6..31 heap type
class ValType {
 public:
  constexpr ValType() = default;
  explicit constexpr ValType(ValKind kind) : bits_(static_cast<uint32_t>(kind)) {}
  static constexpr ValType ref(HeapType heap, bool nullable, bool exact = false) {
    ValType t(ValKind::Ref);
    t.bits_ |= (nullable ? 16u : 0u) | (exact ? 32u : 0u) | heap.code() << 6;
    return t;
  }
  constexpr ValKind kind() const { return static_cast<ValKind>(bits_ & 15); }
  constexpr bool isRef() const { return kind() == ValKind::Ref; }
  constexpr bool isBottom() const { return bits_ == 0; }
  constexpr bool isPacked() const { return kind() == ValKind::I8 || kind() == ValKind::I16; }
  constexpr bool isNullable() const { return bits_ & 16; }
  constexpr bool isExact() const { return bits_ & 32; }
  constexpr HeapType heap() const { return HeapType::fromCode(bits_ >> 6); }
  constexpr bool isDefaultable() const { return !isRef() || isNullable(); }
  constexpr ValType asNonNull() const { return fromBits(bits_ & ~16u); }
  constexpr ValType asNullable() const { return fromBits(bits_ | 16u); }
  constexpr ValType unpacked() const { return isPacked() ? ValType(ValKind::I32) : *this; }
  constexpr uint32_t bits() const { return bits_; }
  static constexpr ValType fromBits(uint32_t bits) {
    ValType t;
    t.bits_ = bits;
    return t;
  }
  constexpr bool operator==(const ValType&) const = default;

 private:
  uint32_t bits_ = 0;
};

inline constexpr ValType kBottom{};
inline constexpr ValType kI32{ValKind::I32}, kI64{ValKind::I64}, kF32{ValKind::F32}, kF64{ValKind::F64},
    kV128{ValKind::V128};
inline constexpr ValType kFuncRef = ValType::ref(HeapType::abstract(AbstractHeap::Func), true);
inline constexpr ValType kExternRef = ValType::ref(HeapType::abstract(AbstractHeap::Extern), true);
inline constexpr ValType kAnyRef = ValType::ref(HeapType::abstract(AbstractHeap::Any), true);
inline constexpr ValType kEqRef = ValType::ref(HeapType::abstract(AbstractHeap::Eq), true);
inline constexpr ValType kI31Ref = ValType::ref(HeapType::abstract(AbstractHeap::I31), true);
inline constexpr ValType kStructRef = ValType::ref(HeapType::abstract(AbstractHeap::Struct), true);
inline constexpr ValType kArrayRef = ValType::ref(HeapType::abstract(AbstractHeap::Array), true);
inline constexpr ValType kExnRef = ValType::ref(HeapType::abstract(AbstractHeap::Exn), true);
inline constexpr ValType kNullRef = ValType::ref(HeapType::abstract(AbstractHeap::None), true);
inline constexpr ValType kNullFuncRef = ValType::ref(HeapType::abstract(AbstractHeap::NoFunc), true);
inline constexpr ValType kNullExternRef = ValType::ref(HeapType::abstract(AbstractHeap::NoExtern), true);
inline constexpr ValType kNullExnRef = ValType::ref(HeapType::abstract(AbstractHeap::NoExn), true);

// Text-format spelling: "i32", "(ref null $3)" as "(ref null 3)", "funcref", ...
std::string toString(ValType type);
std::string toString(HeapType type);

struct FuncType {
  std::vector<ValType> params;
  std::vector<ValType> results;
  bool operator==(const FuncType&) const = default;
};
std::string toString(const FuncType& type);  // "(i32, i64) -> (f32)"

struct FieldType {
  ValType type;  // may be packed (I8, I16)
  bool isMutable = false;
  bool operator==(const FieldType&) const = default;
};

enum class CompositeKind : uint8_t { Func, Struct, Array };

inline constexpr uint32_t kNoIndex = ~0u;

// One entry of the type section, with its place in its recursion group.
struct SubType {
  CompositeKind kind = CompositeKind::Func;
  bool isFinal = true;
  uint32_t supertype = kNoIndex;   // representative index, or kNoIndex
  uint32_t describes = kNoIndex;   // custom descriptors: the type this one is the descriptor of
  uint32_t descriptor = kNoIndex;  // custom descriptors: the descriptor type of this one
  uint32_t groupStart = 0;         // first type index of the recursion group
  uint32_t groupSize = 1;
  uint32_t representative = 0;    // smallest equivalent type index in this module (possibly itself)
  uint32_t depth = 0;             // length of the supertype chain; 0 for a root
  FuncType func;                  // kind == Func
  std::vector<FieldType> fields;  // kind == Struct: all; kind == Array: exactly one
};

}  // namespace wattle::frontend
