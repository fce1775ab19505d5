// Writes the modules of conformance scripts, valid and invalid ones alike, as files for the fuzzers to start from.
//
//   wattle_script_modules FOLDER SCRIPT…
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "frontend/text/wast.h"

using namespace wattle::frontend;

namespace {

const ScriptModule* moduleOf(const Command& command) {
  if (auto* module = std::get_if<ModuleCommand>(&command.what)) return &module->module;
  if (auto* refused = std::get_if<AssertModule>(&command.what)) return &refused->module;
  return nullptr;
}

bool writeModules(const std::filesystem::path& folder, const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string source(std::istreambuf_iterator<char>(in), {});
  auto script = parseScript(source);
  if (!in || !script) {
    std::fprintf(stderr, "%s: %s\n", path.c_str(), in ? script.error().message.c_str() : "cannot be read");
    return false;
  }
  size_t count = 0;
  for (const Command& command : script->commands) {
    const ScriptModule* module = moduleOf(command);
    if (!module || !module->bytes) continue;
    std::ofstream out(folder / (path.stem().string() + "." + std::to_string(count++) + ".wasm"), std::ios::binary);
    out.write(reinterpret_cast<const char*>(module->bytes->data()),
              static_cast<std::streamsize>(module->bytes->size()));
    if (!out.flush()) return std::perror(folder.c_str()), false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return std::fputs("usage: wattle_script_modules FOLDER SCRIPT…\n", stderr), 2;
  bool all = true;
  for (int i = 2; i < argc; ++i) all &= writeModules(argv[1], argv[i]);
  return all ? 0 : 1;
}
