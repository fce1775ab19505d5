// wattle run: a module as a command, or one of its functions.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "runtime/cli/command.h"
#include "runtime/cli/disk_cache.h"
#include "runtime/cli/exit_codes.h"
#include "runtime/cli/interruption.h"
#include "runtime/cli/module_source.h"
#include "runtime/cli/quantities.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/values.h"
#include "runtime/cli/wasi_setup.h"
#include "sandbox/hardening.h"
#include "wattle/stats.hpp"

namespace wattle::cli {

namespace {

struct RunOptions {
  std::string file;
  Arguments guestArguments;
  std::string invoke;
  Arguments preloads;
  std::string optimize;
  std::string maxMemory, maxStack, timeout;
  std::string missing;
  bool harden = false;
  std::string stats;
  CompileOptions compile;
  DiskCacheOptions cache;
  WasiOptions wasi;
};

const char* const kExamples =
    "Examples:\n"
    "  wattle run program.wasm --help           options after the file are the program's\n"
    "  wattle run --dir . program.wasm a.txt    the program may use the files below this folder\n"
    "  wattle run --dir /srv/data::/data --env LANG=C program.wasm\n"
    "  wattle run --invoke add math.wat 2 40    calls an exported function, prints its results\n"
    "  wattle run --timeout 2s --max-memory 256MiB untrusted.wasm\n"
    "  curl … | wattle run -                    the module comes from standard input\n"
    "\n"
    "A program gets nothing but its arguments and the three standard streams unless it is given more.\n"
    "\n"
    "Arguments of --invoke:\n";

void addOptions(CommandLine& line, RunOptions& o) {
  CLI::App& app = line.app();
  auto many = [&](const char* name, Arguments& into, const char* help, const char* type) {
    app.add_option(name, into, help)->type_name(type)->allow_extra_args(false);
  };
  auto one = [&](const char* name, std::string& into, const char* help, const char* type) {
    return app.add_option(name, into, help)->type_name(type);
  };
  many("--dir", o.wasi.directories, "Let the program use a folder, under the same or another name", "HOST[::GUEST]");
  many("--dir-ro", o.wasi.readOnlyDirectories, "The same, but nothing in it can be changed", "HOST[::GUEST]");
  many("--env", o.wasi.environment, "Set an environment variable, or pass one on", "NAME[=VALUE]");
  many("--listen", o.wasi.listeners, "Give the program a listening TCP socket", "HOST:PORT");
  one("--argv0", o.wasi.programName, "The program's own name in its arguments (default: the file's)", "NAME");
  one("--invoke", o.invoke, "Call this exported function with the arguments after the file", "NAME");
  many("--preload", o.preloads, "Instantiate FILE first; its exports are the module NAME", "NAME=FILE");
  one("--missing", o.missing, "Imported functions that nothing provides: trap when called, or return zero",
      "trap|zero");
  one("--max-memory", o.maxMemory, "Limit of each linear memory, as in 64MiB", "SIZE");
  one("--max-stack", o.maxStack, "Stack the program may use (default 4MiB)", "SIZE");
  one("--timeout", o.timeout, "Stop the program after this time, as in 500ms or 2m", "DURATION");
  one("-O", o.optimize, "Optimize by Binaryen first: 0 to 4, s or z", "LEVEL");
  app.add_flag("--harden", o.harden, "Give up system calls and files that the program cannot need (seccomp, landlock)");
  o.compile.add(app);
  o.cache.add(app);
  app.add_flag("--stats{text}", o.stats, "Say at the end, on standard error, what was held: text or json")
      ->type_name("[=FORMAT]")
      ->check(CLI::IsMember({"text", "json"}));
  app.prefix_command();
  line.footer(fmt::format("{}{}\n{}", kExamples, kValueHelp, kExitCodeHelp));
}

// Splits what the parser left: the file, then the guest's arguments untouched.
std::optional<int> takeFile(CommandLine& line, RunOptions& o) {
  Arguments rest = line.app().remaining();
  if (rest.empty()) return usageError("no file given (see wattle run --help)");
  if (rest[0] == "--" && rest.size() > 1) rest.erase(rest.begin());
  if (rest[0].starts_with('-') && rest[0] != "-") {
    return usageError("unknown option {} (see wattle run --help)", rest[0]);
  }
  o.file = rest[0];
  o.guestArguments.assign(rest.begin() + 1, rest.end());
  return std::nullopt;
}

struct Settings {
  Config config;
  StoreLimits limits;
  LoadOptions load;
  std::optional<std::chrono::nanoseconds> timeout;
};

std::optional<int> readSettings(const RunOptions& o, Settings& s) {
  if (auto wrong = o.compile.apply(s.config)) return wrong;
  if (auto wrong = o.cache.apply(s.config)) return wrong;
  s.config.maxStackBytes = 4 << 20;
  if (!o.maxStack.empty()) {
    auto size = parseSize(o.maxStack);
    if (!size || *size < 16 << 10) return usageError("--max-stack {}: no size of 16 KiB or more", o.maxStack);
    s.config.maxStackBytes = *size;
  }
  if (!o.maxMemory.empty()) {
    auto size = parseSize(o.maxMemory);
    if (!size) return usageError("--max-memory {}: not a size such as 64MiB", o.maxMemory);
    s.limits.maxMemoryBytes = *size;
  }
  if (!o.timeout.empty()) {
    s.timeout = parseDuration(o.timeout);
    if (!s.timeout) return usageError("--timeout {}: not a time such as 2s or 500ms", o.timeout);
  }
  if (!o.missing.empty() && o.missing != "trap" && o.missing != "zero") {
    return usageError("--missing {}: trap or zero", o.missing);
  }
  if (!o.optimize.empty()) {
    s.load.optimize = frontend::parseOptimizeLevel(o.optimize);
    if (!s.load.optimize) return usageError("-O{}: the levels are 0 to 4, s and z", o.optimize);
  }
  return std::nullopt;
}

std::string inQuotes(std::string_view name) { return fmt::format("\"{}\"", name); }

std::string listExports(const Module& module) {
  std::string functions, others;
  size_t count = 0;
  for (const ExportType& e : module.exports()) {
    if (++count > 20) continue;
    bool isFunction = std::holds_alternative<FuncType>(e.type);
    std::string& list = isFunction ? functions : others;
    list += fmt::format("{}{} {}", list.empty() ? "" : ", ", e.name, toString(e.type));
  }
  if (functions.empty() && others.empty()) return "it exports nothing";
  std::string text = "it exports " + functions;
  if (!others.empty()) text += (functions.empty() ? "" : ", ") + others;
  if (count > 20) text += fmt::format(" and {} more", count - 20);
  return text;
}

const FuncType* exportedFunction(const std::vector<ExportType>& exports, std::string_view name) {
  for (const ExportType& e : exports) {
    if (e.name == name) return std::get_if<FuncType>(&e.type);
  }
  return nullptr;
}

// Before anything of the module runs: is there what is to be called?
Result<void> checkEntry(const RunOptions& o, const Module& module) {
  auto exports = module.exports();
  auto missing = [&](std::string message) {
    return std::unexpected(Error::make(ErrorKind::Link, fmt::format("{}; {}", message, listExports(module))));
  };
  if (o.invoke.empty()) {
    if (const FuncType* start = exportedFunction(exports, "_start"); start && start->params.empty()) return {};
    auto callable = std::ranges::find_if(exports, [](const ExportType& e) {
      return std::holds_alternative<FuncType>(e.type) && e.name != "_initialize";
    });
    std::string message = "no function _start to run";
    if (callable != exports.end()) message += fmt::format(" (try --invoke {})", callable->name);
    return missing(message);
  }
  const FuncType* type = exportedFunction(exports, o.invoke);
  if (!type) return missing(fmt::format("no exported function {}", inQuotes(o.invoke)));
  if (type->params.size() != o.guestArguments.size()) {
    return std::unexpected(
        Error::make(ErrorKind::Argument,
                    fmt::format("{} is {}: it takes {} argument{}, not {}", o.invoke, toString(*type),
                                type->params.size(), type->params.size() == 1 ? "" : "s", o.guestArguments.size())));
  }
  return {};
}

Result<void> callAndPrint(Store& store, const Func& function, const Arguments& texts) {
  FuncType type = function.type();
  std::vector<Val> arguments;
  for (size_t i = 0; i < texts.size(); i++) {
    auto value = parseValue(store, type.params[i], texts[i]);
    if (!value) return std::unexpected(value.error());
    arguments.push_back(*value);
  }
  auto results = function.call(arguments);
  if (!results) return std::unexpected(results.error());
  for (const Val& value : *results) print("{}\n", formatValue(store, value));
  return {};
}

// A reactor's _initialize comes before any other of its functions.
Result<void> initialize(const Instance& instance) {
  auto function = instance.func("_initialize");
  if (!function || !function->type().params.empty()) return {};
  auto results = function->call({});
  if (!results) return std::unexpected(results.error());
  return {};
}

struct Preload {
  std::string name, file;
  Module module;
};

std::unexpected<Error> inFile(const std::string& file, Error error) {
  error.message = fmt::format("{}: {}", displayName(file), error.message);
  return std::unexpected(std::move(error));
}

Result<std::vector<Preload>> loadPreloads(const Engine& engine, const Arguments& items, const LoadOptions& load) {
  std::vector<Preload> preloads;
  for (const std::string& item : items) {
    size_t equals = item.find('=');
    if (equals == std::string::npos) {
      return std::unexpected(Error::make(ErrorKind::Argument, fmt::format("--preload {}: not NAME=FILE", item)));
    }
    Preload p{.name = item.substr(0, equals), .file = item.substr(equals + 1), .module = {}};
    auto module = loadModule(engine, p.file, load);
    if (!module) return inFile(p.file, module.error());
    p.module = *std::move(module);
    preloads.push_back(std::move(p));
  }
  return preloads;
}

Result<void> instantiatePreloads(Store& store, Linker& linker, const std::vector<Preload>& preloads) {
  for (const Preload& p : preloads) {
    auto instance = linker.instantiate(store, p.module);
    if (!instance) return inFile(p.file, instance.error());
    if (auto ready = initialize(*instance); !ready) return inFile(p.file, ready.error());
    linker.defineInstance(p.name, *instance);
  }
  return {};
}

// --harden: what the process will not need from here on.
Result<void> harden(const WasiOptions& wasi) {
  sandbox::HardenOptions options;
  options.readOnly = hostDirectories(wasi.readOnlyDirectories);
  options.readWrite = hostDirectories(wasi.directories);
  options.allowNetwork = !wasi.listeners.empty();
  auto report = sandbox::hardenProcess(options);
  if (!report) return std::unexpected(Error::make(ErrorKind::Io, fmt::format("--harden: {}", report.error())));
  if (!report->skipped.empty()) warningLine(fmt::format("--harden: {}", report->skipped));
  return {};
}

// --missing: something for each function import that has nothing.
void addMissing(Store& store, Linker& linker, const Module& module, bool zero) {
  for (const ImportType& import : module.imports()) {
    const FuncType* type = std::get_if<FuncType>(&import.type);
    if (!type || linker.get(store, import.module, import.name)) continue;
    std::string name = fmt::format("{}.{}", import.module, import.name);
    linker.defineFunc(
        import.module, import.name, *type,
        [zero, name, types = type->results](Caller&, std::span<const Val>, std::span<Val> results) -> Result<void> {
          if (!zero) {
            Error error = Error::make(ErrorKind::Trap, fmt::format("missing import {} called", name));
            error.trap = TrapCode::HostError;
            return std::unexpected(std::move(error));
          }
          for (size_t i = 0; i < results.size(); i++) results[i] = Val::zero(types[i]);
          return {};
        });
  }
}

Result<std::shared_ptr<WasiContext>> addWasi(Linker& linker, const RunOptions& o) {
  WasiOptions options = o.wasi;
  if (options.programName.empty()) options.programName = o.file.substr(o.file.rfind('/') + 1);
  if (o.invoke.empty()) options.arguments = o.guestArguments;
  auto context = makeWasi(options);
  if (!context) return context;
  if (auto added = addToLinker(linker, *context); !added) return std::unexpected(added.error());
  return context;
}

// --stats. At the end, but with everything still alive.
struct StatsAtEnd {
  const Engine& engine;
  const std::string& format;
  ~StatsAtEnd() {
    if (format.empty()) return;
    const Stats stats = engine.stats();
    writeError(format == "json" ? toJson(stats) + "\n" : toString(stats));
  }
};

Result<void> execute(const RunOptions& o, Settings& s) {
  Engine engine(s.config);
  auto module = loadModule(engine, o.file, s.load);
  if (!module) return std::unexpected(module.error());
  auto preloads = loadPreloads(engine, o.preloads, s.load);
  if (!preloads) return std::unexpected(preloads.error());
  if (auto found = checkEntry(o, *module); !found) return found;

  Store store(engine, s.limits);
  Linker linker(engine);
  const StatsAtEnd stats{engine, o.stats};
  auto wasi = addWasi(linker, o);
  if (!wasi) return std::unexpected(wasi.error());
  interruptOnCtrlC({store.interruptHandle(), *wasi});
  if (s.timeout) {
    if (auto armed = interruptAfter({store.interruptHandle(), *wasi}, *s.timeout); !armed) return armed;
  }
  if (o.harden) {
    if (auto hardened = harden(o.wasi); !hardened) return hardened;
  }
  if (auto ready = instantiatePreloads(store, linker, *preloads); !ready) return ready;
  if (!o.missing.empty()) addMissing(store, linker, *module, o.missing == "zero");

  auto instance = linker.instantiate(store, *module);
  if (!instance) return std::unexpected(instance.error());
  if (!o.invoke.empty() && o.invoke != "_initialize") {
    if (auto ready = initialize(*instance); !ready) return ready;
  }
  // The arguments of a program are WASI's business.
  if (o.invoke.empty()) return callAndPrint(store, *instance->func("_start"), {});
  return callAndPrint(store, *instance->func(o.invoke), o.guestArguments);
}

}  // namespace

int runCommand(const Invocation& invocation) {
  RunOptions o;
  CommandLine line("Run a WebAssembly program (WASI preview 1), or call one of a module's functions.",
                   "wattle run [OPTIONS] FILE [ARGUMENTS…]");
  addOptions(line, o);
  if (auto done = line.parse(invocation)) return *done;
  if (auto wrong = takeFile(line, o)) return *wrong;
  Settings s;
  if (auto wrong = readSettings(o, s)) return *wrong;
  auto result = execute(o, s);
  if (result) return finishOutput(kOk);
  if (auto code = interruptionCode(); code && result.error().trap == TrapCode::Interrupted) {
    errorLine(*code == kTimeout ? fmt::format("timed out after {}", o.timeout) : "interrupted");
    return finishOutput(*code);
  }
  return finishOutput(report(result.error(), displayName(o.file)));
}

}  // namespace wattle::cli
