#include "runtime/vm/const_expr.h"

#include <fmt/format.h>

#include <cstring>

#include "frontend/binary/reader.h"
#include "frontend/opcodes.h"
#include "runtime/vm/store.h"
#include "runtime/vm/traps.h"

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
      if (!step(opcode)) return std::unexpected(trapError(trap_));
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
      case 0xfb: return aggregate();
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

  // --- structures and arrays ----------------------------------------------------------------------------------------

  bool aggregate() {
    const uint32_t opcode = reader_.u32();
    switch (opcode) {
      case code(Op::RefI31):
        stack_.back() = fromWord(static_cast<uint32_t>(stack_.back().words[0]) << 1 | 1);
        return true;
      case code(Op::AnyConvertExtern):
      case code(Op::ExternConvertAny): return true;  // the same word
      case code(Op::StructNew): return newStruct(false, false);
      case code(Op::StructNewDefault): return newStruct(true, false);
      case code(Op::StructNewDesc): return newStruct(false, true);
      case code(Op::StructNewDefaultDesc): return newStruct(true, true);
      case code(Op::ArrayNew): return newArray(false);
      case code(Op::ArrayNewDefault): return newArray(true);
      case code(Op::ArrayNewFixed): return newArrayFixed();
      default: return fail(abi::TrapReason::Unreachable);
    }
  }

  bool fail(abi::TrapReason reason) {
    trap_ = reason;
    return false;
  }

  GcHeap* heap() { return instance_.store()->gcHeap(); }
  uint32_t canonicalId(uint32_t type) const { return instance_.module().typeIds()[type]; }
  const frontend::SubType& type(uint32_t id) const { return TypeRegistry::process().entry(id).type; }
  static void store(void* to, abi::Storage storage, const RawValue& value) {
    std::memcpy(to, value.bytes, abi::sizeOf(storage));
  }

  // The operands stay on the stack, and so are roots, until the object is made.
  bool newStruct(bool isDefault, bool withDescriptor) {
    const uint32_t id = canonicalId(reader_.u32());
    const size_t count = isDefault ? 0 : type(id).fields.size();
    if (withDescriptor && stack_.back().ref == 0) return fail(abi::TrapReason::NullDescriptor);
    const uint64_t object = heap() ? heap()->allocateStruct(id) : 0;
    if (!object) return fail(abi::TrapReason::AllocationFailed);
    if (withDescriptor) {
      *heap()->at<uint32_t>(object, abi::kGcDescriptorAt) = static_cast<uint32_t>(stack_.back().ref);
      stack_.pop_back();
    }
    const RawValue* values = stack_.data() + stack_.size() - count;
    if (!isDefault) {
      auto kindOf = [](uint32_t i) { return TypeRegistry::process().entry(i).type.kind; };
      abi::layOutStruct(type(id), kindOf, [&](uint32_t field, abi::Storage storage, uint32_t offset) {
        store(heap()->at<uint8_t>(object, offset), storage, values[field]);
      });
    }
    stack_.resize(stack_.size() - count);
    return push(object);
  }

  uint64_t makeArray(uint32_t id, uint32_t length) {
    const uint64_t array = heap() ? heap()->allocateArray(id, length) : 0;
    if (!array) fail(abi::TrapReason::AllocationFailed);
    return array;
  }

  bool newArray(bool isDefault) {
    const uint32_t id = canonicalId(reader_.u32());
    const auto length = static_cast<uint32_t>(stack_.back().i32);
    stack_.pop_back();
    const uint64_t array = makeArray(id, length);
    if (!array) return false;
    if (isDefault) return push(array);
    const abi::Storage storage = storageOf(type(id).fields[0].type);
    auto* items = heap()->at<uint8_t>(array, abi::kGcHeader);
    for (uint32_t i = 0; i < length; ++i) store(items + uint64_t{i} * abi::sizeOf(storage), storage, stack_.back());
    stack_.back() = fromWord(array);
    return true;
  }

  bool newArrayFixed() {
    const uint32_t id = canonicalId(reader_.u32());
    const uint32_t length = reader_.u32();
    const uint64_t array = makeArray(id, length);
    if (!array) return false;
    const abi::Storage storage = storageOf(type(id).fields[0].type);
    auto* items = heap()->at<uint8_t>(array, abi::kGcHeader);
    const RawValue* values = stack_.data() + stack_.size() - length;
    for (uint32_t i = 0; i < length; ++i) store(items + uint64_t{i} * abi::sizeOf(storage), storage, values[i]);
    stack_.resize(stack_.size() - length);
    return push(array);
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
  GcRoots roots_{*instance_.store(), stack_};
  abi::TrapReason trap_ = abi::TrapReason::Unreachable;
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
