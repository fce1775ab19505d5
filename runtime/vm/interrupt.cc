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
#include "runtime/vm/call.h"
#include "runtime/vm/fiber.h"
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
// Calls meet the store's stack limit, which becomes ~0. Loops read the poll page of the thread (sandbox/poll_page.h), so
// an interruption arms the page of the thread on which the store has run last, and the load that faults asks whose
// guest it is:
//   - one of an interrupted store traps;
//   - any other disarms the page and goes on. The page stays armed if a guest further out on the same thread is
//     interrupted; it will meet it when its turn comes.
// So that nothing is missed:
//   - the flag is set before the page is armed, and whoever disarms looks at the flags afterwards;
//   - a store that comes to a thread (again: a fiber that goes on, a store that was lent) first names the thread's page
//     and then looks at its own flag; both with the order of all on x86-64's locked instructions;
//   - each function with a loop has a stack check, so a call into a store that is interrupted already does not get so far.

void StoreCells::interrupt() {
  interrupted.store(true);
  context.stackLimit.store(~uintptr_t{0});
  if (sandbox::PollPage* page = poll_.load()) page->arm();
  wait.interrupt();
}

void StoreCells::runsOn(sandbox::PollPage* page) {
  poll_.exchange(page);
  if (page && interrupted.load()) page->arm();
}

namespace {

// A store outlives the calls into it.
StoreCells& cellsOf(const abi::VMStoreContext* context) { return *static_cast<Store*>(context->store)->cells(); }

// Of the guests on this thread, any.
bool anyInterrupted(const ThreadState* thread) {
  for (; thread; thread = thread->fiber ? &thread->fiber->resumer() : nullptr) {
    for (const abi::VMActivation* a = thread->top; a; a = a->previous) {
      if (cellsOf(a->store).interrupted.load()) return true;
    }
  }
  return false;
}

}  // namespace

bool mayPass(ThreadState& thread, abi::VMContext& context) {
  StoreCells& cells = cellsOf(context.storeContext);
  if (cells.interrupted.load()) return false;
  sandbox::PollPage* page = sandbox::PollPage::bind();
  thread.poll = page;
  if (!page) return true;
  cells.runsOn(page);
  page->disarm();
  if (anyInterrupted(&thread)) page->arm();
  return true;
}

bool Store::comesTo(ThreadState& thread) {
  if (engine_->config.loopCheck != LoopCheck::Segment) return true;
  if (!thread.poll) thread.poll = sandbox::PollPage::ofThisThread();
  cells_->runsOn(thread.poll);
  return thread.poll != nullptr;
}

void Store::goesBack(const abi::VMActivation& activation) {
  context().stackThread = activation.lender;
  setStackLimit(activation.lenderLimit);
  cells_->runsOn(static_cast<ThreadState*>(activation.lender)->poll);
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
