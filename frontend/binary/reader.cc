#include "frontend/binary/reader.h"

namespace wattle::frontend {

bool isUtf8(std::string_view text) {
  const auto* p = reinterpret_cast<const uint8_t*>(text.data());
  const uint8_t* end = p + text.size();
  while (p < end) {
    const uint8_t lead = *p++;
    if (lead < 0x80) continue;
    if (lead < 0xc2 || lead > 0xf4) return false;
    const int trail = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    if (end - p < trail) return false;
    // The second byte's range excludes overlong forms, surrogates and what lies above U+10FFFF.
    const uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (*p < low || *p > high) return false;
    for (int i = 1; i < trail; i++) {
      if ((p[i] & 0xc0) != 0x80) return false;
    }
    p += trail;
  }
  return true;
}

bool Reader::failAt(uint64_t offset, ErrorKind kind, std::string message) {
  if (ok_) {
    error_ = Error{kind, std::move(message), offset, std::nullopt};
    ok_ = false;
  }
  pos_ = end_;
  return false;
}

uint64_t Reader::fixed(unsigned bytes) {
  if (remaining() < bytes) {
    unexpectedEnd();
    return 0;
  }
  uint64_t value = 0;
  for (unsigned i = 0; i < bytes; i++) value |= static_cast<uint64_t>(*pos_++) << (8 * i);
  return value;
}

uint32_t Reader::length() {
  const uint64_t start = offset();
  const uint32_t size = u32();
  if (ok_ && size > remaining()) {
    failAt(start, ErrorKind::Malformed,
           "length out of bounds: " + std::to_string(size) + " of " + std::to_string(remaining()) + " bytes left");
    return 0;
  }
  return size;
}

uint32_t Reader::count(uint32_t most, const char* what) {
  const uint64_t start = offset();
  const uint32_t count = u32();
  if (ok_ && count > most) {
    failAt(start, ErrorKind::Limit,
           "too many " + std::string(what) + ": " + std::to_string(count) + ", at most " + std::to_string(most));
    return 0;
  }
  return count;
}

std::string_view Reader::bytes(uint64_t size) {
  if (remaining() < size) {
    unexpectedEnd();
    return {};
  }
  const std::string_view text(reinterpret_cast<const char*>(pos_), size);
  pos_ += size;
  return text;
}

std::string_view Reader::name() {
  const std::string_view text = bytes(length());
  if (ok_ && !isUtf8(text)) {
    failAt(offset() - text.size(), ErrorKind::Malformed, "malformed UTF-8 encoding");
    return {};
  }
  return text;
}

}  // namespace wattle::frontend
