// One thread for one task at a time, started when there is something to do.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace wattle::vm {

// Thread safety: any thread; but it may not die while somebody starts a task. Waits in its destructor for the task to
// end, unless that runs in it. A task that another process (before a fork) started is forgotten.
class BackgroundTask {
 public:
  BackgroundTask() = default;
  ~BackgroundTask();
  BackgroundTask(const BackgroundTask&) = delete;
  BackgroundTask& operator=(const BackgroundTask&) = delete;

  // False: one is running, or the system gives no thread.
  bool start(std::function<void()> task);

 private:
  struct State {
    std::atomic<bool> running{false};
  };
  void finish();
  std::mutex mutex_;
  std::thread thread_;
  pid_t owner_ = 0;
  std::shared_ptr<State> state_ = std::make_shared<State>();  // the thread outlives us when its task destroys us
};

}  // namespace wattle::vm
