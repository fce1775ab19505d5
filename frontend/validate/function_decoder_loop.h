// The main loop of FunctionDecoder. Included by function_decoder.h.
#pragma once

#include "frontend/validate/function_decoder.h"

namespace wattle::frontend {

template <class Sink>
std::optional<Error> FunctionDecoder<Sink>::run(uint32_t functionIndex) {
  const Function& function = module_.functions[functionIndex];
  const FuncType& type = module_.types[function.typeIndex].func;
  start(function.body.offset, function.body.offset + function.body.size, true);
  controls_.clear();
  if (readLocals(type.params)) {
    pushFrame(top_, ControlKind::Function, {{}, type.results});
    sink_.begin(locals());
    loop();
    if (!failed_ && pos_ != hardEnd_) malformed("section size mismatch: bytes after the end of the function");
  }
  std::optional<Error> error = takeError();
  if (error) error->function = functionIndex;
  return error;
}

template <class Sink>
Result<uint64_t> FunctionDecoder<Sink>::runExpression(uint64_t begin, uint64_t end, ValType expected) {
  start(begin, end, false);
  controls_.clear();
  localCount_ = 0;
  pushFrame(top_, ControlKind::Function, {{}, {&expected, 1}});
  sink_.begin(locals());
  loop();
  if (std::optional<Error> error = takeError()) return std::unexpected(std::move(*error));
  return offsetOf(pos_);
}

template <class Sink>
void FunctionDecoder<Sink>::loop() {
  Cursor at{pos_, top_};
  for (;;) {
    if (at.pos >= end_) [[unlikely]] {
      pos_ = at.pos;
      top_ = at.top;
      if (!more()) {
        endOfRange();
        return;
      }
      at = {pos_, top_};
    }
    instruction_ = at.pos;
    const uint32_t opcode = *at.pos++;
    bool ok;
    switch (opcode) {
#define WATTLE_OP(Id, text, prefix, code, imm, sig, feature) \
  case label(Op::Id, 0):                                     \
    if constexpr (prefix == 0)                               \
      ok = step<Op::Id>(at);                                 \
    else                                                     \
      ok = illegalOpcode(at.pos);                            \
    break;
#include "frontend/opcodes.def"
#undef WATTLE_OP
      case 0xfb:
      case 0xfc:
      case 0xfd:
      case 0xfe:
        pos_ = at.pos;
        top_ = at.top;
        ok = prefixed(static_cast<uint8_t>(opcode));
        at = {pos_, top_};
        break;
      default: ok = illegalOpcode(at.pos);
    }
    if (!ok) [[unlikely]]
      break;
  }
  pos_ = at.pos;
  top_ = at.top;
}

template <class Sink>
bool FunctionDecoder<Sink>::prefixed(uint8_t prefix) {
  Cursor at{pos_, top_};
  const uint32_t code = readU32(at);
  bool ok = false;
  switch (prefix) {
    case 0xfb: ok = prefixedStep<0xfb>(code, at); break;
    case 0xfc: ok = prefixedStep<0xfc>(code, at); break;
    case 0xfd: ok = prefixedStep<0xfd>(code, at); break;
    case 0xfe: ok = prefixedStep<0xfe>(code, at); break;
  }
  pos_ = at.pos;
  top_ = at.top;
  return ok;
}

template <class Sink>
template <uint8_t thePrefix>
bool FunctionDecoder<Sink>::prefixedStep(uint32_t opcode, Cursor& at) {
  switch (opcode < 0x10000 ? opcode : 0xffff) {
#define WATTLE_OP(Id, text, prefix, code, imm, sig, feature)    \
  case label(Op::Id, thePrefix):                                \
    if constexpr (prefix == thePrefix) return step<Op::Id>(at); \
    break;
#include "frontend/opcodes.def"
#undef WATTLE_OP
  }
  return illegalOpcode(at.pos);
}

template <class Sink>
constexpr bool FunctionDecoder<Sink>::enabled(Op op, const Features& features) {
  switch (info(op).feature) {
    case Feature::Core: return true;
    case Feature::Threads: return features.threads;
    case Feature::LegacyExceptions: return features.legacyExceptions;
    case Feature::WideArithmetic: return features.wideArithmetic;
    case Feature::CustomDescriptors: return features.customDescriptors;
  }
  return false;
}

// What may occur in a constant expression (spec "Validation / Instructions / Constant Expressions"); global.get of an
// immutable global only, which its handler checks.
template <class Sink>
constexpr bool FunctionDecoder<Sink>::isConstant(Op op) {
  switch (op) {
    case Op::End:
    case Op::I32Const:
    case Op::I64Const:
    case Op::F32Const:
    case Op::F64Const:
    case Op::V128Const:
    case Op::I32Add:
    case Op::I32Sub:
    case Op::I32Mul:
    case Op::I64Add:
    case Op::I64Sub:
    case Op::I64Mul:
    case Op::GlobalGet:
    case Op::RefNull:
    case Op::RefFunc:
    case Op::RefI31:
    case Op::StructNew:
    case Op::StructNewDefault:
    case Op::StructNewDesc:
    case Op::StructNewDefaultDesc:
    case Op::ArrayNew:
    case Op::ArrayNewDefault:
    case Op::ArrayNewFixed:
    case Op::AnyConvertExtern:
    case Op::ExternConvertAny: return true;
    default: return false;
  }
}

template <class Sink>
template <Op op>
bool FunctionDecoder<Sink>::step(Cursor& at) {
  if constexpr (ConstantSink<Sink> && !isConstant(op)) {
    return invalid("constant expression required");
  } else {
    if constexpr (info(op).feature != Feature::Core) {
      if (!enabled(op, module_.features)) return illegalOpcode(at.pos);
    }
    if constexpr (isHot(op)) {
      return exec(OpTag<op>(), at);
    } else {
      pos_ = at.pos;
      top_ = at.top;
      const bool ok = coldStep<op>();
      at = {pos_, top_};
      return ok;
    }
  }
}

template <class Sink>
template <Op op>
bool FunctionDecoder<Sink>::coldStep() {
  Cursor at{pos_, top_};
  const bool ok = exec(OpTag<op>(), at);
  pos_ = at.pos;
  top_ = at.top;
  return ok;
}

}  // namespace wattle::frontend
