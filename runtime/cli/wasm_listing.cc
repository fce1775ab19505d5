#include "runtime/cli/wasm_listing.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <map>
#include <utility>

#include "frontend/binary/leb128.h"
#include "frontend/op_facts.h"

namespace wattle::cli {

namespace {

using frontend::Imm;
using frontend::Op;

// Prefix and code to instruction; made at first use.
const std::map<std::pair<uint8_t, uint32_t>, Op>& opcodes() {
  static const auto table = [] {
    std::map<std::pair<uint8_t, uint32_t>, Op> map;
    for (unsigned i = 0; i < static_cast<unsigned>(Op::Count); i++) {
      const auto& info = frontend::info(static_cast<Op>(i));
      map.emplace(std::pair{info.prefix, uint32_t{info.code}}, static_cast<Op>(i));
    }
    return map;
  }();
  return table;
}

class BodyReader {
 public:
  explicit BodyReader(std::span<const uint8_t> body) : begin_(body.data()), pos_(begin_), end_(begin_ + body.size()) {}

  bool good() const { return good_ && pos_ < end_; }
  uint64_t position() const { return static_cast<uint64_t>(pos_ - begin_); }

  uint8_t byte() {
    if (pos_ >= end_) return fail();
    return *pos_++;
  }
  template <unsigned N, class T>
  T leb() {
    T value = 0;
    if (frontend::readLeb<N>(pos_, end_, value) != frontend::LebStatus::Ok) good_ = false;
    return value;
  }
  uint32_t u32() { return leb<32, uint32_t>(); }
  template <class T>
  T raw() {
    T value{};
    if (static_cast<size_t>(end_ - pos_) < sizeof(T)) return static_cast<T>(fail());
    memcpy(&value, pos_, sizeof(T));
    pos_ += sizeof(T);
    return value;
  }

  void skipLocals() {
    for (uint32_t n = u32(); n > 0 && good(); n--) {
      u32();
      valType();
    }
  }

  std::string heapType() {
    int64_t code = leb<33, int64_t>();
    if (code >= 0) return fmt::format("{}", code);
    switch (code & 0x7f) {
      case 0x62: return "(exact " + heapType() + ")";
      case 0x74: return "noexn";
      case 0x73: return "nofunc";
      case 0x72: return "noextern";
      case 0x71: return "none";
      case 0x70: return "func";
      case 0x6f: return "extern";
      case 0x6e: return "any";
      case 0x6d: return "eq";
      case 0x6c: return "i31";
      case 0x6b: return "struct";
      case 0x6a: return "array";
      case 0x69: return "exn";
    }
    good_ = false;
    return "?";
  }

  std::string valType() {
    uint8_t code = byte();
    switch (code) {
      case 0x7f: return "i32";
      case 0x7e: return "i64";
      case 0x7d: return "f32";
      case 0x7c: return "f64";
      case 0x7b: return "v128";
      case 0x64: return fmt::format("(ref {})", heapType());
      case 0x63: return fmt::format("(ref null {})", heapType());
    }
    pos_--;
    return heapType() + "ref";
  }

  std::string blockType() {
    if (pos_ < end_ && *pos_ == 0x40) {
      pos_++;
      return "";
    }
    if (pos_ < end_ && (*pos_ & 0xc0) == 0x40) return fmt::format(" (result {})", valType());
    return fmt::format(" (type {})", leb<33, int64_t>());
  }

  std::string memArg() {
    uint32_t align = u32();
    uint32_t memory = align & 0x40 ? u32() : 0;
    uint64_t offset = leb<64, uint64_t>();
    std::string text = memory ? fmt::format(" {}", memory) : "";
    if (offset) text += fmt::format(" offset={}", offset);
    return text + fmt::format(" align={}", uint64_t{1} << (align & 0x3f));
  }

  std::string indices(uint32_t count) {
    std::string text;
    for (uint32_t i = 0; i < count && good_; i++) text += fmt::format(" {}", u32());
    return text;
  }

  std::string catches() {
    static constexpr const char* kNames[] = {"catch", "catch_ref", "catch_all", "catch_all_ref"};
    std::string text;
    for (uint32_t n = u32(); n > 0 && good_; n--) {
      uint8_t kind = byte() & 3;
      text += fmt::format(" ({}{})", kNames[kind], indices(kind < 2 ? 2 : 1));
    }
    return text;
  }

  std::string selectTypes() {
    std::string text;
    for (uint32_t n = u32(); n > 0 && good_; n--) text += fmt::format(" (result {})", valType());
    return text;
  }

  std::string castTypes() {
    uint8_t flags = byte();
    std::string text = indices(1);
    for (unsigned i = 0; i < 2; i++) text += fmt::format(" (ref {}{})", flags >> i & 1 ? "null " : "", heapType());
    return text;
  }

 private:
  uint8_t fail() {
    good_ = false;
    return 0;
  }
  const uint8_t* begin_;
  const uint8_t* pos_;
  const uint8_t* end_;
  bool good_ = true;
};

std::string lanes(BodyReader& in, unsigned count) {
  std::string text;
  for (unsigned i = 0; i < count; i++) text += fmt::format(" {}", in.byte());
  return text;
}

std::string immediates(BodyReader& in, Imm imm) {
  switch (imm) {
    case Imm::None: return "";
    case Imm::Block: return in.blockType();
    case Imm::LabelTable: return in.indices(in.u32() + 1);
    case Imm::MemArg: return in.memArg();
    case Imm::MemArgLane: {
      std::string text = in.memArg();
      return text + lanes(in, 1);
    }
    case Imm::Lane: return lanes(in, 1);
    case Imm::Shuffle: return lanes(in, 16);
    case Imm::I32: return fmt::format(" {}", in.leb<32, int32_t>());
    case Imm::I64: return fmt::format(" {}", in.leb<64, int64_t>());
    case Imm::F32: return fmt::format(" {}", in.raw<float>());
    case Imm::F64: return fmt::format(" {}", in.raw<double>());
    case Imm::V128: {
      auto low = in.raw<uint64_t>(), high = in.raw<uint64_t>();
      return fmt::format(" i64x2 {:#x} {:#x}", low, high);
    }
    case Imm::SelectTypes: return in.selectTypes();
    case Imm::HeapType: return " " + in.heapType();
    case Imm::BrCast: return in.castTypes();
    case Imm::TryTable: {
      std::string type = in.blockType();
      return type + in.catches();
    }
    case Imm::Fence: in.byte(); return "";
    default: return in.indices(indexCount(imm));
  }
}

bool opens(Op op) { return op == Op::Block || op == Op::Loop || op == Op::If || op == Op::Try || op == Op::TryTable; }
bool closes(Op op) { return op == Op::End || op == Op::Delegate; }
bool isMiddle(Op op) { return op == Op::Else || op == Op::Catch || op == Op::CatchAll; }

}  // namespace

std::vector<ListedInstruction> listBody(std::span<const uint8_t> body, uint64_t offset) {
  std::vector<ListedInstruction> list;
  BodyReader in(body);
  in.skipLocals();
  unsigned depth = 1;
  while (in.good()) {
    uint64_t at = offset + in.position();
    uint8_t prefix = in.byte();
    uint32_t code = prefix >= 0xfb ? in.u32() : std::exchange(prefix, uint8_t{0});
    auto entry = opcodes().find({prefix, code});
    if (entry == opcodes().end()) break;
    Op op = entry->second;
    std::string text = std::string(frontend::name(op)) + immediates(in, frontend::info(op).imm);
    if (closes(op) && depth > 0) depth--;
    list.push_back({at, isMiddle(op) && depth > 0 ? depth - 1 : depth, std::move(text)});
    if (opens(op)) depth++;
  }
  return list;
}

}  // namespace wattle::cli
