#include "runtime/compile/baseline/prescan.h"

#include <array>
#include <bit>
#include <cstring>

#include "frontend/opcodes.h"

namespace wattle::compile::baseline {

namespace {

using frontend::Imm;
using frontend::Op;

// What to do after an opcode. Steady instructions, the bulk of any body, are skipped without a branch on what they are: `lebs` LEBs (at most
// two), then `bytes` bytes. All others have a step of their own.
enum class Step : uint8_t { Steady, MemArg, Open, OpenLoop, End, Table, Select, TryTable, HeapType, BrCast, Bad };

struct Skip {
  Step step = Step::Bad;
  uint8_t lebs = 0;
  uint8_t bytes = 0;
  bool isCall = false;
  bool isLocal = false;    // the LEB is a local's index
  bool writes = false;     // that local
};

constexpr Skip skipOf(Imm imm) {
  switch (imm) {
    case Imm::None: return {Step::Steady, 0, 0};
    case Imm::Block: return {Step::Open, 1, 0};
    case Imm::LabelTable: return {Step::Table, 0, 0};
    case Imm::Label:
    case Imm::Function:
    case Imm::Type:
    case Imm::Global:
    case Imm::Table:
    case Imm::Tag:
    case Imm::Elem:
    case Imm::Data:
    case Imm::Memory:
    case Imm::I32:
    case Imm::I64: return {Step::Steady, 1, 0};
    case Imm::HeapType: return {Step::HeapType, 0, 0};
    case Imm::Local: return {Step::Steady, 1, 0, false, true};
    case Imm::TypeTable:
    case Imm::TableTable:
    case Imm::ElemTable:
    case Imm::DataMemory:
    case Imm::MemoryMemory:
    case Imm::TypeField:
    case Imm::TypeType:
    case Imm::TypeData:
    case Imm::TypeElem:
    case Imm::TypeCount: return {Step::Steady, 2, 0};
    case Imm::MemArg: return {Step::MemArg, 2, 0};
    case Imm::MemArgLane: return {Step::MemArg, 2, 1};
    case Imm::Lane:
    case Imm::Fence: return {Step::Steady, 0, 1};
    case Imm::Shuffle:
    case Imm::V128: return {Step::Steady, 0, 16};
    case Imm::F32: return {Step::Steady, 0, 4};
    case Imm::F64: return {Step::Steady, 0, 8};
    case Imm::SelectTypes: return {Step::Select, 0, 0};
    case Imm::BrCast: return {Step::BrCast, 0, 0};
    case Imm::TryTable: return {Step::TryTable, 0, 0};
  }
  return {};
}

// Vector and numeric instructions compile to straight code; everything else behind a prefix may call a builtin.
constexpr bool mayCall(Op op) {
  const auto& entry = frontend::info(op);
  if (entry.prefix == 0xfd) return false;
  if (entry.prefix == 0xfc) return entry.code >= 8 && entry.code <= 17 && op != Op::TableSize;
  if (entry.prefix == 0xfb) {   // an allocation keeps all registers
    return op == Op::ArrayNewData || op == Op::ArrayNewElem || op == Op::ArrayCopy || op == Op::ArrayInitData || op == Op::ArrayInitElem;
  }
  if (entry.prefix == 0xfe) return entry.code <= 2;   // wait and notify
  switch (entry.code) {
    case 0x08:
    case 0x09:
    case 0x0a:
    case 0x10:
    case 0x11:
    case 0x14:
    case 0x1f:
    case 0x06:
    case 0x26:
    case 0x40: return true;
    default: return false;
  }
}

// A steady instruction in a byte: bits 0..1 LEBs, 2 the first is a local's index, 3 memarg, 4..5 quarters of the bytes behind, 6 writes the
// local; bit 7: not steady.
constexpr uint8_t kNotSteady = 0x80;
constexpr uint8_t packed(const Skip& s) {
  if (s.step > Step::MemArg || s.isCall || s.bytes % 4 || s.bytes > 12) return kNotSteady;
  return static_cast<uint8_t>(s.lebs | s.isLocal << 2 | (s.step == Step::MemArg) << 3 | (s.bytes / 4) << 4 | s.writes << 6);
}

struct Tables {
  std::array<uint8_t, 256> steady{};
  std::array<Skip, 256> single{};
  std::array<std::array<Skip, 320>, 4> prefixed{};
  constexpr Tables() {
    for (unsigned i = 0; i < static_cast<unsigned>(Op::Count); ++i) {
      const auto& entry = frontend::kOpInfo[i];
      Skip skip = skipOf(entry.imm);
      if (entry.code == 0x03 && entry.prefix == 0) skip.step = Step::OpenLoop;
      if (entry.code == 0x0b && entry.prefix == 0) skip.step = Step::End;
      if (entry.code == 0x18 && entry.prefix == 0) skip.step = Step::End, skip.lebs = 1;  // delegate closes a try
      skip.isCall = mayCall(static_cast<Op>(i));
      skip.writes = static_cast<Op>(i) == Op::LocalSet || static_cast<Op>(i) == Op::LocalTee;
      if (entry.prefix == 0)
        single[entry.code] = skip;
      else if (entry.code < 320)
        prefixed[entry.prefix - 0xfb][entry.code] = skip;
    }
    for (unsigned i = 0; i < 256; ++i) steady[i] = packed(single[i]);
  }
};
constexpr Tables kTables;

inline uint32_t leb(const uint8_t*& p, const uint8_t* end) {
  uint32_t value = 0;
  unsigned shift = 0;
  while (p < end) {
    uint8_t byte = *p++;
    if (shift < 32) value |= static_cast<uint32_t>(byte & 0x7f) << shift;
    if (byte < 0x80) break;
    shift += 7;
  }
  return value;
}

inline void skipLeb(const uint8_t*& p, const uint8_t* end) {
  while (p < end && *p++ >= 0x80) {
  }
}

}  // namespace

void Prescan::skipHeapType(const uint8_t*& p, const uint8_t* end) {
  if (p < end && *p == 0x62) ++p;                   // exact
  skipLeb(p, end);
}

void Prescan::skipType(const uint8_t*& p, const uint8_t* end) {
  if (p < end && (*p == 0x63 || *p == 0x64)) ++p;   // (ref null ht), (ref ht)
  skipHeapType(p, end);
}

void Prescan::noteCall() {
  hasCalls_ = true;
  for (size_t i = open_.size(); i-- > 0;) {
    if (open_[i].loop == ~0u) continue;
    if (loops_[open_[i].loop].hasCalls) break;
    loops_[open_[i].loop].hasCalls = true;
  }
}

void Prescan::openLoop(uint32_t offset, uint32_t weight) {
  open_.push_back({static_cast<uint32_t>(loops_.size()), weight, used_, written_});
  loops_.push_back({offset, false, 0, 0});
  used_ = written_ = 0;
}

void Prescan::close() {
  const Open& open = open_.back();
  if (open.loop != ~0u) {
    loops_[open.loop].used = used_;
    loops_[open.loop].written = written_;
    used_ |= open.used;
    written_ |= open.written;
  }
  open_.pop_back();
}

void Prescan::run(std::span<const uint8_t> instructions, uint32_t localCount, bool believe) {
  weights_.assign(localCount + 1, 0);
  loops_.clear();
  open_.clear();
  hasCalls_ = usesMemory_ = hasVectors_ = hasTry_ = false;
  used_ = written_ = 0;
  const uint8_t* end = instructions.data() + instructions.size();
  complete_ = scan(instructions.data(), end) == end && believe;
  if (!complete_) hasCalls_ = usesMemory_ = hasVectors_ = hasTry_ = true;
}

namespace {

// Length of the LEB that starts at the lowest byte of the word; kLongLeb if it ends behind the word (64-bit constants and offsets may).
constexpr unsigned kLongLeb = 9;
inline unsigned lebLength(uint64_t word) {
  const uint64_t stops = ~word & 0x8080808080808080;
  return (static_cast<unsigned>(std::countr_zero(stops)) >> 3) + 1;
}

// The value of a LEB of one to four bytes.
inline uint32_t lebValue(uint64_t word, unsigned length) {
  const uint32_t w = static_cast<uint32_t>(word);
  const uint32_t all = (w & 0x7f) | (w >> 1 & 0x3f80) | (w >> 2 & 0x1fc000) | (w >> 3 & 0xfe00000);
  return length >= 4 ? all : all & ((1u << (7 * length)) - 1);
}

}  // namespace

// One instruction that is not steady. Null at an oddity; `weight` is 0 after the function's own end.
const uint8_t* Prescan::scanOne(const uint8_t* start, const uint8_t* at, const uint8_t* end, uint32_t& weight) {
  const uint8_t* p = at;
  Skip skip = kTables.single[*p++];
  if (at[0] >= 0xfb && at[0] <= 0xfe) {
    uint32_t code = leb(p, end);
    if (code >= 320) return nullptr;
    skip = kTables.prefixed[at[0] - 0xfb][code];
    hasVectors_ |= at[0] == 0xfd;
  }
  if (skip.isCall) noteCall();
  hasTry_ |= at[0] == 0x06 || at[0] == 0x1f;
  unsigned lebs = skip.lebs;
  switch (skip.step) {
    case Step::Steady:
      if (skip.isLocal) {
        uint32_t local = leb(p, end);
        count(local, weight);
        used_ |= Loop::bitOf(local);
        if (skip.writes) written_ |= Loop::bitOf(local);
        lebs = 0;
      }
      break;
    case Step::MemArg:
      usesMemory_ = true;
      if (p < end && *p & 64) ++lebs;
      break;
    case Step::OpenLoop:
      openLoop(static_cast<uint32_t>(at - start), weight);
      if (weight < 4096) weight *= 8;
      break;
    case Step::TryTable:
    case Step::Open: open_.push_back({~0u, weight, 0, 0}); break;
    case Step::End:
      if (open_.empty()) return weight = 0, p;
      weight = open_.back().weight;
      close();
      break;
    case Step::Table:
      for (uint32_t n = leb(p, end) + 1; n > 0 && p < end; --n) skipLeb(p, end);
      break;
    case Step::Select:
      for (uint32_t n = leb(p, end); n > 0 && p < end; --n) skipType(p, end);
      break;
    case Step::HeapType: skipHeapType(p, end); break;
    case Step::BrCast:
      if (p < end) ++p;
      skipLeb(p, end);
      skipHeapType(p, end);
      skipHeapType(p, end);
      break;
    case Step::Bad: return nullptr;
  }
  if (skip.step == Step::Open || skip.step == Step::OpenLoop || skip.step == Step::TryTable) {
    skipType(p, end);
    lebs = 0;
  }
  if (skip.step == Step::TryTable) {
    for (uint32_t n = leb(p, end); n > 0 && p < end; --n) {
      if (*p++ < 2) skipLeb(p, end);
      skipLeb(p, end);
    }
  }
  for (unsigned i = 0; i < lebs; ++i) skipLeb(p, end);
  return skip.bytes > end - p ? nullptr : p + skip.bytes;
}

// Returns where it stopped. The first loop needs room to read ahead; the second ends the body.
const uint8_t* Prescan::scan(const uint8_t* start, const uint8_t* end) {
  constexpr ptrdiff_t kAhead = 40;   // more than any steady instruction, and the words read behind it
  const uint8_t* p = start;
  uint32_t weight = 1;
  const uint32_t locals = static_cast<uint32_t>(weights_.size()) - 1;   // one more takes what is no local
  uint32_t* weights = weights_.data();
  unsigned memory = 0;
  uint64_t used = 0, written = 0;     // not yet in used_, written_
  while (end - p > kAhead) {
    const unsigned how = kTables.steady[*p];
    uint64_t word, behind;
    std::memcpy(&word, p + 1, 8);
    const unsigned first = lebLength(word);
    std::memcpy(&behind, p + 1 + first, 8);
    const unsigned second = lebLength(behind);
    if ((how & kNotSteady) || first == kLongLeb || second == kLongLeb) [[unlikely]] {
      used_ |= used;
      written_ |= written;
      used = written = 0;
      p = scanOne(start, p, end, weight);
      if (!p) return start;
      if (weight == 0) return p;
      continue;
    }
    const uint32_t index = lebValue(word, first);
    weights[how & 4 && index < locals ? index : locals] += weight;
    memory |= how & 8;
    used |= uint64_t{how >> 2 & 1} << (index & 63);
    written |= uint64_t{how >> 6} << (index & 63);
    const bool memoryIndex = how & 8 && word & 64;
    p += 1 + (how >> 4 & 3) * 4 + (how & 3 ? first : 0) + (how & 2 ? second : 0);
    if (memoryIndex) [[unlikely]] skipLeb(p, end);
  }
  usesMemory_ |= memory != 0;
  used_ |= used;
  written_ |= written;
  while (p < end) {
    p = scanOne(start, p, end, weight);
    if (!p) return start;
    if (weight == 0) return p;
  }
  return p;
}

}  // namespace wattle::compile::baseline
