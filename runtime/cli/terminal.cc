#include "runtime/cli/terminal.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "runtime/cli/exit_codes.h"

namespace wattle::cli {

void prepareStandardStreams() {
  signal(SIGPIPE, SIG_IGN);
  for (int fd = 0; fd <= 2; fd++) {
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest free number is fd itself, since those below are open by now.
    if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd) _exit(kUsage);
  }
}

namespace {

bool coloursOn(int fd) {
  if (!isatty(fd) || getenv("NO_COLOR")) return false;
  const char* term = getenv("TERM");
  return term && strcmp(term, "dumb") != 0;
}

bool errorHasColours() {
  static const bool on = coloursOn(2);
  return on;
}

std::string styled(Style style, std::string_view text) {
  static constexpr const char* kCodes[] = {"0", "1", "2", "1;31", "1;33", "32", "36"};
  return fmt::format("\033[{}m{}\033[0m", kCodes[static_cast<int>(style)], text);
}

}  // namespace

bool errorIsTerminal() {
  static const bool on = isatty(2);
  return on;
}

bool outputHasColours() {
  static const bool on = coloursOn(1);
  return on;
}

std::string onError(Style style, std::string_view text) {
  return errorHasColours() ? styled(style, text) : std::string(text);
}

std::string onOutput(Style style, std::string_view text) {
  return outputHasColours() ? styled(style, text) : std::string(text);
}

void write(std::string_view text) { fwrite(text.data(), 1, text.size(), stdout); }

int finishOutput(int code) {
  bool failed = ferror(stdout) != 0;
  int reason = failed ? EIO : 0;
  if (fflush(stdout) != 0) {
    failed = true;
    reason = errno;
  }
  if (!failed) return code;
  errorLine(fmt::format("cannot write to standard output: {}", strerror(reason)));
  return kUsage;
}

namespace {

void messageLine(Style style, std::string_view word, std::string_view message) {
  std::string line = fmt::format("wattle: {}: ", onError(style, word));
  for (char c : message) line += c == '\n' ? ' ' : c;
  line += '\n';
  fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace

void writeError(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

void errorLine(std::string_view message) { messageLine(Style::Red, "error", message); }
void warningLine(std::string_view message) { messageLine(Style::Yellow, "warning", message); }

int exitCodeOf(const Error& error) {
  switch (error.kind) {
    case ErrorKind::Malformed:
    case ErrorKind::Invalid:
    case ErrorKind::Limit:
    case ErrorKind::Unsupported: return kRefused;
    case ErrorKind::Link: return kLink;
    case ErrorKind::Trap: return error.trap == TrapCode::Interrupted ? kInterrupted : kTrap;
    case ErrorKind::Exception: return kTrap;
    case ErrorKind::Exit: return error.exitCode;
    case ErrorKind::Resource: return kResource;
    case ErrorKind::Argument:
    case ErrorKind::Io: return kUsage;
  }
  return kUsage;
}

namespace {

void printFrame(size_t number, const Frame& frame) {
  std::string where = frame.function.empty() ? fmt::format("function {}", frame.functionIndex) : frame.function;
  std::string place;
  if (!frame.module.empty()) place = frame.module;
  if (frame.moduleOffset) place += fmt::format("{}+{:#x}", place.empty() ? "module" : "", *frame.moduleOffset);
  fmt::print(stderr, "  {} {}{}\n", onError(Style::Dim, fmt::format("#{:<3}", number)), onError(Style::Bold, where),
             place.empty() ? "" : onError(Style::Dim, fmt::format(" at {}", place)));
}

// Long backtraces (deep recursion) keep both ends.
void printBacktrace(const std::vector<Frame>& frames) {
  constexpr size_t kHead = 24, kTail = 8;
  for (size_t i = 0; i < frames.size(); i++) {
    if (frames.size() > kHead + kTail + 1 && i == kHead) {
      fmt::print(stderr, "  … {} more frames\n", frames.size() - kHead - kTail);
      i = frames.size() - kTail;
    }
    printFrame(i, frames[i]);
  }
}

std::string describe(const Error& error) {
  std::string text;
  if (error.kind == ErrorKind::Trap) text = "trap: ";
  if (error.kind == ErrorKind::Exception) text = "exception: ";
  text += error.message;
  if (error.kind != ErrorKind::Malformed && error.kind != ErrorKind::Invalid) return text;
  if (error.offset) text += fmt::format(" (at offset {:#x}", *error.offset);
  if (error.function) text += fmt::format("{}function {}", error.offset ? ", " : " (", *error.function);
  if (error.offset || error.function) text += ")";
  return text;
}

}  // namespace

int report(const Error& error, std::string_view subject) {
  if (error.kind == ErrorKind::Exit) return error.exitCode;
  std::string text = describe(error);
  if (!subject.empty()) text = fmt::format("{}: {}", subject, text);
  errorLine(text);
  if (error.kind == ErrorKind::Trap || error.kind == ErrorKind::Exception) printBacktrace(error.backtrace);
  return exitCodeOf(error);
}

}  // namespace wattle::cli
