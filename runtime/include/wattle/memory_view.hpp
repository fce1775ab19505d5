// A linear memory as the host reads and writes it. Included by wattle.hpp.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>

#include "wattle/wattle.hpp"

namespace wattle {

namespace detail {
struct MemoryCell {  // abi::VMMemory
  uint8_t* base;
  std::atomic<uint64_t> byteSize;
};
WATTLE_API Error outOfBounds(uint64_t at, uint64_t bytes, uint64_t size);
}  // namespace detail

// Asks base and size anew at each access, so it stays good when the memory grows, by whomever; when the store is gone
// it is empty. Errors: of kind Trap with MemoryOutOfBounds, so a host function that returns them traps like the guest's
// own access. Values are little-endian, at any alignment. Thread safety: as the memory's; accesses to shared memories
// are not atomic.
class MemoryView {
 public:
  MemoryView() = default;
  MemoryView(Memory memory, const detail::MemoryCell* cell) : memory_(std::move(memory)), cell_(cell) {}

  uint64_t size() const { return cell_ ? cell_->byteSize.load(std::memory_order_acquire) : 0; }
  // All of it, as of now: valid until the memory grows, or guest code runs that may make it grow.
  std::span<uint8_t> bytes() const { return {cell_ ? cell_->base : nullptr, static_cast<size_t>(size())}; }
  // Part of it, under the same terms.
  Result<std::span<uint8_t>> slice(uint64_t at, uint64_t bytes) const {
    const uint64_t all = size();
    if (bytes > all || at > all - bytes) [[unlikely]]
      return std::unexpected(detail::outOfBounds(at, bytes, all));
    return std::span<uint8_t>(cell_ ? cell_->base + at : nullptr, static_cast<size_t>(bytes));
  }

  template <class T>
  requires std::is_trivially_copyable_v<T> Result<T> load(uint64_t at)
  const {
    auto from = slice(at, sizeof(T));
    if (!from) [[unlikely]]
      return std::unexpected(std::move(from.error()));
    T value;
    std::memcpy(&value, from->data(), sizeof(T));
    return value;
  }
  template <class T>
  requires std::is_trivially_copyable_v<T> Result<void> store(uint64_t at, const T& value)
  const {
    auto to = slice(at, sizeof(T));
    if (!to) [[unlikely]]
      return std::unexpected(std::move(to.error()));
    std::memcpy(to->data(), &value, sizeof(T));
    return {};
  }
  // Copies.
  Result<std::string> string(uint64_t at, uint64_t bytes) const {
    auto from = slice(at, bytes);
    if (!from) return std::unexpected(std::move(from.error()));
    return std::string(reinterpret_cast<const char*>(from->data()), from->size());
  }
  Result<void> write(uint64_t at, std::span<const uint8_t> data) const {
    auto to = slice(at, data.size());
    if (!to) return std::unexpected(std::move(to.error()));
    if (!data.empty()) std::memcpy(to->data(), data.data(), data.size());
    return {};
  }

 private:
  Memory memory_;  // keeps the cell
  const detail::MemoryCell* cell_ = nullptr;
};

}  // namespace wattle
