// After fork() both processes go on compiling and running, and neither writes where the other's code is.
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cerrno>
#include <csignal>
#include <cstddef>

#include "tests/unit/codecache/code_maker.h"

namespace wattle::codecache {
namespace {

// Two pipes between parent and child: "go on" in both directions.
struct Rendezvous {
  int toChild[2], toParent[2];
  Rendezvous() {
    if (pipe(toChild) != 0 || pipe(toParent) != 0) std::abort();
  }
  ~Rendezvous() {
    for (int fd : {toChild[0], toChild[1], toParent[0], toParent[1]}) close(fd);
  }
  static void signal(int fd) {
    if (write(fd, "x", 1) != 1) std::abort();
  }
  static void await(int fd) {
    char byte;
    if (read(fd, &byte, 1) != 1) std::abort();
  }
};

int exitCode(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(CodeCacheFork, ChildRunsOldCodeAndMakesNew) {
  const CodeRef old = makeReturn(111);
  EXPECT_EQ(inChild([&] {
              if (!old->frozen() || run(old->code()) != 111) return 1;
              const auto hit = lookup(old->code());
              if (hit.block != old.get()) return 2;
              const CodeRef fresh = makeReturn(222);
              if (fresh->frozen() || run(fresh->code()) != 222 || run(old->code()) != 111) return 3;
              if (lookup(fresh->code()).block != fresh.get()) return 4;
              return 0;
            }),
            0);
  EXPECT_FALSE(old->frozen());
  EXPECT_EQ(run(old->code()), 111u);
}

TEST(CodeCacheFork, ChildCannotWriteTheParentsCode) {
  const CodeRef old = makeReturn(111);
  const int code = inChild([&] {
    ::signal(SIGSEGV, SIG_DFL);
    writeReturn(old->writable(), 666);
    return 0;
  });
  EXPECT_EQ(code, 128 + SIGSEGV);
  EXPECT_EQ(run(old->code()), 111u);
}

TEST(CodeCacheFork, FreeingInTheChildLeavesTheParentAlone) {
  std::vector<CodeRef> blocks;
  for (uint32_t i = 0; i < 2000; ++i) blocks.push_back(makeReturn(i, 2000));
  blocks.push_back(makeReturn(2000, 1 << 20));
  EXPECT_EQ(inChild([&] {
              const size_t used = cache().stats().bytesUsed;
              blocks.clear();
              if (cache().stats().bytesUsed >= used) return 1;
              for (uint32_t i = 0; i < 2000; ++i) blocks.push_back(makeReturn(i + 5000, 2000));
              for (uint32_t i = 0; i < 2000; ++i) {
                if (run(blocks[i]->code()) != i + 5000) return 2;
              }
              return 0;
            }),
            0);
  for (uint32_t i = 0; i <= 2000; ++i) ASSERT_EQ(run(blocks[i]->code()), i);
}

// The other direction, the one that is forgotten: the parent drops a module that the child still runs.
TEST(CodeCacheFork, ReuseInTheParentLeavesTheChildAlone) {
  std::vector<CodeRef> blocks;
  for (uint32_t i = 0; i < 500; ++i) blocks.push_back(makeReturn(i, 3000));
  blocks.push_back(makeReturn(500, 2 << 20));
  Rendezvous meet;
  const pid_t child = fork();
  if (child == 0) {
    for (int fd = 3; fd < 1000; ++fd) {  // as daemons do
      if (fd != meet.toChild[0] && fd != meet.toParent[1]) close(fd);
    }
    Rendezvous::signal(meet.toParent[1]);
    Rendezvous::await(meet.toChild[0]);
    for (uint32_t i = 0; i <= 500; ++i) {
      if (run(blocks[i]->code()) != i) _exit(1);
    }
    _exit(0);
  }
  Rendezvous::await(meet.toParent[0]);
  blocks.clear();
  std::vector<CodeRef> others;
  for (uint32_t i = 0; i < 1000; ++i) others.push_back(makeReturn(i + 9000, 3000));
  EXPECT_GE(cache().stats().heldRegions, 1u);
  for (uint32_t i = 0; i < 1000; ++i) ASSERT_EQ(run(others[i]->code()), i + 9000);
  Rendezvous::signal(meet.toChild[1]);
  EXPECT_EQ(exitCode(child), 0);
  EXPECT_EQ(cache().stats().heldRegions, 0u) << "the child is gone: its pages are ours again";
}

TEST(CodeCacheFork, AGrandchildCountsToo) {
  std::vector<CodeRef> blocks;
  for (uint32_t i = 0; i < 50; ++i) blocks.push_back(makeReturn(i, 3000));
  Rendezvous meet;
  const pid_t child = fork();
  if (child == 0) {
    if (fork() != 0) _exit(0);  // the child goes, the grandchild stays
    Rendezvous::await(meet.toChild[0]);
    for (uint32_t i = 0; i < 50; ++i) {
      if (run(blocks[i]->code()) != i) _exit(1);
    }
    Rendezvous::signal(meet.toParent[1]);
    _exit(0);
  }
  EXPECT_EQ(exitCode(child), 0);
  blocks.clear();
  std::vector<CodeRef> others;
  for (uint32_t i = 0; i < 100; ++i) others.push_back(makeReturn(i + 9000, 3000));
  EXPECT_GE(cache().stats().heldRegions, 1u);
  Rendezvous::signal(meet.toChild[1]);
  Rendezvous::await(meet.toParent[0]);
}

TEST(CodeCacheFork, ManyForksDoNotPileUpRegions) {
  const CodeRef keep = makeReturn(3);
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(inChild([&] { return run(keep->code()) == 3 && run(makeReturn(4)->code()) == 4 ? 0 : 1; }), 0);
    const CodeRef more = makeReturn(static_cast<uint32_t>(i));
    EXPECT_EQ(run(more->code()), static_cast<uint32_t>(i));
  }
  EXPECT_LE(cache().stats().regions, 40u);
}

TEST(CodeCacheFork, GenerationsOfChildren) {
  // Each child forks the next one; empty frozen regions are given up on the way.
  EXPECT_EQ(inChild([] {
              for (uint32_t depth = 0; depth < 12; ++depth) {
                const CodeRef block = makeReturn(depth);
                if (run(block->code()) != depth) return 1;
                const pid_t next = fork();
                if (next != 0) return exitCode(next);
                if (run(block->code()) != depth) return 2;
              }
              return cache().stats().regions <= 20 ? 0 : 3;
            }),
            0);
}

void refuseMemfd() {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{static_cast<unsigned short>(std::size(filter)), filter};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

TEST(CodeCacheFork, ASystemThatRefusesGivesAClearError) {
  const CodeRef old = makeReturn(8);
  EXPECT_EQ(inChild([&] {
              refuseMemfd();
              const size_t used = cache().stats().bytesUsed;
              auto block = cache().allocate(64);
              if (block) return 1;
              if (block.error() != "code cache: memfd_create was refused (1024 MiB): Operation not permitted") return 2;
              if (cache().stats().bytesUsed != used) return 3;
              return run(old->code()) == 8 ? 0 : 4;
            }),
            0);
}

}  // namespace
}  // namespace wattle::codecache
