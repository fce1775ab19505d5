// wattle compile: native code for later, and wattle wat2wasm: text to binary.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <span>

#include "frontend/optimize/isolated.h"
#include "runtime/cli/command.h"
#include "runtime/cli/exit_codes.h"
#include "runtime/cli/module_source.h"
#include "runtime/cli/quantities.h"
#include "runtime/cli/terminal.h"

namespace wattle::cli {

namespace {

// "-" is standard output. A file is written under another name first, so that none is ever seen half written.
Result<void> writeFile(const std::string& path, std::span<const uint8_t> bytes) {
  auto failed = [&](int number) {
    return std::unexpected(Error::make(ErrorKind::Io, fmt::format("cannot write {}: {}", path, strerror(number))));
  };
  if (path == "-") {
    write({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return {};
  }
  std::string temporary = fmt::format("{}.{}.tmp", path, getpid());
  int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return failed(errno);
  bool good = frontend::writeAll(fd, bytes.data(), bytes.size());
  int number = errno;
  if (close(fd) != 0 && good) {
    good = false;
    number = errno;
  }
  if (good && rename(temporary.c_str(), path.c_str()) != 0) {
    good = false;
    number = errno;
  }
  if (good) return {};
  unlink(temporary.c_str());
  return failed(number);
}

std::string defaultOutput(const std::string& file, const char* extension) {
  if (file == "-") return "-";
  size_t dot = file.rfind('.'), slash = file.rfind('/');
  bool hasExtension = dot != std::string::npos && (slash == std::string::npos || dot > slash + 1);
  return (hasExtension ? file.substr(0, dot) : file) + extension;
}

struct Output {
  std::string file;
  std::string path;

  void add(CLI::App& app, const char* fileHelp, const char* outputHelp) {
    app.add_option("FILE", file, fileHelp)->required();
    app.add_option("-o,--output", path, outputHelp)->type_name("OUT");
  }
  int write(std::span<const uint8_t> bytes, const char* extension) {
    if (path.empty()) path = defaultOutput(file, extension);
    auto written = writeFile(path, bytes);
    return finishOutput(written ? int{kOk} : report(written.error(), ""));
  }
};

}  // namespace

int compileCommand(const Invocation& invocation) {
  Output output;
  std::string optimize;
  CompileOptions compile;
  CommandLine line("Compile a module to native code for later runs.", "wattle compile [OPTIONS] FILE [-o OUT]");
  output.add(line.app(), "Binary or text module; - is standard input",
             "Where to write (default: FILE with the ending .cwasm)");
  line.app().add_option("-O", optimize, "Optimize by Binaryen first: 0 to 4, s or z")->type_name("LEVEL");
  compile.add(line.app());
  line.footer(
      "Examples:\n"
      "  wattle compile program.wasm            writes program.cwasm\n"
      "  wattle run program.cwasm arguments\n"
      "\n"
      "The result is for this version of Wattle and this kind of processor; elsewhere it is refused. Do not run one "
      "that\n"
      "you would not run as a native program.\n");
  if (auto done = line.parse(invocation)) return *done;
  Config config;
  if (auto wrong = compile.apply(config)) return *wrong;
  if (!compile.lazy) config.lazy = false;
  LoadOptions load{.optimize = std::nullopt, .mayBeCompiled = false};
  if (!optimize.empty()) {
    load.optimize = frontend::parseOptimizeLevel(optimize);
    if (!load.optimize) return usageError("-O{}: the levels are 0 to 4, s and z", optimize);
  }
  Engine engine(config);
  auto module = loadModule(engine, output.file, load);
  if (!module) return report(module.error(), displayName(output.file));
  auto bytes = module->serialize();
  if (!bytes) return report(bytes.error(), displayName(output.file));
  return output.write(*bytes, ".cwasm");
}

int wat2wasmCommand(const Invocation& invocation) {
  Output output;
  CommandLine line("Translate the text format to the binary format.", "wattle wat2wasm FILE [-o OUT]");
  output.add(line.app(), "Text module; - is standard input", "Where to write (default: FILE with the ending .wasm)");
  line.footer("Identifiers are kept in the name section. The module is not validated: see wattle validate.\n");
  if (auto done = line.parse(invocation)) return *done;
  auto source = readSource(output.file);
  if (!source) return report(source.error(), displayName(output.file));
  if (source->form != Form::Text) return usageError("{}: not a text module", displayName(output.file));
  if (auto assembled = assemble(*source); !assembled) return report(assembled.error(), displayName(output.file));
  return output.write(source->bytes, ".wasm");
}

}  // namespace wattle::cli
