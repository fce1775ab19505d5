#include "runtime/cli/module_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>

#include "runtime/cli/progress.h"
#include "runtime/cli/quantities.h"
#include "runtime/cli/terminal.h"

namespace wattle::cli {

std::string displayName(const std::string& path) { return path == "-" ? "standard input" : path; }

namespace {

std::unexpected<Error> ioError(int number) { return std::unexpected(Error::make(ErrorKind::Io, strerror(number))); }

class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ > 2) close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

int openSource(const std::string& path) { return path == "-" ? 0 : open(path.c_str(), O_RDONLY | O_CLOEXEC); }

Result<std::vector<uint8_t>> readAll(int fd, size_t expected) {
  std::vector<uint8_t> bytes(std::max<size_t>(expected + 1, 64 << 10));
  size_t have = 0;
  while (true) {
    ssize_t n = read(fd, bytes.data() + have, bytes.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ioError(errno);
    if (n == 0) break;
    have += static_cast<size_t>(n);
    if (have == bytes.size()) bytes.resize(bytes.size() * 2);
  }
  bytes.resize(have);
  return bytes;
}

constexpr std::array<uint8_t, 4> kMagic = {0, 'a', 's', 'm'};
constexpr std::array<uint8_t, 4> kCompiledMagic = {0, 'w', 'a', 't'};

// A text begins with a parenthesis, a comment or an annotation, after blanks.
bool looksLikeText(std::span<const uint8_t> head) {
  if (head.size() >= 3 && head[0] == 0xef && head[1] == 0xbb && head[2] == 0xbf) head = head.subspan(3);
  for (size_t i = 0; i < head.size(); i++) {
    uint8_t c = head[i];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') continue;
    return c == '(' || (c == ';' && i + 1 < head.size() && head[i + 1] == ';');
  }
  return false;
}

Form formOf(std::span<const uint8_t> head) {
  if (head.size() >= 4 && std::ranges::equal(head.first(4), kMagic)) return Form::Binary;
  // A cut-off magic is a truncated binary, and the decoder says so.
  if (head.size() < 4 && std::ranges::equal(head, std::span(kMagic).first(head.size()))) return Form::Binary;
  return looksLikeText(head) ? Form::Text : Form::Other;
}

}  // namespace

Error unknownFormat(const ModuleSource& source) {
  std::span<const uint8_t> head(source.bytes);
  std::string start;
  for (size_t i = 0; i < std::min<size_t>(head.size(), 4); i++) start += fmt::format("{}{:02x}", i ? " " : "", head[i]);
  std::string_view hint;
  auto begins = [&](std::string_view magic) {
    return head.size() >= magic.size() && memcmp(head.data(), magic.data(), magic.size()) == 0;
  };
  if (begins("\x7f"
             "ELF"))
    hint = " (a native ELF program or library)";
  if (begins("#!")) hint = " (a script)";
  if (begins("\x1f\x8b")) hint = " (gzip data: unpack it first)";
  if (begins("PK\x03\x04")) hint = " (a zip archive: unpack it first)";
  return Error::make(
      ErrorKind::Malformed,
      fmt::format("not a WebAssembly module: it starts with {}{}, not with 00 61 73 6d (\"\\0asm\")", start, hint));
}

Result<ModuleSource> readSource(const std::string& path) {
  File file(openSource(path));
  if (file.fd() < 0) return ioError(errno);
  struct stat status {};
  if (fstat(file.fd(), &status) != 0) return ioError(errno);
  if (S_ISDIR(status.st_mode)) return ioError(EISDIR);
  auto bytes = readAll(file.fd(), S_ISREG(status.st_mode) ? static_cast<size_t>(status.st_size) : 0);
  if (!bytes) return std::unexpected(bytes.error());
  if (bytes->empty())
    return std::unexpected(Error::make(ErrorKind::Malformed, "it is empty, not a WebAssembly module"));
  Form form = formOf(*bytes);
  return ModuleSource{path, form, *std::move(bytes)};
}

Result<void> assemble(ModuleSource& source) {
  if (source.form != Form::Text) return {};
  std::string_view text(reinterpret_cast<const char*>(source.bytes.data()), source.bytes.size());
  auto binary = wat2wasm(text);
  if (!binary) {
    binary.error().offset.reset();  // it counts in the text; the message has line and column
    return std::unexpected(std::move(binary.error()));
  }
  source.bytes = *std::move(binary);
  source.form = Form::Binary;
  return {};
}

namespace {

void optimize(ModuleSource& source, frontend::OptimizeLevel level) {
  ProgressLine progress(fmt::format("optimizing {}", displayName(source.path)));
  auto optimized = frontend::optimizeModule(source.bytes, level);
  progress.finish();
  if (optimized) {
    source.bytes = *std::move(optimized);
  } else {
    warningLine(fmt::format("{}: runs without -O: {}", displayName(source.path), optimized.error()));
  }
}

// A regular file of a binary or of compiled code is mapped by the runtime instead of read here.
bool canBeMapped(const std::string& path, bool mayBeCompiled) {
  if (path == "-") return false;
  File file(openSource(path));
  struct stat status {};
  if (file.fd() < 0 || fstat(file.fd(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  std::array<uint8_t, 4> head{};
  if (pread(file.fd(), head.data(), head.size(), 0) != 4) return false;
  return head == kMagic || (mayBeCompiled && head == kCompiledMagic);
}

Result<Module> loadOther(const Engine& engine, const ModuleSource& source, bool mayBeCompiled) {
  if (mayBeCompiled) {
    auto module = Module::deserialize(engine, source.bytes);
    if (module || module.error().kind != ErrorKind::Malformed) return module;
  }
  return std::unexpected(unknownFormat(source));
}

}  // namespace

Result<Module> loadModule(const Engine& engine, const std::string& path, const LoadOptions& options) {
  if (!options.optimize && canBeMapped(path, options.mayBeCompiled)) {
    ProgressLine progress(fmt::format("compiling {}", path));
    return Module::fromFile(engine, path);
  }
  auto source = readSource(path);
  if (!source) return std::unexpected(source.error());
  if (source->form == Form::Other) return loadOther(engine, *source, options.mayBeCompiled);
  if (auto assembled = assemble(*source); !assembled) return std::unexpected(assembled.error());
  if (options.optimize) {
    // What is not valid is refused here, not by Binaryen.
    if (auto valid = Module::validate(engine, source->bytes); !valid) return std::unexpected(valid.error());
    optimize(*source, *options.optimize);
  }
  ProgressLine progress(fmt::format("compiling {} ({})", displayName(path), formatSize(source->bytes.size())));
  return Module::compile(engine, std::move(source->bytes));
}

}  // namespace wattle::cli
