#include "runtime/vm/cache_index.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "sandbox/budget.h"

namespace wattle::vm {

namespace {

constexpr char kName[] = "index";
constexpr char kMagic[8] = {'w', 'a', 't', 't', 'l', 'e', 'i', '1'};
constexpr uint64_t kBuckets = 1024;
constexpr unsigned kInBucket = 8;
constexpr off_t kTableAt = 4096;
constexpr off_t kBytesAt = 1024;
constexpr int64_t kSettled = 2'000'000'000;

struct Head {
  char magic[8];
  uint64_t buckets;
  uint8_t secret[192];
  uint64_t checksum;  // of what is above
};

uint64_t hashOf(const void* data, size_t size) { return XXH3_64bits(data, size); }

// Changes at each boot; 0 when it cannot be known, which counts as a boot of its own.
uint64_t bootKey() {
  char text[64];
  const int file = ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  const ssize_t n = ::read(file, text, sizeof text);
  close(file);
  return n > 0 ? hashOf(text, static_cast<size_t>(n)) : 0;
}

}  // namespace

int64_t nanoseconds(const timespec& t) { return t.tv_sec * 1'000'000'000 + t.tv_nsec; }

bool isOurs(const struct stat& file) {
  return S_ISREG(file.st_mode) && file.st_uid == geteuid() && (file.st_mode & 022) == 0;
}

int64_t nanosecondsNow() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return nanoseconds(now);
}

struct CacheIndex::Record {
  Identity id;
  Values values;
  int64_t lastUse;
  uint64_t boot;
  uint64_t checksum;

  uint64_t expected() const { return hashOf(this, offsetof(Record, checksum)); }
  bool good() const { return checksum == expected() && checksum != 0; }
};

struct CacheIndex::Bucket {
  Record records[kInBucket];
};

CacheIndex::Identity CacheIndex::identityOf(const struct stat& file) {
  const uint64_t words[5] = {file.st_dev, file.st_ino, static_cast<uint64_t>(file.st_size),
                             static_cast<uint64_t>(nanoseconds(file.st_mtim)),
                             static_cast<uint64_t>(nanoseconds(file.st_ctim))};
  const XXH128_hash_t hash = XXH3_128bits(words, sizeof words);
  return {hash.low64, hash.high64};
}

CacheIndex::~CacheIndex() {
  if (file_ >= 0) close(file_);
}

bool CacheIndex::read() {
  Head head;
  struct stat status {};
  if (fstat(file_, &status) != 0 || !isOurs(status)) return false;
  if (pread(file_, &head, sizeof head, 0) != sizeof head || std::memcmp(head.magic, kMagic, sizeof kMagic) != 0 ||
      head.buckets != kBuckets || head.checksum != hashOf(&head, offsetof(Head, checksum))) {
    return false;
  }
  std::memcpy(secret_.data(), head.secret, secret_.size());
  return true;
}

std::expected<void, std::string> CacheIndex::open(int directory) {
  boot_ = bootKey();
  if (!sandbox::fileSizeAllows(kTableAt + kBuckets * sizeof(Bucket))) {
    return std::unexpected("the limit for the size of files is too low");
  }
  for (int attempt = 0; attempt < 3; ++attempt) {
    file_ = openat(directory, kName, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file_ >= 0) {
      if (read()) return {};
      close(file_);
      file_ = -1;
    } else if (errno != ENOENT && errno != ELOOP) {
      break;
    }
    (void)unlinkat(directory, kName, 0);  // damaged, or no file of ours
    Head head{};
    std::memcpy(head.magic, kMagic, sizeof kMagic);
    head.buckets = kBuckets;
    if (getrandom(head.secret, sizeof head.secret, 0) != sizeof head.secret) break;
    head.checksum = hashOf(&head, offsetof(Head, checksum));
    const std::string temporary = fmt::format(".index-{}-{:x}", getpid(), hashOf(head.secret, 8));
    const int made = openat(directory, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (made < 0) break;
    const bool good = pwrite(made, &head, sizeof head, 0) == sizeof head &&
                      ftruncate(made, kTableAt + static_cast<off_t>(kBuckets * sizeof(Bucket))) == 0;
    const int error = errno;
    close(made);
    // Of several processes the first one's counts.
    const bool linked = good && linkat(directory, temporary.c_str(), directory, kName, 0) == 0;
    const int linkError = errno;
    (void)unlinkat(directory, temporary.c_str(), 0);
    if (!good) return std::unexpected(std::strerror(error));
    if (!linked && linkError != EEXIST) return std::unexpected(std::strerror(linkError));
  }
  return std::unexpected(file_ >= 0 ? "its index is not a file of ours" : std::strerror(errno));
}

bool CacheIndex::readBucket(const Identity& id, Bucket& bucket) const {
  const off_t at = kTableAt + static_cast<off_t>(id.low % kBuckets * sizeof(Bucket));
  return pread(file_, &bucket, sizeof bucket, at) == sizeof bucket;
}

void CacheIndex::write(const Identity& id, unsigned slot, const Record& record) const {
  Record sealed = record;
  sealed.checksum = sealed.expected();
  const off_t at = kTableAt + static_cast<off_t>(id.low % kBuckets * sizeof(Bucket) + slot * sizeof(Record));
  (void)!pwrite(file_, &sealed, sizeof sealed, at);  // what is not written is not known later
}

std::optional<CacheIndex::Values> CacheIndex::use(const struct stat& file) const {
  const Identity id = identityOf(file);
  Bucket bucket;
  if (!readBucket(id, bucket)) return std::nullopt;
  for (unsigned i = 0; i < kInBucket; ++i) {
    Record& record = bucket.records[i];
    if (!(record.id == id) || !record.good()) continue;
    const bool known = record.boot == boot_ && boot_ != 0 && record.values != Values{};
    record.lastUse = nanosecondsNow();
    write(id, i, record);
    if (known) return record.values;
    return std::nullopt;
  }
  return std::nullopt;
}

void CacheIndex::put(const struct stat& file, const Values& values) const {
  const Identity id = identityOf(file);
  const int64_t now = nanosecondsNow();
  const bool settled = now - std::max(nanoseconds(file.st_mtim), nanoseconds(file.st_ctim)) >= kSettled;
  Bucket bucket;
  if (!readBucket(id, bucket)) return;
  // Its own record, else a free one, else the one that has not been used for the longest time.
  const auto rank = [&](const Record& r) { return !r.good() ? -1 : r.id == id ? -2 : r.lastUse; };
  const Record* place = std::ranges::min_element(bucket.records, {}, rank);
  const Record record{id, settled ? values : Values{}, now, boot_, 0};
  write(id, static_cast<unsigned>(place - bucket.records), record);
}

CacheIndex::Lock::Lock(const CacheIndex& index) : file_(index.file_) {
  while (flock(file_, LOCK_EX) != 0 && errno == EINTR) {
  }
}
CacheIndex::Lock::~Lock() { flock(file_, LOCK_UN); }

uint64_t CacheIndex::bytes() const {
  uint64_t bytes = 0;
  return pread(file_, &bytes, sizeof bytes, kBytesAt) == sizeof bytes ? bytes : 0;
}

void CacheIndex::setBytes(uint64_t bytes) const { (void)!pwrite(file_, &bytes, sizeof bytes, kBytesAt); }

CacheIndex::Snapshot::Snapshot(const CacheIndex& index) : table_(kBuckets * sizeof(Bucket)) {
  const ssize_t n = pread(index.file_, table_.data(), table_.size(), kTableAt);
  table_.resize(n > 0 ? static_cast<size_t>(n) : 0);
}

int64_t CacheIndex::Snapshot::lastUse(const struct stat& file) const {
  const Identity id = identityOf(file);
  const size_t at = id.low % kBuckets * sizeof(Bucket);
  if (at + sizeof(Bucket) > table_.size()) return 0;
  Bucket bucket;
  std::memcpy(&bucket, table_.data() + at, sizeof bucket);
  const auto* found = std::ranges::find_if(bucket.records, [&](const Record& r) { return r.id == id && r.good(); });
  return found == std::end(bucket.records) ? 0 : found->lastUse;
}

}  // namespace wattle::vm
