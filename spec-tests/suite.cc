#include "spec-tests/suite.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>
#include <optional>
#include <thread>

#include "frontend/optimize/isolated.h"

namespace wattle::spec {

namespace fs = std::filesystem;

std::expected<std::vector<std::string>, std::string> findScripts(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    auto status = fs::status(path, error);
    if (!fs::exists(status)) return std::unexpected(fmt::format("{}: {}", path, error ? error.message() : "not found"));
    if (!fs::is_directory(status)) {
      files.push_back(path);
      continue;
    }
    auto first = static_cast<ptrdiff_t>(files.size());
    for (auto it = fs::recursive_directory_iterator(path, error); !error && it != fs::end(it); it.increment(error)) {
      if (it->path().extension() == ".wast") files.push_back(it->path().string());
    }
    if (error) return std::unexpected(fmt::format("{}: {}", path, error.message()));
    std::sort(files.begin() + first, files.end());
  }
  return files;
}

namespace {

std::optional<std::string> readText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in || fs::is_directory(path)) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

bool isExpectedToFail(const std::string& path, const SuiteOptions& options) {
  return options.expectedFailures.contains(fs::path(path).lexically_relative(options.root).generic_string());
}

ScriptOptions optionsFor(const std::string& path, const SuiteOptions& options) {
  return {.singleMemoryAndTable = path.find("proposals/threads/") != std::string::npos,
          .customDescriptors = path.find("custom-descriptors/") != std::string::npos,
          .gcStress = options.gcStress};
}

// Where a failure is expected, a crash is one too: run in a child.
FileResult runInChild(const Engine& engine, const std::string& source, const SuiteOptions& options, FileResult result) {
  auto child = frontend::runIsolated(
      [&](int) { return runScript(engine, source, optionsFor(result.path, options)).failed > 0 ? 1 : 0; });
  if (!child) {
    result.problem = child.error();
  } else if (child->exitCode != 0) {
    result.counts.failed = 1;
  }
  return result;
}

FileResult runFile(const Engine& engine, const std::string& path, const SuiteOptions& options) {
  FileResult result{.path = path, .counts = {}, .problem = {}};
  result.expectedToFail = isExpectedToFail(path, options);
  result.mayPass = !options.exact;
  auto source = readText(path);
  if (!source) {
    result.problem = "cannot be read";
    return result;
  }
  if (result.expectedToFail) return runInChild(engine, *source, options, std::move(result));
  result.counts = runScript(engine, *source, optionsFor(path, options));
  return result;
}

}  // namespace

std::expected<std::set<std::string>, std::string> readExpectations(const std::string& file) {
  auto text = readText(file);
  if (!text) return std::unexpected(fmt::format("{}: cannot be read", file));
  std::set<std::string> names;
  for (size_t at = 0; at < text->size();) {
    size_t end = std::min(text->find('\n', at), text->size());
    std::string line = text->substr(at, end - at);
    line.erase(std::min(line.find('#'), line.size()));
    size_t first = line.find_first_not_of(" \t\r"), last = line.find_last_not_of(" \t\r");
    if (first != std::string::npos) names.insert(line.substr(first, last - first + 1));
    at = end + 1;
  }
  return names;
}

std::vector<FileResult> runSuite(const Engine& engine, const std::vector<std::string>& files,
                                 const SuiteOptions& options, const std::function<void(const FileResult&)>& done) {
  std::vector<std::optional<FileResult>> results(files.size());
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  std::condition_variable finished;
  auto work = [&] {
    for (size_t i = next++; i < files.size(); i = next++) {
      FileResult result = runFile(engine, files[i], options);
      std::lock_guard lock(mutex);
      results[i] = std::move(result);
      finished.notify_one();
    }
  };
  std::vector<std::jthread> workers;
  unsigned jobs = static_cast<unsigned>(std::min<size_t>(std::max(1u, options.jobs), files.size()));
  for (unsigned i = 0; i + 1 < jobs; i++) workers.emplace_back(work);
  std::vector<FileResult> ordered;
  auto takeReady = [&](std::unique_lock<std::mutex>& lock) {
    while (ordered.size() < files.size() && results[ordered.size()]) {
      ordered.push_back(*std::move(results[ordered.size()]));
      lock.unlock();
      done(ordered.back());
      lock.lock();
    }
  };
  // This thread works too, and reports in between.
  for (size_t i = next++; i < files.size(); i = next++) {
    FileResult result = runFile(engine, files[i], options);
    std::unique_lock lock(mutex);
    results[i] = std::move(result);
    takeReady(lock);
  }
  std::unique_lock lock(mutex);
  while (ordered.size() < files.size()) {
    finished.wait(lock, [&] { return results[ordered.size()].has_value(); });
    takeReady(lock);
  }
  return ordered;
}

}  // namespace wattle::spec
