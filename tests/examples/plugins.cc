// Plugins: modules from files, binary or text, that work on one memory of the host's and can use each other. Each may
// be replaced while the program runs; a new version that is wrong is refused, and the old one stays.
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "must.hpp"

using namespace wattle;
namespace fs = std::filesystem;

class Plugins {
 public:
  explicit Plugins(const Engine& engine)
      : engine_(engine),
        store_(engine, {.maxMemoryBytes = 1 << 20}),
        linker_(engine),
        memory_(must(Memory::create(store_, {.minPages = 1, .maxPages = 16}))) {
    linker_.define("host", "memory", memory_);
  }

  // Loads the plugin `name`, or a new version of it.
  Result<void> load(const std::string& name, const fs::path& file) {
    auto module = Module::fromFile(engine_, file);
    if (!module) return std::unexpected(module.error());
    auto instance = linker_.instantiate(store_, *module);
    if (!instance) return std::unexpected(instance.error());
    auto apply = instance->func<uint32_t(uint32_t, uint32_t)>("apply");
    if (!apply) return std::unexpected(apply.error());

    plugins_.insert_or_assign(name, *apply);  // from here on the new version is used
    linker_.defineInstance(name, *instance);  // and found by plugins that are loaded later
    store_.collect();                         // the old one goes, unless another plugin holds it
    return {};
  }

  Result<std::string> apply(const std::string& name, std::string_view text) {
    constexpr uint32_t kAt = 1024;
    std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(text.data()), text.size());
    if (auto written = memory_.view().write(kAt, bytes); !written) return std::unexpected(written.error());
    auto length = plugins_.at(name)(kAt, static_cast<uint32_t>(text.size()));
    if (!length) return std::unexpected(length.error());
    return memory_.view().string(kAt, *length);
  }

 private:
  Engine engine_;
  Store store_;
  Linker linker_;
  Memory memory_;
  std::map<std::string, TypedFunc<uint32_t(uint32_t, uint32_t)>> plugins_;
};

void show(Plugins& plugins, const std::string& name) {
  std::printf("%s: %s\n", name.c_str(), must(plugins.apply(name, "plugins that share a memory")).c_str());
}

int main(int, char** argv) {
  const fs::path sources = argv[1];
  const fs::path folder = fs::temp_directory_path() / ("wattle-plugins-" + std::to_string(getpid()));
  fs::create_directories(folder);

  Engine engine;
  Plugins plugins(engine);

  // A binary, as plugins are usually given out.
  std::ifstream source(sources / "upper.wat");
  auto binary = must(wat2wasm(std::string(std::istreambuf_iterator<char>(source), {})));
  std::ofstream(folder / "upper.wasm").write(reinterpret_cast<char*>(binary.data()), static_cast<long>(binary.size()));

  must(plugins.load("upper", folder / "upper.wasm"));
  must(plugins.load("title", sources / "title.wat"));
  show(plugins, "upper");
  show(plugins, "title");

  for (const char* version : {"sign_1.wat", "sign_2.wat", "sign_3.wat"}) {
    fs::copy_file(sources / version, folder / "sign.wat", fs::copy_options::overwrite_existing);
    if (auto loaded = plugins.load("sign", folder / "sign.wat"); !loaded) {
      std::printf("%s is refused: %s\n", version, loaded.error().message.c_str());
    }
    show(plugins, "sign");
  }
  fs::remove_all(folder);
}
