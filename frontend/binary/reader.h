// A cursor over a module's bytes. The first error sticks: everything read after it is zero or empty, so a decoder may
// look at ok() once an entry rather than after each field.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "frontend/binary/leb128.h"
#include "frontend/error.h"
#include "frontend/module.h"

namespace wattle::frontend {

// Whether the bytes are well-formed UTF-8 (no overlong forms, no surrogates, nothing above U+10FFFF).
bool isUtf8(std::string_view text);

class Reader {
 public:
  // Reads [pos, end); the byte at `pos` has the offset `offset` in the module.
  Reader(const uint8_t* pos, const uint8_t* end, uint64_t offset) : begin_(pos), base_(offset), pos_(pos), end_(end) {}

  bool ok() const { return ok_; }
  bool atEnd() const { return pos_ >= end_; }
  const uint8_t* position() const { return pos_; }
  uint64_t offset() const { return offsetOf(pos_); }
  uint64_t remaining() const { return static_cast<uint64_t>(end_ - pos_); }
  Error takeError() { return std::move(error_); }

  bool fail(ErrorKind kind, std::string message) { return failAt(offset(), kind, std::move(message)); }
  bool failAt(uint64_t offset, ErrorKind kind, std::string message);
  bool malformed(std::string message) { return fail(ErrorKind::Malformed, std::move(message)); }
  bool invalid(std::string message) { return fail(ErrorKind::Invalid, std::move(message)); }
  bool limit(std::string message) { return fail(ErrorKind::Limit, std::move(message)); }

  uint8_t peek() const { return pos_ < end_ ? *pos_ : 0; }
  uint8_t byte() {
    if (pos_ < end_) return *pos_++;
    unexpectedEnd();
    return 0;
  }
  uint32_t u32() {
    if (pos_ < end_ && *pos_ < 0x80) return *pos_++;
    return leb<32, uint32_t>();
  }
  uint64_t u64() { return leb<64, uint64_t>(); }
  int32_t s32() { return leb<32, int32_t>(); }
  int64_t s33() { return leb<33, int64_t>(); }
  int64_t s64() { return leb<64, int64_t>(); }
  uint64_t fixed(unsigned bytes);  // little-endian

  uint32_t length();  // a u32 that may not exceed what is left
  std::string_view bytes(uint64_t size);
  std::string_view name();  // length-prefixed, checked UTF-8
  void skip(uint64_t size) { bytes(size); }
  // The length of a vector; more than `most` is an error.
  uint32_t count(uint32_t most, const char* what);
  // Makes room for `count` more elements, but never for more memory than a small multiple of the bytes that are left.
  template <class T>
  void reserve(std::vector<T>& elements, uint32_t count) const {
    const uint64_t affordable = 16 + 8 * remaining() / sizeof(T);
    elements.reserve(elements.size() + static_cast<size_t>(count < affordable ? count : affordable));
  }

 private:
  template <unsigned N, class T>
  T leb() {
    T value = 0;
    const uint8_t* start = pos_;
    const LebStatus status = readLeb<N, T>(pos_, end_, value);
    if (status != LebStatus::Ok) failAt(offsetOf(start), ErrorKind::Malformed, lebMessage(status));
    return value;
  }
  void unexpectedEnd() { malformed("unexpected end of section or function"); }

  uint64_t offsetOf(const uint8_t* at) const { return base_ + static_cast<uint64_t>(at - begin_); }

  const uint8_t* begin_;
  uint64_t base_;  // offset of begin_ in the module
  const uint8_t* pos_;
  const uint8_t* end_;
  bool ok_ = true;
  Error error_;
};

}  // namespace wattle::frontend
