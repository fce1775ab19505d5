// Types and values as an embedder sees them.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "wattle/error.hpp"

namespace wattle {

enum class Kind : uint8_t { I32, I64, F32, F64, V128, Ref };
// Heap types. Concrete means "the type with this id".
enum class Heap : uint8_t { Func, NoFunc, Extern, NoExtern, Any, Eq, I31, Struct, Array, None, Exn, NoExn, Concrete };

struct ValType {
  Kind kind = Kind::I32;
  bool nullable = true;  // of references
  bool exact = false;
  Heap heap = Heap::Func;
  uint32_t typeId = 0;  // Heap::Concrete: process-wide canonical type id
  bool isRef() const { return kind == Kind::Ref; }
  bool operator==(const ValType& other) const {
    return kind == other.kind &&
           (kind != Kind::Ref || (nullable == other.nullable && exact == other.exact && heap == other.heap &&
                                  (heap != Heap::Concrete || typeId == other.typeId)));
  }
  static ValType i32() { return {Kind::I32}; }
  static ValType i64() { return {Kind::I64}; }
  static ValType f32() { return {Kind::F32}; }
  static ValType f64() { return {Kind::F64}; }
  static ValType v128() { return {Kind::V128}; }
  static ValType funcref() { return {Kind::Ref, true, false, Heap::Func}; }
  static ValType externref() { return {Kind::Ref, true, false, Heap::Extern}; }
};
WATTLE_API std::string toString(const ValType& type);  // text-format spelling

struct FuncType {
  std::vector<ValType> params;
  std::vector<ValType> results;
  bool operator==(const FuncType&) const = default;
};
WATTLE_API std::string toString(const FuncType& type);  // "(i32, i64) -> (f32)"

struct V128 {
  std::array<uint8_t, 16> bytes{};
  bool operator==(const V128&) const = default;
};

// A value with its type. References are words that belong to a store and stay valid while a handle or the guest holds
// them; those a store handed out itself (Store::externref, results of calls, what a table or global was read for) also
// while the RootScope lasts in which they were handed out.
class Val {
 public:
  Val() = default;
  Val(int32_t v) : type_(ValType::i32()) { low_ = static_cast<uint32_t>(v); }
  Val(uint32_t v) : Val(static_cast<int32_t>(v)) {}
  Val(int64_t v) : type_(ValType::i64()) { low_ = static_cast<uint64_t>(v); }
  Val(uint64_t v) : Val(static_cast<int64_t>(v)) {}
  Val(float v) : type_(ValType::f32()) { low_ = std::bit_cast<uint32_t>(v); }
  Val(double v) : type_(ValType::f64()) { low_ = std::bit_cast<uint64_t>(v); }
  Val(const V128& v) : type_(ValType::v128()) {
    auto words = std::bit_cast<std::array<uint64_t, 2>>(v.bytes);
    low_ = words[0];
    high_ = words[1];
  }
  static Val reference(const ValType& type, uint64_t word) {
    Val v;
    v.type_ = type;
    v.low_ = word;
    return v;
  }
  static Val null(const ValType& type) { return reference(type, 0); }
  // The zero (or null) of a type.
  static Val zero(const ValType& type) { return reference(type, 0); }
  static Val fromBits(const ValType& type, uint64_t low, uint64_t high = 0) {
    Val v = reference(type, low);
    v.high_ = high;
    return v;
  }

  const ValType& type() const { return type_; }
  int32_t i32() const { return static_cast<int32_t>(low_); }
  int64_t i64() const { return static_cast<int64_t>(low_); }
  float f32() const { return std::bit_cast<float>(static_cast<uint32_t>(low_)); }
  double f64() const { return std::bit_cast<double>(low_); }
  V128 v128() const { return {std::bit_cast<std::array<uint8_t, 16>>(std::array<uint64_t, 2>{low_, high_})}; }
  uint64_t ref() const { return low_; }
  bool isNull() const { return type_.isRef() && low_ == 0; }
  uint64_t low() const { return low_; }
  uint64_t high() const { return high_; }

 private:
  ValType type_{};
  uint64_t low_ = 0;
  uint64_t high_ = 0;
};

// A value without its type, for Func::callRaw: the member that the type at its place says, the rest zero.
union alignas(16) RawVal {
  std::array<uint64_t, 2> words{};
  std::array<uint8_t, 16> bytes;
  int32_t i32;
  int64_t i64;
  float f32;
  double f64;
  uint64_t ref;
};

}  // namespace wattle
