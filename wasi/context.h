// What handlers work on: the state of one guest.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "wasi/fd_table.h"
#include "wasi/memory.h"
#include "wasi/resolve.h"
#include "wattle/wasi.hpp"

namespace wattle::wasi {

// What WasiConfig gathers. Immutable once a context uses it.
struct ConfigState {
  struct Standard {
    bool inherit = false;
    WasiSource source;
    WasiSink sink;
  };

  std::vector<std::string> args;
  std::vector<std::string> env;  // "NAME=VALUE"
  Standard standard[3];
  std::vector<std::shared_ptr<const Preopen>> directories;
  std::vector<std::shared_ptr<const HostFd>> listeners;
  std::function<uint64_t()> realtime;
  std::function<uint64_t()> monotonic;
  std::function<void(std::chrono::nanoseconds)> sleeper;
  std::function<void(std::span<uint8_t>)> random;
  uint32_t maxOpenFiles = 1024;
};

// WasiContext::cancel: a flag that stays, and a descriptor that waiting calls poll along with theirs.
class CancelSignal {
 public:
  CancelSignal() = default;
  ~CancelSignal();
  CancelSignal(const CancelSignal&) = delete;
  CancelSignal& operator=(const CancelSignal&) = delete;

  // Only atomics and write(): fit for a signal handler.
  void raise() noexcept;
  void clear();
  bool raised() const { return raised_.load(); }

  // Readable once raised. Made at the first wait, since most guests never wait; -1 when the host is out of descriptors.
  int fd();
  // Takes back a wake-up that was not meant for this process: after fork() both have the descriptor.
  void drain();

 private:
  std::atomic<bool> raised_ = false;
  std::atomic<int> fd_ = -1;
};

class Context {
 public:
  static std::unique_ptr<Context> create(std::shared_ptr<const ConfigState> config);

  const ConfigState& config() const { return *config_; }
  FdTable fds;
  CancelSignal cancel;
  ResolveMode resolve = ResolveMode::Auto;  // tests try each

 private:
  explicit Context(std::shared_ptr<const ConfigState> config);
  std::shared_ptr<const ConfigState> config_;
};

// What every handler gets first.
struct Call {
  Context& context;
  GuestMemory memory;
};

}  // namespace wattle::wasi
