// Threads that compile. Started at first need, so that a small program never pays for them.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

namespace wattle::compile {

// Thread safety: any number of threads may use one pool at once; each takes part in its own work, so nothing ever waits
// for a busy pool, and a system that gives no threads only makes it slower. After fork() the child's pool starts
// threads of its own.
class WorkerPool {
 public:
  // `threads`: how many may work on one job, the calling thread included; 0 means one per processor.
  explicit WorkerPool(unsigned threads = 0);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  unsigned width() const { return width_; }

  // Runs body(worker) on up to width() threads at once, worker = 0 .. width()-1 each at most once, and returns when all
  // are done. The body divides the work itself (an atomic counter). Worker 0 is the caller, and may find all the work
  // to itself. When a body throws, the others are waited for, and the first exception comes out here.
  void run(const std::function<void(unsigned worker)>& body);

 private:
  struct Job;
  // What threads share. One for each process: after fork() a mutex may be held, and a condition waited for, by threads
  // that only the parent has, so the child leaves the inherited one alone (not even destroys it) and makes its own.
  struct Shared;
  Shared& shared();
  void ensureThreads(Shared& shared);
  static void loop(Shared& shared);
  unsigned width_;
  std::atomic<Shared*> shared_;
};

}  // namespace wattle::compile
