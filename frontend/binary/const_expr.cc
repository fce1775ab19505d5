#include "frontend/binary/const_expr.h"

#include <utility>

#include "frontend/binary/module_decoder_impl.h"

namespace wattle::frontend {

ValType refFuncType(const ModuleInfo& module, uint32_t function) {
  const Function& f = module.functions[function];
  return ValType::ref(HeapType::index(module.types[f.typeIndex].representative), false,
                      module.features.customDescriptors && f.isExact());
}

Result<uint64_t> ConstExprDecoder::decode(uint64_t begin, uint64_t end, ValType expected, ConstExpr& expr) {
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
