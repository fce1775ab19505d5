// The stream behind fd_readdir.
#pragma once

#include <dirent.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "wasi/abi.h"

namespace wattle::wasi {

struct DirEntry {
  uint64_t next = 0;  // cookie of what comes after it
  uint64_t ino = 0;
  FileType type = FileType::Unknown;
  std::string name;
};

// A cookie is an entry's number in the listing, since 32-bit guests keep it in a `long` (telldir) and the file system's
// own positions are hashes of 64 bits. The stream remembers the position behind each number it gave out, so a guest may
// come back with any, and finds the same place even if entries have come or gone. Reading on from where the last read
// ended does not seek: file systems whose positions shift when entries go away (tmpfs before Linux 6.6) then skip
// nothing for a guest that deletes what it lists.
class DirStream {
 public:
  explicit DirStream(int directory) : directory_(directory) {}

  // Positions the stream at a cookie; 0 is the start, read afresh.
  Errno seek(uint64_t cookie);
  // The entry there, which stays the current one until skip(). Nothing: the end.
  std::expected<const DirEntry*, Errno> peek();
  void skip();
  // Gives the host's descriptor back. What is remembered stays.
  void close() { dir_.reset(); }

 private:
  struct Close {
    void operator()(DIR* dir) const { ::closedir(dir); }
  };
  Errno open();

  int directory_;
  std::unique_ptr<DIR, Close> dir_;    // opened anew from directory_, for a position of its own
  std::vector<long> positions_ = {0};  // the file system's, of each number seen
  uint64_t next_ = 0;                  // number of current_, or of what dir_ reads next
  std::optional<DirEntry> current_;    // read from dir_, but not yet skipped
};

}  // namespace wattle::wasi
