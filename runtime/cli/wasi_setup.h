// What the options give a program by WASI.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "wattle/wasi.hpp"

namespace wattle::cli {

struct WasiOptions {
  std::string programName;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;          // "NAME=VALUE", or "NAME" to pass one on
  std::vector<std::string> directories;          // "HOST" or "HOST::GUEST"
  std::vector<std::string> readOnlyDirectories;  // the same
  std::vector<std::string> listeners;            // "HOST:PORT"
};

// The host's names of directories given so.
std::vector<std::string> hostDirectories(const std::vector<std::string>& items);

Result<std::shared_ptr<WasiContext>> makeWasi(const WasiOptions& options);

}  // namespace wattle::cli
