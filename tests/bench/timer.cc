// Times one thing in this process and prints a line of JSON: what peers.mjs sets beside the same thing in node.
//
//   wattle_timer compile FILE [eager|lazy] [THREADS]   median of 5: bytes in memory to a module ready to instantiate
//   wattle_timer kernel FILE N [fuel]                  median of 7 of the export run(N), after one call to warm up; and the mean of the
//                                                      process's processor time
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "wattle/wattle.hpp"

namespace {

double milliseconds(const std::function<void()>& body) {
  auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int fail(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  return 1;
}

int timeCompile(std::span<const uint8_t> bytes, bool lazy, unsigned threads) {
  wattle::Config config;
  config.lazy = lazy;
  config.compileThreads = threads;
  wattle::Engine engine(config);
  std::vector<double> times;
  for (int i = 0; i < 5; ++i) {
    std::string error;
    std::optional<wattle::Module> keep;  // dropped outside of the measured time
    times.push_back(milliseconds([&] {
      auto module = wattle::Module::compile(engine, bytes);
      if (module)
        keep = std::move(*module);
      else
        error = module.error().message;
    }));
    if (!error.empty()) return fail(error);
  }
  std::printf("{\"ms\": %.3f}\n", median(times));
  return 0;
}

int timeKernel(std::span<const uint8_t> bytes, int32_t n, bool fuel) {
  wattle::Config config;
  config.fuel = fuel;
  wattle::Engine engine(config);
  auto module = wattle::Module::compile(engine, bytes);
  if (!module) return fail(module.error().message);
  wattle::Store store(engine);
  if (fuel) (void)store.addFuel(~0ull);
  auto instance = wattle::Instance::create(store, *module, {});
  if (!instance) return fail(instance.error().message);
  auto run = instance->func("run");
  if (!run) return fail("no export run");
  std::vector<double> times;
  int64_t result = 0;
  std::clock_t used = 0;
  for (int i = 0; i < 8; ++i) {
    if (i == 1) used = std::clock();
    std::string error;
    double t = milliseconds([&] {
      auto values = run->call({n});
      if (values)
        result = (*values)[0].i64();
      else
        error = values.error().message;
    });
    if (!error.empty()) return fail(error);
    if (i > 0) times.push_back(t);
  }
  const double cpu = static_cast<double>(std::clock() - used) * 1000 / CLOCKS_PER_SEC / 7;
  std::printf("{\"ms\": %.3f, \"cpu\": %.3f, \"result\": \"%lld\"}\n", median(times), cpu,
              static_cast<long long>(result));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string what = argc > 2 ? argv[1] : "";
  if (what != "compile" && what != "kernel")
    return fail("usage: wattle_timer compile FILE [eager|lazy] [THREADS] | kernel FILE N [fuel]");
  std::ifstream file(argv[2], std::ios::binary);
  if (!file) return fail(std::string("cannot read ") + argv[2]);
  std::vector<uint8_t> bytes((std::istreambuf_iterator<char>(file)), {});
  if (what == "kernel")
    return timeKernel(bytes, argc > 3 ? std::atoi(argv[3]) : 1, argc > 4 && std::string(argv[4]) == "fuel");
  return timeCompile(bytes, argc > 3 && std::string(argv[3]) == "lazy",
                     argc > 4 ? static_cast<unsigned>(std::atoi(argv[4])) : 0);
}
