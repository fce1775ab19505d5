#include "runtime/compile/worker_pool.h"

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

namespace wattle::compile {

// One run(): tickets for helpers. A helper that takes its ticket after the job has been closed does nothing, so the
// caller need not wait for threads that never got round to it.
struct WorkerPool::Job {
  const std::function<void(unsigned)>* body = nullptr;
  std::mutex mutex;
  std::condition_variable idle;
  unsigned nextWorker = 1;
  unsigned active = 0;
  bool closed = false;
  std::exception_ptr failed;  // the first

  // What a body throws (it may run out of memory) is for the caller of run().
  void work(unsigned worker) {
    try {
      (*body)(worker);
    } catch (...) {
      std::lock_guard lock(mutex);
      if (!failed) failed = std::current_exception();
    }
  }
  void help() {
    unsigned worker = 0;
    {
      std::lock_guard lock(mutex);
      if (closed) return;
      worker = nextWorker++;
      ++active;
    }
    work(worker);
    std::lock_guard lock(mutex);
    if (--active == 0) idle.notify_all();
  }
};

struct WorkerPool::Shared {
  const int owner = getpid();
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::shared_ptr<Job>> queue;  // a ticket each
  std::vector<std::thread> threads;
  bool stopping = false;
};

WorkerPool::WorkerPool(unsigned threads)
    : width_(threads ? threads : std::max(1u, std::thread::hardware_concurrency())), shared_(new Shared) {}

WorkerPool::~WorkerPool() {
  Shared* shared = shared_.load();
  if (shared->owner != getpid()) return;
  {
    std::lock_guard lock(shared->mutex);
    shared->stopping = true;
  }
  shared->wake.notify_all();
  for (auto& thread : shared->threads) thread.join();
  delete shared;
}

WorkerPool::Shared& WorkerPool::shared() {
  Shared* now = shared_.load(std::memory_order_acquire);
  if (now->owner == getpid()) return *now;
  auto* mine = new Shared;
  if (shared_.compare_exchange_strong(now, mine)) return *mine;
  delete mine;  // another thread of the child was first
  return *now;
}

void WorkerPool::ensureThreads(Shared& shared) {
  const unsigned wanted = std::max(1u, width_ - 1);
  try {
    while (shared.threads.size() < wanted) shared.threads.emplace_back([&shared] { loop(shared); });
  } catch (const std::system_error&) {
    // No more threads to be had. Those there are, and the callers, do the work.
  }
}

void WorkerPool::loop(Shared& shared) {
  std::unique_lock lock(shared.mutex);
  while (true) {
    shared.wake.wait(lock, [&shared] { return shared.stopping || !shared.queue.empty(); });
    if (shared.queue.empty()) return;
    auto job = std::move(shared.queue.front());
    shared.queue.pop_front();
    lock.unlock();
    job->help();
    job = nullptr;
    lock.lock();
  }
}

void WorkerPool::run(const std::function<void(unsigned)>& body) {
  if (width_ <= 1) return body(0);
  auto job = std::make_shared<Job>();
  job->body = &body;
  Shared& here = shared();
  try {
    std::lock_guard lock(here.mutex);
    ensureThreads(here);
    for (unsigned i = 1; i < width_; ++i) here.queue.push_back(job);
  } catch (const std::bad_alloc&) {
    // Helpers are a help only, and those that were asked may know of the job already.
  }
  here.wake.notify_all();
  job->work(0);
  std::unique_lock lock(job->mutex);
  job->closed = true;
  job->idle.wait(lock, [&] { return job->active == 0; });
  if (job->failed) std::rethrow_exception(job->failed);
}

}  // namespace wattle::compile
