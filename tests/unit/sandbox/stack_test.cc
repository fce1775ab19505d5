#include "sandbox/stack.h"

#include <sys/resource.h>
#include <ucontext.h>

#include <cstring>
#include <thread>
#include <vector>

#include "sandbox/linear_memory.h"
#include "tests/unit/sandbox/process.h"

namespace wattle::sandbox {
namespace {

// Uses the calling thread's stack down to `end` + `spare`, page by page.
__attribute__((noinline, no_sanitize("address"))) int useDownTo(uintptr_t end, uintptr_t spare) {
  volatile char page[4000];
  page[0] = 1;
  if (reinterpret_cast<uintptr_t>(&page[0]) - end < spare) return page[0];
  return useDownTo(end, spare) + page[0];
}

uintptr_t here() { return reinterpret_cast<uintptr_t>(__builtin_frame_address(0)); }

TEST(StackEnd, LiesBelowAndStays) {
  const uintptr_t end = currentStackEnd();
  EXPECT_LT(end, here());
  EXPECT_EQ(currentStackEnd(), end);
  EXPECT_EQ(readStackEnd(), end);
}

TEST(StackEnd, AThreadCanUseAllOfIt) {
  uintptr_t main = currentStackEnd();
  std::thread([main] {
    const uintptr_t end = currentStackEnd();
    EXPECT_NE(end, main);
    EXPECT_LT(here() - end, uintptr_t{256} << 20);
    EXPECT_GT(here() - end, uintptr_t{64} << 10);
    if (!kSanitized) {
      EXPECT_GT(useDownTo(end, 16 << 10), 1);
    }
  }).join();
}

TEST(StackEnd, ThreadsOfOddSizes) {
  for (const size_t size : {size_t{256} << 10, size_t{1} << 20, size_t{33} << 20}) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, size);
    pthread_t thread;
    pthread_create(
        &thread, &attributes,
        [](void* bytes) -> void* {
          const uintptr_t left = here() - currentStackEnd();
          EXPECT_LE(left, reinterpret_cast<uintptr_t>(bytes));
          EXPECT_GT(left, reinterpret_cast<uintptr_t>(bytes) / (kSanitized ? 8 : 2));
          return nullptr;
        },
        reinterpret_cast<void*>(size));
    pthread_join(thread, nullptr);
    pthread_attr_destroy(&attributes);
  }
}

// The forked child has one thread, on the main thread's stack.
TEST(StackEnd, TheMainThreadWhateverItsLimit) {
  if (kSanitized) GTEST_SKIP() << "the sanitizers' frames are larger";
  for (const rlim_t limit : {rlim_t{512} << 10, rlim_t{8} << 20, rlim_t{100} << 20, RLIM_INFINITY}) {
    EXPECT_EQ(inForkedChild([limit] {
                rlimit rule{};
                getrlimit(RLIMIT_STACK, &rule);
                if (limit != RLIM_INFINITY && rule.rlim_max != RLIM_INFINITY && limit > rule.rlim_max) return 0;
                rule.rlim_cur = limit;
                if (setrlimit(RLIMIT_STACK, &rule) != 0) return 0;
                const uintptr_t end = readStackEnd();
                const uintptr_t left = here() - end;
                if (left > (uintptr_t{1} << 30) + 65536) return 1;
                if (left < std::min<uintptr_t>(limit, 100 << 20) / 2) return 2;
                const uintptr_t used = std::min<uintptr_t>(left - (16 << 10), 120 << 20);
                return useDownTo(end, left - used) > 1 ? 0 : 3;
              }),
              0)
        << limit;
  }
}

TEST(Stack, IsWritableFromTopToLowAndGuardedBelow) {
  auto stack = Stack::create(100000);
  ASSERT_TRUE(stack.has_value()) << stack.error();
  EXPECT_GE(stack->size(), 100000u);
  EXPECT_EQ(stack->size() % 4096, 0u);
  EXPECT_EQ(stack->top(), stack->low() + stack->size());
  std::memset(stack->low(), 1, stack->size());
  EXPECT_EQ(inForkedChild([&] {
              stack->low()[-1] = 1;
              return 0;
            }),
            128 + SIGSEGV);
}

TEST(Stack, IsReused) {
  uint8_t* low = nullptr;
  {
    auto stack = Stack::create(1 << 20);
    low = stack->low();
  }
  const auto again = Stack::create(1 << 20);
  EXPECT_EQ(again->low(), low);
  const auto other = Stack::create(1 << 20);
  EXPECT_NE(other->low(), low);
}

TEST(Stack, ManyDoNotAddUp) {
  const size_t mappings = countMappings();
  const size_t resident = residentBytes();
  for (int round = 0; round < 3; ++round) {
    std::vector<Stack> stacks;
    for (int i = 0; i < 500; ++i) {
      stacks.push_back(std::move(*Stack::create(256 << 10)));
      std::memset(stacks.back().low(), 1, stacks.back().size());
    }
  }
  EXPECT_LE(countMappings(), mappings + 2 * 64 + 10 + kOthersMappings);
  if (!kSanitized) {
    EXPECT_LE(residentBytes(), resident + (4 << 20));
  }
}

ucontext_t gHost, gFiber;
int gSteps = 0;

TEST(Stack, CodeRunsOnIt) {
  if (kSanitized) GTEST_SKIP() << "swapcontext is unknown to them";
  auto stack = Stack::create(64 << 10);
  getcontext(&gFiber);
  gFiber.uc_stack.ss_sp = stack->low();
  gFiber.uc_stack.ss_size = stack->size();
  gFiber.uc_link = &gHost;
  makecontext(
      &gFiber,
      +[] {
        ++gSteps;
        swapcontext(&gFiber, &gHost);
        ++gSteps;
      },
      0);
  swapcontext(&gHost, &gFiber);
  EXPECT_EQ(gSteps, 1);
  swapcontext(&gHost, &gFiber);
  EXPECT_EQ(gSteps, 2);
}

}  // namespace
}  // namespace wattle::sandbox
