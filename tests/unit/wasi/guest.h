// A guest without a runtime: some memory, a context, and the calls a C library would make.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <expected>
#include <filesystem>
#include <fstream>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "wasi/context.h"
#include "wasi/handlers.h"

namespace wattle::wasi {

inline void PrintTo(Errno error, std::ostream* out) { *out << "errno " << static_cast<int>(error); }

namespace test {

constexpr uint32_t kRoot = 3;  // the preopened directory of most tests

class Guest {
 public:
  explicit Guest(const WasiConfig& config, size_t memoryBytes = 1 << 20) : bytes_(memoryBytes) {
    auto made = WasiContext::create(config);
    if (!made) throw std::runtime_error(made.error().message);
    owner_ = *made;
  }

  WasiContext& wasi() { return *owner_; }
  Context& context() { return owner_->impl(); }
  Call call() { return {context(), GuestMemory(bytes_)}; }
  operator Call() { return call(); }  // so that a guest can be passed to handlers
  uint32_t memorySize() const { return static_cast<uint32_t>(bytes_.size()); }

  // Room in guest memory; never given back, but reset() starts over.
  template <class T>
  Ptr<T> room(uint32_t count = 1) {
    top_ = (top_ + 7) & ~7u;
    Ptr<T> at{top_};
    top_ += static_cast<uint32_t>(count * sizeof(T));
    if (top_ > bytes_.size()) throw std::runtime_error("the test guest is out of memory");
    return at;
  }
  void reset() { top_ = 1024; }
  template <class T>
  Ptr<T> put(const T& value) {
    auto at = room<T>();
    std::memcpy(&bytes_[at.address], &value, sizeof(T));
    return at;
  }
  GuestString text(std::string_view text) {
    auto at = room<char>(static_cast<uint32_t>(text.size()));
    std::memcpy(&bytes_[at.address], text.data(), text.size());
    return {at, static_cast<uint32_t>(text.size())};
  }
  template <class T>
  T get(Ptr<T> at, uint32_t index = 0) {
    T value;
    std::memcpy(&value, &bytes_[at.address + index * sizeof(T)], sizeof(T));
    return value;
  }
  std::string bytes(Ptr<uint8_t> at, uint32_t length) {
    return std::string(reinterpret_cast<char*>(&bytes_[at.address]), length);
  }

  // One iovec.
  Ptr<Iovec> iov(Ptr<uint8_t> at, uint32_t length) { return put(Iovec{at.address, length}); }

  struct How {
    uint32_t lookup = lookupflags::kSymlinkFollow;
    uint32_t oflags = 0;
    uint64_t base = rights::kAll & ~rights::kFdWrite;
    uint64_t inheriting = rights::kAll;
    uint32_t fdflags = 0;
  };
  static How writing(uint32_t oflags = 0) { return {.oflags = oflags, .base = rights::kAll}; }
  static How nofollow(uint32_t oflags = 0) { return {.lookup = 0, .oflags = oflags}; }

  std::expected<uint32_t, Errno> open(std::string_view path, const How& how, uint32_t dir = kRoot) {
    reset();
    auto out = room<uint32_t>();
    auto result = pathOpen(call(), dir, how.lookup, text(path), how.oflags, how.base, how.inheriting, how.fdflags, out);
    if (!result) throw std::runtime_error(result.error().message);
    if (*result != Errno::Success) return std::unexpected(*result);
    return get(out);
  }
  std::expected<uint32_t, Errno> open(std::string_view path, uint32_t dir = kRoot) { return open(path, How{}, dir); }
  Errno openError(std::string_view path, const How& how, uint32_t dir = kRoot) {
    auto fd = open(path, how, dir);
    if (fd) fdClose(call(), *fd);
    return fd ? Errno::Success : fd.error();
  }
  Errno openError(std::string_view path) { return openError(path, How{}); }

  std::expected<std::string, Errno> read(uint32_t fd, uint32_t length = 4096) {
    reset();
    auto buffer = room<uint8_t>(length);
    auto count = room<uint32_t>();
    auto result = fdRead(call(), fd, iov(buffer, length), 1, count);
    if (!result) throw std::runtime_error(result.error().message);
    if (*result != Errno::Success) return std::unexpected(*result);
    return bytes(buffer, get(count));
  }
  std::expected<uint32_t, Errno> write(uint32_t fd, std::string_view data) {
    reset();
    auto source = text(data);
    auto count = room<uint32_t>();
    auto result = fdWrite(call(), fd, iov({source.at.address}, source.length), 1, count);
    if (!result) throw std::runtime_error(result.error().message);
    if (*result != Errno::Success) return std::unexpected(*result);
    return get(count);
  }
  std::expected<std::string, Errno> contents(std::string_view path) {
    auto fd = open(path);
    if (!fd) return std::unexpected(fd.error());
    auto data = read(*fd);
    fdClose(call(), *fd);
    return data;
  }
  std::expected<Filestat, Errno> stat(std::string_view path, bool follow = true, uint32_t dir = kRoot) {
    reset();
    auto out = room<Filestat>();
    Errno error =
        pathFilestatGet(call(), Snapshot::Preview1, dir, follow ? lookupflags::kSymlinkFollow : 0, text(path), out);
    if (error != Errno::Success) return std::unexpected(error);
    return get(out);
  }
  Errno statError(std::string_view path, bool follow = true) {
    auto result = stat(path, follow);
    return result ? Errno::Success : result.error();
  }
  std::expected<Filestat, Errno> fstat(uint32_t fd) {
    reset();
    auto out = room<Filestat>();
    Errno error = fdFilestatGet(call(), Snapshot::Preview1, fd, out);
    if (error != Errno::Success) return std::unexpected(error);
    return get(out);
  }
  Fdstat fdstat(uint32_t fd) {
    reset();
    auto out = room<Fdstat>();
    EXPECT_EQ(fdFdstatGet(call(), fd, out), Errno::Success);
    return get(out);
  }
  Errno mkdir(std::string_view path, uint32_t dir = kRoot) {
    reset();
    return pathCreateDirectory(call(), dir, text(path));
  }
  Errno rmdir(std::string_view path) {
    reset();
    return pathRemoveDirectory(call(), kRoot, text(path));
  }
  Errno unlink(std::string_view path, uint32_t dir = kRoot) {
    reset();
    return pathUnlinkFile(call(), dir, text(path));
  }
  Errno rename(std::string_view from, std::string_view to, uint32_t fromDir = kRoot, uint32_t toDir = kRoot) {
    reset();
    auto a = text(from);
    return pathRename(call(), fromDir, a, toDir, text(to));
  }
  Errno link(std::string_view from, std::string_view to, bool follow = false, uint32_t fromDir = kRoot,
             uint32_t toDir = kRoot) {
    reset();
    auto a = text(from);
    return pathLink(call(), fromDir, follow ? lookupflags::kSymlinkFollow : 0, a, toDir, text(to));
  }
  Errno symlink(std::string_view target, std::string_view path) {
    reset();
    auto a = text(target);
    return pathSymlink(call(), a, kRoot, text(path));
  }
  std::expected<std::string, Errno> readlink(std::string_view path, uint32_t length = 4096) {
    reset();
    auto buffer = room<uint8_t>(length);
    auto used = room<uint32_t>();
    Errno error = pathReadlink(call(), kRoot, text(path), buffer, length, used);
    if (error != Errno::Success) return std::unexpected(error);
    return bytes(buffer, get(used));
  }
  Errno setTimes(std::string_view path, uint64_t atim, uint64_t mtim, uint32_t flags, bool follow = true) {
    reset();
    return pathFilestatSetTimes(call(), kRoot, follow ? lookupflags::kSymlinkFollow : 0, text(path), atim, mtim, flags);
  }

 private:
  std::vector<uint8_t> bytes_;
  uint32_t top_ = 1024;
  std::shared_ptr<WasiContext> owner_;
};

// A directory of the test's own, with all in it gone afterwards.
class TempDir {
 public:
  TempDir() {
    std::string name = (std::filesystem::temp_directory_path() / "wattle-wasi-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;

  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline void writeFile(const std::filesystem::path& path, std::string_view contents) {
  std::ofstream(path, std::ios::binary) << contents;
}
inline std::string readFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// top/root is preopened as "/"; top/outside is what must stay out of reach.
class Sandbox : public ::testing::TestWithParam<ResolveMode> {
 protected:
  Sandbox() {
    std::filesystem::create_directory(root);
    std::filesystem::create_directory(outside);
    writeFile(outside / "secret", "secret");
  }
  void SetUp() override {
    if (mode() == ResolveMode::Kernel && !kernelCanResolve()) GTEST_SKIP() << "no openat2 here";
    guest = std::make_unique<Guest>(config());
    guest->context().resolve = mode();
  }
  ResolveMode mode() const { return GetParam(); }
  WasiConfig config(DirAccess access = DirAccess::ReadWrite) const {
    WasiConfig config;
    auto opened = config.preopenDir(root.string(), "/", access);
    if (!opened) throw std::runtime_error(opened.error().message);
    return config;
  }

  TempDir top;
  std::filesystem::path root = top / "root";
  std::filesystem::path outside = top / "outside";
  std::unique_ptr<Guest> guest;
};

inline std::string modeName(const ::testing::TestParamInfo<ResolveMode>& info) {
  return info.param == ResolveMode::Kernel ? "Kernel" : "Walk";
}
#define WATTLE_BOTH_MODES(Suite) \
  INSTANTIATE_TEST_SUITE_P(Modes, Suite, ::testing::Values(ResolveMode::Kernel, ResolveMode::Walk), modeName)

}  // namespace test
}  // namespace wattle::wasi
