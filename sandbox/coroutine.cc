// Switching stacks.
//
// A switch is a call: whatever the System V convention lets a callee destroy the compiler has already saved. So only
// the registers that a callee preserves have to be kept, and they are, on the stack that is left:
//
//     sp ─▶ │ MXCSR, x87 control word │ r15 │ r14 │ r13 │ r12 │ rbx │ rbp │ return address │ … │ top
//
// One word, sp, is all there is to a suspended coroutine. A new one gets a stack that looks as if it had been suspended
// in the first instruction of `start` with its address in r12. There rbp is 0, so that whoever walks frames stops.
//
// Nothing here is tied to signals or to the kernel: no system call is made for a switch (unlike swapcontext, which sets
// the signal mask).
//
// AddressSanitizer keeps the bounds of the stack that runs, and ThreadSanitizer the history of each; both are told of
// every switch.
#include "sandbox/coroutine.h"

#include <cstring>

#if defined(__SANITIZE_ADDRESS__)
#define WATTLE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WATTLE_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define WATTLE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WATTLE_TSAN 1
#endif
#endif

#ifdef WATTLE_ASAN
extern "C" void __asan_unpoison_memory_region(const volatile void* at, size_t size);
extern "C" void __sanitizer_start_switch_fiber(void** save, const void* low, size_t size);
extern "C" void __sanitizer_finish_switch_fiber(void* saved, const void** low, size_t* size);
#endif
#ifdef WATTLE_TSAN
extern "C" void* __tsan_get_current_fiber();
extern "C" void* __tsan_create_fiber(unsigned flags);
extern "C" void __tsan_destroy_fiber(void* fiber);
extern "C" void __tsan_switch_to_fiber(void* fiber, unsigned flags);
#endif

// wattle_switch_stack(void** saveSp, void* loadSp) and the first instructions of a new stack.
asm(R"(
  .text
  .p2align 4
  .globl wattle_switch_stack
  .hidden wattle_switch_stack
  .type wattle_switch_stack, @function
wattle_switch_stack:
  .cfi_startproc
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  subq $8, %rsp
  stmxcsr (%rsp)
  fnstcw 4(%rsp)
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  ldmxcsr (%rsp)
  fldcw 4(%rsp)
  addq $8, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .cfi_endproc
  .size wattle_switch_stack, .-wattle_switch_stack

  .p2align 4
  .globl wattle_start_stack
  .hidden wattle_start_stack
  .type wattle_start_stack, @function
wattle_start_stack:
  .cfi_startproc
  .cfi_undefined rip
  movq %r12, %rdi
  call wattle_run_coroutine
  ud2
  .cfi_endproc
  .size wattle_start_stack, .-wattle_start_stack
)");

extern "C" {
[[gnu::visibility("hidden")]] void wattle_switch_stack(void** saveSp, void* loadSp);
[[gnu::visibility("hidden")]] void wattle_start_stack();
[[gnu::visibility("hidden")]] void wattle_run_coroutine(wattle::sandbox::Coroutine* coroutine) { coroutine->run(); }
}

namespace wattle::sandbox {

std::expected<std::unique_ptr<Coroutine>, std::string> Coroutine::create(size_t stackBytes,
                                                                         std::function<void()> body) {
  auto stack = Stack::create(stackBytes);
  if (!stack) return std::unexpected(std::move(stack.error()));
  return std::unique_ptr<Coroutine>(new Coroutine(std::move(*stack), std::move(body)));
}

Coroutine::Coroutine(Stack stack, std::function<void()> body) : stack_(std::move(stack)), body_(std::move(body)) {
  constexpr unsigned kR12 = 4, kReturn = 7, kWords = 8;
  uint64_t frame[kWords] = {};
  uint32_t control[2] = {};
  asm("stmxcsr %0\n\tfnstcw %1" : "=m"(control[0]), "=m"(control[1]));
  std::memcpy(&frame[0], control, sizeof control);
  frame[kR12] = reinterpret_cast<uint64_t>(this);
  frame[kReturn] = reinterpret_cast<uint64_t>(&wattle_start_stack);
  // Once the frame is popped, rsp is divisible by 16, as it has to be where a call is made.
  sp_ = stack_.top() - sizeof frame;
  std::memcpy(sp_, frame, sizeof frame);
#ifdef WATTLE_TSAN
  fiber_ = __tsan_create_fiber(0);
#endif
}

Coroutine::~Coroutine() {
#ifdef WATTLE_TSAN
  __tsan_destroy_fiber(fiber_);
#endif
}

void Coroutine::resume() {
#ifdef WATTLE_ASAN
  void* fake = nullptr;
  __sanitizer_start_switch_fiber(&fake, stack_.low(), stack_.size());
#endif
#ifdef WATTLE_TSAN
  resumerFiber_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(fiber_, 0);
#endif
  wattle_switch_stack(&resumerSp_, sp_);
#ifdef WATTLE_ASAN
  __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
  if (done_) __asan_unpoison_memory_region(stack_.low(), stack_.size());  // its last frames never returned
#endif
  if (done_) stack_ = Stack();
}

void Coroutine::leave(bool forGood) {
#ifdef WATTLE_ASAN
  __sanitizer_start_switch_fiber(forGood ? nullptr : &fakeStack_, resumerLow_, resumerSize_);
#endif
#ifdef WATTLE_TSAN
  __tsan_switch_to_fiber(resumerFiber_, 0);
#endif
  (void)forGood;
  wattle_switch_stack(&sp_, resumerSp_);
#ifdef WATTLE_ASAN
  __sanitizer_finish_switch_fiber(fakeStack_, &resumerLow_, &resumerSize_);
#endif
}

void Coroutine::suspend() { leave(false); }

void Coroutine::run() noexcept {
#ifdef WATTLE_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &resumerLow_, &resumerSize_);
#endif
  body_();
  body_ = nullptr;
  done_ = true;
  leave(true);
}

}  // namespace wattle::sandbox
