// WasiConfig and WasiContext: the embedder's side.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "wasi/context.h"

extern char** environ;

namespace wattle {
namespace {

Error ioError(std::string_view what, int error) {
  return Error::make(ErrorKind::Io, fmt::format("{}: {}", what, std::strerror(error)));
}

WasiSource sourceOf(std::string bytes) {
  // Each context has a copy of the function, and so reads from the start.
  return [shared = std::make_shared<const std::string>(std::move(bytes)),
          at = size_t(0)](std::span<uint8_t> buffer) mutable {
    size_t n = std::min(buffer.size(), shared->size() - at);
    std::memcpy(buffer.data(), shared->data() + at, n);
    at += n;
    return n;
  };
}

WasiSink sinkOf(std::shared_ptr<std::string> buffer) {
  return [buffer = std::move(buffer)](std::span<const uint8_t> bytes) {
    buffer->append(bytes.begin(), bytes.end());
    return true;
  };
}

}  // namespace

WasiConfig::WasiConfig() : state_(std::make_shared<wasi::ConfigState>()) {}

// Copy on write: contexts and copies of the config keep what they saw.
wasi::ConfigState& WasiConfig::change() {
  if (state_.use_count() > 1) state_ = std::make_shared<wasi::ConfigState>(*state_);
  return const_cast<wasi::ConfigState&>(*state_);
}

WasiConfig& WasiConfig::args(std::vector<std::string> argv) {
  change().args = std::move(argv);
  return *this;
}

WasiConfig& WasiConfig::arg(std::string argument) {
  change().args.push_back(std::move(argument));
  return *this;
}

WasiConfig& WasiConfig::argv0(std::string name) {
  auto& args = change().args;
  if (args.empty()) args.emplace_back();
  args[0] = std::move(name);
  return *this;
}

WasiConfig& WasiConfig::env(std::string_view name, std::string_view value) {
  auto& env = change().env;
  std::erase_if(env, [&](const std::string& entry) {
    return entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name);
  });
  env.push_back(fmt::format("{}={}", name, value));
  return *this;
}

WasiConfig& WasiConfig::inheritEnv() {
  for (char** entry = ::environ; entry && *entry; ++entry) {
    std::string_view text = *entry;
    size_t equals = text.find('=');
    if (equals != std::string_view::npos && equals > 0) env(text.substr(0, equals), text.substr(equals + 1));
  }
  return *this;
}

WasiConfig& WasiConfig::inheritStdin() {
  change().standard[0] = {true, {}, {}};
  return *this;
}

WasiConfig& WasiConfig::inheritStdout() {
  change().standard[1] = {true, {}, {}};
  return *this;
}

WasiConfig& WasiConfig::inheritStderr() {
  change().standard[2] = {true, {}, {}};
  return *this;
}

WasiConfig& WasiConfig::stdinFrom(std::string bytes) { return stdinFrom(sourceOf(std::move(bytes))); }

WasiConfig& WasiConfig::stdinFrom(WasiSource source) {
  change().standard[0] = {false, std::move(source), {}};
  return *this;
}

WasiConfig& WasiConfig::stdoutTo(WasiSink sink) {
  change().standard[1] = {false, {}, std::move(sink)};
  return *this;
}

WasiConfig& WasiConfig::stderrTo(WasiSink sink) {
  change().standard[2] = {false, {}, std::move(sink)};
  return *this;
}

WasiConfig& WasiConfig::stdoutTo(std::shared_ptr<std::string> buffer) { return stdoutTo(sinkOf(std::move(buffer))); }
WasiConfig& WasiConfig::stderrTo(std::shared_ptr<std::string> buffer) { return stderrTo(sinkOf(std::move(buffer))); }

Result<void> WasiConfig::preopenDir(const std::string& host, std::string guest, DirAccess access) {
  int fd = ::open(host.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 && errno == EACCES) {
    fd = ::open(host.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);  // it may be searched, though not listed
  }
  if (fd < 0) return std::unexpected(ioError(fmt::format("cannot open directory {}", host), errno));
  auto preopen = std::make_shared<wasi::Preopen>();
  preopen->host = wasi::HostFd::own(fd);
  preopen->guestName = std::move(guest);
  preopen->readOnly = access == DirAccess::ReadOnly;
  change().directories.push_back(std::move(preopen));
  return {};
}

Result<void> WasiConfig::preopenListener(int listeningSocket) {
  int listening = 0;
  socklen_t length = sizeof(listening);
  if (::getsockopt(listeningSocket, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) != 0) {
    return std::unexpected(ioError("not a socket", errno));
  }
  if (!listening) return std::unexpected(Error::make(ErrorKind::Argument, "the socket does not listen"));
  ::fcntl(listeningSocket, F_SETFD, FD_CLOEXEC);
  // Contexts may share it: one that is woken for a connection which another one takes must not hang in accept.
  if (::fcntl(listeningSocket, F_SETFL, ::fcntl(listeningSocket, F_GETFL) | O_NONBLOCK) != 0) {
    return std::unexpected(ioError("cannot make the socket non-blocking", errno));
  }
  change().listeners.push_back(std::make_shared<const wasi::HostFd>(wasi::HostFd::own(listeningSocket)));
  return {};
}

Result<void> WasiConfig::listenTcp(const std::string& address, uint16_t port) {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_in);
  if (uv_ip4_addr(address.c_str(), port, reinterpret_cast<sockaddr_in*>(&storage)) != 0) {
    length = sizeof(sockaddr_in6);
    if (uv_ip6_addr(address.c_str(), port, reinterpret_cast<sockaddr_in6*>(&storage)) != 0) {
      return std::unexpected(Error::make(ErrorKind::Argument, fmt::format("{} is no IP address", address)));
    }
  }
  auto socket = wasi::HostFd::own(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  int one = 1;
  if (!socket || ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
      ::bind(socket.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0 ||
      ::listen(socket.get(), SOMAXCONN) != 0) {
    return std::unexpected(ioError(fmt::format("cannot listen on {} port {}", address, port), errno));
  }
  return preopenListener(socket.release());
}

uint16_t WasiConfig::lastListenerPort() const {
  if (state_->listeners.empty()) return 0;
  sockaddr_storage storage{};
  socklen_t length = sizeof(storage);
  if (::getsockname(state_->listeners.back()->get(), reinterpret_cast<sockaddr*>(&storage), &length) != 0) return 0;
  switch (storage.ss_family) {
    case AF_INET: return ntohs(reinterpret_cast<sockaddr_in*>(&storage)->sin_port);
    case AF_INET6: return ntohs(reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port);
    default: return 0;
  }
}

WasiConfig& WasiConfig::realtimeClock(std::function<uint64_t()> now) {
  change().realtime = std::move(now);
  return *this;
}

WasiConfig& WasiConfig::monotonicClock(std::function<uint64_t()> now) {
  change().monotonic = std::move(now);
  return *this;
}

WasiConfig& WasiConfig::sleeper(std::function<void(std::chrono::nanoseconds)> sleep) {
  change().sleeper = std::move(sleep);
  return *this;
}

WasiConfig& WasiConfig::randomSource(std::function<void(std::span<uint8_t>)> fill) {
  change().random = std::move(fill);
  return *this;
}

WasiConfig& WasiConfig::maxOpenFiles(uint32_t count) {
  change().maxOpenFiles = count;
  return *this;
}

WasiContext::WasiContext(std::unique_ptr<wasi::Context> impl) : impl_(std::move(impl)) {}
WasiContext::~WasiContext() = default;

Result<std::shared_ptr<WasiContext>> WasiContext::create(const WasiConfig& config) {
  auto carries = [](const std::string& text) { return text.find('\0') == std::string::npos; };
  for (const std::string& argument : config.state_->args) {
    if (!carries(argument)) return std::unexpected(Error::make(ErrorKind::Argument, "a NUL in an argument"));
  }
  for (const std::string& variable : config.state_->env) {
    if (!carries(variable)) return std::unexpected(Error::make(ErrorKind::Argument, "a NUL in the environment"));
    if (variable.starts_with('=')) {
      return std::unexpected(Error::make(ErrorKind::Argument, "an environment variable without a name"));
    }
  }
  return std::shared_ptr<WasiContext>(new WasiContext(wasi::Context::create(config.state_)));
}

void WasiContext::cancel() const noexcept { impl_->cancel.raise(); }
void WasiContext::clearCancel() { impl_->cancel.clear(); }

}  // namespace wattle
