#include "runtime/compile/baseline/prescan.h"

#include <array>

#include "frontend/opcodes.h"

namespace wattle::compile::baseline {

namespace {

using frontend::Imm;
using frontend::Op;

// What to do after an opcode: skip so many LEBs and so many bytes, or something of its own.
enum class Step : uint8_t { Plain, Local, Open, OpenLoop, End, Table, Select, MemArg, TryTable, BrCast, Bad };

struct Skip {
  Step step = Step::Bad;
  uint8_t lebs = 0;
  uint8_t bytes = 0;
  bool isCall = false;
};

constexpr Skip skipOf(Imm imm) {
  switch (imm) {
    case Imm::None: return {Step::Plain, 0, 0};
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
    case Imm::I64:
    case Imm::HeapType: return {Step::Plain, 1, 0};
    case Imm::Local: return {Step::Local, 0, 0};
    case Imm::TypeTable:
    case Imm::TableTable:
    case Imm::ElemTable:
    case Imm::DataMemory:
    case Imm::MemoryMemory:
    case Imm::TypeField:
    case Imm::TypeType:
    case Imm::TypeData:
    case Imm::TypeElem:
    case Imm::TypeCount: return {Step::Plain, 2, 0};
    case Imm::MemArg: return {Step::MemArg, 0, 0};
    case Imm::MemArgLane: return {Step::MemArg, 0, 1};
    case Imm::Lane:
    case Imm::Fence: return {Step::Plain, 0, 1};
    case Imm::Shuffle:
    case Imm::V128: return {Step::Plain, 0, 16};
    case Imm::F32: return {Step::Plain, 0, 4};
    case Imm::F64: return {Step::Plain, 0, 8};
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
  if (entry.prefix == 0xfb || entry.prefix == 0xfe) return true;
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

struct Tables {
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
      if (entry.prefix == 0)
        single[entry.code] = skip;
      else if (entry.code < 320)
        prefixed[entry.prefix - 0xfb][entry.code] = skip;
    }
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

void Prescan::noteCall() {
  hasCalls_ = true;
  for (size_t i = open_.size(); i-- > 0;) {
    if (open_[i].loop == ~0u) continue;
    if (loops_[open_[i].loop].hasCalls) break;
    loops_[open_[i].loop].hasCalls = true;
  }
}

void Prescan::run(std::span<const uint8_t> instructions, uint32_t localCount) {
  weights_.assign(localCount, 0);
  loops_.clear();
  open_.clear();
  hasCalls_ = usesMemory_ = hasVectors_ = false;
  const uint8_t* end = instructions.data() + instructions.size();
  complete_ = scan(instructions.data(), end) == end;
  if (!complete_) hasCalls_ = usesMemory_ = hasVectors_ = true;
}

// Returns where it stopped.
const uint8_t* Prescan::scan(const uint8_t* start, const uint8_t* end) {
  const uint8_t* p = start;
  uint32_t weight = 1;
  while (p < end) {
    const uint8_t* at = p;
    Skip skip = kTables.single[*p++];
    if (at[0] >= 0xfb && at[0] <= 0xfe) {
      uint32_t code = leb(p, end);
      if (code >= 320) return at;
      skip = kTables.prefixed[at[0] - 0xfb][code];
      hasVectors_ |= at[0] == 0xfd;
    }
    if (skip.isCall) noteCall();
    switch (skip.step) {
      case Step::Plain: break;
      case Step::Local: count(leb(p, end), weight); break;
      case Step::OpenLoop:
        loops_.push_back({static_cast<uint32_t>(at - start), false});
        open_.push_back({static_cast<uint32_t>(loops_.size() - 1), weight});
        if (weight < 4096) weight *= 8;
        break;
      case Step::Open: open_.push_back({~0u, weight}); break;
      case Step::End:
        if (open_.empty()) return p;  // the function's own end
        weight = open_.back().weight;
        open_.pop_back();
        break;
      case Step::Table:
        for (uint32_t n = leb(p, end) + 1; n > 0 && p < end; --n) skipLeb(p, end);
        break;
      case Step::Select:
        for (uint32_t n = leb(p, end); n > 0 && p < end; --n) {
          if (*p == 0x63 || *p == 0x64) ++p;  // (ref null ht), (ref ht)
          skipLeb(p, end);
        }
        break;
      case Step::MemArg: {
        usesMemory_ = true;
        uint32_t flags = leb(p, end);
        if (flags & 64) skipLeb(p, end);
        skipLeb(p, end);
        break;
      }
      case Step::BrCast:
        ++p;
        for (int i = 0; i < 3; ++i) skipLeb(p, end);
        break;
      case Step::TryTable:
        if (p < end && (*p == 0x63 || *p == 0x64)) ++p;
        skipLeb(p, end);
        for (uint32_t n = leb(p, end); n > 0 && p < end; --n) {
          uint8_t kind = p < end ? *p++ : 0;
          if (kind < 2) skipLeb(p, end);
          skipLeb(p, end);
        }
        open_.push_back({~0u, weight});
        break;
      case Step::Bad: return at;
    }
    if ((skip.step == Step::Open || skip.step == Step::OpenLoop) && p < end && (*p == 0x63 || *p == 0x64)) ++p;  // ref type
    for (unsigned i = 0; i < skip.lebs; ++i) skipLeb(p, end);
    if (skip.bytes > end - p) return at;
    p += skip.bytes;
  }
  return p;
}

}  // namespace wattle::compile::baseline
