// Stacks: where the calling thread's ends, and guarded stacks for fibers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string>

namespace wattle::sandbox {

// Lowest usable address of the calling thread's stack (cached per thread; correct for the main thread whatever its
// rlimit).
uintptr_t currentStackEnd();
// The same, asked of the system anew (after setrlimit, say).
uintptr_t readStackEnd();

// A mapped stack with a guard page below it. Reused through a small pool.
class Stack {
 public:
  static std::expected<Stack, std::string> create(size_t bytes);
  Stack() = default;
  Stack(Stack&& other) noexcept;
  Stack& operator=(Stack&& other) noexcept;
  ~Stack();
  uint8_t* top() const { return low_ + size_; }
  uint8_t* low() const { return low_; }  // lowest usable byte
  size_t size() const { return size_; }

 private:
  uint8_t* low_ = nullptr;
  size_t size_ = 0;
};

}  // namespace wattle::sandbox
