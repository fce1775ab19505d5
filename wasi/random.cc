#include <uv.h>

#include <algorithm>

#include "wasi/handlers.h"

namespace wattle::wasi {

Errno randomGet(const Call& call, Ptr<uint8_t> buffer, uint32_t length) {
  auto bytes = call.memory.slice(buffer.address, length);
  if (!bytes) return Errno::Fault;
  if (const auto& fill = call.context.config().random) {
    fill(*bytes);
    return Errno::Success;
  }
  constexpr size_t kMost = 1 << 20;  // well within what uv_random takes at once
  while (!bytes->empty()) {
    size_t n = std::min(bytes->size(), kMost);
    if (int error = uv_random(nullptr, nullptr, bytes->data(), n, 0, nullptr); error != 0) return fromHost(error);
    bytes = bytes->subspan(n);
  }
  return Errno::Success;
}

}  // namespace wattle::wasi
