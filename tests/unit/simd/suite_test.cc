// The conformance scripts of vectors, on processors of several ages.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "spec-tests/runner.h"
#include "tests/unit/simd/vector_test.h"

namespace wattle::testing {
namespace {

TEST(SimdSuite, AllProcessors) {
  const std::filesystem::path folder = WATTLE_TESTSUITE_FOLDER;
  if (!std::filesystem::is_directory(folder)) GTEST_SKIP() << "no conformance suite";
  for (const Processor& processor : processors()) {
    x64::CpuFeaturesOverride override(processor.features);
    Engine engine;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      const std::string name = entry.path().filename().string();
      if (!name.ends_with(".wast") || (!name.starts_with("simd_") && name.find("relaxed_") == std::string::npos))
        continue;
      std::ifstream in(entry.path(), std::ios::binary);
      const std::string source((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
      const spec::ScriptResultCounts counts = spec::runScript(engine, source);
      for (const spec::Failure& f : counts.failures) {
        ADD_FAILURE() << name << ":" << f.line << " on " << processor.name << ": " << f.message;
      }
      EXPECT_GT(counts.passed, 0u) << name;
    }
  }
}

}  // namespace
}  // namespace wattle::testing
