// Small pieces of real code for the code cache's tests.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "runtime/codecache/code_cache.h"
#include "tests/support/process.h"

namespace wattle::codecache {

inline constexpr int kScale = process::kSanitized ? 8 : 1;  // tests do this much less

inline CodeCache& cache() { return CodeCache::process(); }

inline CodeRef allocateOrDie(uint32_t size) {
  auto block = cache().allocate(size);
  if (!block) {
    ADD_FAILURE() << block.error();
    std::abort();
  }
  return std::move(*block);
}

// mov eax, value; ret
inline void writeReturn(uint8_t* at, uint32_t value) {
  at[0] = 0xb8;
  std::memcpy(at + 1, &value, 4);
  at[5] = 0xc3;
}

inline uint32_t run(const uint8_t* code) {
  return reinterpret_cast<uint32_t (*)()>(reinterpret_cast<uintptr_t>(code))();
}

// A published block that returns `value`.
inline CodeRef makeReturn(uint32_t value, uint32_t size = 16) {
  CodeRef block = allocateOrDie(size);
  writeReturn(block->writable(), value);
  block->setOwner(reinterpret_cast<const void*>(uintptr_t{value} + 1));
  block->publish({CodeRange{0, value & 0xffffff, static_cast<uint32_t>(RangeKind::Function), 0}});
  return block;
}

inline CodeCache::Hit lookup(const uint8_t* pc) { return cache().lookup(reinterpret_cast<uintptr_t>(pc)); }

inline size_t mappingCount() { return process::countMappings(); }

// Runs `body` in a forked child and gives back its exit code (or 128 + signal).
template <class Body>
int inChild(Body body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace wattle::codecache
