#include "runtime/compile/worker_pool.h"

#include <unistd.h>

#include <algorithm>
#include <exception>
#include <system_error>

namespace wattle::compile {

// One run(): tickets for helpers. A helper that takes its ticket after the job has been closed does nothing, so the caller need not wait for
// threads that never got round to it.
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

WorkerPool::WorkerPool(unsigned threads)
    : width_(threads ? threads : std::max(1u, std::thread::hardware_concurrency())) {}

WorkerPool::~WorkerPool() {
  if (threads_.empty()) return;
  if (owner_ != getpid()) {   // a child of the process that has the threads
    new std::vector<std::thread>(std::move(threads_));
    return;
  }
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void WorkerPool::ensureThreads() {
  if (owner_ != getpid()) {
    // The handles name threads that only the parent has: they can be neither joined nor detached here.
    if (!threads_.empty()) new std::vector<std::thread>(std::move(threads_));
    threads_.clear();
    queue_.clear();
    owner_ = getpid();
  }
  const unsigned wanted = std::max(1u, width_ - 1);
  try {
    while (threads_.size() < wanted) threads_.emplace_back([this] { loop(); });
  } catch (const std::system_error&) {
    // No more threads to be had. Those there are, and the callers, do the work.
  }
}

void WorkerPool::loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    auto task = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    task();
    task = nullptr;
    lock.lock();
  }
}

void WorkerPool::post(std::function<void()> task) {
  {
    std::lock_guard lock(mutex_);
    ensureThreads();
    queue_.push_back(std::move(task));
  }
  wake_.notify_one();
}

void WorkerPool::run(const std::function<void(unsigned)>& body) {
  if (width_ <= 1) return body(0);
  auto job = std::make_shared<Job>();
  job->body = &body;
  try {
    std::lock_guard lock(mutex_);
    ensureThreads();
    for (unsigned i = 1; i < width_; ++i) queue_.push_back([job] { job->help(); });
  } catch (const std::bad_alloc&) {
    // Helpers are a help only, and those that were asked may know of the job already.
  }
  wake_.notify_all();
  job->work(0);
  std::unique_lock lock(job->mutex);
  job->closed = true;
  job->idle.wait(lock, [&] { return job->active == 0; });
  if (job->failed) std::rethrow_exception(job->failed);
}

}  // namespace wattle::compile
