// What the exit code of `wattle` says. A guest's own exit code is passed on unchanged, whatever it is.
#pragma once

namespace wattle::cli {

enum ExitCode : int {
  kOk = 0,
  kUsage = 1,          // wrong options, a file that cannot be read or written, anything not below
  kRefused = 2,        // the module is malformed, invalid, beyond a limit, or uses what this build cannot run
  kLink = 3,           // an import is missing or of the wrong type, or the module has no such export
  kResource = 4,       // memory, address space, the code cache or a limit given by an option ran out
  kTimeout = 124,      // --timeout passed
  kInterrupted = 130,  // Ctrl-C
  kTrap = 134,         // the guest trapped, or threw an exception that nobody caught
};

inline constexpr const char* kExitCodeHelp =
    "Exit codes: the guest's own; or\n"
    "    1  wrong options, or a file cannot be read or written\n"
    "    2  the module is malformed, invalid or not supported\n"
    "    3  an import is missing or has the wrong type, or there is no such export\n"
    "    4  out of memory or beyond a limit\n"
    "  124  --timeout passed\n"
    "  130  interrupted by Ctrl-C\n"
    "  134  trap, or an exception that nobody caught\n";

}  // namespace wattle::cli
