// Runs what an assembler has emitted.
#pragma once

#include <sys/mman.h>

#include <cstring>
#include <stdexcept>

#include "runtime/compile/x64/assembler.h"

namespace wattle::x64::test {

class Executable {
 public:
  explicit Executable(const AssemblerBase& a) : size_(a.size()) {
    memory_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) throw std::runtime_error("mmap failed");
    std::memcpy(memory_, a.data(), size_);
    if (mprotect(memory_, size_, PROT_READ | PROT_EXEC) != 0) throw std::runtime_error("mprotect failed");
  }
  ~Executable() { munmap(memory_, size_); }
  Executable(const Executable&) = delete;
  Executable& operator=(const Executable&) = delete;

  // The function at the given position.
  template <class F>
  F* as(int32_t position = 0) const {
    return reinterpret_cast<F*>(static_cast<uint8_t*>(memory_) + position);
  }

 private:
  void* memory_;
  size_t size_;
};

}  // namespace wattle::x64::test
