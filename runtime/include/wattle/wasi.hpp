// WASI preview 1 for guests: what a guest may see, and the imports that show it.
//
//   wattle::WasiConfig config;
//   config.args({"program", "--flag"}).inheritStdio();
//   config.preopenDir("/srv/data", "/data");
//   auto context = wattle::WasiContext::create(config);
//   wattle::addToLinker(linker, *context);
//
// Nothing is granted that was not asked for: no arguments, no environment, no standard streams (descriptors 0 to 2 are
// then EBADF), no files, no sockets. Clocks, random bytes and sched_yield are always there.
//
// One config may serve many contexts; they share its strings and its preopened directories' host descriptors. A context
// belongs to one guest. cancel() may be called from anywhere, everything else where the guest runs.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wattle/wattle.hpp"

namespace wattle {

namespace wasi {
struct ConfigState;
class Context;
}  // namespace wasi

// Fills a buffer for the guest's standard input and returns how much; 0 is the end of the stream. It must not call back
// into the guest.
using WasiSource = std::function<size_t(std::span<uint8_t> buffer)>;
// Takes what the guest wrote. False: nobody reads any more, the guest gets EPIPE. It must not call back into the guest.
using WasiSink = std::function<bool(std::span<const uint8_t> bytes)>;

enum class DirAccess : uint8_t {
  ReadWrite,
  ReadOnly,  // whatever would change something is EROFS, below it too
};

class WATTLE_API WasiConfig {
 public:
  WasiConfig();

  // The guest's argv, with the program's name first.
  WasiConfig& args(std::vector<std::string> argv);
  WasiConfig& arg(std::string argument);
  // Replaces argv[0], or is the only argument.
  WasiConfig& argv0(std::string name);

  // A later value of a name replaces the earlier.
  WasiConfig& env(std::string_view name, std::string_view value);
  // All of the host's environment.
  WasiConfig& inheritEnv();

  // The host's descriptors 0, 1 and 2: borrowed, never closed, left as they are in mode. One that the host has closed
  // is not granted.
  WasiConfig& inheritStdin();
  WasiConfig& inheritStdout();
  WasiConfig& inheritStderr();
  WasiConfig& inheritStdio() { return inheritStdin().inheritStdout().inheritStderr(); }
  WasiConfig& stdinFrom(std::string bytes);
  WasiConfig& stdinFrom(WasiSource source);
  WasiConfig& stdoutTo(WasiSink sink);
  WasiConfig& stderrTo(WasiSink sink);
  // Appends to a string that lives as long as it is shared.
  WasiConfig& stdoutTo(std::shared_ptr<std::string> buffer);
  WasiConfig& stderrTo(std::shared_ptr<std::string> buffer);

  // The guest sees the host's directory under the name `guest`. Numbered from 3 in this order. Io when it cannot be
  // opened. It gets all that is in there: with /proc, /sys or /dev that is power over the host.
  Result<void> preopenDir(const std::string& host, std::string guest, DirAccess access = DirAccess::ReadWrite);

  // Sockets the guest may accept connections on. Numbered after all directories, since wasi-libc ends its search for
  // directories at the first descriptor that is none.
  Result<void> preopenListener(int listeningSocket);                  // taken over, and closed with the last context
  Result<void> listenTcp(const std::string& address, uint16_t port);  // numeric IPv4 or IPv6; port 0: any
  // The port of the last listener, for listenTcp(…, 0).
  uint16_t lastListenerPort() const;

  // For guests whose run is to be reproducible. Nanoseconds. The guest's sleeping goes to `sleeper` when there is one
  // (it is to advance the clocks), and else takes real time.
  WasiConfig& realtimeClock(std::function<uint64_t()> now);
  WasiConfig& monotonicClock(std::function<uint64_t()> now);
  WasiConfig& sleeper(std::function<void(std::chrono::nanoseconds)> sleep);
  WasiConfig& randomSource(std::function<void(std::span<uint8_t>)> fill);

  // Descriptors a guest may have open at once, preopened ones included; beyond is EMFILE. The default is 1024.
  WasiConfig& maxOpenFiles(uint32_t count);

 private:
  friend class WasiContext;
  wasi::ConfigState& change();
  std::shared_ptr<const wasi::ConfigState> state_;  // shared with contexts and copies until change()
};

class WATTLE_API WasiContext {
 public:
  // Argument: a string that WASI cannot carry (a NUL within, a variable without a name).
  static Result<std::shared_ptr<WasiContext>> create(const WasiConfig& config);
  ~WasiContext();
  WasiContext(const WasiContext&) = delete;
  WasiContext& operator=(const WasiContext&) = delete;

  // Ends a sleep, a poll or a read, write or accept that waits for the other side, now and until clearCancel(): the
  // guest traps with Interrupted. For a guest that computes there is Store::interruptHandle(): use both. From any
  // thread, and from signal handlers.
  void cancel() const noexcept;
  void clearCancel();

  wasi::Context& impl() const { return *impl_; }

 private:
  explicit WasiContext(std::unique_ptr<wasi::Context> impl);
  std::unique_ptr<wasi::Context> impl_;
};

// Defines the functions of wasi_snapshot_preview1 and of its predecessor wasi_unstable. They use the memory that the
// calling instance exports as "memory". proc_exit ends the guest's call with an error of kind Exit.
//
// A guest that writes to a pipe or socket nobody reads gets EPIPE. SIGPIPE stays as the host has it: it is blocked in
// the writing thread for the time of the write, and one that the write raised is taken back.
WATTLE_API Result<void> addToLinker(Linker& linker, std::shared_ptr<WasiContext> context);

}  // namespace wattle
