// libuv's file operations, called for their result at once.
#pragma once

#include <uv.h>

#include <cstdint>
#include <utility>

namespace wattle::wasi {

// What operation(…) resulted in: a count, or a negative error number.
template <class... Params, class... Args>
int64_t uvSync(int (*operation)(uv_loop_t*, uv_fs_t*, Params...), Args&&... args) {
  uv_fs_t request;
  int started = operation(nullptr, &request, std::forward<Args>(args)..., nullptr);
  int64_t result = started < 0 ? started : request.result;
  uv_fs_req_cleanup(&request);
  return result;
}

}  // namespace wattle::wasi
