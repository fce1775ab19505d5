// Deadlines: one thread of the process sleeps until the next one and interrupts the stores whose time has come. It is
// started when the first deadline is set. After fork() the child has no such thread; it starts its own, and its stores'
// deadlines are to be set anew.
#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <map>
#include <mutex>
#include <thread>

#include "runtime/vm/boundary.h"
#include "runtime/vm/store.h"

namespace wattle::vm {

namespace {

class DeadlineClock {
 public:
  using Clock = std::chrono::steady_clock;

  static DeadlineClock& process() {
    static auto* clock = [] {
      instance() = new DeadlineClock;  // never destroyed: its thread is detached
      pthread_atfork(nullptr, nullptr, [] { instance() = new DeadlineClock; });
      return &instance();
    }();
    return **clock;
  }

  // A ticket, or 0 when there can be no thread.
  uint64_t add(Clock::time_point when, std::shared_ptr<StoreCells> cells) {
    std::lock_guard lock(mutex_);
    if (!running_) {
      // The host's signals are not for this thread.
      sigset_t all, before;
      sigfillset(&all);
      pthread_sigmask(SIG_BLOCK, &all, &before);
      running_ = orElse(false, [this] { return std::thread([this] { run(); }).detach(), true; });
      pthread_sigmask(SIG_SETMASK, &before, nullptr);
      if (!running_) return 0;
    }
    uint64_t ticket = lastTicket_.fetch_add(1) + 1;
    const auto entry = waiting_.emplace(std::pair(when, ticket), std::move(cells)).first;
    if (!orElse(false, [&] { return times_.emplace(ticket, when).second; })) {
      waiting_.erase(entry);
      return 0;
    }
    wake_.notify_one();
    return ticket;
  }

  void remove(uint64_t ticket) {
    std::lock_guard lock(mutex_);
    auto it = times_.find(ticket);
    if (it == times_.end()) return;
    waiting_.erase({it->second, ticket});
    times_.erase(it);
  }

 private:
  static DeadlineClock*& instance() {
    static DeadlineClock* clock = nullptr;
    return clock;
  }

  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      if (waiting_.empty()) {
        wake_.wait(lock);
      } else if (auto first = waiting_.begin(); first->first.first > Clock::now()) {
        const auto when = first->first.first;  // the entry may go while we sleep
        wake_.wait_until(lock, when);
      } else {
        first->second->interrupt();
        times_.erase(first->first.second);
        waiting_.erase(first);
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::pair<Clock::time_point, uint64_t>, std::shared_ptr<StoreCells>> waiting_;
  std::map<uint64_t, Clock::time_point> times_;
  static inline std::atomic<uint64_t> lastTicket_ =
      0;  // of all clocks: a forked child's store may hold one of the parent's
  bool running_ = false;
};

}  // namespace

// --- reaching what runs ----------------------------------------------------------------------------------------------
//
// Loops look at a cell of their own context, so whoever interrupts a store has to come by all of its contexts, from any
// thread and from signal handlers: no locks. It counts itself in while it walks the list. The store's thread takes dead
// contexts out of the list first, and frees them only when it has then seen nobody walking: who comes later starts from
// the head and meets none of them.

namespace {

// In the whole process, so that a forked child, where nobody walks, can begin anew. Walks are short.
constinit std::atomic<uint32_t> walkers{0};

}  // namespace

void StoreCells::interrupt() {
  interrupted.store(true);
  context.stackLimit.store(~uintptr_t{0});
  walkers.fetch_add(1);
  for (auto* c = contexts_.load(); c; c = c->next.load()) c->loopLimit.store(~uintptr_t{0});
  walkers.fetch_sub(1);
  wait.interrupt();
}

void StoreCells::add(abi::VMContext& context) {
  [[maybe_unused]] static const int handled = pthread_atfork(nullptr, nullptr, [] { walkers.store(0); });
  abi::VMContext* first = contexts_.load();
  context.previous = nullptr;
  context.next.store(first);
  if (first) first->previous = &context;
  contexts_.store(&context);
  resetLoops(context);  // an interruption that did not meet it is seen now
}

void StoreCells::remove(abi::VMContext& context) {
  abi::VMContext* next = context.next.load();
  (context.previous ? context.previous->next : contexts_).store(next);
  if (next) next->previous = context.previous;
}

void StoreCells::awaitInterrupts() {
  // Yields to who walks, and sleeps if that is of lower priority.
  for (unsigned i = 0; walkers.load() != 0; ++i) {
    if (i < 16)
      std::this_thread::yield();
    else
      std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
}

// A limit is kept while it leaves at least three quarters of what a guest may use.
void Store::setStackFor(const abi::VMThread& thread, uintptr_t stackPointer) {
  const uintptr_t most = maxStackBytes();
  const uintptr_t limit = std::max(thread.stackFloor, stackPointer > most ? stackPointer - most : 0);
  abi::VMStoreContext& c = context();
  c.entryLimit = limit;
  c.entryLow = limit == thread.stackFloor ? limit : limit + (most - most / 4);
  c.entrySpan = limit + most - c.entryLow;
  setStackLimit(limit);
}

bool Store::setDeadline(std::chrono::nanoseconds fromNow) {
  if (deadline_ != 0) {
    DeadlineClock::process().remove(deadline_);
    deadline_ = 0;
  }
  if (fromNow.count() <= 0) return true;
  deadline_ = DeadlineClock::process().add(DeadlineClock::Clock::now() + fromNow, cells_);
  return deadline_ != 0;
}

}  // namespace wattle::vm
