#include "runtime/compile/baseline/prescan.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "frontend/binary/limits.h"
#include "frontend/op_facts.h"
#include "frontend/opcodes.h"

namespace wattle::compile::baseline {

namespace {

using frontend::Imm;
using frontend::Op;

// What to do after an opcode. Steady instructions, the bulk of any body, are skipped without a branch on what they are:
// `lebs` LEBs (at most two), then `bytes` bytes. All others have a step of their own.
enum class Step : uint8_t { Steady, MemArg, Open, OpenLoop, End, Table, Select, TryTable, HeapType, BrCast, Bad };

struct Skip {
  Step step = Step::Bad;
  uint8_t lebs = 0;
  uint8_t bytes = 0;
  bool isCall = false;
  bool isTailCall = false;
  bool isLocal = false;  // the LEB is a local's index
  bool writes = false;   // that local
};

constexpr Skip skipOf(Imm imm) {
  if (imm == Imm::Local) return {.step = Step::Steady, .lebs = 1, .isLocal = true};
  if (const unsigned indices = frontend::indexCount(imm)) return {Step::Steady, static_cast<uint8_t>(indices), 0};
  switch (imm) {
    case Imm::None: return {Step::Steady, 0, 0};
    case Imm::Block: return {Step::Open, 1, 0};
    case Imm::LabelTable: return {Step::Table, 0, 0};
    case Imm::I32:
    case Imm::I64: return {Step::Steady, 1, 0};
    case Imm::HeapType: return {Step::HeapType, 0, 0};
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
    default: return {};
  }
}

// What destroys the registers a call destroys. (An allocation keeps all registers.)
constexpr bool mayCall(Op op) {
  switch (op) {
    case Op::Call:
    case Op::CallIndirect:
    case Op::CallRef:
    case Op::Throw:
    case Op::ThrowRef:
    case Op::Rethrow:
    case Op::Try:
    case Op::TryTable:
    case Op::TableSet:
    case Op::TableGrow:
    case Op::TableFill:
    case Op::TableCopy:
    case Op::TableInit:
    case Op::ElemDrop:
    case Op::MemoryGrow:
    case Op::MemoryFill:
    case Op::MemoryCopy:
    case Op::MemoryInit:
    case Op::DataDrop:
    case Op::ArrayNewData:
    case Op::ArrayNewElem:
    case Op::ArrayCopy:
    case Op::ArrayInitData:
    case Op::ArrayInitElem:
    case Op::MemoryAtomicNotify:
    case Op::MemoryAtomicWait32:
    case Op::MemoryAtomicWait64: return true;
    default: return false;
  }
}
constexpr bool isTailCall(Op op) {
  return op == Op::ReturnCall || op == Op::ReturnCallIndirect || op == Op::ReturnCallRef;
}

// What is known of a steady instruction, in the form the main loop wants. Opening a block and its end are steady too:
// they move the depth, and only the depth at which a loop or the body ends is looked at.
struct Steady {
  uint16_t oddMask = 0, oddValue = 0;  // on the opcode and the byte behind it: that makes it odd. All zeros: always
  uint8_t twoLebs = 0;
  uint8_t lebMask = 0;  // 7 if there are LEBs
  uint8_t fixed = 0;    // bytes that are no LEBs, the opcode among them
  int8_t depth = 0;
};
static_assert(sizeof(Steady) == 8);
constexpr uint8_t kIsLocal = 1, kMemory = 2, kCalls = 4, kTailCalls = 8;  // facts of a steady instruction

constexpr Steady steadyOf(const Skip& s, bool isBlock) {
  const bool closes = s.step == Step::End && s.lebs == 0;
  if (s.step > Step::MemArg && !isBlock && !closes) return {};
  Steady out{0, 1};
  if (s.step == Step::MemArg) out.oddMask = out.oddValue = 0x4000;  // another memory than the first
  if (isBlock) out.oddMask = 0x7800, out.oddValue = 0x6000;         // a block type of more than one byte
  out.twoLebs = s.lebs == 2;
  out.lebMask = s.lebs ? 7 : 0;
  out.fixed = static_cast<uint8_t>(1 + s.bytes);
  out.depth = static_cast<int8_t>(isBlock - closes);
  return out;
}
constexpr uint8_t factsOf(const Skip& s) {
  return static_cast<uint8_t>((s.isLocal ? kIsLocal : 0) | (s.step == Step::MemArg ? kMemory : 0) |
                              (s.isCall ? kCalls : 0) | (s.isTailCall ? kTailCalls : 0));
}

struct Tables {
  std::array<Steady, 256> steady{};
  std::array<uint8_t, 256> facts{};
  std::array<Skip, 256> single{};
  std::array<std::array<Skip, 320>, 4> prefixed{};
  constexpr Tables() {
    for (unsigned i = 0; i < static_cast<unsigned>(Op::Count); ++i) {
      const auto& entry = frontend::kOpInfo[i];
      const Op op = static_cast<Op>(i);
      Skip skip = skipOf(entry.imm);
      if (op == Op::Loop) skip.step = Step::OpenLoop;
      if (op == Op::End) skip.step = Step::End;
      if (op == Op::Delegate) skip.step = Step::End, skip.lebs = 1;  // it closes a try
      skip.isCall = mayCall(op);
      skip.isTailCall = isTailCall(op);
      skip.writes = op == Op::LocalSet || op == Op::LocalTee;
      if (entry.prefix == 0)
        single[entry.code] = skip;
      else if (entry.code < 320)
        prefixed[entry.prefix - 0xfb][entry.code] = skip;
    }
    for (unsigned i = 0; i < 256; ++i) {
      const bool isBlock = i == frontend::info(Op::Block).code || i == frontend::info(Op::If).code;  // a try is rare
      steady[i] = steadyOf(single[i], isBlock);
      facts[i] = steady[i].fixed ? factsOf(single[i]) : 0;
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

void Prescan::skipHeapType(const uint8_t*& p, const uint8_t* end) {
  if (p < end && *p == 0x62) ++p;  // exact
  skipLeb(p, end);
}

void Prescan::skipType(const uint8_t*& p, const uint8_t* end) {
  if (p < end && (*p == 0x63 || *p == 0x64)) ++p;  // (ref null ht), (ref ht)
  skipHeapType(p, end);
}

void Prescan::openLoop(uint32_t offset) {
  open_.push_back({static_cast<uint32_t>(loops_.size()), stop_, weight_, seen_});
  loops_.push_back({offset, {}});
  stop_ = depth_++;
  seen_ = {};
  if (weight_ < 4096) weight_ *= 8;
}

void Prescan::closeLoop() {
  const Open& open = open_.back();
  loops_[open.loop].seen = seen_;
  seen_.add(open.seen);
  stop_ = open.stop;
  weight_ = open.weight;
  open_.pop_back();
}

void Prescan::start(std::span<const uint8_t> instructions, uint32_t localCount) {
  at_ = instructions.data();
  weights_.assign(localCount + 1, 0);
  loops_.clear();
  open_.clear();
  usesMemory_ = hasVectors_ = hasTry_ = hasTailCalls_ = complete_ = false;
  seen_ = {};
  depth_ = 1;
  stop_ = 0;
  weight_ = 1;
}

void Prescan::finish(bool complete) {
  complete_ = complete;
  if (!complete_) seen_.calls = usesMemory_ = hasVectors_ = hasTry_ = hasTailCalls_ = true;
}

// The declarations of locals; nothing, if they are odd.
std::optional<Prescan::Body> Prescan::skipLocals(const Body& function) {
  const uint8_t* p = function.bytes.data();
  const uint8_t* end = p + function.bytes.size();
  uint64_t count = function.locals;
  for (uint32_t groups = leb(p, end); groups > 0; --groups) {
    count += leb(p, end);
    skipType(p, end);
    if (p >= end || count > frontend::kMaxLocals) return std::nullopt;
  }
  if (p >= end) return std::nullopt;  // an instruction can be read
  return Body{{p, end}, static_cast<uint32_t>(count)};
}

// `end`, or something with the same effect. False: the body's own end.
bool Prescan::close() {
  if (--depth_ != stop_) return true;
  if (open_.empty()) return false;
  closeLoop();
  return true;
}

// One instruction, whatever it is. Null at an oddity; `closed`: it was the function's own end.
const uint8_t* Prescan::scanOne(const uint8_t* at, const uint8_t* end, bool& closed) {
  const uint8_t* p = at;
  Skip skip = kTables.single[*p++];
  if (at[0] >= 0xfb && at[0] <= 0xfe) {
    uint32_t code = leb(p, end);
    if (code >= 320) return nullptr;
    skip = kTables.prefixed[at[0] - 0xfb][code];
    hasVectors_ |= at[0] == 0xfd;
  }
  seen_.calls |= skip.isCall;
  hasTailCalls_ |= skip.isTailCall;
  hasTry_ |= at[0] == frontend::info(Op::Try).code || at[0] == frontend::info(Op::TryTable).code;
  unsigned lebs = skip.lebs;
  switch (skip.step) {
    case Step::Steady:
      if (skip.isLocal) {
        uint32_t local = leb(p, end);
        count(local);
        seen_.used |= Loop::bitOf(local);
        if (skip.writes) seen_.written |= Loop::bitOf(local);
        lebs = 0;
      }
      break;
    case Step::MemArg:
      usesMemory_ = true;
      if (p < end && *p & 64) ++lebs;
      break;
    case Step::OpenLoop: openLoop(static_cast<uint32_t>(at - at_)); break;
    case Step::TryTable:
    case Step::Open: ++depth_; break;
    case Step::End: closed = !close(); break;
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

// Takes note of uses of locals: each the opcode and the bytes behind it. False at an index of five bytes.
bool Prescan::noteLocals(std::span<const uint64_t> uses) {
  const uint32_t locals = static_cast<uint32_t>(weights_.size()) - 1;  // one more takes what is no local
  uint32_t* weights = weights_.data();
  const uint32_t weight = weight_;
  uint64_t used = 0, written = 0;
  for (const uint64_t use : uses) {
    uint32_t index = use >> 8 & 0x7f;
    if (use & 0x8000) [[unlikely]] {
      if (use >> 15 & use >> 23 & use >> 31 & use >> 39 & 1) return false;
      for (unsigned shift = 7; shift < 28 && use >> (8 + shift / 7 * 8 - 1) & 1; shift += 7) {
        index |= (use >> (8 + shift / 7 * 8) & 0x7f) << shift;
      }
    }
    weights[std::min(index, locals)] += weight;
    used |= Loop::bitOf(index);
    written |= uint64_t{(use & 0xff) != frontend::info(Op::LocalGet).code} << (index & 63);
  }
  seen_.used |= used;
  seen_.written |= written;
  return true;
}

// --- lanes -----------------------------------------------------------------------------------------------------------
//
// The time that a body takes is the latency from one instruction's address to the next one's: the eight bytes there,
// beside that what the table says of the opcode, and the first or second byte without a continuation bit, which ends the
// immediates. The processor could do twice as much meanwhile, so two bodies are walked side by side, a step in each in
// turn. No branch depends on an instruction, unless it is one of the odd ones; uses of locals are put aside for
// noteLocals.

namespace {

constexpr ptrdiff_t kAhead = 40;  // more than any steady instruction, and what is read behind it
constexpr size_t kPut = 256;

}  // namespace

struct Prescan::Lane {
  Prescan* scan = nullptr;  // nothing left to do: nullptr
  const uint8_t* p = nullptr;
  // Of steady(): before the end, and before uses of locals, of two bytes or more, fill `put`.
  const uint8_t* limit = nullptr;
  const uint8_t* end = nullptr;
  uint64_t* put = nullptr;
  uint64_t* firstPut = nullptr;
  unsigned facts = 0;            // of all steady instructions so far, or-ed
  uint32_t depth = 0, stop = 0;  // scanOne works on the members of `scan`

  [[gnu::always_inline]] bool steady() {
    if (p >= limit) [[unlikely]]
      return false;
    uint64_t word;
    std::memcpy(&word, p, 8);
    const Steady& how = kTables.steady[word & 0xff];
    const uint64_t stops = ~word & 0x8080808080808000;
    const uint64_t last = stops & (stops - how.twoLebs);  // two LEBs: not the first stop, but the next
    const uint32_t next = depth + static_cast<uint32_t>(int32_t{how.depth});
    if ((word & how.oddMask) == how.oddValue || last == 0 || next == stop) [[unlikely]]
      return false;
    depth = next;
    *put = word;
    const unsigned about = kTables.facts[word & 0xff];
    put += about & kIsLocal;
    facts |= about;
    p += how.fixed + (static_cast<unsigned>(std::countr_zero(last)) >> 3 & how.lebMask);
    return true;
  }
  void look() {
    depth = scan->depth_, stop = scan->stop_;
    limit = end - p > kAhead ? p + std::min<size_t>(static_cast<size_t>(end - p - kAhead), 2 * kPut) : p;
  }
};

class Prescan::Lanes {
 public:
  Lanes(std::span<const Body> functions, Prescan* scans) : functions_(functions), scans_(scans) {}

  void run() {
    Lane a = next(put_[0]), b = next(put_[1]);
    while (a.scan && b.scan && step(a) && step(b)) {
    }
    if (!a.scan) a = b;
    while (a.scan && step(a)) {
    }
  }

 private:
  // False: the lane has come to its end.
  [[gnu::always_inline]] bool step(Lane& lane) {
    if (lane.steady()) [[likely]]
      return true;
    lane = turn(lane);
    return lane.scan != nullptr;
  }
  // The next function, with room for its uses of locals.
  Lane next(uint64_t* put) {
    for (; !functions_.empty(); functions_ = functions_.subspan(1)) {
      Prescan& scan = *scans_++;
      scan.at_ = nullptr;
      const auto body = skipLocals(functions_.front());
      if (!body) continue;
      functions_ = functions_.subspan(1);
      scan.start(body->bytes, body->locals);
      Lane lane;
      lane.scan = &scan;
      lane.p = body->bytes.data();
      lane.end = lane.p + body->bytes.size();
      lane.put = lane.firstPut = put;
      lane.look();
      return lane;
    }
    return {};
  }

  // What is not steady: an odd instruction, the end of the room for locals, or of the body.
  [[gnu::noinline]] Lane turn(Lane lane) {
    Prescan& scan = *lane.scan;
    scan.depth_ = lane.depth;
    bool goesOn = scan.noteLocals({lane.firstPut, lane.put}), closed = false;
    lane.put = lane.firstPut;
    scan.seen_.calls |= (lane.facts & kCalls) != 0;
    scan.usesMemory_ |= (lane.facts & kMemory) != 0;
    scan.hasTailCalls_ |= (lane.facts & kTailCalls) != 0;
    lane.facts = 0;
    // One instruction, or near the end all that are left; none where `put` was full.
    const auto isFarFromEnd = [&] { return lane.end - lane.p > kAhead; };
    if (lane.p < lane.limit || !isFarFromEnd()) {
      while (goesOn) {
        lane.p = scan.scanOne(lane.p, lane.end, closed);
        goesOn = lane.p && !closed && lane.p < lane.end;
        if (goesOn && isFarFromEnd()) break;
      }
    }
    if (!goesOn) {
      scan.finish(closed && lane.p == lane.end);
      return next(lane.firstPut);
    }
    lane.look();
    return lane;
  }

  std::span<const Body> functions_;
  Prescan* scans_;
  uint64_t put_[2][kPut + 1];
};

void Prescan::runAll(std::span<const Body> functions, Prescan* scans) { Lanes(functions, scans).run(); }

}  // namespace wattle::compile::baseline
