// Waiting on a cell of a shared memory.
//
// The cell's address in the host is its identity: a shared memory never moves, and is at one address in all stores that
// share it. Addresses hash to buckets, each with a lock and a list of waiters in the order they came. A waiter compares
// the cell and joins the list under the lock; a notify takes waiters off the list under the same lock. So no notify
// that follows the comparison is missed (spec: wait is atomic with respect to notify).
//
// A store runs on one thread at a time, so it waits in one place at most: the word it sleeps on (a futex) is one of its
// cells. Whoever wakes it does so under the bucket's lock, and the waiter takes that lock once more before it goes:
// then nobody touches the word of a store that is gone. Interruption may come from a signal handler, which can lock
// nothing: it sets a bit of the word and wakes it; the waiter takes itself off the list.
#include "runtime/vm/wait.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>
#include <type_traits>

#include "runtime/vm/store.h"

namespace wattle::vm {

namespace {

struct Waiter {
  const uint8_t* cell;
  WaitCell* word;
  Waiter* next = nullptr;
};

struct Bucket {
  std::mutex mutex;
  Waiter* first = nullptr;
  Waiter** last = nullptr;  // nullptr: &first (g++ 12 gets an array of objects that point into themselves wrong)

  void add(Waiter* waiter) {
    *(last ? last : &first) = waiter;
    last = &waiter->next;
  }
  // Takes the waiter at *link off the list.
  void unlink(Waiter** link) {
    Waiter* waiter = *link;
    *link = waiter->next;
    if (last == &waiter->next) last = link;
  }
};

Bucket& bucketOf(const uint8_t* cell) {
  constexpr size_t kBuckets = 256;
  static constinit Bucket buckets[kBuckets];  // no allocation: a guest's instruction gets here
  static_assert(std::is_trivially_destructible_v<Bucket>, "threads may outlive static storage");
  return buckets[(reinterpret_cast<uintptr_t>(cell) >> 2) * 0x9e3779b97f4a7c15 >> 56];
}

static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t));

long futex(std::atomic<uint32_t>& word, int op, uint32_t value, const timespec* timeout) {
  return syscall(SYS_futex, &word, op | FUTEX_PRIVATE_FLAG, value, timeout, nullptr, 0);
}

int64_t now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

}  // namespace

void WaitCell::interrupt() {
  int saved = errno;
  word_.fetch_or(kInterrupted);
  futex(word_, FUTEX_WAKE, 1, nullptr);
  errno = saved;
}

WaitResult waitOn(StoreCells& cells, const uint8_t* cell, uint64_t expected, bool wide, int64_t timeout) {
  constexpr int64_t kForEver = INT64_MAX;
  int64_t deadline = kForEver;
  if (timeout >= 0 && __builtin_add_overflow(now(), timeout, &deadline)) deadline = kForEver;
  Bucket& bucket = bucketOf(cell);
  WaitCell& own = cells.wait;
  Waiter waiter{cell, &own};
  {
    std::lock_guard lock(bucket.mutex);
    uint64_t value = wide ? std::atomic_ref(*reinterpret_cast<uint64_t*>(const_cast<uint8_t*>(cell))).load()
                          : std::atomic_ref(*reinterpret_cast<uint32_t*>(const_cast<uint8_t*>(cell))).load();
    if (value != expected) return WaitResult::NotEqual;
    own.word_.store(WaitCell::kAsleep);
    bucket.add(&waiter);
  }
  // interrupt() sets the flag before the word's bit, so it is seen here or there.
  for (;;) {
    uint32_t state = own.word_.load();
    if (state & WaitCell::kNotified || cells.interrupted.load()) break;
    if (state != WaitCell::kAsleep) {  // an interrupt that has been taken back
      own.word_.compare_exchange_strong(state, WaitCell::kAsleep);
      continue;
    }
    timespec left, *limit = nullptr;
    if (deadline != kForEver) {
      int64_t ns = deadline - now();
      if (ns <= 0) break;
      left = {ns / 1'000'000'000, ns % 1'000'000'000};
      limit = &left;
    }
    futex(own.word_, FUTEX_WAIT, WaitCell::kAsleep, limit);
  }
  std::lock_guard lock(bucket.mutex);
  if (own.word_.load() & WaitCell::kNotified) return WaitResult::Woken;
  for (Waiter** link = &bucket.first; *link; link = &(*link)->next) {
    if (*link != &waiter) continue;
    bucket.unlink(link);
    break;
  }
  return cells.interrupted.load() ? WaitResult::Interrupted : WaitResult::TimedOut;
}

uint32_t notifyWaiters(const uint8_t* cell, uint32_t count) {
  Bucket& bucket = bucketOf(cell);
  std::lock_guard lock(bucket.mutex);
  uint32_t woken = 0;
  for (Waiter** link = &bucket.first; *link && woken < count;) {
    Waiter* waiter = *link;
    if (waiter->cell != cell) {
      link = &waiter->next;
      continue;
    }
    bucket.unlink(link);
    ++woken;
    std::atomic<uint32_t>& word = waiter->word->word_;
    word.fetch_or(WaitCell::kNotified);
    futex(word, FUTEX_WAKE, 1, nullptr);
  }
  return woken;
}

}  // namespace wattle::vm
