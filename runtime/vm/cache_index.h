// What a disk cache knows about files without reading them: a table in a file of fixed size.
//
//   page 0     magic, a secret, the bytes that the cache's files take
//   records    64 bytes each, in buckets of 8: identity of a file -> what is in it, and when it was last used
//
// An identity is device, inode, size, and the times of the last change of contents and of the inode, hashed. Neither
// contents nor times of a file can be changed by a program without the last of those moving on, so a record tells truly
// what is in the file that has this identity, provided that the record was not made in the very tick of a change: put()
// leaves files alone that were changed within the last two seconds. (Stores through a writable mapping may be noticed
// by the kernel late; then the file as it was runs, once more.) What is said about contents counts until the next boot.
//
// Records are read and written whole, each with a checksum: what two processes write at once, or a crash tears, is no
// record. Losing some costs time only. The table is never mapped: another process may cut it short.
//
// Thread safety: any thread, any process.
#pragma once

#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace wattle::vm {

class CacheIndex {
 public:
  using Values = std::array<uint64_t, 3>;
  struct Identity {
    uint64_t low = 0, high = 0;
    bool operator==(const Identity&) const = default;
  };
  static Identity identityOf(const struct stat& file);

  // Opens the index in this directory; makes it where there is none or a damaged one. An error says why.
  std::expected<void, std::string> open(int directory);
  ~CacheIndex();
  CacheIndex() = default;
  CacheIndex(const CacheIndex&) = delete;
  CacheIndex& operator=(const CacheIndex&) = delete;

  // 192 random bytes, made with the index: what is hashed with them cannot be made to collide by who does not know
  // them.
  std::span<const uint8_t> secret() const { return secret_; }

  // What was put for this file; and it has been used now.
  std::optional<Values> use(const struct stat& file) const;
  // Only what `file` is known to hold. All zeros: nothing but its use.
  void put(const struct stat& file, const Values& values) const;

  // The exclusive lock of the cache. Waits.
  class Lock {
   public:
    explicit Lock(const CacheIndex& index);
    ~Lock();
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

   private:
    int file_;
  };
  // With the lock held.
  uint64_t bytes() const;
  void setBytes(uint64_t bytes) const;

  // For many questions at once.
  class Snapshot {
   public:
    explicit Snapshot(const CacheIndex& index);
    // Nanoseconds since 1970; 0: not known.
    int64_t lastUse(const struct stat& file) const;

   private:
    std::vector<uint8_t> table_;
  };

 private:
  struct Record;
  struct Bucket;
  bool read();
  bool readBucket(const Identity& id, Bucket& bucket) const;
  void write(const Identity& id, unsigned slot, const Record& record) const;

  int file_ = -1;
  uint64_t boot_ = 0;
  std::array<uint8_t, 192> secret_{};
};

// Since 1970.
int64_t nanoseconds(const timespec& t);
int64_t nanosecondsNow();

// A file of this user's that nobody else may write.
bool isOurs(const struct stat& file);

}  // namespace wattle::vm
