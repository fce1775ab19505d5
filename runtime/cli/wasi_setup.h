// What the options give a program by WASI.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "wattle/wattle.hpp"

namespace wattle::cli {

struct WasiOptions {
  std::string programName;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  // "NAME=VALUE", or "NAME" to pass one on
  std::vector<std::string> directories;  // "HOST" or "HOST::GUEST"
  std::vector<std::string> listeners;    // "HOST:PORT"
};

// Adds wasi_snapshot_preview1 (and wasi_unstable) to the linker. The result keeps files open until it goes.
Result<std::shared_ptr<void>> addWasi(Linker& linker, const WasiOptions& options);

}  // namespace wattle::cli
