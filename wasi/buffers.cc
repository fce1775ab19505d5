#include "wasi/buffers.h"

#include <algorithm>
#include <climits>

namespace wattle::wasi {

Errno Buffers::gather(const GuestMemory& memory, Ptr<Iovec> iovs, uint32_t count) {
  if (!memory.contains(iovs, count) && count != 0) return Errno::Fault;
  uint64_t total = 0;
  for (uint32_t i = 0; i < count; ++i) {
    Iovec iov;
    memory.read(iovs + i, iov);
    auto bytes = memory.slice(iov.buf, iov.length);
    if (!bytes) return Errno::Fault;
    total += iov.length;
    if (total > UINT32_MAX) return Errno::Inval;
    if (iov.length == 0 || list_.size() == IOV_MAX) continue;
    list_.push_back(uv_buf_t{reinterpret_cast<char*>(bytes->data()), bytes->size()});
  }
  return Errno::Success;
}

std::span<const uv_buf_t> Buffers::front(size_t limit) {
  window_.clear();
  for (size_t i = first_; i < list_.size() && limit > 0; ++i) {
    window_.push_back(list_[i]);
    window_.back().len = std::min(window_.back().len, limit);
    limit -= window_.back().len;
  }
  return window_;
}

void Buffers::drop(size_t bytes) {
  while (first_ < list_.size() && bytes >= list_[first_].len) bytes -= list_[first_++].len;
  if (bytes > 0 && first_ < list_.size()) {
    list_[first_].base += bytes;
    list_[first_].len -= bytes;
  }
}

}  // namespace wattle::wasi
