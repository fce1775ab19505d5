// Many scripts: in parallel, and against the list of those that are known not to pass.
#pragma once

#include <expected>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "spec-tests/runner.h"

namespace wattle::spec {

// Script files below folders, sorted; files named themselves in their place. The error names what cannot be read.
std::expected<std::vector<std::string>, std::string> findScripts(const std::vector<std::string>& paths);

// One path a line, relative to the suite's folder; # begins a comment.
std::expected<std::set<std::string>, std::string> readExpectations(const std::string& file);

struct FileResult {
  std::string path;
  ScriptResultCounts counts;
  std::string problem;  // the file could not be read, or the run crashed
  bool expectedToFail = false;
  bool failed() const { return !problem.empty() || counts.failed > 0; }
  bool mayPass = false;  // although expected to fail
  // A file expected to fail must: the list is to be exact.
  bool good() const { return failed() == expectedToFail || (expectedToFail && mayPass); }
};

struct SuiteOptions {
  std::set<std::string> expectedFailures;
  std::string root = ".";  // what their paths are relative to
  bool exact = true;       // false: one of them may pass after all
  unsigned jobs = 1;
  uint32_t gcStress = 0;  // for each script: ScriptOptions::gcStress
};

// `done` is called for each file, in the order of `files`, as soon as it and all before it are done.
std::vector<FileResult> runSuite(const Engine& engine, const std::vector<std::string>& files,
                                 const SuiteOptions& options, const std::function<void(const FileResult&)>& done);

}  // namespace wattle::spec
