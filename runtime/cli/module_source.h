// Modules as the command line names them: a file, or "-" for standard input; binary, text, or what `wattle compile`
// wrote.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "frontend/optimize/optimize.h"
#include "wattle/wattle.hpp"

namespace wattle::cli {

enum class Form { Binary, Text, Other };  // Other: compiled code, or nothing we know

struct ModuleSource {
  std::string path;
  Form form = Form::Binary;
  std::vector<uint8_t> bytes;
};

// How messages name a module.
std::string displayName(const std::string& path);

// All bytes of it as they are. Errors (Io, or Malformed for an empty file) do not name the path.
Result<ModuleSource> readSource(const std::string& path);

// Turns a text into a binary; leaves others alone.
Result<void> assemble(ModuleSource& source);

// The error of bytes that are no module; names what they look like.
Error unknownFormat(const ModuleSource& source);

struct LoadOptions {
  std::optional<frontend::OptimizeLevel> optimize;
  bool mayBeCompiled = true;  // accept what `wattle compile` wrote
};

// Ready to run. Shows a progress line for what takes over a second, and warns when Binaryen could not optimize.
Result<Module> loadModule(const Engine& engine, const std::string& path, const LoadOptions& options);

}  // namespace wattle::cli
