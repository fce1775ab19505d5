// wattle cache: the directory of compiled modules, and the options that go with it.
#include "runtime/cli/disk_cache.h"

#include <cstdlib>

#include "runtime/cli/exit_codes.h"
#include "runtime/cli/quantities.h"
#include "runtime/cli/terminal.h"
#include "wattle/disk_cache.hpp"

namespace wattle::cli {

namespace {

constexpr const char* kSizeVariable = "WATTLE_CACHE_SIZE";

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

std::string cacheDirectory() {
  if (std::string base = variable("XDG_CACHE_HOME"); base.starts_with('/')) return base + "/wattle";
  if (std::string home = variable("HOME"); home.starts_with('/')) return home + "/.cache/wattle";
  return {};
}

void DiskCacheOptions::add(CLI::App& app) {
  app.add_flag("--no-cache", off, "Neither use nor keep compiled code on disk (see wattle cache)");
  app.add_option("--cache-size", size, "Most that the disk cache may hold (default 1GiB, or $WATTLE_CACHE_SIZE)")
      ->type_name("SIZE");
}

std::optional<int> DiskCacheOptions::apply(Config& config) const {
  const bool given = !size.empty();
  const std::string text = given ? size : variable(kSizeVariable);
  if (!text.empty()) {
    auto bytes = parseSize(text);
    if (!bytes) return usageError("{} {}: not a size such as 512MiB", given ? "--cache-size" : kSizeVariable, text);
    config.cacheBytes = *bytes;
  }
  if (!off && config.cacheBytes != 0) config.cacheDirectory = cacheDirectory();
  return std::nullopt;
}

int cacheCommand(const Invocation& invocation) {
  std::string action;
  CommandLine line("Show or empty the disk cache: compiled code of modules that were run.", "wattle cache [clear]");
  line.app().add_option("ACTION", action, "clear: remove everything")->check(CLI::IsMember({"clear"}));
  line.footer(
      "It lies in $XDG_CACHE_HOME/wattle, else in ~/.cache/wattle, and must be the user's own. What was not used for "
      "the\n"
      "longest time goes when it would grow beyond its size: 1 GiB, $WATTLE_CACHE_SIZE or wattle run --cache-size.\n");
  if (auto done = line.parse(invocation)) return *done;
  Config config;
  if (auto wrong = DiskCacheOptions{}.apply(config)) return *wrong;
  const std::string directory = cacheDirectory();
  if (directory.empty())
    return usageError("neither XDG_CACHE_HOME nor HOME is an absolute path: there is no disk cache");
  auto cache = DiskCache::open(directory);
  if (!cache) return report(cache.error(), "");
  if (action == "clear") {
    const auto removed = cache->clear();
    print("removed {} file{}, {}\n", removed.files, removed.files == 1 ? "" : "s", formatSize(removed.bytes));
  } else {
    const auto usage = cache->usage();
    print("{}: {} of {} in {} file{}\n", directory, formatSize(usage.bytes), formatSize(config.cacheBytes), usage.files,
          usage.files == 1 ? "" : "s");
  }
  return finishOutput(kOk);
}

}  // namespace wattle::cli
