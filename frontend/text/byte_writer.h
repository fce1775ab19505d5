// Bytes of a binary module, appended piece by piece.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace wattle::frontend::text {

class ByteWriter {
 public:
  void byte(uint8_t value) { bytes_.push_back(value); }
  void u32(uint32_t value) { u64(value); }
  void u64(uint64_t value) {
    for (; value >= 0x80; value >>= 7) byte(static_cast<uint8_t>(value | 0x80));
    byte(static_cast<uint8_t>(value));
  }
  void s64(int64_t value) {
    for (; value < -0x40 || value >= 0x40; value >>= 7) byte(static_cast<uint8_t>(value | 0x80));
    byte(static_cast<uint8_t>(value & 0x7f));
  }
  void littleEndian(uint64_t value, unsigned size) {
    for (unsigned i = 0; i < size; ++i) byte(static_cast<uint8_t>(value >> (8 * i)));
  }
  void append(std::span<const uint8_t> bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  void append(std::string_view bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  void sized(std::string_view bytes) {
    u64(bytes.size());
    append(bytes);
  }
  void sized(std::span<const uint8_t> bytes) {
    u64(bytes.size());
    append(bytes);
  }

  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  void truncate(size_t size) { bytes_.resize(size); }
  std::span<const uint8_t> bytes() const { return bytes_; }
  std::vector<uint8_t> release() { return std::move(bytes_); }

 private:
  std::vector<uint8_t> bytes_;
};

}  // namespace wattle::frontend::text
