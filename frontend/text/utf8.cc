#include "frontend/text/utf8.h"

namespace wattle::frontend::text {

size_t utf8SequenceLength(std::string_view text, size_t at) {
  auto byteAt = [&](size_t i) -> uint32_t { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; };
  auto isContinuation = [&](size_t i) { return (byteAt(i) & 0xc0) == 0x80; };
  uint32_t lead = byteAt(at);
  if (lead < 0x80) return at < text.size() ? 1 : 0;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  uint32_t second = byteAt(at + 1);
  if (lead < 0xe0) return isContinuation(at + 1) ? 2 : 0;
  if (lead < 0xf0) {
    uint32_t low = lead == 0xe0 ? 0xa0 : 0x80, high = lead == 0xed ? 0x9f : 0xbf;
    return second >= low && second <= high && isContinuation(at + 2) ? 3 : 0;
  }
  uint32_t low = lead == 0xf0 ? 0x90 : 0x80, high = lead == 0xf4 ? 0x8f : 0xbf;
  return second >= low && second <= high && isContinuation(at + 2) && isContinuation(at + 3) ? 4 : 0;
}

bool isUtf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    size_t length = utf8SequenceLength(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

bool isScalarValue(uint32_t codePoint) { return codePoint < 0xd800 || (codePoint >= 0xe000 && codePoint <= 0x10ffff); }

void appendUtf8(std::string& out, uint32_t codePoint) {
  auto put = [&](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  auto putContinuation = [&](unsigned shift) { put(0x80 | ((codePoint >> shift) & 0x3f)); };
  if (codePoint < 0x80) return put(codePoint);
  if (codePoint < 0x800) {
    put(0xc0 | codePoint >> 6);
  } else {
    if (codePoint < 0x10000) {
      put(0xe0 | codePoint >> 12);
    } else {
      put(0xf0 | codePoint >> 18);
      putContinuation(12);
    }
    putContinuation(6);
  }
  putContinuation(0);
}

}  // namespace wattle::frontend::text
