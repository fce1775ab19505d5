#include "sandbox/poll_page.h"

#include <asm/prctl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <thread>
#include <vector>

namespace wattle::sandbox {
namespace {

uintptr_t gsBase() {
  uintptr_t base = 0;
  EXPECT_EQ(syscall(SYS_arch_prctl, ARCH_GET_GS, &base), 0);
  return base;
}
void setGsBase(uintptr_t base) { EXPECT_EQ(syscall(SYS_arch_prctl, ARCH_SET_GS, base), 0); }

template <class Body>
void inThread(Body body) {
  std::thread(body).join();
}

uint32_t poll() {
  uint32_t word;
  asm volatile("movl %%gs:0, %0" : "=r"(word));
  return word;
}

TEST(PollPage, IsTheThreadsOwn) {
  PollPage* mine = PollPage::ofThisThread();
  ASSERT_NE(mine, nullptr);
  EXPECT_EQ(PollPage::ofThisThread(), mine);
  EXPECT_EQ(PollPage::bind(), mine);
  inThread([&] {
    EXPECT_NE(gsBase(), 0u) << "a thread begins with its creator's base";
    PollPage* other = PollPage::ofThisThread();
    ASSERT_NE(other, nullptr);
    EXPECT_NE(other, mine);
    mine->arm();
    EXPECT_EQ(poll(), 0u) << "another's";
    mine->disarm();
  });
  EXPECT_EQ(poll(), 0u);
}

TEST(PollPage, IsUsedAgainAndDisarmed) {
  std::vector<PollPage*> pages;
  for (int i = 0; i < 20; ++i) {
    inThread([&] {
      pages.push_back(PollPage::ofThisThread());
      EXPECT_EQ(poll(), 0u);
      pages.back()->arm();
    });
  }
  std::ranges::sort(pages);
  EXPECT_EQ(std::unique(pages.begin(), pages.end()) - pages.begin(), 1);
}

TEST(PollPage, LeavesAForeignBaseAlone) {
  inThread([] {
    uint64_t theirs = 7;
    setGsBase(reinterpret_cast<uintptr_t>(&theirs));
    EXPECT_EQ(PollPage::ofThisThread(), nullptr);
    EXPECT_EQ(gsBase(), reinterpret_cast<uintptr_t>(&theirs));
    setGsBase(0);
    EXPECT_NE(PollPage::ofThisThread(), nullptr);
  });
}

TEST(PollPage, BindPointsGsBack) {
  inThread([] {
    PollPage* page = PollPage::ofThisThread();
    const uintptr_t base = gsBase();
    setGsBase(0);
    EXPECT_EQ(PollPage::bind(), page);
    EXPECT_EQ(gsBase(), base);
  });
}

TEST(PollPage, KeepsErrno) {
  errno = 77;
  PollPage* page = PollPage::ofThisThread();
  page->arm();
  page->disarm();
  EXPECT_EQ(errno, 77);
}

TEST(PollPageDeathTest, ArmedReadsFault) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        signal(SIGSEGV, [](int) { _exit(11); });
        PollPage::ofThisThread()->arm();
        poll();
        _exit(0);
      },
      ::testing::ExitedWithCode(11), "");
}

}  // namespace
}  // namespace wattle::sandbox
