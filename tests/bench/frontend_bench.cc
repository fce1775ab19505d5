// How fast modules are decoded and validated, on one core.
//
//   frontend_bench FILE...     for each: size, decodeModule and validateFunctions in milliseconds and MB/s (best of the
//                              runs that fit in a second); bodies' MB/s counts code bytes only
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <limits>
#include <vector>

#include "frontend/binary/module_decoder.h"

namespace {

using namespace wattle::frontend;
using Clock = std::chrono::steady_clock;

std::vector<uint8_t> readFile(const char* path) {
  std::ifstream in(path, std::ios::binary);
  return std::vector<uint8_t>(std::istreambuf_iterator<char>(in), {});
}

template <class F>
double bestSeconds(F&& f) {
  double best = std::numeric_limits<double>::max();
  const auto until = Clock::now() + std::chrono::seconds(1);
  do {
    const auto start = Clock::now();
    f();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  } while (Clock::now() < until);
  return best;
}

bool measure(const char* path) {
  const std::vector<uint8_t> bytes = readFile(path);
  const Result<ModuleInfo> module = validateModule(bytes);
  if (!module) {
    std::printf("%s: %s (at %llu)\n", path, module.error().message.c_str(),
                static_cast<unsigned long long>(module.error().offset));
    return false;
  }
  const double decode = bestSeconds([&] { (void)decodeModule(bytes); });
  const auto functions = static_cast<uint32_t>(module->functions.size());
  const double bodies = bestSeconds([&] { (void)validateFunctions(*module, bytes, 0, functions); });
  const double mb = static_cast<double>(bytes.size()) / 1e6, codeMb = static_cast<double>(module->codeBytes) / 1e6;
  std::printf("%8.2f MB %7u functions  decode %8.3f ms  bodies %8.2f ms %7.0f MB/s  all %7.0f MB/s  %s\n", mb,
              functions, decode * 1e3, bodies * 1e3, codeMb / bodies, mb / (decode + bodies), path);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  bool ok = true;
  for (int i = 1; i < argc; i++) ok &= measure(argv[i]);
  return ok ? 0 : 1;
}
