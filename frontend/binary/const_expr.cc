#include "frontend/binary/const_expr.h"

#include <utility>

#include "frontend/binary/module_decoder_impl.h"

namespace wattle::frontend {

ValType refFuncType(const ModuleInfo& module, uint32_t function) {
  const Function& f = module.functions[function];
  return ValType::ref(HeapType::index(module.types[f.typeIndex].representative), false,
                      module.features.customDescriptors && f.isExact());
}

// The usual expression, of which a module may have many thousands: one number of the type that is expected. False:
// anything else, and all that is wrong.
bool ConstExprDecoder::number(const uint8_t* begin, const uint8_t* end, ValType expected, ConstExpr& expr,
                              uint64_t& length) const {
  if (begin == end) return false;
  const bool wide = expected == kI64;
  if ((!wide && expected != kI32) || *begin != info(wide ? Op::I64Const : Op::I32Const).code) return false;
  const uint8_t* pos = begin + 1;
  if (wide) {
    int64_t value;
    if (readLeb<64, int64_t>(pos, end, value) != LebStatus::Ok) return false;
    expr.value[0] = static_cast<uint64_t>(value);
  } else {
    int32_t value;
    if (readLeb<32, int32_t>(pos, end, value) != LebStatus::Ok) return false;
    expr.value[0] = static_cast<uint32_t>(value);
  }
  if (pos == end || *pos != info(Op::End).code) return false;
  expr.kind = ConstExpr::Kind::Value;
  expr.type = expected;
  length = static_cast<uint64_t>(pos + 1 - begin);
  return true;
}

Result<uint64_t> ConstExprDecoder::decode(uint64_t begin, uint64_t end, ValType expected, ConstExpr& expr) {
  if (uint64_t length; number(bytes_.data() + begin, bytes_.data() + end, expected, expr, length)) {
    expr.bytes = {begin, length};
    return begin + length;
  }
  Result<uint64_t> next = decoder_.runExpression(begin, end, expected);
  if (!next) return next;
  if (sink_.isSimple()) {
    expr = sink_.expr();
  } else {
    expr.kind = ConstExpr::Kind::Bytecode;
    expr.type = expected;
  }
  expr.bytes = {begin, *next - begin};
  return next;
}

bool ModuleDecoder::constExpr(ValType expected, ConstExpr& expr) {
  if (!constants_) constants_ = std::make_unique<ConstExprDecoder>(module_, bytes_);
  const uint64_t begin = reader_.offset();
  const Result<uint64_t> next = constants_->decode(begin, std::max(begin, sectionEnd_), expected, expr);
  if (!next) return reader_.failAt(next.error().offset, next.error().kind, next.error().message);
  reader_.skip(*next - begin);
  return reader_.ok();
}

}  // namespace wattle::frontend
