#include "runtime/vm/const_expr.h"

#include <fmt/format.h>

#include <cstring>

#include "frontend/binary/reader.h"
#include "frontend/opcodes.h"

namespace wattle::vm {

namespace {

using abi::RawValue;
using frontend::Op;

constexpr uint16_t code(Op op) { return frontend::info(op).code; }

RawValue fromWord(uint64_t word) {
  RawValue value{};
  value.words[0] = word;
  return value;
}

RawValue functionReference(Instance& instance, uint32_t index) { return fromWord(instance.function(index)->word()); }

// A stack machine over bytes that validation has checked.
class Machine {
 public:
  Machine(Instance& instance, std::span<const uint8_t> bytes)
      : instance_(instance), reader_(bytes.data(), bytes.data() + bytes.size(), 0) {}

  Result<RawValue> run() {
    for (;;) {
      uint8_t opcode = reader_.byte();
      if (opcode == code(Op::End) || !reader_.ok()) break;
      if (!step(opcode)) {
        return std::unexpected(Error::make(ErrorKind::Unsupported, "garbage collection in a constant expression"));
      }
    }
    return stack_.back();
  }

 private:
  bool step(uint8_t opcode) {
    switch (opcode) {
      case code(Op::I32Const): return push(static_cast<uint32_t>(reader_.s32()));
      case code(Op::I64Const): return push(static_cast<uint64_t>(reader_.s64()));
      case code(Op::F32Const): return push(reader_.fixed(4));
      case code(Op::F64Const): return push(reader_.fixed(8));
      case code(Op::GlobalGet): stack_.push_back(*instance_.globalCell(reader_.u32())); return true;
      case code(Op::RefNull): return nullReference();
      case code(Op::RefFunc): stack_.push_back(functionReference(instance_, reader_.u32())); return true;
      case code(Op::I32Add): return binary<uint32_t>([](uint32_t a, uint32_t b) { return a + b; });
      case code(Op::I32Sub): return binary<uint32_t>([](uint32_t a, uint32_t b) { return a - b; });
      case code(Op::I32Mul): return binary<uint32_t>([](uint32_t a, uint32_t b) { return a * b; });
      case code(Op::I64Add): return binary<uint64_t>([](uint64_t a, uint64_t b) { return a + b; });
      case code(Op::I64Sub): return binary<uint64_t>([](uint64_t a, uint64_t b) { return a - b; });
      case code(Op::I64Mul): return binary<uint64_t>([](uint64_t a, uint64_t b) { return a * b; });
      case 0xfd: return vectorConstant();
      default: return false;
    }
  }

  bool nullReference() {
    constexpr int64_t kExact = 0x62 - 0x80;  // custom descriptors: a prefix of the heap type
    if (reader_.s33() == kExact) reader_.s33();
    return push(0);
  }

  bool vectorConstant() {
    if (reader_.u32() != code(Op::V128Const)) return false;
    auto bytes = reader_.bytes(16);
    RawValue value;
    std::memcpy(value.bytes, bytes.data(), 16);
    stack_.push_back(value);
    return true;
  }

  bool push(uint64_t word) {
    stack_.push_back(fromWord(word));
    return true;
  }

  template <class T, class F>
  bool binary(F&& apply) {
    auto b = static_cast<T>(stack_.back().words[0]);
    stack_.pop_back();
    auto a = static_cast<T>(stack_.back().words[0]);
    stack_.back() = fromWord(static_cast<T>(apply(a, b)));
    return true;
  }

  Instance& instance_;
  frontend::Reader reader_;
  std::vector<RawValue> stack_;
};

}  // namespace

Result<RawValue> evaluate(Instance& instance, const frontend::ConstExpr& expr) {
  using Kind = frontend::ConstExpr::Kind;
  switch (expr.kind) {
    case Kind::Value: {
      RawValue value;
      value.words[0] = expr.value[0];
      value.words[1] = expr.value[1];
      return value;
    }
    case Kind::GlobalGet: return *instance.globalCell(expr.index);
    case Kind::RefNull: return fromWord(0);
    case Kind::RefFunc: return functionReference(instance, expr.index);
    case Kind::Bytecode: break;
  }
  return Machine(instance, instance.module().bytes().subspan(expr.bytes.offset, expr.bytes.size)).run();
}

Result<uint64_t> evaluateAddress(Instance& instance, const frontend::ConstExpr& expr) {
  auto value = evaluate(instance, expr);
  if (!value) return std::unexpected(value.error());
  return expr.type.kind() == frontend::ValKind::I32 ? static_cast<uint32_t>(value->i32) : value->words[0];
}

}  // namespace wattle::vm
