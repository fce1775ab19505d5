// wattle validate: is this a valid module?
#include "runtime/cli/command.h"
#include "runtime/cli/exit_codes.h"
#include "runtime/cli/module_source.h"
#include "runtime/cli/terminal.h"

namespace wattle::cli {

namespace {

Result<void> validateFile(const Engine& engine, const std::string& path) {
  auto source = readSource(path);
  if (!source) return std::unexpected(source.error());
  if (auto assembled = assemble(*source); !assembled) return assembled;
  if (source->form == Form::Other) return std::unexpected(unknownFormat(*source));
  return Module::validate(engine, source->bytes);
}

}  // namespace

int validateCommand(const Invocation& invocation) {
  bool quiet = false;
  Arguments files;
  CommandLine line("Check modules without running them.", "wattle validate [OPTIONS] FILE…");
  line.app().add_flag("-q,--quiet", quiet, "Say nothing about valid modules");
  line.app().add_option("FILE", files, "Binary or text modules; - is standard input")->required();
  line.footer(
      "Examples:\n"
      "  wattle validate *.wasm\n"
      "  wattle validate module.wat && echo fine\n"
      "\n"
      "Exit codes: 0 all valid, 1 a file cannot be read, 2 a module is malformed or invalid (the last problem "
      "counts)\n");
  if (auto done = line.parse(invocation)) return *done;
  Engine engine;
  int code = kOk;
  for (const std::string& file : files) {
    if (auto valid = validateFile(engine, file); !valid) {
      code = report(valid.error(), displayName(file));
    } else if (!quiet) {
      print("{}: {}\n", displayName(file), onOutput(Style::Green, "valid"));
    }
  }
  return finishOutput(code);
}

}  // namespace wattle::cli
