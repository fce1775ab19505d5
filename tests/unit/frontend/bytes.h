// Modules put together byte by byte, and what the decoder says of them.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "frontend/binary/module_decoder.h"
#include "frontend/text/wat.h"

namespace wattle::frontend::test {

using Bytes = std::vector<uint8_t>;

inline Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

inline Bytes leb(uint64_t value) {
  Bytes bytes;
  do {
    bytes.push_back(static_cast<uint8_t>((value & 0x7f) | (value > 0x7f ? 0x80 : 0)));
    value >>= 7;
  } while (value != 0);
  return bytes;
}

inline Bytes sized(const Bytes& contents) { return leb(contents.size()) + contents; }
inline Bytes name(std::string_view text) { return sized(Bytes(text.begin(), text.end())); }
inline Bytes section(uint8_t id, const Bytes& contents) { return Bytes{id} + sized(contents); }
inline Bytes module(const Bytes& sections) { return Bytes{0, 'a', 's', 'm', 1, 0, 0, 0} + sections; }

// One function of type [] -> [] with this body (without the final end), in a module with a memory.
inline Bytes moduleWithBody(const Bytes& body) {
  return module(section(1, {1, 0x60, 0, 0}) + section(3, {1, 0}) + section(5, {1, 0, 1}) +
                section(10, Bytes{1} + sized(Bytes{0} + body + Bytes{0x0b})));
}

// "ok", or "malformed: ...", "invalid: ...", "limit: ...".
inline std::string verdict(const Bytes& bytes, const Features& features = {}) {
  const auto module = validateModule(bytes, features);
  if (module) return "ok";
  switch (module.error().kind) {
    case ErrorKind::Malformed: return "malformed: " + module.error().message;
    case ErrorKind::Invalid: return "invalid: " + module.error().message;
    case ErrorKind::Limit: return "limit: " + module.error().message;
  }
  return "";
}

inline Bytes assemble(std::string_view text) {
  auto bytes = parseWat(text);
  if (!bytes) {
    ADD_FAILURE() << bytes.error().message << " in " << text;
    return {};
  }
  return *bytes;
}

inline std::string verdictOfText(std::string_view text, const Features& features = {}) {
  return verdict(assemble(text), features);
}

// The verdict starts with `expected`.
inline void expectVerdict(const std::string& found, std::string_view expected, const std::string& of) {
  EXPECT_EQ(found.substr(0, expected.size()), expected) << found << "\nof " << of;
}

}  // namespace wattle::frontend::test
