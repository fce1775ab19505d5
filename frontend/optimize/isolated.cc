#include "frontend/optimize/isolated.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace wattle::frontend {

namespace {

class MemoryFile {
 public:
  explicit MemoryFile(const char* name) : fd_(memfd_create(name, MFD_CLOEXEC)) {}
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() {
    if (fd_ >= 0) close(fd_);
  }
  int fd() const { return fd_; }

  std::vector<uint8_t> contents() const {
    struct stat status {};
    if (fstat(fd_, &status) != 0) return {};
    std::vector<uint8_t> bytes(static_cast<size_t>(status.st_size));
    size_t have = 0;
    while (have < bytes.size()) {
      ssize_t n = pread(fd_, bytes.data() + have, bytes.size() - have, static_cast<off_t>(have));
      if (n <= 0) break;
      have += static_cast<size_t>(n);
    }
    bytes.resize(have);
    return bytes;
  }

 private:
  int fd_;
};

std::string firstLine(const std::vector<uint8_t>& text) {
  std::string line;
  for (uint8_t c : text) {
    if (c == '\n') break;
    if (c >= ' ') line += static_cast<char>(c);
  }
  return line;
}

std::unexpected<std::string> systemError(const char* what) {
  return std::unexpected(fmt::format("{}: {}", what, strerror(errno)));
}

[[noreturn]] void runChild(const std::function<int(int)>& work, int output, int messages) {
  rlimit noCore{0, 0};
  setrlimit(RLIMIT_CORE, &noCore);
  dup2(messages, 1);
  dup2(messages, 2);
  _exit(work(output));
}

}  // namespace

bool writeAll(int fd, const void* data, size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    ssize_t n = write(fd, at, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<size_t>(n);
  }
  return true;
}

std::expected<IsolatedResult, std::string> runIsolated(const std::function<int(int)>& work) {
  MemoryFile output("output"), messages("messages");
  if (output.fd() < 0 || messages.fd() < 0) return systemError("memfd_create");
  fflush(nullptr);  // or the child would write it once more
  pid_t child = fork();
  if (child < 0) return systemError("fork");
  if (child == 0) runChild(work, output.fd(), messages.fd());
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return systemError("waitpid");
  }
  return IsolatedResult{WIFEXITED(status) ? WEXITSTATUS(status) : -1, output.contents(),
                        firstLine(messages.contents())};
}

}  // namespace wattle::frontend
