// What C callbacks of all kinds have in common: their environment, and values on the way to them and back.
#pragma once

#include <algorithm>
#include <memory>

#include "runtime/capi/wattle_capi.h"
#include "runtime/vm/small_buffer.h"

namespace wattle::capi {

// The host's pointer, finalized with the last copy, or at once when there is no memory for it.
class HostEnv {
 public:
  HostEnv() = default;
  HostEnv(void* env, void (*finalizer)(void*))
      : env_(env, [finalizer](void* e) {
          if (finalizer) finalizer(e);
        }) {}
  void* get() const { return env_.get(); }

 private:
  std::shared_ptr<void> env_;
};

// Deletes what is left in it.
class Vals {
 public:
  // Zeros.
  explicit Vals(size_t count) : buffer_(count), vec_{count, buffer_.data()} {
    std::fill_n(vec_.data, count, wasm_val_t{});
  }
  ~Vals() {
    for (size_t i = 0; i < vec_.size; ++i) wasm_val_delete(&vec_.data[i]);
  }
  Vals(const Vals&) = delete;
  Vals& operator=(const Vals&) = delete;
  wasm_val_t& operator[](size_t i) { return vec_.data[i]; }
  size_t size() const { return vec_.size; }
  wasm_val_vec_t* vec() { return &vec_; }
  void forget() { vec_.size = 0; }

 private:
  vm::SmallBuffer<wasm_val_t, 10> buffer_;  // without the heap while there are few
  wasm_val_vec_t vec_;
};

}  // namespace wattle::capi
