#include "tests/bench/scale/modules.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "frontend/text/wat.h"

namespace scale {

const char* const kTenant = R"((module
  (import "host" "tick" (func $tick (param i32) (result i32)))
  (func $constant (result i32) (i32.const 0x12345670))
  (func $sum (param i32) (result i32) (i32.add (call $tick (call $constant)) (local.get 0)))
  (func (export "run") (param i32) (result i32) (call $sum (local.get 0)))
  (func (export "fail") (param i32) (result i32) (i32.div_u (call $constant) (local.get 0)))))";

const char* const kTenantWithMemory = R"((module
  (memory (export "memory") 1)
  (func $at (result i32) (i32.const 4096))
  (func (export "run") (param i32) (result i32)
    (i32.store (call $at) (i32.add (i32.load (call $at)) (local.get 0)))
    (i32.load (call $at)))
  (func (export "peek") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))))";

namespace {
void encode(int32_t value, uint8_t* out) {  // five bytes of signed LEB128
  for (int i = 0; i < 5; ++i) out[i] = static_cast<uint8_t>((value >> (7 * i) & 0x7f) | (i < 4 ? 0x80 : 0));
}
}  // namespace

Template::Template(std::string_view text) {
  auto bytes = wattle::frontend::parseWat(text);
  if (!bytes) {
    std::fprintf(stderr, "the measurement's own module: %s\n", bytes.error().message.c_str());
    std::abort();
  }
  bytes_ = *bytes;
  uint8_t hole[5];
  encode(kHole, hole);
  for (size_t at = 0; at + 5 <= bytes_.size(); ++at) {
    if (std::equal(hole, hole + 5, bytes_.begin() + static_cast<ptrdiff_t>(at))) holes_.push_back(at);
  }
}

std::span<const uint8_t> Template::with(uint32_t value) {
  for (size_t at : holes_) encode(constant(value), bytes_.data() + at);
  return bytes_;
}

}  // namespace scale
