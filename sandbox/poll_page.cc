#include "sandbox/poll_page.h"

#include <asm/prctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <new>

namespace wattle::sandbox {

namespace {

constexpr size_t kPage = 4096;

// A plain pointer in static storage of the thread, so that a signal handler may read it.
[[gnu::tls_model("initial-exec")]] constinit thread_local PollPage* current = nullptr;

constinit std::atomic<PollPage*> allMade{nullptr};    // never shrinks
constinit std::atomic<PollPage*> freePages{nullptr};  // taken whole, so that no page can come back unnoticed (ABA)

// A system call that leaves errno alone.
template <class... Arguments>
long quietly(long number, Arguments... arguments) {
  const int saved = errno;
  const long result = syscall(number, arguments...);
  errno = saved;
  return result;
}

template <PollPage* PollPage::*next>
void pushAll(std::atomic<PollPage*>& list, PollPage* first, PollPage* last) {
  last->*next = list.load();
  while (!list.compare_exchange_weak(last->*next, first)) {
  }
}

}  // namespace

// Gives the page back when its thread ends.
struct PollPage::Owner {
  ~Owner() {
    if (PollPage* page = current) {
      current = nullptr;
      pushAll<&PollPage::nextFree_>(freePages, page, page);
    }
  }
  bool used = false;
};

// Of a free page, the first; the others go back.
PollPage* PollPage::make() noexcept {
  if (PollPage* first = freePages.exchange(nullptr)) {
    if (PollPage* rest = first->nextFree_) {
      PollPage* last = rest;
      while (last->nextFree_) last = last->nextFree_;
      pushAll<&PollPage::nextFree_>(freePages, rest, last);
    }
    first->nextFree_ = nullptr;
    first->disarm();
    return first;
  }
  // The record stands in a page of its own before the one that is armed, which itself is only ever read.
  const int saved = errno;
  void* pages = mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  errno = saved;
  if (pages == MAP_FAILED) return nullptr;
  auto* page = new (pages) PollPage(static_cast<uint8_t*>(pages) + kPage);
  pushAll<&PollPage::nextMade_>(allMade, page, page);
  return page;
}

// New threads have their creator's base.
bool PollPage::isGsFree() noexcept {
  uintptr_t base = 0;
  if (quietly(SYS_arch_prctl, ARCH_GET_GS, &base) != 0) return false;
  if (base == 0) return true;
  for (PollPage* page = allMade.load(); page; page = page->nextMade_) {
    if (reinterpret_cast<uintptr_t>(page->page_) == base) return true;
  }
  return false;
}

PollPage* PollPage::bind() noexcept {
  if (!isGsFree()) return nullptr;
  if (!current) current = make();
  if (current && quietly(SYS_arch_prctl, ARCH_SET_GS, current->page_) != 0) return nullptr;
  return current;
}

PollPage* PollPage::ofThisThread() noexcept {
  if (current) return current;
  static thread_local Owner owner;
  owner.used = true;  // so that its destructor runs at the thread's end
  return bind();
}

void PollPage::arm() noexcept { quietly(SYS_mprotect, page_, kPage, PROT_NONE); }
void PollPage::disarm() noexcept { quietly(SYS_mprotect, page_, kPage, PROT_READ | PROT_WRITE); }

}  // namespace wattle::sandbox
