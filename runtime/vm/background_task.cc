#include "runtime/vm/background_task.h"

#include <unistd.h>

#include <system_error>

namespace wattle::vm {

// The thread has nothing more to do, is this one, or is not of this process.
void BackgroundTask::finish() {
  if (!thread_.joinable()) return;
  if (owner_ != getpid() || thread_.get_id() == std::this_thread::get_id()) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

BackgroundTask::~BackgroundTask() { finish(); }

bool BackgroundTask::start(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  if (owner_ == getpid() && state_->running.load(std::memory_order_acquire)) return false;
  finish();
  owner_ = getpid();
  state_->running.store(true, std::memory_order_relaxed);
  try {
    thread_ = std::thread([state = state_, task = std::move(task)]() mutable {
      task();
      task = nullptr;
      state->running.store(false, std::memory_order_release);
    });
  } catch (const std::system_error&) {
    state_->running.store(false, std::memory_order_relaxed);
    return false;
  }
  return true;
}

}  // namespace wattle::vm
