// The disk cache.
//
// A directory of its own with one file per module and settings, in the format of image.h, named by a hash of the
// module's bytes, of the build of Wattle, of the processor's features and of the settings; and an index
// (cache_index.h).
//
// SAFETY. What is in these files is run. So the directory must be a directory (no link), belong to the user whose
// process this is, and be writable by nobody else; so must each file. All is done relative to the descriptor of the
// directory that was checked. The hash is keyed with a secret of the index: nobody can make two modules of one name.
//
// COMING AND GOING. A file is written under a temporary name and renamed, and never changed afterwards; it is removed
// by unlinking, never cut short. So whoever has opened or mapped a file keeps it whole, whatever others do. Two
// processes that write the same file write the same, and the last one's stays.
//
// DAMAGE. The checksum of the head is verified at each start, that of the body whenever the index does not know that
// this very file (same inode, never changed since) was verified since the last boot. A file that is damaged, cut short,
// of another version or somebody else's is a miss, and removed if it can be.
//
// SIZE. The index holds the sum of the files' sizes. Before a file is written its size is added to the sum; if that
// would exceed the limit the directory is looked through, and the files that were not used for the longest time go
// until 7/8 of the limit are left. So looking through happens once in so many bytes written, and what does not write
// never looks. Temporary files that a crash has left behind go at the same time.
#include "runtime/vm/disk_cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "runtime/compile/x64/cpu_features.h"
#include "sandbox/budget.h"

namespace wattle::vm {

namespace {

constexpr std::string_view kEnding = ".cwasm";
constexpr std::string_view kTemporary = ".new-";
// A temporary file this old has no writer any more.
constexpr int64_t kAbandoned = 600'000'000'000;
// The kernel is asked about a file's content rather than the file: from here on.
constexpr uint64_t kIndexed = 1 << 20;

std::unexpected<Error> unusable(const std::string& path, std::string_view why) {
  return std::unexpected(Error::make(ErrorKind::Io, fmt::format("cannot use the cache directory {}: {}", path, why)));
}

// As mkdir -p. Those that are made are the user's alone.
bool makeDirectories(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    if (mkdir(path.substr(0, slash).c_str(), 0700) != 0 && errno != EEXIST) return false;
  }
  return mkdir(path.c_str(), 0700) == 0 || errno == EEXIST;
}

uint64_t blocksOf(const struct stat& status) {
  return std::max(static_cast<uint64_t>(status.st_blocks) * 512, static_cast<uint64_t>(status.st_size));
}

// Calls each(name, status) for the cache's files, whole ones and temporary ones.
template <class Each>
void forFiles(int directory, Each each) {
  const int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return;
  DIR* list = fdopendir(copy);
  if (list == nullptr) {
    close(copy);
    return;
  }
  while (const dirent* entry = readdir(list)) {
    const std::string_view name = entry->d_name;
    if (!name.ends_with(kEnding) && !name.starts_with(kTemporary)) continue;
    struct stat status {};
    if (fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0) each(entry->d_name, status);
  }
  closedir(list);
}

bool writeAll(int file, std::vector<std::span<const uint8_t>> parts) {
  std::vector<iovec> left;
  for (const auto& part : parts) {
    if (!part.empty()) left.push_back({const_cast<uint8_t*>(part.data()), part.size()});
  }
  for (size_t first = 0; first < left.size();) {
    const ssize_t n = writev(file, left.data() + first, static_cast<int>(left.size() - first));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    for (auto done = static_cast<size_t>(n); first < left.size();) {
      if (done < left[first].iov_len) {
        left[first].iov_base = static_cast<uint8_t*>(left[first].iov_base) + done;
        left[first].iov_len -= done;
        break;
      }
      done -= left[first++].iov_len;
    }
  }
  return true;
}

}  // namespace

Result<std::shared_ptr<DiskCache>> DiskCache::open(const std::string& directory, uint64_t limit) {
  if (directory.empty() || directory[0] != '/') return unusable(directory, "not an absolute path");
  std::shared_ptr<DiskCache> cache(new DiskCache(directory, limit));
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  cache->directory_ = ::open(directory.c_str(), kFlags);
  if (cache->directory_ < 0 && errno == ENOENT && makeDirectories(directory)) {
    cache->directory_ = ::open(directory.c_str(), kFlags);
  }
  if (cache->directory_ < 0) {
    return unusable(directory, errno == ELOOP || errno == ENOTDIR ? "it is not a directory" : std::strerror(errno));
  }
  struct stat status {};
  if (fstat(cache->directory_, &status) != 0) return unusable(directory, std::strerror(errno));
  if (status.st_uid != geteuid()) return unusable(directory, "it belongs to another user");
  if ((status.st_mode & 022) != 0) return unusable(directory, "others may write to it");
  if (auto opened = cache->index_.open(cache->directory_); !opened) return unusable(directory, opened.error());
  return cache;
}

DiskCache::~DiskCache() {
  if (directory_ >= 0) close(directory_);
}

DiskCache::Content DiskCache::contentOf(const ModuleBytes& wasm) const {
  const auto bytes = wasm.span();
  const struct stat* status = wasm.wholeFile();
  const bool indexed = status != nullptr && bytes.size() >= kIndexed;
  if (indexed) {
    if (auto known = index_.use(*status)) return {(*known)[0], (*known)[1], (*known)[2]};
  }
  const XXH128_hash_t hash =
      XXH3_128bits_withSecret(bytes.data(), bytes.size(), index_.secret().data(), index_.secret().size());
  const Content content{hash.low64, hash.high64, XXH3_64bits(bytes.data(), bytes.size())};
  if (indexed) index_.put(*status, {content.low, content.high, content.hash});
  return content;
}

std::string DiskCache::nameOf(const Content& content, uint32_t settings) const {
  const uint64_t words[] = {content.low, content.high, buildKey(), x64::cpuFeatures().bits(), settings};
  const XXH128_hash_t hash =
      XXH3_128bits_withSecret(words, sizeof words, index_.secret().data(), index_.secret().size());
  return fmt::format("{:016x}{:016x}{}", hash.high64, hash.low64, kEnding);
}

std::optional<ModuleBytes> DiskCache::fileOf(const std::string& name, bool* isForeign) const {
  const auto nothing = [isForeign](bool foreign) {
    if (isForeign) *isForeign = foreign;
    return std::nullopt;
  };
  const int file = openat(directory_, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return nothing(errno != ENOENT);  // a link, or something else that cannot be opened
  struct stat status {};
  if (fstat(file, &status) != 0 || !isOurs(status)) {
    close(file);
    return nothing(true);
  }
  auto bytes = ModuleBytes::map(file, status, name);
  if (!bytes) return nothing(false);
  return std::move(*bytes);
}

std::optional<DiskCache::Found> DiskCache::find(const std::string& name) {
  const auto missed = [this] {
    misses_.fetch_add(1, std::memory_order_relaxed);
    return std::nullopt;
  };
  bool isForeign = false;
  auto bytes = fileOf(name, &isForeign);
  if (isForeign) discard(name);
  if (!bytes) return missed();
  const bool bodyKnown = knowsBody(*bytes);
  auto header = readImage(bytes->span(), bodyKnown);
  if (!header) {
    discard(name);
    return missed();
  }
  if (!bodyKnown) verifiedBody(*bytes, *header);
  hits_.fetch_add(1, std::memory_order_relaxed);
  return Found{std::move(*bytes), *header};
}

// Known is one checksum of a body: that which the head names must be it.
bool DiskCache::knowsBody(const ModuleBytes& file) const {
  const struct stat* status = file.wholeFile();
  const auto known = status != nullptr ? index_.use(*status) : std::nullopt;
  if (!known || file.span().size() < sizeof(ImageHeader)) return false;
  ImageHeader claimed;
  std::memcpy(&claimed, file.span().data(), sizeof claimed);
  return (*known)[0] == claimed.bodyChecksum && (*known)[1] == 1;
}

void DiskCache::verifiedBody(const ModuleBytes& file, const ImageHeader& header) const {
  if (const struct stat* status = file.wholeFile()) index_.put(*status, {header.bodyChecksum, 1, 0});
}

void DiskCache::discard(const std::string& name) {
  struct stat status {};
  const bool known = fstatat(directory_, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
  if (unlinkat(directory_, name.c_str(), 0) == 0 && known) countOut(blocksOf(status));
}

// What reserve() counted in is not there, or not any more.
void DiskCache::countOut(uint64_t bytes) {
  const std::lock_guard hold(mutex_);
  const CacheIndex::Lock lock(index_);
  const uint64_t sum = index_.bytes();
  index_.setBytes(sum - std::min(sum, bytes));
}

// Removes what was not used for the longest time until at most `target` bytes are left; gives back how many are.
uint64_t DiskCache::evict(uint64_t target) {
  struct File {
    std::string name;
    uint64_t bytes;
    int64_t used;
  };
  std::vector<File> files;
  uint64_t sum = 0;
  const CacheIndex::Snapshot known(index_);
  const int64_t now = nanosecondsNow();
  forFiles(directory_, [&](const char* name, const struct stat& status) {
    const int64_t made = nanoseconds(status.st_mtim);
    const bool abandoned = std::string_view(name).starts_with(kTemporary) && now - made > kAbandoned;
    if (abandoned && unlinkat(directory_, name, 0) == 0) return;
    sum += blocksOf(status);
    if (!std::string_view(name).starts_with(kTemporary)) {
      files.push_back({name, blocksOf(status), std::max(made, known.lastUse(status))});
    }
  });
  std::ranges::sort(files, {}, &File::used);
  for (const File& file : files) {
    if (sum <= target) break;
    if (unlinkat(directory_, file.name.c_str(), 0) == 0) sum -= file.bytes;
  }
  return sum;
}

// Makes room for a file and counts it in.
bool DiskCache::reserve(const std::string& name, uint64_t bytes) {
  if (!sandbox::fileSizeAllows(bytes)) return false;
  if (bytes > limit_ / 8 * 7) return false;
  const std::lock_guard hold(mutex_);
  const CacheIndex::Lock lock(index_);
  uint64_t sum = index_.bytes();
  struct stat old {};
  if (fstatat(directory_, name.c_str(), &old, AT_SYMLINK_NOFOLLOW) == 0) sum -= std::min(sum, blocksOf(old));
  if (sum + bytes > limit_) sum = evict(limit_ / 8 * 7 - bytes);
  index_.setBytes(sum + bytes);
  return sum + bytes <= limit_;
}

int DiskCache::writeFile(const std::string& temporary, const ImageParts& image) {
  const int file = openat(directory_, temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return -1;
  if (writeAll(file, image.parts())) return file;
  close(file);
  (void)unlinkat(directory_, temporary.c_str(), 0);
  return -1;
}

bool DiskCache::store(const std::string& name, const ImageParts& image) {
  const uint64_t bytes = (image.size() + 4095) / 4096 * 4096;
  if (!reserve(name, bytes)) return false;
  const std::string temporary = fmt::format("{}{}-{}-{}", kTemporary, getpid(),
                                            writes_.fetch_add(1, std::memory_order_relaxed), nanosecondsNow());
  const int file = writeFile(temporary, image);
  const bool kept = file >= 0 && renameat(directory_, temporary.c_str(), directory_, name.c_str()) == 0;
  if (kept) {
    struct stat status {};
    if (fstat(file, &status) == 0) index_.put(status, {});
    stores_.fetch_add(1, std::memory_order_relaxed);
  } else {
    if (file >= 0) (void)unlinkat(directory_, temporary.c_str(), 0);
    countOut(bytes);
  }
  if (file >= 0) close(file);
  return kept;
}

DiskCache::Usage DiskCache::usage() const {
  Usage usage;
  forFiles(directory_, [&](const char*, const struct stat& status) {
    usage.bytes += blocksOf(status);
    ++usage.files;
  });
  return usage;
}

DiskCache::Usage DiskCache::clear() {
  const std::lock_guard hold(mutex_);
  const CacheIndex::Lock lock(index_);
  Usage removed;
  uint64_t left = 0;
  forFiles(directory_, [&](const char* name, const struct stat& status) {
    if (unlinkat(directory_, name, 0) == 0) {
      removed.bytes += blocksOf(status);
      ++removed.files;
    } else {
      left += blocksOf(status);
    }
  });
  index_.setBytes(left);
  return removed;
}

}  // namespace wattle::vm
