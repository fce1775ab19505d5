#include "runtime/cli/progress.h"

#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>

#include "runtime/cli/terminal.h"

namespace wattle::cli {

struct ProgressLine::State {
  std::string what;
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  std::thread thread;

  void run() {
    using namespace std::chrono;
    auto start = steady_clock::now();
    std::unique_lock lock(mutex);
    bool shown = false;
    for (auto next = start + seconds(1); !changed.wait_until(lock, next, [&] { return done; });
         next += milliseconds(100)) {
      double elapsed = duration<double>(steady_clock::now() - start).count();
      fmt::print(stderr, "\r{} … {:.1f} s", onError(Style::Dim, what), elapsed);
      shown = true;
    }
    if (shown) fmt::print(stderr, "\r\033[K");
  }
};

ProgressLine::ProgressLine(std::string what) {
  if (!errorIsTerminal()) return;
  state_ = new State{.what = std::move(what), .mutex = {}, .changed = {}, .thread = {}};
  state_->thread = std::thread([state = state_] { state->run(); });
}

void ProgressLine::finish() {
  if (!state_) return;
  {
    std::lock_guard lock(state_->mutex);
    state_->done = true;
  }
  state_->changed.notify_all();
  state_->thread.join();
  delete state_;
  state_ = nullptr;
}

}  // namespace wattle::cli
