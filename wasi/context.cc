#include "wasi/context.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace wattle::wasi {
namespace {

// The host's standard descriptors belong to nobody here.
const HostFd kHostStandard[3] = {HostFd::borrow(0), HostFd::borrow(1), HostFd::borrow(2)};

// Not O_NONBLOCK: another process may have left that on a shared terminal or pipe, and a guest is not to trip over it.
uint16_t hostFlags(int fd) {
  int host = ::fcntl(fd, F_GETFL);
  uint16_t flags = 0;
  if (host & O_APPEND) flags |= fdflags::kAppend;
  if (host & O_DSYNC) flags |= fdflags::kDsync;
  if ((host & O_SYNC) == O_SYNC) flags |= fdflags::kSync;
  return flags;
}

// A standard stream only goes one way, whatever the host's descriptor could do.
uint64_t standardRights(int number, Kind kind) {
  return applicableRights(kind) & ~(number == 0 ? rights::kFdWrite : rights::kFdRead);
}

DescriptorPtr standardDescriptor(int number, const ConfigState::Standard& from) {
  auto descriptor = std::make_shared<Descriptor>();
  if (from.source || from.sink) {
    descriptor->kind = Kind::Stream;
    descriptor->extra().source = from.source;
    descriptor->extra().sink = from.sink;
  } else {
    struct stat status;
    if (!from.inherit || ::fstat(number, &status) != 0) return nullptr;
    descriptor->file = std::shared_ptr<const HostFd>(std::shared_ptr<void>(), &kHostStandard[number]);
    classify(number, status, *descriptor);
    descriptor->flags = hostFlags(number);
  }
  descriptor->base = standardRights(number, descriptor->kind);
  return descriptor;
}

DescriptorPtr preopenDescriptor(const std::shared_ptr<const Preopen>& preopen) {
  auto descriptor = std::make_shared<Descriptor>();
  descriptor->kind = Kind::Directory;
  descriptor->type = FileType::Directory;
  descriptor->file = std::shared_ptr<const HostFd>(preopen, &preopen->host);
  descriptor->preopen = preopen;
  descriptor->readOnly = preopen->readOnly;
  descriptor->base = rights::kOnDirectory;
  descriptor->inheriting = rights::kAll;
  return descriptor;
}

DescriptorPtr listenerDescriptor(const std::shared_ptr<const HostFd>& listener) {
  auto descriptor = std::make_shared<Descriptor>();
  descriptor->kind = Kind::Listener;
  descriptor->type = FileType::SocketStream;
  descriptor->file = listener;
  descriptor->base = rights::kOnListener;
  descriptor->inheriting = rights::kOnSocket;
  return descriptor;
}

}  // namespace

CancelSignal::~CancelSignal() {
  int fd = fd_.load();
  if (fd >= 0) ::close(fd);
}

// The order here and in fd()'s callers (flag then descriptor; descriptor then flag) is what makes no wake-up get lost.
void CancelSignal::raise() noexcept {
  int savedErrno = errno;
  raised_.store(true);
  int fd = fd_.load();
  uint64_t one = 1;
  if (fd >= 0 && ::write(fd, &one, sizeof(one)) < 0) {
    // Full: it is readable already.
  }
  errno = savedErrno;
}

void CancelSignal::clear() {
  raised_.store(false);
  drain();
}

int CancelSignal::fd() {
  int known = fd_.load();
  if (known >= 0) return known;
  int made = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (made < 0) return -1;
  if (!fd_.compare_exchange_strong(known, made)) {
    ::close(made);
    return known;
  }
  return made;
}

void CancelSignal::drain() {
  uint64_t count;
  int fd = fd_.load();
  if (fd >= 0 && ::read(fd, &count, sizeof(count)) < 0) {
    // Empty already.
  }
}

Context::Context(std::shared_ptr<const ConfigState> config) : fds(config->maxOpenFiles), config_(std::move(config)) {}

std::unique_ptr<Context> Context::create(std::shared_ptr<const ConfigState> config) {
  std::unique_ptr<Context> context(new Context(std::move(config)));
  const ConfigState& state = context->config();
  for (int number = 0; number < 3; ++number) {
    if (auto descriptor = standardDescriptor(number, state.standard[number])) context->fds.put(number, descriptor);
  }
  uint32_t fd = 3;
  for (const auto& preopen : state.directories) context->fds.put(fd++, preopenDescriptor(preopen));
  for (const auto& listener : state.listeners) context->fds.put(fd++, listenerDescriptor(listener));
  return context;
}

}  // namespace wattle::wasi
