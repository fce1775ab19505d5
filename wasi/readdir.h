// The stream behind fd_readdir.
#pragma once

#include <dirent.h>

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>

#include "wasi/abi.h"

namespace wattle::wasi {

struct DirEntry {
  uint64_t next = 0;  // cookie of the entry after it
  uint64_t ino = 0;
  FileType type = FileType::Unknown;
  std::string name;
};

// Cookies are the file system's own positions (d_off), so a guest may come back with any it was ever given, as with
// telldir and seekdir. Reading on from where the last read ended does not seek: file systems whose positions shift when
// entries go away (tmpfs before Linux 6.6) then skip nothing for a guest that deletes what it lists.
class DirStream {
 public:
  // Opens the directory anew, for a position of its own.
  static std::expected<std::unique_ptr<DirStream>, Errno> open(int directory);

  // Positions the stream at a cookie; 0 is the start, read afresh.
  void seek(uint64_t cookie);
  // The entry there, which stays the current one until skip(). Nothing: the end.
  std::expected<const DirEntry*, Errno> peek();
  void skip();

 private:
  struct Close {
    void operator()(DIR* dir) const { ::closedir(dir); }
  };
  explicit DirStream(DIR* dir) : dir_(dir) {}

  std::unique_ptr<DIR, Close> dir_;
  std::optional<DirEntry> current_;  // read from dir_, but not yet skipped
  uint64_t position_ = 0;            // the cookie of current_, or of what dir_ reads next
};

}  // namespace wattle::wasi
