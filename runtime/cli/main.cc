// wattle: the command line. Each command is one file; see command.h.
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <new>
#include <string_view>

#include "runtime/cli/command.h"
#include "runtime/cli/exit_codes.h"
#include "runtime/cli/terminal.h"
#include "wattle/wattle.hpp"

namespace wattle::cli {

namespace {

void printHelp() {
  print(
      "Wattle runs WebAssembly programs.\n\nUsage: wattle FILE [ARGUMENTS…]\n       wattle COMMAND [OPTIONS] "
      "…\n\nCommands:\n");
  for (const Command& c : kCommands) print("  {:<11} {}\n", c.name, c.summary);
  print(
      "\nExamples:\n"
      "  wattle hello.wasm                  runs a program\n"
      "  wattle run --dir . sort.wasm a.txt runs it with access to the files here\n"
      "  wattle run --invoke add math.wat 2 40\n"
      "  wattle inspect hello.wasm\n"
      "\nwattle COMMAND --help tells more. wattle --version prints the version.\n\n{}",
      kExitCodeHelp);
}

int dispatch(const Arguments& arguments) {
  if (arguments.empty()) {
    errorLine("no file and no command given (see wattle --help)");
    return kUsage;
  }
  const std::string& first = arguments[0];
  if (first == "--help" || first == "-h" || first == "help") {
    printHelp();
    return finishOutput(kOk);
  }
  if (first == "--version" || first == "-V") {
    print("wattle {}\n", version());
    return finishOutput(kOk);
  }
  for (const Command& c : kCommands) {
    if (c.name == first) return c.function({Arguments(arguments.begin() + 1, arguments.end())});
  }
  return runCommand({arguments});
}

int guarded(const Arguments& arguments) {
  try {
    return dispatch(arguments);
  } catch (const std::bad_alloc&) {
    errorLine("out of memory");
    return kResource;
  } catch (const std::exception& exception) {
    errorLine(fmt::format("internal error: {}", exception.what()));
    return kUsage;
  }
}

}  // namespace

}  // namespace wattle::cli

int main(int argc, char** argv) {
  wattle::cli::prepareStandardStreams();
  return wattle::cli::guarded({argv + std::min(argc, 1), argv + argc});
}
