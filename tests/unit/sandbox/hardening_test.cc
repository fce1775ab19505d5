#include "sandbox/hardening.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <thread>

#include "sandbox/linear_memory.h"
#include "tests/unit/sandbox/process.h"

namespace wattle::sandbox {
namespace {

class Hardening : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/wattle-harden-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
    mkdir((directory_ + "/in").c_str(), 0700);
    mkdir((directory_ + "/out").c_str(), 0700);
    std::ofstream(directory_ + "/in/file") << "text";
    std::ofstream(directory_ + "/secret") << "text";
  }
  void TearDown() override {
    if (!directory_.empty()) (void)!system(("rm -rf " + directory_).c_str());
  }
  std::string directory_;
};

bool canOpen(const std::string& path, int flags) {
  const int file = open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (file >= 0) close(file);
  return file >= 0;
}

TEST_F(Hardening, FilesOnlyWhereGranted) {
  const int code = inForkedChild([&] {
    HardenOptions options;
    options.restrictSystemCalls = false;
    options.readOnly = {directory_ + "/in"};
    options.readWrite = {directory_ + "/out"};
    const auto report = hardenProcess(options);
    if (!report) return 1;
    if (!report->files) return report->skipped.empty() ? 2 : 77;
    if (!canOpen(directory_ + "/in/file", O_RDONLY)) return 3;
    if (canOpen(directory_ + "/in/file", O_RDWR)) return 4;
    if (canOpen(directory_ + "/in/new", O_CREAT | O_WRONLY)) return 5;
    if (!canOpen(directory_ + "/out/new", O_CREAT | O_RDWR)) return 6;
    if (canOpen(directory_ + "/secret", O_RDONLY)) return 7;
    if (canOpen(directory_ + "/in/../secret", O_RDONLY)) return 8;
    if (canOpen("/etc/passwd", O_RDONLY)) return 9;
    return 0;
  });
  if (code == 77) GTEST_SKIP() << "no landlock in this kernel";
  EXPECT_EQ(code, 0);
}

TEST_F(Hardening, ASingleFileMayBeGranted) {
  const int code = inForkedChild([&] {
    HardenOptions options;
    options.restrictSystemCalls = false;
    options.readOnly = {directory_ + "/in/file"};
    const auto report = hardenProcess(options);
    if (!report) return 1;
    if (!report->files) return 77;
    return canOpen(directory_ + "/in/file", O_RDONLY) && !canOpen(directory_ + "/secret", O_RDONLY) ? 0 : 2;
  });
  if (code == 77) GTEST_SKIP() << "no landlock in this kernel";
  EXPECT_EQ(code, 0);
}

TEST_F(Hardening, AMissingPathIsAnError) {
  const int code = inForkedChild([&] {
    HardenOptions options;
    options.restrictSystemCalls = false;
    options.readOnly = {directory_ + "/nowhere"};
    const auto report = hardenProcess(options);
    if (report) return report->files ? 1 : 77;
    return report.error().find("/nowhere: No such file or directory") != std::string::npos ? 0 : 2;
  });
  if (code == 77) GTEST_SKIP() << "no landlock in this kernel";
  EXPECT_EQ(code, 0);
}

TEST_F(Hardening, SystemCallsOfIllRepute) {
  const int code = inForkedChild([&] {
    HardenOptions options;
    options.restrictFiles = false;
    options.allowNetwork = false;
    const auto report = hardenProcess(options);
    if (!report) return 1;
    if (!report->systemCalls) return 77;
    const auto refused = [](long result) { return result == -1 && errno == EPERM; };
    char* none[] = {nullptr};
    if (!refused(execve("/bin/true", none, none))) return 2;
    if (!refused(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr))) return 3;
    if (!refused(fork())) return 4;
    if (!refused(socket(AF_INET, SOCK_STREAM, 0))) return 5;
    const int local = socket(AF_UNIX, SOCK_STREAM, 0);
    if (local < 0) return 6;
    if (mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
      return 7;
    void* page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!refused(mprotect(page, 4096, PROT_WRITE | PROT_EXEC))) return 8;
    if (mprotect(page, 4096, PROT_READ | PROT_EXEC) != 0) return 9;
    return 0;
  });
  if (code == 77) GTEST_SKIP() << "no seccomp in this kernel";
  EXPECT_EQ(code, 0);
}

TEST_F(Hardening, TheRuntimeStillWorks) {
  EXPECT_EQ(inForkedChild([&] {
              HardenOptions options;
              options.readOnly = {directory_};
              const auto report = hardenProcess(options);
              if (!report) return 1;
              auto memory = LinearMemory::create({65536, kWasm32Space, Bounds::Guarded, false});
              if (!memory || !memory->grow(131072)) return 2;
              int ran = 0;
              if (!kSanitized) std::thread([&ran] { ran = 1; }).join();
              return ran == 1 || kSanitized ? 0 : 3;
            }),
            0);
}

}  // namespace
}  // namespace wattle::sandbox
