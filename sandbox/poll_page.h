// How a thread that runs guest code is stopped from outside without being made to look.
//
// Each thread that runs guests has a page of its own, to which its gs base points. Loops read a word of it and ignore
// what they read: a load that nothing waits for, and so without a cost that could be measured, where comparing with a
// cell costs 2 % in the mean of small kernels and 10 % at worst. arm() makes the page inaccessible: the next such load
// faults, and what happens then is the fault hook's affair. Who is interrupted is told elsewhere; an armed page only
// makes a thread ask.
//
// Pages belong to threads, not to guests, so a million guests need no more of them than there are threads. They are never
// unmapped but used again: whoever still arms a dead thread's page disturbs the next one for a moment, no more.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace wattle::sandbox {

class PollPage {
 public:
  // The calling thread's: made, and gs pointed to it, at the first call. nullptr when there is no memory, or somebody
  // else uses this thread's gs base.
  static PollPage* ofThisThread() noexcept;
  // The same for a fault handler: points gs (again) where it belongs. Async-signal-safe.
  static PollPage* bind() noexcept;

  // From any thread and from signal handlers; errno is kept.
  void arm() noexcept;
  void disarm() noexcept;

 private:
  explicit PollPage(void* page) : page_(page) {}
  static PollPage* make() noexcept;
  static bool isGsFree() noexcept;
  struct Owner;

  void* const page_;
  PollPage* nextMade_ = nullptr;
  PollPage* nextFree_ = nullptr;
};

}  // namespace wattle::sandbox
