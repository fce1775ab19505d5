// Constant expressions: the function decoder with a sink that takes note of the common forms.
#pragma once

#include <cstdint>
#include <span>

#include "frontend/module.h"
#include "frontend/validate/function_decoder.h"

namespace wattle::frontend {

// The type of ref.func for a function of this module.
ValType refFuncType(const ModuleInfo& module, uint32_t function);

// Remembers the first instruction, counts them, and declares functions.
class ConstExprSink : public NullSink {
 public:
  static constexpr bool kConstantOnly = true;
  explicit ConstExprSink(ModuleInfo& module) : module_(module) {}

  void begin(std::span<const ValType>) {
    expr_ = ConstExpr();
    instructions_ = 0;
  }
  const ConstExpr& expr() const { return expr_; }
  bool isSimple() const { return instructions_ == 1 && simple_; }

  void constI32(int32_t v) { value(kI32, static_cast<uint32_t>(v)); }
  void constI64(int64_t v) { value(kI64, static_cast<uint64_t>(v)); }
  void constF32(uint32_t bits) { value(kF32, bits); }
  void constF64(uint64_t bits) { value(kF64, bits); }
  void constV128(const std::array<uint8_t, 16>& bytes) {
    value(kV128, 0);
    std::memcpy(expr_.value, bytes.data(), bytes.size());
  }
  void globalGet(uint32_t index) { first(ConstExpr::Kind::GlobalGet, module_.globals[index].type.type, index); }
  void refNull(ValType type) { first(ConstExpr::Kind::RefNull, type, 0); }
  void refFunc(uint32_t index) {
    module_.functions[index].isDeclared = true;
    first(ConstExpr::Kind::RefFunc, refFuncType(module_, index), index);
  }
  template <Op>
  void simple() {
    other();
  }
  void anyConvertExtern(ValType) { other(); }
  void externConvertAny(ValType) { other(); }
  void refI31() { other(); }
  void structNew(uint32_t, bool, bool) { other(); }
  void arrayNew(uint32_t, bool) { other(); }
  void arrayNewFixed(uint32_t, uint32_t) { other(); }

 private:
  void first(ConstExpr::Kind kind, ValType type, uint32_t index) {
    simple_ = instructions_++ == 0;
    expr_.kind = kind;
    expr_.type = type;
    expr_.index = index;
  }
  void value(ValType type, uint64_t bits) {
    first(ConstExpr::Kind::Value, type, 0);
    expr_.value[0] = bits;
  }
  void other() {
    instructions_++;
    simple_ = false;
  }

  ModuleInfo& module_;
  ConstExpr expr_;
  size_t instructions_ = 0;
  bool simple_ = false;
};

class ConstExprDecoder {
 public:
  ConstExprDecoder(ModuleInfo& module, std::span<const uint8_t> bytes)
      : bytes_(bytes), sink_(module), decoder_(module, bytes, sink_) {}
  // Decodes an expression of type `expected` that starts at `begin`; the offset after it, or what is wrong.
  Result<uint64_t> decode(uint64_t begin, uint64_t end, ValType expected, ConstExpr& expr);

 private:
  bool number(const uint8_t* begin, const uint8_t* end, ValType expected, ConstExpr& expr, uint64_t& length) const;
  const std::span<const uint8_t> bytes_;
  ConstExprSink sink_;
  FunctionDecoder<ConstExprSink> decoder_;
};

}  // namespace wattle::frontend
