// The guest's linear memory as handlers see it. Every address a guest hands over goes through here; a range that is not
// wholly inside makes the call fail with EFAULT.
//
// In a shared memory another guest thread may write at any time, so a structure is copied out once and used from the
// copy.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <type_traits>

#include "wasi/abi.h"

namespace wattle::wasi {

// An address of a T in guest memory, as a handler's parameter: an i32 on the wasm side.
template <class T>
struct Ptr {
  uint32_t address = 0;
  Ptr<T> operator+(uint32_t count) const { return {static_cast<uint32_t>(address + count * sizeof(T))}; }
};

class GuestMemory {
 public:
  GuestMemory() = default;
  explicit GuestMemory(std::span<uint8_t> bytes) : bytes_(bytes) {}

  bool contains(uint32_t address, uint64_t length) const {
    return address <= bytes_.size() && length <= bytes_.size() - address;
  }
  template <class T>
  bool contains(Ptr<T> at, uint64_t count = 1) const {
    return contains(at.address, count * sizeof(T));
  }

  // Nothing is touched by a range of length 0, so its address may be anything (Rust's is 1).
  std::optional<std::span<uint8_t>> slice(uint32_t address, uint32_t length) const {
    if (length == 0) return std::span<uint8_t>();
    if (!contains(address, length)) return std::nullopt;
    return bytes_.subspan(address, length);
  }

  template <class T>
  bool read(Ptr<T> at, T& value) const {
    static_assert(std::is_trivially_copyable_v<T>);
    if (!contains(at)) return false;
    std::memcpy(&value, bytes_.data() + at.address, sizeof(T));
    return true;
  }
  template <class T>
  bool write(Ptr<T> at, const std::type_identity_t<T>& value) const {
    static_assert(std::is_trivially_copyable_v<T>);
    if (!contains(at)) return false;
    std::memcpy(bytes_.data() + at.address, &value, sizeof(T));
    return true;
  }

 private:
  std::span<uint8_t> bytes_;
};

// A path or other string of the guest's: address and length as two parameters.
struct GuestString {
  Ptr<char> at;
  uint32_t length = 0;

  std::optional<std::string> copy(const GuestMemory& memory) const {
    auto bytes = memory.slice(at.address, length);
    if (!bytes) return std::nullopt;
    return std::string(bytes->begin(), bytes->end());
  }
};

}  // namespace wattle::wasi
