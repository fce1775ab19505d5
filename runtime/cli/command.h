// The commands of `wattle`, one source file each. A command gets what follows its name and returns the exit code.
#pragma once

#include <CLI/CLI.hpp>

#include <optional>
#include <string>
#include <vector>

#include "wattle/wattle.hpp"

namespace wattle::cli {

using Arguments = std::vector<std::string>;

int runCommand(const Arguments& arguments);
int validateCommand(const Arguments& arguments);
int inspectCommand(const Arguments& arguments);
int cacheCommand(const Arguments& arguments);
int compileCommand(const Arguments& arguments);
int wat2wasmCommand(const Arguments& arguments);
int wastCommand(const Arguments& arguments);

// An option parser that looks and behaves alike in all commands. `usage` is the line after "Usage: ".
class CommandLine {
 public:
  CommandLine(std::string description, std::string usage);
  CLI::App& app() { return app_; }
  // `examples` and other text below the options.
  void footer(std::string text) { app_.footer(std::move(text)); }
  // Nothing when all is well; otherwise help or an error has been printed, and this is the exit code.
  std::optional<int> parse(const Arguments& arguments);

 private:
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
