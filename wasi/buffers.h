// The buffers of a scatter or gather call, in the host's terms.
#pragma once

#include <uv.h>

#include <cstdint>
#include <span>
#include <vector>

#include "wasi/memory.h"

namespace wattle::wasi {

class Buffers {
 public:
  // Fault: the array or a buffer is not in memory. Inval: more bytes in all than a size can say. Beyond the host's
  // IOV_MAX the rest is left out, which the guest sees as a short read or write.
  Errno gather(const GuestMemory& memory, Ptr<Iovec> iovs, uint32_t count);

  bool empty() const { return list_.empty(); }
  std::span<const uv_buf_t> all() const { return list_; }
  // The first bytes of what is left, at most `limit`; drop() takes bytes off the front.
  std::span<const uv_buf_t> front(size_t limit);
  void drop(size_t bytes);

 private:
  std::vector<uv_buf_t> list_;  // none empty
  std::vector<uv_buf_t> window_;
  size_t first_ = 0;  // of list_, the rest is dropped
};

}  // namespace wattle::wasi
