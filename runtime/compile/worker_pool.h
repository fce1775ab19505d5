// Threads that compile. Started at first need, so that a small program never pays for them.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace wattle::compile {

// Thread safety: any number of threads may use one pool at once; each takes part in its own work, so nothing ever waits for a busy pool, and
// a system that gives no threads only makes it slower. After fork() the child's pool starts threads of its own.
class WorkerPool {
 public:
  // `threads`: how many may work on one job, the calling thread included; 0 means one per processor.
  explicit WorkerPool(unsigned threads = 0);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  unsigned width() const { return width_; }

  // Runs body(worker) on up to width() threads at once, worker = 0 .. width()-1 each at most once, and returns when all are done. The body
  // divides the work itself (an atomic counter). Worker 0 is the caller, and may find all the work to itself.
  // When a body throws, the others are waited for, and the first exception comes out here.
  void run(const std::function<void(unsigned worker)>& body);

  // Runs the task some time later on a thread of the pool.
  void post(std::function<void()> task);

 private:
  struct Job;
  void ensureThreads();
  void loop();
  unsigned width_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
  int owner_ = 0;             // the process that started the threads
  bool stopping_ = false;
};

}  // namespace wattle::compile
