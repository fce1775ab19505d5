// A function on a stack of its own that can stop in the middle and go on later.
//
// Thread safety: one thread, the one that made the first resume(), for all of its life.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "sandbox/stack.h"

namespace wattle::sandbox {

class Coroutine {
 public:
  // `body` must not throw. Nothing of it runs before the first resume().
  static std::expected<std::unique_ptr<Coroutine>, std::string> create(size_t stackBytes, std::function<void()> body);
  // Not while it is suspended: what lies on its stack would never be destroyed.
  ~Coroutine();
  Coroutine(const Coroutine&) = delete;
  Coroutine& operator=(const Coroutine&) = delete;

  // Runs it until it suspends or ends. Not from within itself.
  void resume();
  // From within: resume() returns.
  void suspend();

  bool isDone() const { return done_; }
  const Stack& stack() const { return stack_; }
  // While suspended: where its live words begin; they reach up to stack().top().
  uintptr_t stackPointer() const { return reinterpret_cast<uintptr_t>(sp_); }
  // While it runs: the same of the stack that resumed it.
  uintptr_t resumerStackPointer() const { return reinterpret_cast<uintptr_t>(resumerSp_); }

  void run() noexcept;  // for the first switch

 private:
  Coroutine(Stack stack, std::function<void()> body);
  void leave(bool forGood);
  Stack stack_;
  std::function<void()> body_;
  void* sp_ = nullptr;
  void* resumerSp_ = nullptr;
  bool done_ = false;
  // What the sanitizers want to know; unused without them.
  [[maybe_unused]] const void* resumerLow_ = nullptr;
  [[maybe_unused]] size_t resumerSize_ = 0;
  [[maybe_unused]] void* fakeStack_ = nullptr;
  [[maybe_unused]] void* fiber_ = nullptr;
  [[maybe_unused]] void* resumerFiber_ = nullptr;
};

}  // namespace wattle::sandbox
