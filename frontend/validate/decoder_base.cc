#include "frontend/validate/decoder_base.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "frontend/binary/limits.h"
#include "frontend/binary/type_reader.h"
#include "frontend/opcodes.h"

namespace wattle::frontend {
namespace {

constexpr ValType kNumericTypes[] = {kV128, kF64, kF32, kI64, kI32};  // encoded as 0x7b ... 0x7f

std::string listText(std::span<const ValType> types) {
  std::string text = "[";
  for (size_t i = 0; i < types.size(); i++) {
    if (i > 0) text += ' ';
    text += toString(types[i]);
  }
  return text + "]";
}

}  // namespace

DecoderBase::DecoderBase(const ModuleInfo& module, std::span<const uint8_t> bytes) : module_(module), bytes_(bytes) {}

// --- starting ------------------------------------------------------------------------------------

void DecoderBase::start(uint64_t begin, uint64_t end, bool inFunction) {
  inFunction_ = inFunction;
  origin_ = reinterpret_cast<uintptr_t>(bytes_.data());
  inTail_ = false;
  failed_ = false;
  error_ = Error();
  pos_ = bytes_.data() + begin;
  instruction_ = pos_;
  hardEnd_ = bytes_.data() + std::min<uint64_t>(end, bytes_.size());
  end_ = pos_;
  if (!stack_) reserveStack(256);
  top_ = base_ = stack_.get() + kStackPad;
  current_ = nullptr;
  live_ = true;
  initLog_.clear();
  blockResults_.clear();
  memory0_ = module_.memories.empty() ? kBottom : addressType(module_.memories[0].type.is64);
}

bool DecoderBase::readLocals(std::span<const ValType> params) {
  Reader reader(pos_, hardEnd_, offsetOf(pos_));
  const TypeScope scope = TypeScope::of(module_);
  reserveLocals(params.size());
  std::copy(params.begin(), params.end(), locals_.get());
  uint64_t count = params.size();
  bool allInitialised = true;
  const uint32_t groups = reader.u32();
  for (uint32_t i = 0; i < groups && reader.ok(); i++) {
    const uint64_t offset = reader.offset();
    const uint32_t size = reader.u32();
    const ValType type = readValType(reader, scope);
    if (!reader.ok()) break;
    if (count + size > UINT32_MAX) reader.failAt(offset, ErrorKind::Malformed, "too many locals");
    if (count + size <= kMaxLocals) {
      reserveLocals(count + size);
      std::fill_n(locals_.get() + count, size, type);
    }
    if (!type.isDefaultable()) allInitialised = false;
    count += size;
  }
  if (count > kMaxLocals) {
    reader.limit("too many locals: " + std::to_string(count) + ", at most " + std::to_string(kMaxLocals));
  }
  localCount_ = static_cast<uint32_t>(count);
  Cursor at{pos_, top_};
  if (!take(reader, at)) return false;
  pos_ = at.pos;
  readable_ = locals_.get();
  if (!allInitialised) {
    if (initialisedCapacity_ < count) {
      initialisedCapacity_ = localCapacity_;
      initialised_ = std::make_unique<ValType[]>(initialisedCapacity_);
    }
    for (size_t i = 0; i < count; i++) {
      initialised_[i] = i < params.size() || locals_[i].isDefaultable() ? locals_[i] : kBottom;
    }
    readable_ = initialised_.get();
  }
  return true;
}

void DecoderBase::reserveLocals(size_t count) {
  if (count <= localCapacity_) return;
  const size_t capacity = std::max<size_t>({64, count, std::min<size_t>(2 * localCapacity_, kMaxLocals)});
  auto locals = std::make_unique<ValType[]>(capacity);
  std::copy_n(locals_.get(), localCapacity_, locals.get());
  locals_ = std::move(locals);
  localCapacity_ = capacity;
}

// --- bytes ---------------------------------------------------------------------------------------

bool DecoderBase::more() {
  if (failed_ || pos_ >= hardEnd_) return false;
  top_ = makeRoom(pos_, top_, 0);
  if (!inTail_ && readableEnd() - pos_ > static_cast<ptrdiff_t>(kSlack)) {
    end_ = std::min({hardEnd_, readableEnd() - kSlack, pos_ + kWindow});
    return true;
  }
  if (!inTail_) {
    const size_t left = static_cast<size_t>(readableEnd() - pos_);  // at most kSlack
    std::memcpy(tail_.data(), pos_, left);
    std::fill(tail_.begin() + static_cast<ptrdiff_t>(left), tail_.end(), uint8_t{0});
    const ptrdiff_t moved = tail_.data() - pos_;
    origin_ += static_cast<uintptr_t>(moved);
    instruction_ += moved;
    pos_ += moved;
    hardEnd_ += moved;
    inTail_ = true;
  }
  end_ = hardEnd_;
  return true;
}

template <unsigned N, class T>
DecoderBase::LebRead<T> DecoderBase::readLebAt(const uint8_t* pos) {
  const uint8_t* next = pos;
  T value = 0;
  const LebStatus status = readLeb<N, T>(next, readableEnd(), value);
  if (status != LebStatus::Ok) [[unlikely]] {
    instruction_ = pos;
    malformed(lebMessage(status));
    end_ = nullptr;  // the main loop stops
  }
  return {value, next};
}

DecoderBase::LebRead<uint32_t> DecoderBase::readU32Slow(const uint8_t* pos) { return readLebAt<32, uint32_t>(pos); }
DecoderBase::LebRead<int32_t> DecoderBase::readS32Slow(const uint8_t* pos) { return readLebAt<32, int32_t>(pos); }
DecoderBase::LebRead<uint64_t> DecoderBase::readU64Slow(const uint8_t* pos) { return readLebAt<64, uint64_t>(pos); }
DecoderBase::LebRead<int64_t> DecoderBase::readS64Slow(const uint8_t* pos) { return readLebAt<64, int64_t>(pos); }

bool DecoderBase::take(Reader& reader, Cursor& at) {
  if (reader.ok()) {
    at.pos = reader.position();
    return true;
  }
  if (!failed_) error_ = reader.takeError();
  failed_ = true;
  return false;
}

// --- operands ------------------------------------------------------------------------------------

void DecoderBase::reserveStack(size_t words) {
  const size_t capacity = std::max(kStackPad + words, 2 * stackCapacity_);
  auto stack = std::make_unique<ValType[]>(capacity);
  std::copy_n(stack_.get(), stackCapacity_, stack.get());
  base_ = stack.get() + (base_ - stack_.get());
  stack_ = std::move(stack);
  stackCapacity_ = capacity;
}

// Space for `count` words, and one for each byte until the main loop asks again. A window may have been opened at any
// byte after the previous check, so that is kWindow, plus the slack that the last instruction of a window may run over.
ValType* DecoderBase::makeRoom(const uint8_t* pos, ValType* top, size_t count) {
  const size_t used = static_cast<size_t>(top - stack_.get());
  const size_t left = static_cast<size_t>(std::max<ptrdiff_t>(hardEnd_ - pos, 0));
  const size_t needed = used + count + std::min(left, kWindow) + kSlack;
  if (needed <= stackCapacity_) return top;
  reserveStack(needed);
  return stack_.get() + used;
}

ValType* DecoderBase::popBottom(ValType* top) {
  if (top > base_) return top - 1;
  if (current_->polymorphic) return top;
  typeMismatch("instruction requires [any] but stack has [] in " + instructionName());
  return nullptr;
}

bool DecoderBase::popAny(Cursor& at, ValType& type) {
  type = at.top[-1];
  return popped(at, type.isBottom() ? popBottom(at.top) : at.top - 1);
}

bool DecoderBase::popRef(Cursor& at, ValType& type) {
  if (!popAny(at, type)) return false;
  if (type.isBottom()) type = ValType::ref(kBottomHeap, false);
  return type.isRef() || typeMismatch("instruction requires reference type but stack has " + toString(type) + " in " +
                                      instructionName());
}

ValType* DecoderBase::popSlow(ValType* top, ValType expected) { return popValues(top, {&expected, 1}); }

ValType* DecoderBase::popValues(ValType* top, std::span<const ValType> expected) {
  ValType* at = top;
  for (size_t i = expected.size(); i-- > 0;) {
    if (at == base_) {
      if (!current_->polymorphic) return operandMismatch(top, expected);
    } else if (const ValType actual = *--at; !module_.isSubtype(actual, expected[i])) {
      return operandMismatch(top, expected);
    }
  }
  return at;
}

ValType* DecoderBase::applySlow(ValType* top, const Signature& signature, ValType address) {
  std::array<ValType, 4> operands;
  std::copy_n(signature.operand, operands.size(), operands.begin());
  if (signature.address) operands[0] = address;
  top = popValues(top, {operands.data(), signature.operands});
  if (!top) return nullptr;
  return std::copy_n(signature.result, signature.results, top);
}

bool DecoderBase::operandsAtEndSlow(ValType* top, std::span<const ValType> results) {
  const ValType* rest = popValues(top, results);
  if (!rest) return false;
  if (rest == base_) return true;
  return typeMismatch("block requires " + listText(results) + " but stack has " +
                      operandsText(top, static_cast<size_t>(top - base_)));
}

bool DecoderBase::typesMatch(std::span<const ValType> sub, std::span<const ValType> super) const {
  if (sub.size() != super.size()) return false;
  for (size_t i = 0; i < sub.size(); i++) {
    if (!module_.isSubtype(sub[i], super[i])) return false;
  }
  return true;
}

// --- locals --------------------------------------------------------------------------------------

void DecoderBase::initialise(uint32_t local) {
  if (!readable_[local].isBottom()) return;
  initialised_[local] = locals_[local];
  initLog_.push_back(local);
}

void DecoderBase::forgetInitialised(uint32_t height) {
  while (initLog_.size() > height) {
    initialised_[initLog_.back()] = kBottom;
    initLog_.pop_back();
  }
}

// --- immediates ----------------------------------------------------------------------------------

const uint8_t* DecoderBase::readBlockTypeSlow(const uint8_t* pos, BlockType& type) {
  Cursor at{pos, nullptr};
  Reader reader = readerAt(at);
  const TypeScope scope = TypeScope::of(module_);
  const uint8_t lead = reader.peek();
  if (lead >= 0x40 && lead < 0x80) {  // a negative number of one byte
    if (lead == 0x40) {
      reader.byte();
    } else if (const ValType result = readValType(reader, scope); reader.ok()) {
      blockResults_.push_back(result);
      type.results = {&blockResults_.back(), 1};
    }
  } else {
    const uint64_t offset = reader.offset();
    const int64_t index = reader.s33();
    if (reader.ok() && index < 0) reader.failAt(offset, ErrorKind::Malformed, "malformed block type");
    if (reader.ok() && static_cast<uint64_t>(index) >= module_.types.size()) {
      reader.failAt(offset, ErrorKind::Invalid, "unknown type " + std::to_string(index));
    }
    if (reader.ok()) {
      const SubType& found = module_.types[static_cast<size_t>(index)];
      if (found.kind != CompositeKind::Func) {
        reader.failAt(offset, ErrorKind::Invalid, "non-function type " + std::to_string(index));
      }
      type = {found.func.params, found.func.results};
    }
  }
  return take(reader, at) ? at.pos : nullptr;
}

bool DecoderBase::readValTypeAt(Cursor& at, ValType& type) {
  if (const unsigned index = *at.pos - 0x7bu; index < 5) {
    type = kNumericTypes[index];
    at.pos++;
    return true;
  }
  Reader reader = readerAt(at);
  type = readValType(reader, TypeScope::of(module_));
  return take(reader, at);
}

bool DecoderBase::readHeapTypeAt(Cursor& at, HeapType& heap, bool& exact) {
  Reader reader = readerAt(at);
  const HeapTypeUse use = readHeapType(reader, TypeScope::of(module_));
  heap = use.heap;
  exact = use.exact;
  return take(reader, at);
}

const SubType* DecoderBase::readTypeAt(Cursor& at, uint32_t& index, CompositeKind kind) {
  static constexpr const char* kKinds[] = {"function", "structure", "array"};
  index = readU32(at);
  if (index >= module_.types.size()) return unknown("type", index), nullptr;
  const SubType& type = module_.types[index];
  if (type.kind == kind) return &type;
  typeMismatch("non-" + std::string(kKinds[static_cast<unsigned>(kind)]) + " type " + std::to_string(index) + " in " +
               instructionName());
  return nullptr;
}

const FuncType* DecoderBase::readFuncTypeAt(Cursor& at, uint32_t& index) {
  const SubType* type = readTypeAt(at, index, CompositeKind::Func);
  return type ? &type->func : nullptr;
}

const Table* DecoderBase::readTableAt(Cursor& at, uint32_t& index) {
  index = readU32(at);
  if (index < module_.tables.size()) return &module_.tables[index];
  return unknown("table", index), nullptr;
}

const Memory* DecoderBase::readMemoryAt(Cursor& at, uint32_t& index) {
  index = readU32(at);
  if (index < module_.memories.size()) return &module_.memories[index];
  return unknown("memory", index), nullptr;
}

const FuncType* DecoderBase::readTagAt(Cursor& at, uint32_t& index) {
  index = readU32(at);
  if (index < module_.tags.size()) return &module_.tagType(index);
  return unknown("tag", index), nullptr;
}

bool DecoderBase::readElemAt(Cursor& at, uint32_t& index) {
  index = readU32(at);
  return index < module_.elements.size() || unknown("elem segment", index);
}

bool DecoderBase::readDataAt(Cursor& at, uint32_t& index) {
  index = readU32(at);
  if (!module_.dataCount) return malformed("data count section required in " + instructionName());
  return index < *module_.dataCount || unknown("data segment", index);
}

// Alignment and, if bit 6 of it is set, a memory index.
DecoderBase::MemoryUse DecoderBase::readMemoryUse(const uint8_t* pos) {
  Cursor at{pos, nullptr};
  const uint32_t flags = readU32(at);
  if (flags >= 0x80) return malformed("malformed memop flags"), MemoryUse{nullptr, 0, 0};
  const uint32_t memory = flags & 0x40 ? readU32(at) : 0;
  if (memory >= module_.memories.size()) return unknown("memory", memory), MemoryUse{nullptr, 0, 0};
  return {at.pos, flags & 0x3f, memory};
}

// --- errors --------------------------------------------------------------------------------------

bool DecoderBase::fail(ErrorKind kind, std::string message) {
  if (!failed_) error_ = Error{kind, std::move(message), instructionOffset(), std::nullopt};
  failed_ = true;
  return false;
}

bool DecoderBase::unknown(const char* what, uint64_t index) {
  return invalid("unknown " + std::string(what) + " " + std::to_string(index));
}

bool DecoderBase::illegalOpcode(const uint8_t* end) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text = "illegal opcode";
  for (const uint8_t* p = instruction_; p < end; p++) {
    text += ' ';
    text += kHex[*p >> 4];
    text += kHex[*p & 15];
  }
  return malformed(text);
}

bool DecoderBase::memArgError(uint32_t alignLog2, uint64_t offset, unsigned natural, bool atomic) {
  if (alignLog2 > natural) return invalid("alignment must not be larger than natural in " + instructionName());
  if (atomic && alignLog2 != natural) return invalid("alignment must be natural in " + instructionName());
  return invalid("offset out of range: " + std::to_string(offset) + " in " + instructionName());
}

bool DecoderBase::endOfRange() {
  if (failed_) return false;
  instruction_ = std::min(pos_, hardEnd_);
  const uint64_t end = offsetOf(hardEnd_);
  // A decoder that does not stop at the end of the body would read on, and what it meets there is what the conformance
  // suite names: the end of the module, a byte that happens to be `end` (and then the sizes differ), or something else.
  if (pos_ > hardEnd_ || end >= bytes_.size() || !inFunction_) {
    return malformed("unexpected end of section or function");
  }
  if (bytes_[end] == info(Op::End).code) return malformed("section size mismatch: the function body has no end");
  return malformed("END opcode expected: the function body has no end");
}

std::optional<Error> DecoderBase::takeError() {
  if (!failed_) return std::nullopt;
  if (pos_ > hardEnd_ && error_.kind != ErrorKind::Malformed) {  // what lies beyond the end says nothing of validity
    error_ = Error{ErrorKind::Malformed, "unexpected end of section or function", offsetOf(hardEnd_), std::nullopt};
  }
  return std::move(error_);
}

ValType* DecoderBase::operandMismatch(ValType* top, std::span<const ValType> expected) {
  typeMismatch("instruction requires " + listText(expected) + " but stack has " + operandsText(top, expected.size()) +
               " in " + instructionName());
  return nullptr;
}

// The topmost `count` operands of the current block, or all if there are fewer.
std::string DecoderBase::operandsText(const ValType* top, size_t count) const {
  count = std::min(count, static_cast<size_t>(top - base_));
  return listText({top - count, count});
}

std::string DecoderBase::instructionName() const {
  Reader reader(instruction_, hardEnd_, offsetOf(instruction_));
  const uint8_t lead = reader.byte();
  const bool prefixed = lead >= 0xfb && lead <= 0xfe;
  const uint32_t code = prefixed ? reader.u32() : lead;
  for (const OpInfo& op : kOpInfo) {
    if (op.prefix == (prefixed ? lead : 0) && op.code == code) return std::string(op.name);
  }
  return "an instruction";
}

}  // namespace wattle::frontend
