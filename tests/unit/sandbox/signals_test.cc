// Each test runs in a process of its own (death tests of the threadsafe style start the program anew), since handlers
// are the process's.
#include "sandbox/signals.h"

#include <pthread.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <ucontext.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "sandbox/linear_memory.h"
#include "tests/unit/sandbox/process.h"

namespace wattle::sandbox {
namespace {

// "Guest" code: each function is a faulting instruction, then `ret`. The hook skips the instruction and says so in rax.
class Guest {
 public:
  enum : uint32_t { kUd2 = 0, kLoad = 16, kDivide = 32, kContext = 48, kStop = 64 };

  Guest() {
    code_ = static_cast<uint8_t*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    std::memset(code_, 0xcc, 4096);
    put(kUd2, {0x0f, 0x0b, 0xc3});                             // ud2
    put(kLoad, {0x8a, 0x07, 0xc3});                            // mov al, [rdi]
    put(kDivide, {0x31, 0xc9, 0x31, 0xd2, 0xf7, 0xf1, 0xc3});  // xor ecx,ecx; xor edx,edx; div ecx
    put(kContext, {0x41, 0x55, 0x49, 0x89, 0xfd, 0x0f, 0x0b, 0x4c, 0x89, 0xe8, 0x41, 0x5d, 0xc3});
    // push r13; mov r13,rdi; ud2; mov rax,r13; pop r13; ret
    mprotect(code_, 4096, PROT_READ | PROT_EXEC);
    active_ = this;
  }

  uint64_t call(uint32_t function, const void* argument = nullptr) const {
    return reinterpret_cast<uint64_t (*)(const void*)>(reinterpret_cast<uintptr_t>(code_ + function))(argument);
  }

  static bool hook(Fault& fault) {
    const uintptr_t base = reinterpret_cast<uintptr_t>(active_->code_);
    if (fault.pc < base || fault.pc >= base + 4096) return false;
    if (fault.signal == SIGSEGV && !isGuardAddress(fault.address)) return false;
    fault.pc += 2;
    fault.rax = 1000 + static_cast<uint64_t>(fault.signal);
    if (fault.pc >= base + kContext) fault.context += 5;  // elsewhere the register is the caller's
    return true;
  }

 private:
  void put(uint32_t at, std::initializer_list<uint8_t> bytes) { std::copy(bytes.begin(), bytes.end(), code_ + at); }
  uint8_t* code_;
  static inline Guest* active_ = nullptr;
};

class Signals : public testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
  // As if no handler (a sanitizer's, say) had ever stood here.
  static void defaults() {
    for (const int fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE}) ::signal(fault, SIG_DFL);
    rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
  }
};

#define IN_PROCESS(expectation, ...) \
  EXPECT_EXIT(                       \
      {                              \
        defaults();                  \
        __VA_ARGS__;                 \
        _exit(99);                   \
      },                             \
      expectation, "")
#define REQUIRE(condition) \
  if (!(condition)) _exit(__LINE__ % 90 + 1)

const auto kOk = testing::ExitedWithCode(99);

void takeHandler(int signal, void (*handler)(int, siginfo_t*, void*), int flags = 0) {
  struct sigaction action {};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | flags;
  sigaction(signal, &action, nullptr);
}

TEST_F(Signals, FaultsOfTheGuestResumeElsewhere) {
  IN_PROCESS(kOk, {
    Guest guest;
    auto memory = LinearMemory::create({65536, kWasm32Space, Bounds::Guarded, false});
    installFaultHandlers(Guest::hook);
    REQUIRE(handlersInstalled());
    for (int i = 0; i < 1000; ++i) {
      REQUIRE(guest.call(Guest::kUd2) == 1000 + SIGILL);
      REQUIRE(guest.call(Guest::kDivide) == 1000 + SIGFPE);
      REQUIRE(guest.call(Guest::kLoad, memory->base() + 65536) == 1000 + SIGSEGV);
    }
    memory->base()[3] = 42;
    REQUIRE((guest.call(Guest::kLoad, memory->base() + 3) & 0xff) == 42);
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    REQUIRE(!sigismember(&mask, SIGILL) && !sigismember(&mask, SIGSEGV) && !sigismember(&mask, SIGFPE));
  });
}

TEST_F(Signals, TheContextRegisterIsReadAndWritten) {
  IN_PROCESS(kOk, {
    Guest guest;
    installFaultHandlers(Guest::hook);
    REQUIRE(guest.call(Guest::kContext, reinterpret_cast<void*>(700)) == 705);
  });
}

TEST_F(Signals, WorksInManyThreadsAtOnce) {
  IN_PROCESS(kOk, {
    Guest guest;
    installFaultHandlers(Guest::hook);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 2000; ++i) REQUIRE(guest.call(Guest::kUd2) == 1000 + SIGILL);
      });
    }
    for (auto& thread : threads) thread.join();
  });
}

TEST_F(Signals, WorksOnAnAlternateStack) {
  IN_PROCESS(kOk, {
    Guest guest;
    installFaultHandlers(Guest::hook);
    static uint8_t alternate[64 << 10];
    stack_t stack{};
    stack.ss_sp = alternate;
    stack.ss_size = sizeof alternate;
    REQUIRE(sigaltstack(&stack, nullptr) == 0);
    for (int i = 0; i < 100; ++i) REQUIRE(guest.call(Guest::kUd2) == 1000 + SIGILL);
  });
}

TEST_F(Signals, OthersFaultsReachThePreviousHandler) {
  IN_PROCESS(kOk, {
    static uintptr_t seen;
    static sigjmp_buf back;
    takeHandler(SIGSEGV, [](int, siginfo_t* info, void*) {
      seen = reinterpret_cast<uintptr_t>(info->si_addr);
      siglongjmp(back, 1);
    });
    Guest guest;
    installFaultHandlers(Guest::hook);
    for (static int i = 0; i < 3; ++i) {
      seen = 0;
      if (sigsetjmp(back, 1) == 0) guest.call(Guest::kLoad, reinterpret_cast<void*>(0x1230));  // no guard
      REQUIRE(seen == 0x1230);
    }
    REQUIRE(guest.call(Guest::kUd2) == 1000 + SIGILL);
  });
}

TEST_F(Signals, ThePreviousHandlerMayRepairAndResume) {
  IN_PROCESS(kOk, {
    takeHandler(SIGILL, [](int, siginfo_t*, void* context) {
      errno = 77;
      static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP] += 2;
      static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RAX] = 5;
    });
    Guest guest;
    installFaultHandlers([](Fault&) { return false; });
    errno = 3;
    REQUIRE(guest.call(Guest::kUd2) == 5);
    REQUIRE(errno == 3);
  });
}

TEST_F(Signals, ThePreviousHandlersMaskAndFlagsHold) {
  IN_PROCESS(kOk, {
    static bool right;
    static auto check = [](bool ownOpen) {
      sigset_t mask;
      pthread_sigmask(SIG_BLOCK, nullptr, &mask);
      right = sigismember(&mask, SIGUSR1) == 1 && (sigismember(&mask, SIGILL) == 0) == ownOpen;
    };
    struct sigaction action {};
    action.sa_handler = [](int) { check(false); };
    sigaddset(&action.sa_mask, SIGUSR1);
    sigaction(SIGILL, &action, nullptr);
    action.sa_handler = [](int) {
      sigset_t mask;
      pthread_sigmask(SIG_BLOCK, nullptr, &mask);
      right = sigismember(&mask, SIGUSR1) == 1 && sigismember(&mask, SIGFPE) == 0;
    };
    action.sa_flags = SA_NODEFER;
    sigaction(SIGFPE, &action, nullptr);
    installFaultHandlers(Guest::hook);
    right = false;
    raise(SIGILL);
    REQUIRE(right);
    right = false;
    raise(SIGFPE);
    REQUIRE(right);
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    REQUIRE(!sigismember(&mask, SIGUSR1) && !sigismember(&mask, SIGILL));
  });
}

TEST_F(Signals, DefaultActionsStayTheDefault) {
  IN_PROCESS(testing::KilledBySignal(SIGILL), {
    Guest guest;
    installFaultHandlers([](Fault&) { return false; });
    guest.call(Guest::kUd2);
  });
  IN_PROCESS(testing::KilledBySignal(SIGSEGV), {
    Guest guest;
    installFaultHandlers(Guest::hook);
    guest.call(Guest::kLoad, reinterpret_cast<void*>(0x1000));
  });
  IN_PROCESS(testing::KilledBySignal(SIGFPE), {
    installFaultHandlers(Guest::hook);
    raise(SIGFPE);  // sent, not a fault: would not come again by itself
  });
}

TEST_F(Signals, IgnoredStaysIgnoredWhenSent) {
  IN_PROCESS(kOk, {
    ::signal(SIGSEGV, SIG_IGN);
    installFaultHandlers(Guest::hook);
    raise(SIGSEGV);
    kill(getpid(), SIGSEGV);
  });
  IN_PROCESS(testing::KilledBySignal(SIGSEGV), {
    Guest guest;
    ::signal(SIGSEGV, SIG_IGN);
    installFaultHandlers(Guest::hook);
    guest.call(Guest::kLoad, reinterpret_cast<void*>(0x1000));
  });
}

TEST_F(Signals, AHandlerForOneTimeIsCalledOnce) {
  IN_PROCESS(testing::KilledBySignal(SIGFPE), {
    static int calls;
    struct sigaction action {};
    action.sa_handler = [](int) { ++calls; };
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(SIGFPE, &action, nullptr);
    installFaultHandlers(Guest::hook);
    raise(SIGFPE);
    REQUIRE(calls == 1);
    raise(SIGFPE);
  });
}

TEST_F(Signals, ASentSignalIsNeverATrap) {
  IN_PROCESS(kOk, {
    static int reached;
    takeHandler(SIGSEGV, [](int, siginfo_t*, void*) { ++reached; });
    installFaultHandlers([](Fault&) -> bool { _exit(1); });
    raise(SIGSEGV);
    REQUIRE(reached == 1);
  });
}

TEST_F(Signals, KnowsWhenTheHostReplacedThem) {
  IN_PROCESS(kOk, {
    REQUIRE(!handlersInstalled());
    installFaultHandlers(Guest::hook);
    REQUIRE(handlersInstalled());
    takeHandler(SIGSEGV, [](int, siginfo_t*, void*) {});
    REQUIRE(!handlersInstalled());
  });
}

TEST_F(Signals, AHostWithItsOwnHandlersAsksUs) {
  IN_PROCESS(kOk, {
    static int others;
    takeHandler(SIGILL, [](int signal, siginfo_t* info, void* context) {
      if (handleSignal(signal, info, context)) return;
      ++others;
      static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP] += 2;
    });
    Guest guest;
    installFaultHandlers(Guest::hook, false);
    REQUIRE(!handlersInstalled());
    REQUIRE(guest.call(Guest::kUd2) == 1000 + SIGILL);
    REQUIRE(others == 0);
    installFaultHandlers([](Fault&) { return false; }, false);
    guest.call(Guest::kUd2);
    REQUIRE(others == 1);
  });
}

}  // namespace
}  // namespace wattle::sandbox
