// wattle wast: conformance scripts.
#include <fmt/format.h>

#include <map>

#include "runtime/cli/command.h"
#include "runtime/cli/exit_codes.h"
#include "runtime/cli/terminal.h"
#include "spec-tests/suite.h"

namespace wattle::cli {

namespace {

struct WastOptions {
  Arguments paths;
  std::string expectations;
  std::string root = ".";
  size_t shown = 10;
  unsigned jobs = 1;
  bool words = false;
  bool quiet = false;
  bool mayPass = false;
  bool fuel = false;
  uint32_t gcStress = 0;
  CompileOptions compile;
};

void printFailures(const std::string& path, const std::vector<spec::Failure>& failures, size_t limit) {
  for (size_t i = 0; i < failures.size() && i < limit; i++) {
    print("  {}:{}: {}\n", path, failures[i].line, failures[i].message);
  }
  if (failures.size() > limit) print("  … and {} more\n", failures.size() - limit);
}

void printFile(const spec::FileResult& r, const WastOptions& o) {
  if (r.expectedToFail) {
    if (r.good() && o.quiet) return;
    print("{}: {}\n", r.path,
          r.failed() ? "fails, as expected"
          : r.good() ? "passes"
                     : onOutput(Style::Red, "passes, but is listed among those expected to fail"));
    return;
  }
  if (!r.problem.empty()) {
    print("{}: {}\n", r.path, onOutput(Style::Red, r.problem));
    return;
  }
  if (r.failed() || !o.quiet) {
    std::string failed = fmt::format("{} failed", r.counts.failed);
    print("{}: {} passed, {}{}\n", r.path, r.counts.passed, r.failed() ? onOutput(Style::Red, failed) : failed,
          r.counts.otherWords ? fmt::format(" ({} in other words)", r.counts.otherWords) : "");
  }
  printFailures(r.path, r.counts.failures, o.shown);
  if (o.words) printFailures(r.path, r.counts.wordings, o.shown);
}

struct Sum {
  uint64_t files = 0, goodFiles = 0, passed = 0, failed = 0, otherWords = 0;
  void add(const spec::FileResult& r) {
    files++;
    goodFiles += !r.failed();
    passed += r.counts.passed;
    failed += r.counts.failed + !r.problem.empty();
    otherWords += r.counts.otherWords;
  }
};

std::string folderOf(const std::string& path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  size_t before = path.rfind('/', slash - 1);
  return path.substr(before == std::string::npos ? 0 : before + 1,
                     slash - (before == std::string::npos ? 0 : before + 1));
}

void printTable(const std::vector<spec::FileResult>& results) {
  std::map<std::string, Sum> byFolder;
  Sum total;
  for (const auto& r : results) {
    byFolder[folderOf(r.path)].add(r);
    total.add(r);
  }
  auto row = [](std::string_view name, const Sum& s) {
    print("{:<24} {:>5} {:>7} {:>10} {:>8} {:>12}\n", name, s.files, s.goodFiles, s.passed, s.failed, s.otherWords);
  };
  print("\n{:<24} {:>5} {:>7} {:>10} {:>8} {:>12}\n", "", "files", "passing", "assertions", "failed", "other words");
  if (byFolder.size() > 1) {
    for (const auto& [name, sum] : byFolder) row(name, sum);
  }
  row("all", total);
}

}  // namespace

int wastCommand(const Invocation& invocation) {
  WastOptions o;
  CommandLine line("Run conformance scripts: the .wast files of the WebAssembly test suite.",
                   "wattle wast [OPTIONS] FILE…");
  CLI::App& app = line.app();
  app.add_option("FILE", o.paths, "Scripts, or folders of scripts")->required();
  app.add_option("-j,--jobs", o.jobs, "Scripts to run at once")->type_name("N");
  app.add_option("--expectations", o.expectations, "List of scripts that are to fail; must be exact")
      ->type_name("LIST");
  app.add_flag("--may-pass", o.mayPass, "A script of LIST may also pass");
  app.add_option("--root", o.root, "Folder that the paths of LIST are relative to")->type_name("DIR");
  app.add_option("--failures", o.shown, "Failures to show of each script (default 10)")->type_name("N");
  app.add_flag("--words", o.words, "Also show where a refusal or trap has other words than the script's");
  app.add_flag("-q,--quiet", o.quiet, "Show only scripts that fail");
  app.add_flag("--fuel", o.fuel, "Compile with fuel accounting, and give each script plenty");
  app.add_option("--gc-stress", o.gcStress, "Collect garbage at every N-th allocation")->type_name("N");
  o.compile.add(app);
  line.footer(
      "Examples:\n"
      "  wattle wast i32.wast\n"
      "  wattle wast -j2 --quiet testsuite/\n"
      "\n"
      "Exit codes: 0 when every script did as expected, 1 otherwise\n");
  if (auto done = line.parse(invocation)) return *done;
  Config config;
  if (auto wrong = o.compile.apply(config)) return *wrong;
  config.fuel = o.fuel;
  spec::SuiteOptions options{
      .expectedFailures = {}, .root = o.root, .exact = !o.mayPass, .jobs = o.jobs, .gcStress = o.gcStress};
  if (!o.expectations.empty()) {
    auto expected = spec::readExpectations(o.expectations);
    if (!expected) return usageError("{}", expected.error());
    options.expectedFailures = *std::move(expected);
  }
  auto files = spec::findScripts(o.paths);
  if (!files) return usageError("{}", files.error());
  if (files->empty()) return usageError("no scripts (.wast) there");
  bool good = true;
  auto results = spec::runSuite(Engine(config), *files, options, [&](const spec::FileResult& r) {
    printFile(r, o);
    fflush(stdout);
    good = good && r.good();
  });
  if (results.size() > 1) printTable(results);
  return finishOutput(good ? kOk : kUsage);
}

}  // namespace wattle::cli
