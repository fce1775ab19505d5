// The commands of `wattle`. A command gets what follows its name and returns the exit code.
#pragma once

#include <CLI/CLI.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/cli/description.h"
#include "wattle/wattle.hpp"

namespace wattle::cli {

using Arguments = std::vector<std::string>;

// What a command is called with. When `describe` is set it is only asked what it takes: CommandLine::parse fills that
// in and ends the command.
struct Invocation {
  Arguments arguments;
  CommandDescription* describe = nullptr;
};

int runCommand(const Invocation& invocation);
int validateCommand(const Invocation& invocation);
int inspectCommand(const Invocation& invocation);
int cacheCommand(const Invocation& invocation);
int compileCommand(const Invocation& invocation);
int wat2wasmCommand(const Invocation& invocation);
int wastCommand(const Invocation& invocation);
int completionsCommand(const Invocation& invocation);
int manualCommand(const Invocation& invocation);

struct Command {
  std::string_view name;
  int (*function)(const Invocation&);
  std::string_view summary;
};

inline constexpr Command kCommands[] = {
    {"run", runCommand, "Run a program, or call one of a module's functions"},
    {"validate", validateCommand, "Check modules without running them"},
    {"inspect", inspectCommand, "Show a module's contents, text or native code"},
    {"compile", compileCommand, "Compile to native code for later runs"},
    {"cache", cacheCommand, "Show or empty the disk cache of compiled code"},
    {"wat2wasm", wat2wasmCommand, "Translate the text format to the binary format"},
    {"wast", wastCommand, "Run conformance scripts (.wast)"},
    {"completions", completionsCommand, "Print completions for bash, zsh or fish"},
    {"manual", manualCommand, "Print a manual page"},
};

// An option parser that looks and behaves alike in all commands. `usage` is the line after "Usage: ".
class CommandLine {
 public:
  CommandLine(std::string description, std::string usage);
  CLI::App& app() { return app_; }
  // `examples` and other text below the options.
  void footer(std::string text) { app_.footer(std::move(text)); }
  // Nothing when all is well and the command is to go on; otherwise this is the exit code, and help or an error has
  // been printed or the description filled in.
  std::optional<int> parse(const Invocation& invocation);

 private:
  void describeTo(CommandDescription& out) const;

  CLI::App app_;
  std::string usage_;
};

// Adds --lazy, --eager, --bounds to commands that compile.
struct CompileOptions {
  bool lazy = false;
  bool eager = false;
  std::string bounds = "auto";
  void add(CLI::App& app);
  // The exit code of a wrong combination.
  std::optional<int> apply(Config& config) const;
};

}  // namespace wattle::cli
