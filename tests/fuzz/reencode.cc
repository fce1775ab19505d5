// Writes a module anew with integers that are longer than they need be: the binary format allows any LEB128 up to
// ceil(N/7) bytes, and what reads code ahead of the decoder must not take longer ones for something else. The module is
// the same otherwise.
//
//   wattle_reencode SEED IN OUT
//
// Sizes of sections and of function bodies change, and with them what custom sections say of offsets: those are left
// out.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "frontend/op_facts.h"

using namespace wattle::frontend;

namespace {

class Writer {
 public:
  Writer(std::span<const uint8_t> bytes, std::mt19937& random) : bytes_(bytes), random_(random) {}

  bool atEnd() const { return at_ >= bytes_.size(); }
  uint8_t peek() const { return atEnd() ? 0 : bytes_[at_]; }
  uint8_t byte() {
    const uint8_t b = peek();
    ++at_;
    out.push_back(b);
    return b;
  }
  void copy(uint64_t n) {
    for (; n > 0 && !atEnd(); --n) byte();
  }
  std::span<const uint8_t> take(uint64_t n) {
    n = std::min<uint64_t>(n, bytes_.size() - at_);
    at_ += n;
    return bytes_.subspan(at_ - n, n);
  }
  // An integer of so many bits; its value is that of the unsigned one.
  uint64_t leb(unsigned bits, bool isSigned) {
    const size_t start = at_;
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const uint8_t b = peek();
      ++at_;
      value |= shift < 64 ? uint64_t{b & 0x7fu} << shift : 0;
      if (b < 0x80 || atEnd()) break;
    }
    put(bytes_.subspan(start, at_ - start), (bits + 6) / 7, isSigned);
    return value;
  }
  uint64_t u32() { return leb(32, false); }
  // Reads a u32 without writing it.
  uint64_t size() {
    const size_t before = out.size();
    const uint64_t value = u32();
    out.resize(before);
    return value;
  }
  void writeSize(uint64_t value) {
    std::vector<uint8_t> short_;
    do {
      short_.push_back(static_cast<uint8_t>((value & 0x7f) | (value > 0x7f ? 0x80 : 0)));
      value >>= 7;
    } while (value > 0);
    put(short_, 5, false);
  }
  void append(const std::vector<uint8_t>& bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

  std::vector<uint8_t> out;

 private:
  // Half of all integers grow, and half of those to the most they may have.
  void put(std::span<const uint8_t> leb, size_t most, bool isSigned) {
    out.insert(out.end(), leb.begin(), leb.end());
    if (leb.size() >= most || random_() & 1) return;
    const size_t length = random_() & 1 ? most : leb.size() + 1 + random_() % (most - leb.size());
    const uint8_t fill = isSigned && (leb.back() & 0x40) ? 0x7f : 0;
    out.back() |= 0x80;
    for (size_t i = leb.size(); i < length; ++i)
      out.push_back(static_cast<uint8_t>(fill | (i + 1 < length ? 0x80 : 0)));
  }

  std::span<const uint8_t> bytes_;
  std::mt19937& random_;
  size_t at_ = 0;
};

// Types that are one byte stay it: they are no integers to every reader.
void heapType(Writer& w) {
  if (w.peek() == 0x62) w.byte();
  if (w.peek() >= 0x40 && w.peek() < 0x80)
    w.byte();
  else
    w.leb(33, true);
}
void valueType(Writer& w) {
  if (w.peek() == 0x63 || w.peek() == 0x64) {
    w.byte();
    heapType(w);
  } else {
    w.byte();
  }
}
void blockType(Writer& w) {
  if (w.peek() >= 0x40 && w.peek() < 0x80)
    valueType(w);
  else
    w.leb(33, true);
}
void memArg(Writer& w) {
  if (w.u32() & 64) w.u32();
  w.leb(64, false);
}

void catches(Writer& w) {
  for (uint64_t n = w.u32(); n > 0 && !w.atEnd(); --n) {
    if (w.byte() < 2) w.u32();
    w.u32();
  }
}

void immediates(Writer& w, Imm imm) {
  switch (imm) {
    case Imm::None: return;
    case Imm::Block: return blockType(w);
    case Imm::LabelTable:
      for (uint64_t n = w.u32() + 1; n > 0 && !w.atEnd(); --n) w.u32();
      return;
    case Imm::MemArgLane:
      memArg(w);
      w.byte();
      return;
    case Imm::MemArg: return memArg(w);
    case Imm::Lane:
    case Imm::Fence: return w.copy(1);
    case Imm::Shuffle:
    case Imm::V128: return w.copy(16);
    case Imm::I32: w.leb(32, true); return;
    case Imm::I64: w.leb(64, true); return;
    case Imm::F32: return w.copy(4);
    case Imm::F64: return w.copy(8);
    case Imm::SelectTypes:
      for (uint64_t n = w.u32(); n > 0 && !w.atEnd(); --n) valueType(w);
      return;
    case Imm::HeapType: return heapType(w);
    case Imm::BrCast:
      w.byte();
      w.u32();
      heapType(w);
      heapType(w);
      return;
    case Imm::TryTable:
      blockType(w);
      catches(w);
      return;
    default:
      for (unsigned n = indexCount(imm); n > 0; --n) w.u32();
  }
}

void body(Writer& w, const std::map<std::pair<uint8_t, uint64_t>, Imm>& table) {
  for (uint64_t n = w.u32(); n > 0 && !w.atEnd(); --n) {
    w.u32();
    valueType(w);
  }
  while (!w.atEnd()) {
    const uint8_t first = w.byte();
    const bool hasPrefix = first >= 0xfb && first <= 0xfe;
    const uint64_t code = hasPrefix ? w.u32() : first;
    auto found = table.find({hasPrefix ? first : 0, code});
    if (found == table.end()) {
      std::fprintf(stderr, "unknown instruction %02x %llu\n", first, static_cast<unsigned long long>(code));
      std::exit(1);
    }
    immediates(w, found->second);
  }
}

std::vector<uint8_t> code(std::span<const uint8_t> bytes, std::mt19937& random) {
  std::map<std::pair<uint8_t, uint64_t>, Imm> table;
  for (const OpInfo& op : kOpInfo) table[{op.prefix, op.code}] = op.imm;
  Writer section(bytes, random);
  for (uint64_t n = section.u32(); n > 0; --n) {
    Writer function(section.take(section.size()), random);
    body(function, table);
    section.writeSize(function.out.size());
    section.append(function.out);
  }
  return std::move(section.out);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: wattle_reencode SEED IN OUT\n"), 1;
  std::mt19937 random(static_cast<uint32_t>(std::atoi(argv[1])));
  std::ifstream in(argv[2], std::ios::binary);
  std::vector<uint8_t> bytes((std::istreambuf_iterator<char>(in)), {});
  Writer module(bytes, random);
  module.copy(8);
  while (!module.atEnd()) {
    const uint8_t id = module.byte();
    auto section = module.take(module.size());
    if (id == 0) {
      module.out.pop_back();
      continue;
    }
    std::vector<uint8_t> contents(section.begin(), section.end());
    if (id == 10) contents = code(section, random);
    module.writeSize(contents.size());
    module.append(contents);
  }
  std::ofstream out(argv[3], std::ios::binary);
  out.write(reinterpret_cast<const char*>(module.out.data()), static_cast<std::streamsize>(module.out.size()));
  return out.good() ? 0 : 1;
}
