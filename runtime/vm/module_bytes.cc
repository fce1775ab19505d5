#include "runtime/vm/module_bytes.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "sandbox/budget.h"

namespace wattle::vm {

namespace {

// Smaller files are read.
constexpr size_t kMapBytes = 64 << 10;

std::unexpected<Error> ioError(const std::string& path, const char* what) {
  return std::unexpected(Error::make(ErrorKind::Io, fmt::format("cannot {} {}: {}", what, path, strerror(errno))));
}

// The end of what was written. (std::ranges::copy goes byte by byte here.)
uint8_t* copyTo(uint8_t* to, std::span<const uint8_t> bytes) { return std::copy_n(bytes.data(), bytes.size(), to); }

// To the end, of what may be no regular file (a pipe, /dev/stdin). `expected`: the size, if it is known.
Result<std::vector<uint8_t>> readAll(int fd, const std::string& path, size_t expected) {
  std::vector<uint8_t> bytes(expected == 0 ? 65536 : expected + 1);
  size_t used = 0;
  for (;;) {
    if (used == bytes.size()) bytes.resize(used * 2);
    ssize_t n = read(fd, bytes.data() + used, bytes.size() - used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ioError(path, "read");
    used += static_cast<size_t>(n);
    if (n == 0) break;
  }
  bytes.resize(used);
  if (expected == 0) bytes.shrink_to_fit();
  return bytes;
}

}  // namespace

Result<ModuleBytes> ModuleBytes::map(const std::string& path) {
  struct File {
    int fd;
    ~File() {
      if (fd >= 0) close(fd);
    }
  } file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return ioError(path, "open");
  struct stat status {};
  if (fstat(file.fd, &status) != 0) return ioError(path, "stat");
  if (!S_ISREG(status.st_mode)) {
    auto bytes = readAll(file.fd, path, 0);
    if (!bytes) return std::unexpected(bytes.error());
    return ModuleBytes(std::move(*bytes));
  }
  return map(std::exchange(file.fd, -1), status, path);
}

Result<ModuleBytes> ModuleBytes::map(int file, const struct stat& status, const std::string& path) {
  ModuleBytes out;
  out.file_ = file;
  out.status_ = std::make_unique<struct stat>(status);
  if (status.st_size == 0) return out;
  // A process may have many modules but only so many mappings (vm.max_map_count).
  if (static_cast<size_t>(status.st_size) < kMapBytes || !sandbox::mappingsAllow(1)) {
    auto bytes = readAll(file, path, static_cast<size_t>(status.st_size));
    if (!bytes) return std::unexpected(bytes.error());
    out.adopt(std::move(*bytes));
    return out;
  }
  void* at = mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ, MAP_PRIVATE, file, 0);
  if (at == MAP_FAILED) return ioError(path, "map");
  sandbox::noteMappings(1);
  out.mapping_ = at;
  out.mappingSize_ = static_cast<size_t>(status.st_size);
  out.view_ = {static_cast<const uint8_t*>(at), out.mappingSize_};
  return out;
}

void ModuleBytes::adopt(std::vector<uint8_t>&& bytes) {
  auto kept = std::make_shared<const std::vector<uint8_t>>(std::move(bytes));
  view_ = *kept;
  ownedSize_ = view_.size();
  owned_ = std::move(kept);
}

uint8_t* ModuleBytes::allocate(size_t size) {
  auto made = std::make_shared_for_overwrite<uint8_t[]>(size);
  uint8_t* at = made.get();
  owned_ = std::move(made);
  ownedSize_ = size;
  view_ = {at, size};
  return at;
}

// Most of the time goes into making the pages.
ModuleBytes ModuleBytes::copy(std::span<const uint8_t> bytes, compile::WorkerPool& pool) {
  constexpr size_t kPiece = 1 << 20;
  ModuleBytes out;
  uint8_t* to = out.allocate(bytes.size());
  if (bytes.size() < 2 * kPiece) {
    copyTo(to, bytes);
    return out;
  }
  std::atomic<size_t> next{0};
  pool.run([&](unsigned) {
    for (size_t at; (at = next.fetch_add(kPiece)) < bytes.size();)
      copyTo(to + at, bytes.subspan(at, std::min(kPiece, bytes.size() - at)));
  });
  return out;
}

std::shared_ptr<const void> ModuleBytes::trim() {
  if (mapping_ || view_.size() == ownedSize_) return {};
  const auto part = view_;
  auto whole = owned_;
  copyTo(allocate(part.size()), part);
  return whole;
}

bool ModuleBytes::cutOut(size_t offset, size_t size) {
  if (mapping_) return false;
  const auto before = view_.first(offset), after = view_.subspan(offset + size);
  const auto whole = owned_;
  copyTo(copyTo(allocate(before.size() + after.size()), before), after);
  return true;
}

void ModuleBytes::closeFile() {
  if (file_ >= 0) close(file_);
  file_ = -1;
  status_.reset();
}

ModuleBytes ModuleBytes::slice(size_t offset, size_t size) && {
  ModuleBytes out(std::move(*this));
  out.view_ = out.view_.subspan(offset, size);
  return out;
}

ModuleBytes::~ModuleBytes() {
  closeFile();
  if (!mapping_) return;
  munmap(mapping_, mappingSize_);
  sandbox::noteMappings(-1);
}

}  // namespace wattle::vm
