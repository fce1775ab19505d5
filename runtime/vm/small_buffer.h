// So many values, without the heap while they are few.
#pragma once

#include <cstddef>
#include <memory>
#include <type_traits>
#include <vector>

namespace wattle::vm {

template <class T, size_t kInline>
class SmallBuffer {
 public:
  explicit SmallBuffer(size_t count) {
    if (count > kInline) {
      heap_.resize(count);
      data_ = heap_.data();
    } else {
      data_ = std::uninitialized_default_construct_n(reinterpret_cast<T*>(inline_), count) - count;
    }
  }
  SmallBuffer(const SmallBuffer&) = delete;
  SmallBuffer& operator=(const SmallBuffer&) = delete;
  T* data() { return data_; }

 private:
  static_assert(std::is_trivially_destructible_v<T>);
  T* data_;
  alignas(T) std::byte inline_[kInline * sizeof(T)];
  std::vector<T> heap_;
};

}  // namespace wattle::vm
