// Where the calling thread's stack ends, and stacks of our own.
//
// currentStackEnd(). pthread_getattr_np knows both kinds of stack. For the main thread it takes the current limit
// (ulimit -s), or the distance to the mapping below if that is nearer; the kernel stops a growing stack 256 pages
// before another mapping, so in that case we keep that distance. With no limit at all we count at most 1 GiB. The
// answer is cached per thread: it is asked on every entry to the guest, and costs a read of /proc/self/maps for the
// main thread.
//
// Stack. One mapping: a guard at the bottom, the stack above it. Freed stacks go to a small pool; their pages but the
// topmost few are given back.
//
//   ┌────────────┬──────────────────────────────┬───────────┐
//   │ guard      │ returned to the system        │ kept warm │ <- top
//   └────────────┴──────────────────────────────┴───────────┘
//                ^ low
#include "sandbox/stack.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <utility>
#include <vector>

#include "sandbox/budget.h"

namespace wattle::sandbox {

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kGuard = 64 << 10;  // a host function's frame may be large
constexpr size_t kWarm = 16 << 10;
constexpr size_t kPooled = 64;
constexpr size_t kMostOfMain = size_t{1} << 30;
constexpr size_t kKernelGap = 256 * kPage;  // stack_guard_gap

// The stack's size is not its limit's (of which arguments and environment take up to a quarter), or so large that the
// gap is nothing.
bool mayMeetMapping(size_t size) {
  rlimit rule{};
  if (size > (size_t{16} << 20) || getrlimit(RLIMIT_STACK, &rule) != 0) return true;
  return rule.rlim_cur == RLIM_INFINITY || size < rule.rlim_cur / 4 * 3 - kPage;
}

}  // namespace

uintptr_t readStackEnd() {
  pthread_attr_t attributes;
  const auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  // Nothing known: assume that what every system gives is left.
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return here - std::min<uintptr_t>(here, 64 << 10);
  void* low = nullptr;
  size_t size = 0;
  pthread_attr_getstack(&attributes, &low, &size);
  pthread_attr_destroy(&attributes);
  auto end = reinterpret_cast<uintptr_t>(low);
  if (getpid() == gettid()) {
    if (mayMeetMapping(size)) end += kKernelGap;
    end = std::min(std::max(end, here - std::min<uintptr_t>(here, kMostOfMain)), here);
  }
  return end;
}

namespace {

struct Pool {
  std::mutex lock;
  std::vector<std::pair<uint8_t*, size_t>> stacks;  // low, size

  static Pool& process() {
    static Pool* pool = [] {
      auto* made = new Pool;
      pthread_atfork([] { process().lock.lock(); }, [] { process().lock.unlock(); }, [] { process().lock.unlock(); });
      return made;
    }();
    return *pool;
  }
};

void unmap(uint8_t* low, size_t size) {
  munmap(low - kGuard, size + kGuard);
  noteMappings(-2);
  noteAddressSpace(-static_cast<int64_t>(size + kGuard));
}

}  // namespace

uintptr_t currentStackEnd() {
  thread_local const uintptr_t end = readStackEnd();
  return end;
}

std::expected<Stack, std::string> Stack::create(size_t bytes) {
  bytes = std::max((bytes + kPage - 1) / kPage * kPage, kPage);
  Stack stack;
  {
    Pool& pool = Pool::process();
    const std::lock_guard hold(pool.lock);
    const auto found =
        std::find_if(pool.stacks.rbegin(), pool.stacks.rend(), [bytes](const auto& s) { return s.second == bytes; });
    if (found != pool.stacks.rend()) {
      stack.low_ = found->first;
      stack.size_ = bytes;
      pool.stacks.erase(std::next(found).base());
      return stack;
    }
  }
  if (!mappingsAllow(2))
    return std::unexpected("cannot map a stack: the process's mappings are spent (vm.max_map_count)");
  void* got = mmap(nullptr, bytes + kGuard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  uint8_t* low = static_cast<uint8_t*>(got) + kGuard;
  if (got == MAP_FAILED || mprotect(low, bytes, PROT_READ | PROT_WRITE) != 0) {
    const int error = errno;
    if (got != MAP_FAILED) munmap(got, bytes + kGuard);
    return std::unexpected("cannot map a stack of " + std::to_string(bytes >> 10) + " KiB: " + std::strerror(error));
  }
  noteMappings(2);
  noteAddressSpace(static_cast<int64_t>(bytes + kGuard));
  stack.low_ = low;
  stack.size_ = bytes;
  return stack;
}

Stack::Stack(Stack&& other) noexcept : low_(std::exchange(other.low_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Stack& Stack::operator=(Stack&& other) noexcept {
  std::swap(low_, other.low_);
  std::swap(size_, other.size_);
  return *this;
}

Stack::~Stack() {
  if (low_ == nullptr) return;
  if (size_ > kWarm) (void)madvise(low_, size_ - kWarm, MADV_DONTNEED);
  Pool& pool = Pool::process();
  {
    const std::lock_guard hold(pool.lock);
    if (pool.stacks.size() < kPooled) {
      pool.stacks.emplace_back(low_, size_);
      return;
    }
  }
  unmap(low_, size_);
}

}  // namespace wattle::sandbox
