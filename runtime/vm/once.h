// What is made at most once, by the first that needs it. Unlike std::call_once it may throw and be tried again wherever
// we run: that one goes through pthread_once, which the thread sanitizer takes for unfinished after an exception.
//
// Thread safety: any number of threads; those that come while it is being made wait.
#pragma once

#include <atomic>

namespace wattle::vm {

class Once {
 public:
  template <class Make>
  void operator()(Make&& make) {
    for (int now; (now = state_.load(std::memory_order_acquire)) != kMade;) {
      if (now == kMaking)
        state_.wait(kMaking, std::memory_order_acquire);
      else if (state_.compare_exchange_weak(now, kMaking, std::memory_order_acquire))
        return attempt(make);
    }
  }

 private:
  static constexpr int kNotMade = 0, kMaking = 1, kMade = 2;
  template <class Make>
  void attempt(Make& make) {
    struct Finish {
      std::atomic<int>& state;
      int outcome = kNotMade;
      ~Finish() {
        state.store(outcome, std::memory_order_release);
        state.notify_all();
      }
    } finish{state_};
    make();
    finish.outcome = kMade;
  }

  std::atomic<int> state_ = kNotMade;
};

}  // namespace wattle::vm
