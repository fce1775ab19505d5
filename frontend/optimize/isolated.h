// Work of a library that may end the process, done in a child: a wrong module then costs one child, not the host.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <vector>

namespace wattle::frontend {

struct IsolatedResult {
  int exitCode = 0;             // of the child; -1 when a signal ended it
  std::vector<uint8_t> output;  // what it wrote to the descriptor it was given
  std::string said;             // first line it printed
};

// Forks; the child runs `work(outputDescriptor)` and exits with what that returns. The caller should be
// single-threaded. The error is one line: there could be no child.
std::expected<IsolatedResult, std::string> runIsolated(const std::function<int(int)>& work);

// False when not all could be written.
bool writeAll(int fd, const void* data, size_t size);

}  // namespace wattle::frontend
