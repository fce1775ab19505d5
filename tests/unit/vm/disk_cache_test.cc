// The disk cache through the public API. Two engines of a process know nothing of each other but what lies on disk.
#include "wattle/disk_cache.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "sandbox/linear_memory.h"
#include "tests/support/process.h"
#include "tests/unit/vm/vm_test.h"
#include "wattle/stats.hpp"

namespace wattle::testing {
namespace {

namespace fs = std::filesystem;

// `functions` functions of some 200 bytes; "run" adds up what every `stride`th returns, "trap" divides by zero.
std::vector<uint8_t> bigModule(unsigned functions, unsigned salt, unsigned stride = 1) {
  std::string text = "(module (memory 1)";
  for (unsigned i = 0; i < functions; ++i) {
    text += fmt::format("(func $f{} (param $x i32) (result i32) (local $y i32)", i);
    for (unsigned k = 0; k < 12; ++k) {
      text += fmt::format("(local.set $y (i32.add (i32.mul (local.get $y) (i32.const {})) (local.get $x)))",
                          i * 977 + k + salt);
    }
    text += "(i32.store (i32.const 8) (local.get $y)) (i32.load (i32.const 8)))";
  }
  text += "(func $trap (export \"trap\") (drop (i32.div_u (i32.const 1) (i32.const 0))))";
  text += "(func (export \"run\") (param $x i32) (result i32) (local $sum i32)";
  for (unsigned i = 0; i < functions; i += stride) {
    text += fmt::format("(local.set $sum (i32.add (local.get $sum) (call $f{} (local.get $x))))", i);
  }
  auto bytes = frontend::parseWat(text + "(local.get $sum)))");
  EXPECT_TRUE(bytes) << bytes.error().message;
  return *bytes;
}

int32_t expectedSum(unsigned functions, unsigned salt, unsigned stride, uint32_t x) {
  uint32_t sum = 0;
  for (unsigned i = 0; i < functions; i += stride) {
    uint32_t y = 0;
    for (unsigned k = 0; k < 12; ++k) y = y * (i * 977 + k + salt) + x;
    sum += y;
  }
  return static_cast<int32_t>(sum);
}

class DiskCacheTest : public ::testing::Test {
 protected:
  DiskCacheTest() {
    std::string name = ::testing::TempDir() + "wattle-cache-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    base = name;
    config.cacheDirectory = (base / "cache").string();
  }
  ~DiskCacheTest() override { fs::remove_all(base); }

  // A start of its own: compiles or finds the module, runs it, and gives what the engine says.
  DiskCacheStats start(const std::vector<uint8_t>& bytes, int32_t expected, const char* what = "") {
    Engine engine(config);
    auto module = Module::compile(engine, bytes);
    EXPECT_TRUE(module) << what << module.error().message;
    if (!module) return {};
    Store store(engine);
    auto instance = Instance::create(store, *module, {});
    EXPECT_TRUE(instance) << what;
    EXPECT_EQ(callI32(*instance, "run", {7}), expected) << what;
    Error error = callError(*instance, "trap");
    EXPECT_EQ(error.trap, TrapCode::IntegerDivideByZero) << what;
    EXPECT_EQ(error.backtrace.at(0).function, "trap") << what;
    return engine.stats().diskCache;
  }

  std::vector<fs::path> files() const {
    std::vector<fs::path> out;
    if (!fs::exists(config.cacheDirectory)) return out;
    for (const auto& entry : fs::directory_iterator(config.cacheDirectory)) {
      if (entry.path().extension() == ".cwasm") out.push_back(entry.path());
    }
    return out;
  }

  fs::path base;
  Config config;
};

TEST_F(DiskCacheTest, TheSecondStartMapsTheCode) {
  config.lazy = false;
  const auto bytes = bigModule(2000, 1);
  const int32_t sum = expectedSum(2000, 1, 1, 7);
  auto first = start(bytes, sum);
  EXPECT_EQ(first.hits, 0u);
  EXPECT_EQ(first.misses, 1u);
  EXPECT_EQ(first.stores, 1u);
  ASSERT_EQ(files().size(), 1u);
  struct stat status {};
  ASSERT_EQ(stat(config.cacheDirectory.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  ASSERT_EQ(stat(files()[0].c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);

  Engine engine(config);
  const auto before = codeCacheStats();
  auto module = Module::compile(engine, bytes);
  ASSERT_TRUE(module);
  const auto now = codeCacheStats();
  EXPECT_GT(now.bytesMapped - before.bytesMapped, 300'000u);
  EXPECT_LT(now.bytesCommitted, before.bytesCommitted + 64'000) << "the code is not copied";
  EXPECT_EQ(engine.stats().diskCache.hits, 1u);
  auto second = start(bytes, sum);
  EXPECT_EQ(second.hits, 1u);
  EXPECT_EQ(second.misses, 0u);
  EXPECT_EQ(second.stores, 0u);
  config.loopCheck = LoopCheck::Compare;
  EXPECT_EQ(start(bytes, sum).misses, 1u) << "other code";
}

TEST_F(DiskCacheTest, TheFileTakesThePlaceOfTheBytes) {
  config.lazy = false;
  Engine engine(config);
  auto module = Module::compile(engine, bigModule(2000, 2));
  ASSERT_TRUE(module);
  ASSERT_EQ(files().size(), 1u);
  const std::string path = files()[0].string();
  std::ifstream maps("/proc/self/maps");
  bool mapped = false;
  for (std::string line; std::getline(maps, line);) mapped |= line.ends_with(path);
  EXPECT_TRUE(mapped) << path;
  fs::remove(path);
  auto serialized = module->serialize();
  ASSERT_TRUE(serialized);
  auto again = Module::deserialize(engine, *serialized);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->impl(), module->impl()) << "the same bytes";
  Store store(engine);
  auto instance = Instance::create(store, *again, {});
  ASSERT_TRUE(instance);
  EXPECT_EQ(callI32(*instance, "run", {7}), expectedSum(2000, 2, 1, 7));
  EXPECT_TRUE(callError(*instance, "trap").backtrace.at(0).moduleOffset);
}

TEST_F(DiskCacheTest, ALazyModuleKeepsWhatWasCalled) {
  config.lazy = true;
  const auto bytes = bigModule(6000, 2, 3);
  const int32_t sum = expectedSum(6000, 2, 3, 7);
  EXPECT_EQ(start(bytes, sum).misses, 1u);
  ASSERT_EQ(files().size(), 1u) << "written when the module died";
  const auto size = fs::file_size(files()[0]);
  const auto before = codeCacheStats();
  {
    Engine engine(config);
    auto module = Module::compile(engine, bytes);
    ASSERT_TRUE(module);
    EXPECT_GT(codeCacheStats().bytesMapped - before.bytesMapped, 250'000u);
    Store store(engine);
    auto instance = Instance::create(store, *module, {});
    ASSERT_TRUE(instance);
    EXPECT_EQ(callI32(*instance, "run", {7}), sum);
  }
  const auto second = start(bytes, sum);
  EXPECT_EQ(second.hits, 1u);
  EXPECT_EQ(fs::file_size(files()[0]), size) << "nothing new to keep";
  EXPECT_EQ(codeCacheStats().bytesUsed, before.bytesUsed);
}

// The first start calls little, the second much more: the third finds all of it, and what the second mapped goes on
// working beside what it compiled.
TEST_F(DiskCacheTest, ALazyModuleGrowsByWhatAnotherStartCalls) {
  config.lazy = true;
  const auto bytes = bigModule(3000, 3);
  const int32_t sum = expectedSum(3000, 3, 1, 7);
  {
    Engine engine(config);
    Store store(engine);
    auto instance = Instance::create(store, *Module::compile(engine, bytes), {});
    ASSERT_TRUE(instance);
    callError(*instance, "trap");
  }
  ASSERT_EQ(files().size(), 1u);
  const auto little = fs::file_size(files()[0]);
  EXPECT_EQ(start(bytes, sum).hits, 1u);
  const auto much = fs::file_size(files()[0]);
  EXPECT_GT(much, little + 400'000);
  EXPECT_EQ(start(bytes, sum).hits, 1u);
  EXPECT_EQ(fs::file_size(files()[0]), much);
}

// It may be killed in the end, so some of its code is kept while it runs.
TEST_F(DiskCacheTest, ALongRunIsStoredMeanwhile) {
  config.lazy = true;
  const auto bytes = bigModule(700, 11);
  {
    Engine engine(config);
    Store store(engine);
    auto instance = Instance::create(store, *Module::compile(engine, bytes), {});
    ASSERT_TRUE(instance);
    callError(*instance, "trap");
    EXPECT_TRUE(files().empty());
    std::this_thread::sleep_for(std::chrono::milliseconds(2100));
    EXPECT_EQ(callI32(*instance, "run", {7}), expectedSum(700, 11, 1, 7));
    while (files().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(callI32(*instance, "run", {8}), expectedSum(700, 11, 1, 8));
    // The engine waits for the thread, and what came later is stored by the module's end.
  }
  ASSERT_EQ(files().size(), 1u);
  const auto size = fs::file_size(files()[0]);
  EXPECT_EQ(start(bytes, expectedSum(700, 11, 1, 7)).hits, 1u);
  EXPECT_EQ(fs::file_size(files()[0]), size);
}

// A file may not grow beyond the process's limit for files (which would end the process).
TEST_F(DiskCacheTest, TheLimitForFilesIsKept) {
  const auto first = bigModule(700, 12), second = bigModule(3000, 13);
  start(first, expectedSum(700, 12, 1, 7));
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit rule{600'000, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &rule);
  const auto stats = start(second, expectedSum(3000, 13, 1, 7));
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(stats.misses, 1u);
  EXPECT_EQ(stats.stores, 0u);
  EXPECT_EQ(files().size(), 1u);
}

TEST_F(DiskCacheTest, OtherSettingsAreOtherFiles) {
  const auto bytes = bigModule(700, 4);
  const int32_t sum = expectedSum(700, 4, 1, 7);
  for (bool lazy : {false, true}) {
    for (auto bounds : {BoundsMode::Guarded, BoundsMode::Checked}) {
      config.lazy = lazy;
      config.bounds = bounds;
      EXPECT_EQ(start(bytes, sum).misses, 1u);
      EXPECT_EQ(start(bytes, sum).hits, 1u);
    }
  }
  EXPECT_EQ(files().size(), 4u);
  config.cacheDirectory.clear();
  EXPECT_FALSE(start(bytes, sum).enabled);
}

TEST_F(DiskCacheTest, EqualNamesOfFilesDoNotMatter) {
  const auto one = bigModule(700, 5), other = bigModule(700, 6);
  const std::string path = (base / "module.wasm").string();
  for (const auto* bytes : {&one, &other, &one}) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes->data()), static_cast<std::streamsize>(bytes->size()));
    Engine engine(config);
    Store store(engine);
    auto module = Module::fromFile(engine, path);
    ASSERT_TRUE(module);
    auto instance = Instance::create(store, *module, {});
    EXPECT_EQ(callI32(*instance, "run", {7}), expectedSum(700, bytes == &one ? 5 : 6, 1, 7));
  }
}

// Without mappings to spare everything is read and copied instead.
TEST_F(DiskCacheTest, WithoutMappingsItIsCopied) {
  const std::string path = (base / "module.wasm").string();
  const auto bytes = bigModule(3000, 14);
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  start(bytes, expectedSum(3000, 14, 1, 7));
  sandbox::BudgetState spent = sandbox::budget();
  spent.mappingsUsed = spent.mappingsLimit;
  sandbox::overrideBudget(spent);
  {
    const auto before = codeCacheStats();
    Engine engine(config);
    auto module = Module::fromFile(engine, path);
    ASSERT_TRUE(module) << module.error().message;
    Store store(engine);
    auto instance = Instance::create(store, *module, {});
    ASSERT_TRUE(instance) << instance.error().message;
    EXPECT_EQ(callI32(*instance, "run", {7}), expectedSum(3000, 14, 1, 7));
    EXPECT_EQ(codeCacheStats().bytesMapped, before.bytesMapped);
  }
  sandbox::overrideBudget(std::nullopt);
}

// A million modules may come from files, and no more mappings are to be had than ever.
TEST(ModuleFiles, SmallOnesTakeNoMappings) {
  World w;
  const std::string path = ::testing::TempDir() + "wattle-small-module.wasm";
  std::vector<Module> modules;
  const uint64_t before = sandbox::budget().mappingsUsed;
  const auto mapped = process::countMappings();
  for (int i = 0; i < 500; ++i) {
    auto bytes = *frontend::parseWat(fmt::format("(module (func (export \"f\") (result i32) (i32.const {})))", i));
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    modules.push_back(*Module::fromFile(w.engine, path));
  }
  EXPECT_EQ(sandbox::budget().mappingsUsed, before);
  EXPECT_LE(process::countMappings(), mapped + 50);
  auto instance = Instance::create(w.store, modules[400], {});
  EXPECT_EQ(callI32(*instance, "f"), 400);
  std::remove(path.c_str());
}

// A bit anywhere in the file: a miss, and the right results.
TEST_F(DiskCacheTest, DamageIsAMiss) {
  config.lazy = false;
  const auto bytes = bigModule(700, 7);
  const int32_t sum = expectedSum(700, 7, 1, 7);
  start(bytes, sum);
  ASSERT_EQ(files().size(), 1u);
  const fs::path path = files()[0];
  std::string whole;
  {
    std::ifstream in(path, std::ios::binary);
    whole.assign(std::istreambuf_iterator<char>(in), {});
  }
  std::vector<size_t> places;
  for (size_t at = 0; at < 160; at += 5) places.push_back(at);  // the header, and some ranges
  for (size_t at = 160; at < whole.size(); at += whole.size() / 40) places.push_back(at);
  places.push_back(whole.size() - 1);
  for (size_t at : places) {
    std::string bad = whole;
    bad[at] = static_cast<char>(bad[at] ^ 0x20);
    std::ofstream(path, std::ios::binary).write(bad.data(), static_cast<std::streamsize>(bad.size()));
    const auto stats = start(bytes, sum);
    EXPECT_EQ(stats.misses, 1u) << at;
    EXPECT_EQ(stats.stores, 1u) << at;
  }
  for (size_t size : {size_t{0}, size_t{7}, size_t{119}, size_t{4096}, whole.size() / 2, whole.size() - 1}) {
    fs::remove(path);
    std::ofstream(path, std::ios::binary).write(whole.data(), static_cast<std::streamsize>(size));
    EXPECT_EQ(start(bytes, sum).misses, 1u) << size;
  }
  EXPECT_EQ(start(bytes, sum).hits, 1u);
}

TEST_F(DiskCacheTest, WhatOthersCouldWriteIsNotUsed) {
  const auto bytes = bigModule(700, 8);
  const int32_t sum = expectedSum(700, 8, 1, 7);
  start(bytes, sum);
  ASSERT_EQ(files().size(), 1u);
  const fs::path path = files()[0];
  // A file that others may write, a link, a directory.
  chmod(path.c_str(), 0622);
  EXPECT_EQ(start(bytes, sum).misses, 1u);
  EXPECT_EQ(start(bytes, sum).hits, 1u);
  fs::rename(path, base / "elsewhere");
  fs::create_symlink(base / "elsewhere", path);
  EXPECT_EQ(start(bytes, sum).misses, 1u);
  EXPECT_FALSE(fs::is_symlink(path));
  fs::remove(path);
  fs::create_directory(path);
  EXPECT_EQ(start(bytes, sum).misses, 1u);
  fs::remove(path);
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(start(bytes, sum).misses, 1u);
  EXPECT_EQ(start(bytes, sum).hits, 1u);
  // The directory.
  for (mode_t mode : {0722, 0770, 0777}) {
    chmod(config.cacheDirectory.c_str(), mode);
    EXPECT_FALSE(start(bytes, sum).enabled) << mode;
    auto opened = DiskCache::open(config.cacheDirectory);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, ErrorKind::Io);
    EXPECT_NE(opened.error().message.find("others may write to it"), std::string::npos) << opened.error().message;
  }
  chmod(config.cacheDirectory.c_str(), 0755);
  EXPECT_EQ(start(bytes, sum).hits, 1u) << "others may read it";
  const auto real = config.cacheDirectory;
  config.cacheDirectory = (base / "link").string();
  fs::create_directory_symlink(real, config.cacheDirectory);
  EXPECT_FALSE(start(bytes, sum).enabled) << "a link";
  config.cacheDirectory = (base / "elsewhere").string();
  EXPECT_FALSE(start(bytes, sum).enabled) << "a file";
  config.cacheDirectory = "relative/path";
  EXPECT_FALSE(start(bytes, sum).enabled);
  EXPECT_FALSE(fs::exists("relative"));
}

TEST_F(DiskCacheTest, ADamagedIndexIsMadeAnew) {
  const auto bytes = bigModule(700, 9);
  const int32_t sum = expectedSum(700, 9, 1, 7);
  const fs::path index = fs::path(config.cacheDirectory) / "index";
  for (int kind = 0; kind < 4; ++kind) {
    start(bytes, sum);
    EXPECT_EQ(start(bytes, sum).hits, 1u);
    if (kind == 0) fs::resize_file(index, 100);
    if (kind == 1) std::ofstream(index, std::ios::binary) << "something else";
    if (kind == 2) fs::remove(index);
    if (kind == 3) {
      fs::remove(index);
      fs::create_symlink("/dev/null", index);
    }
    EXPECT_EQ(start(bytes, sum).misses, 1u) << "the names are others under another secret";
    EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(index)));
  }
}

TEST_F(DiskCacheTest, TheLeastRecentlyUsedGoFirst) {
  config.lazy = false;
  std::vector<std::vector<uint8_t>> modules;
  std::vector<int32_t> sums;
  for (unsigned i = 0; i < 6; ++i) {
    modules.push_back(bigModule(700, 100 + i));
    sums.push_back(expectedSum(700, 100 + i, 1, 7));
  }
  start(modules[0], sums[0]);
  ASSERT_EQ(files().size(), 1u);
  const uint64_t one = (fs::file_size(files()[0]) + 4095) / 4096 * 4096;
  config.cacheBytes = one * 9 / 2;
  start(modules[1], sums[1]);
  start(modules[2], sums[2]);
  start(modules[3], sums[3]);
  EXPECT_EQ(files().size(), 4u);
  EXPECT_EQ(start(modules[0], sums[0]).hits, 1u);  // the oldest, but just used
  EXPECT_EQ(start(modules[2], sums[2]).hits, 1u);
  start(modules[4], sums[4]);  // 7/8 of the limit leave room for two others and this
  EXPECT_EQ(files().size(), 3u);
  EXPECT_EQ(start(modules[0], sums[0]).hits, 1u);
  EXPECT_EQ(start(modules[2], sums[2]).hits, 1u);
  EXPECT_EQ(start(modules[4], sums[4]).hits, 1u);
  EXPECT_EQ(start(modules[1], sums[1]).misses, 1u);
  uint64_t bytes = 0;
  for (const auto& file : files()) bytes += fs::file_size(file);
  EXPECT_LE(bytes, config.cacheBytes);
  config.cacheBytes = one / 2;
  EXPECT_EQ(start(modules[5], sums[5]).stores, 0u) << "larger than the whole cache may be";
}

TEST_F(DiskCacheTest, UsageAndClear) {
  const auto bytes = bigModule(700, 10);
  const int32_t sum = expectedSum(700, 10, 1, 7);
  start(bytes, sum);
  auto cache = DiskCache::open(config.cacheDirectory);
  ASSERT_TRUE(cache);
  const auto usage = cache->usage();
  EXPECT_EQ(usage.files, 1u);
  EXPECT_GE(usage.bytes, fs::file_size(files()[0]));
  // Somebody who runs it keeps it.
  Engine engine(config);
  Store store(engine);
  auto instance = Instance::create(store, *Module::compile(engine, bytes), {});
  ASSERT_TRUE(instance);
  const auto removed = cache->clear();
  EXPECT_EQ(removed.files, usage.files);
  EXPECT_EQ(removed.bytes, usage.bytes);
  EXPECT_EQ(cache->usage().files, 0u);
  EXPECT_EQ(callI32(*instance, "run", {7}), sum);
  EXPECT_EQ(start(bytes, sum).misses, 1u);
}

TEST_F(DiskCacheTest, ManyThreadsAtOnce) {
  std::vector<std::vector<uint8_t>> modules;
  for (unsigned i = 0; i < 3; ++i) modules.push_back(bigModule(500, 300 + i));
  for (int round = 0; round < 4; ++round) {
    config.lazy = round % 2 == 0;
    Engine engine(config);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 6; ++t) {
      threads.emplace_back([&, t] {
        for (unsigned i = 0; i < 4; ++i) {
          const unsigned m = (t + i) % 3;
          auto module = Module::compile(engine, modules[m]);
          Store store(engine);
          auto instance = module ? Instance::create(store, *module, {}) : std::unexpected(module.error());
          if (!instance || callI32(*instance, "run", {7}) != expectedSum(500, 300 + m, 1, 7)) ++wrong;
        }
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
  }
  EXPECT_EQ(files().size(), 6u);
}

// Many processes that compile, find, evict and clear the same few modules: always the right results.
TEST_F(DiskCacheTest, ManyProcessesAtOnce) {
  config.compileThreads = 1;
  std::vector<std::vector<uint8_t>> modules;
  std::vector<int32_t> sums;
  for (unsigned i = 0; i < 3; ++i) {
    modules.push_back(bigModule(600, 200 + i));
    sums.push_back(expectedSum(600, 200 + i, 1, 7));
  }
  config.cacheBytes = 900'000;
  std::vector<pid_t> children;
  for (unsigned c = 0; c < 8; ++c) {
    const pid_t child = fork();
    if (child == 0) {
      for (unsigned i = 0; i < 12; ++i) {
        const unsigned m = (c + i) % 3;
        config.lazy = (c + i) % 2 == 0;
        start(modules[m], sums[m]);
        if (c == 0 && i % 4 == 3) (void)DiskCache::open(config.cacheDirectory)->clear();
      }
      _exit(HasFailure() ? 1 : 0);
    }
    children.push_back(child);
  }
  for (pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  for (const auto& entry : fs::directory_iterator(config.cacheDirectory)) {
    EXPECT_FALSE(entry.path().filename().string().starts_with(".")) << entry.path() << " was left behind";
  }
}

}  // namespace
}  // namespace wattle::testing
