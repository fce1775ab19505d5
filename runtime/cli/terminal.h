// Standard output and standard error as the commands use them.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "wattle/error.hpp"

namespace wattle::cli {

// Descriptors 0 to 2 that are closed would be given to the next file opened. They get a /dev/null that refuses the use
// the missing one would have been put to, so that reading and writing fail as they should. Also ignores SIGPIPE.
void prepareStandardStreams();

// Colours only on a terminal, and not when NO_COLOR is set or TERM is "dumb".
bool errorIsTerminal();
bool outputHasColours();

enum class Style { Plain, Bold, Dim, Red, Yellow, Green, Cyan };
// `text` in a style, for standard error or output; unchanged where there are no colours.
std::string onError(Style style, std::string_view text);
std::string onOutput(Style style, std::string_view text);

// Buffered standard output. Failures are kept and come out in finishOutput.
void write(std::string_view text);
template <class... Args>
void print(fmt::format_string<Args...> format, Args&&... args) {
  write(fmt::format(format, std::forward<Args>(args)...));
}

// Flushes; `code`, unless the output could not be written: then says so and returns kUsage.
int finishOutput(int code);

// Text that is no message, as it is.
void writeError(std::string_view text);

// "wattle: error: …" and "wattle: warning: …", one line each.
void errorLine(std::string_view message);
void warningLine(std::string_view message);
template <class... Args>
int usageError(fmt::format_string<Args...> format, Args&&... args) {
  errorLine(fmt::format(format, std::forward<Args>(args)...));
  return 1;
}

// The exit code of each kind of error.
int exitCodeOf(const Error& error);
// The error's line after `subject: ` (left out when empty), with offset and function; for a trap, the backtrace.
// Returns its exit code. Prints nothing for ErrorKind::Exit.
int report(const Error& error, std::string_view subject);

}  // namespace wattle::cli
