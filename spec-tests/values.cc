#include "spec-tests/values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>

namespace wattle::spec {

using frontend::LanePattern;
using frontend::LaneShape;
using frontend::NanPattern;
using frontend::ScriptResult;
using frontend::ScriptValue;

namespace {

// An external reference of ours.
struct Numbered {
  static constexpr uint64_t kMark = 0x77617474'6c653a31;
  uint64_t mark = kMark;
  uint64_t number = 0;
};

const char* const kHelper = R"((module
  (func (export "internalize") (param externref) (result anyref) (any.convert_extern (local.get 0)))
  (func (export "externalize") (param anyref) (result externref) (extern.convert_any (local.get 0)))
  (func (export "eq") (param anyref) (result i32) (ref.test (ref eq) (local.get 0)))
  (func (export "i31") (param anyref) (result i32) (ref.test (ref i31) (local.get 0)))
  (func (export "struct") (param anyref) (result i32) (ref.test (ref struct) (local.get 0)))
  (func (export "array") (param anyref) (result i32) (ref.test (ref array) (local.get 0)))))";

Heap toRuntime(frontend::AbstractHeap heap) {
  using A = frontend::AbstractHeap;
  switch (heap) {
    case A::Func: return Heap::Func;
    case A::NoFunc: return Heap::NoFunc;
    case A::Extern: return Heap::Extern;
    case A::NoExtern: return Heap::NoExtern;
    case A::Any: return Heap::Any;
    case A::Eq: return Heap::Eq;
    case A::I31: return Heap::I31;
    case A::Struct: return Heap::Struct;
    case A::Array: return Heap::Array;
    case A::None: return Heap::None;
    case A::Exn: return Heap::Exn;
    case A::NoExn: return Heap::NoExn;
  }
  return Heap::Any;
}

ValType toRuntime(frontend::ValType type) {
  using K = frontend::ValKind;
  switch (type.kind()) {
    case K::I32: return ValType::i32();
    case K::I64: return ValType::i64();
    case K::F32: return ValType::f32();
    case K::F64: return ValType::f64();
    case K::V128: return ValType::v128();
    default: break;
  }
  Heap heap = type.heap().isAbstract() ? toRuntime(type.heap().abstractKind()) : Heap::Any;
  return ValType{Kind::Ref, type.isNullable(), type.isExact(), heap, 0};
}

// The hierarchy that a type belongs to, by its top.
Heap topOf(Heap heap) {
  switch (heap) {
    case Heap::Func:
    case Heap::NoFunc: return Heap::Func;
    case Heap::Extern:
    case Heap::NoExtern: return Heap::Extern;
    case Heap::Exn:
    case Heap::NoExn: return Heap::Exn;
    default: return Heap::Any;
  }
}

Error unexpectedValue(std::string message) { return Error::make(ErrorKind::Argument, std::move(message)); }

}  // namespace

Val References::external(uint64_t number) {
  auto& kept = externals_[number];
  if (!kept) {
    auto numbered = std::make_shared<Numbered>();
    numbered->number = number;
    kept = std::move(numbered);
  }
  return store_.externref(kept);
}

Result<Val> References::ask(const char* function, const Val& value) {
  if (!helper_) {
    auto binary = frontend::parseWat(kHelper);
    if (!binary) return std::unexpected(unexpectedValue(binary.error().message));
    auto module = Module::compile(engine_, *binary);
    if (!module) return std::unexpected(module.error());
    auto instance = Instance::create(store_, *module, {});
    if (!instance) return std::unexpected(instance.error());
    helper_ = *std::move(instance);
  }
  auto results = helper_->func(function)->call({value});
  if (!results) return std::unexpected(results.error());
  return results->at(0);
}

Result<Val> References::host(uint64_t number) { return ask("internalize", external(number)); }

std::optional<uint64_t> References::numberOf(const Val& value) {
  Val external = value;
  if (value.type().heap != Heap::Extern && value.type().heap != Heap::NoExtern) {
    auto converted = ask("externalize", value);
    if (!converted) return std::nullopt;
    external = *converted;
  }
  auto host = store_.externValue(external);
  if (!host || !*host) return std::nullopt;
  auto* numbered = static_cast<Numbered*>(host->get());
  return numbered->mark == Numbered::kMark ? std::optional(numbered->number) : std::nullopt;
}

Result<bool> References::isA(const Val& value, Heap heap) {
  const char* function = nullptr;
  if (heap == Heap::Eq) function = "eq";
  if (heap == Heap::I31) function = "i31";
  if (heap == Heap::Struct) function = "struct";
  if (heap == Heap::Array) function = "array";
  if (!function) return true;
  auto result = ask(function, value);
  if (!result) return std::unexpected(result.error());
  return result->i32() != 0;
}

Result<Val> toRuntime(References& references, const ScriptValue& value) {
  switch (value.kind) {
    case ScriptValue::Kind::Number: return Val::fromBits(toRuntime(value.type), value.bits[0], value.bits[1]);
    case ScriptValue::Kind::Null: return Val::null(toRuntime(value.type));
    case ScriptValue::Kind::Extern: return references.external(value.bits[0]);
    case ScriptValue::Kind::Host: return references.host(value.bits[0]);
  }
  return std::unexpected(unexpectedValue("unknown kind of value"));
}

namespace {

struct Layout {
  const char* name;
  unsigned lanes;
  bool isFloat;
};

Layout layoutOf(LaneShape shape) {
  switch (shape) {
    case LaneShape::I8x16: return {"i8x16", 16, false};
    case LaneShape::I16x8: return {"i16x8", 8, false};
    case LaneShape::I32x4: return {"i32x4", 4, false};
    case LaneShape::I64x2: return {"i64x2", 2, false};
    case LaneShape::F32x4: return {"f32x4", 4, true};
    case LaneShape::F64x2: return {"f64x2", 2, true};
  }
  return {"?", 1, false};
}

bool matches(const LanePattern& pattern, uint64_t bits, unsigned width) {
  if (pattern.nan == NanPattern::None) return pattern.bits == bits;
  uint64_t sign = 1ull << (width * 8 - 1);
  uint64_t quiet = width == 4 ? 0x7fc00000ull : 0x7ff8000000000000ull;
  if (pattern.nan == NanPattern::Canonical) return (bits & ~sign) == quiet;
  return (bits & quiet) == quiet;
}

std::string describe(const LanePattern& pattern) {
  if (pattern.nan == NanPattern::Canonical) return "nan:canonical";
  if (pattern.nan == NanPattern::Arithmetic) return "nan:arithmetic";
  return fmt::format("{:#x}", pattern.bits);
}

std::string describe(const ScriptResult& expected) {
  switch (expected.kind) {
    case ScriptResult::Kind::Number: return fmt::format("{} {}", toString(expected.type), describe(expected.lanes[0]));
    case ScriptResult::Kind::Vector: {
      Layout layout = layoutOf(expected.shape);
      std::string text = layout.name;
      for (unsigned i = 0; i < layout.lanes; i++) text += " " + describe(expected.lanes[i]);
      return text;
    }
    case ScriptResult::Kind::Null: return "a null reference";
    case ScriptResult::Kind::Ref: return "a reference " + toString(expected.type);
    case ScriptResult::Kind::Extern: return fmt::format("ref.extern {}", expected.number);
    case ScriptResult::Kind::Host: return fmt::format("ref.host {}", expected.number);
    case ScriptResult::Kind::Either: break;
  }
  std::vector<std::string> parts;
  for (const auto& alternative : expected.alternatives) parts.push_back(describe(alternative));
  return fmt::format("{}", fmt::join(parts, " or "));
}

unsigned widthOf(const ValType& type) { return type.kind == Kind::I32 || type.kind == Kind::F32 ? 4 : 8; }

bool matchesVector(const ScriptResult& expected, const Val& value) {
  if (value.type().kind != Kind::V128) return false;
  Layout layout = layoutOf(expected.shape);
  unsigned width = 16 / layout.lanes;
  V128 vector = value.v128();
  for (unsigned i = 0; i < layout.lanes; i++) {
    uint64_t bits = 0;
    memcpy(&bits, vector.bytes.data() + i * width, width);
    if (!matches(expected.lanes[i], bits, width)) return false;
  }
  return true;
}

bool matchesReference(References& references, const ScriptResult& expected, const Val& value) {
  if (!value.type().isRef() || value.isNull()) return false;
  Heap top = value.type().heap == Heap::Concrete ? Heap::Concrete : topOf(value.type().heap);
  Heap wanted = toRuntime(expected.type).heap;
  // A concrete type may be a function's or an aggregate's; what can be asked for decides.
  if (wanted == Heap::Func || wanted == Heap::Extern || wanted == Heap::Exn)
    return top == wanted || top == Heap::Concrete;
  if (top == Heap::Func || top == Heap::Extern || top == Heap::Exn) return false;
  return references.isA(value, wanted).value_or(false);
}

bool matches(References& references, const ScriptResult& expected, const Val& value) {
  switch (expected.kind) {
    case ScriptResult::Kind::Number: {
      ValType type = toRuntime(expected.type);
      return value.type() == type && matches(expected.lanes[0], value.low(), widthOf(type));
    }
    case ScriptResult::Kind::Vector: return matchesVector(expected, value);
    case ScriptResult::Kind::Null: return value.isNull();
    case ScriptResult::Kind::Ref: return matchesReference(references, expected, value);
    case ScriptResult::Kind::Extern:
    case ScriptResult::Kind::Host:
      return value.type().isRef() && !value.isNull() && references.numberOf(value) == expected.number;
    case ScriptResult::Kind::Either:
      for (const auto& alternative : expected.alternatives) {
        if (matches(references, alternative, value)) return true;
      }
      return false;
  }
  return false;
}

}  // namespace

std::optional<std::string> mismatch(References& references, const ScriptResult& expected, const Val& value) {
  if (matches(references, expected, value)) return std::nullopt;
  return describe(expected);
}

std::string describe(const Val& value) {
  if (value.type().kind == Kind::V128) {
    auto lanes = std::bit_cast<std::array<uint32_t, 4>>(value.v128().bytes);
    return fmt::format("i32x4 {:#x} {:#x} {:#x} {:#x}", lanes[0], lanes[1], lanes[2], lanes[3]);
  }
  if (value.isNull()) return "a null " + toString(value.type());
  return fmt::format("{} {:#x}", toString(value.type()), value.low());
}

}  // namespace wattle::spec
