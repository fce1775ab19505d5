// Runs conformance scripts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "wattle/wattle.hpp"

namespace wattle::spec {

struct Failure {
  uint32_t line = 0;
  std::string message;
};

// What came of one script. Every command counts: an assertion that holds, a module that instantiates.
struct ScriptResultCounts {
  uint64_t passed = 0;
  uint64_t failed = 0;
  // Refused or trapped as it should, but for a reason other than the script's, or with other words. No failures.
  uint64_t otherWords = 0;
  std::vector<Failure> failures;  // in order; all of them
  std::vector<Failure> wordings;  // the same for otherWords
};

struct ScriptOptions {
  // The scripts of the threads proposal stand on a WebAssembly that allows one memory and one table, and assert that a
  // second one is refused. With this the runner refuses it.
  bool singleMemoryAndTable = false;
  // The scripts of custom descriptors stand on a WebAssembly whose br_on_cast may go anywhere in a hierarchy; all
  // others assert that it must not. Without this the runner refuses what only the proposal makes valid.
  bool customDescriptors = false;
  uint32_t gcStress = 0;  // collect at every so many allocations (StoreLimits::gcStress)
};

// Runs all commands, also after failures. `source` is the script's text.
ScriptResultCounts runScript(const Engine& engine, std::string_view source, const ScriptOptions& options = {});

}  // namespace wattle::spec
