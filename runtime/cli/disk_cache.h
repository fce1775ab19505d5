// The disk cache as the command line uses it: on, under XDG_CACHE_HOME, unless told otherwise.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "runtime/cli/command.h"

namespace wattle::cli {

// --no-cache and --cache-size, for commands that run modules.
struct DiskCacheOptions {
  bool off = false;
  std::string size;
  void add(CLI::App& app);
  // The exit code of a wrong option.
  std::optional<int> apply(Config& config) const;
};

// $XDG_CACHE_HOME/wattle, else ~/.cache/wattle; empty when neither is an absolute path.
std::string cacheDirectory();

}  // namespace wattle::cli
