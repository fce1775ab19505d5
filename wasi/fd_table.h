// What a guest's descriptor numbers stand for.
//
// Guest threads that share a context may use the table at once: it is locked, and a descriptor that one thread uses
// outlives its being closed by another.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "wasi/abi.h"
#include "wasi/host_fd.h"
#include "wattle/wasi.hpp"

struct stat;

namespace wattle::wasi {

class DirStream;

// How a descriptor is read and written. All but File, Directory and Stream may have to wait for another side.
enum class Kind : uint8_t {
  File,  // regular, or a block device
  Directory,
  Pipe,
  Terminal,
  Device,  // any other character device
  Socket,
  Listener,
  Stream,  // the embedder's functions; no host descriptor
};

// A directory given at the start. Contexts made from one config share the host's descriptor of it.
struct Preopen {
  HostFd host;
  std::string guestName;
  bool readOnly = false;
};

struct Descriptor {
  Descriptor();
  ~Descriptor();

  // Parts that only some kinds have.
  struct Extra {
    WasiSource source;
    WasiSink sink;
    std::mutex dirLock;
    std::unique_ptr<DirStream> dir;  // from the first fd_readdir on
  };
  Extra& extra();

  int host() const { return file ? file->get() : -1; }
  bool is(Kind k) const { return kind == k; }
  bool has(uint64_t rights) const { return (base.load(std::memory_order_relaxed) & rights) == rights; }
  bool nonblock() const { return flags.load(std::memory_order_relaxed) & fdflags::kNonblock; }

  std::atomic<uint64_t> base = 0;  // rights; they only ever shrink
  std::atomic<uint64_t> inheriting = 0;
  std::shared_ptr<const HostFd> file;
  std::shared_ptr<const Preopen> preopen;  // of preopened directories
  std::unique_ptr<Extra> extraParts;
  std::atomic<uint16_t> flags = 0;  // fdflags; kNonblock lives here alone, see io.cc
  Kind kind = Kind::File;
  FileType type = FileType::Unknown;
  bool readOnly = false;  // it, or the preopened directory it came from
};

using DescriptorPtr = std::shared_ptr<Descriptor>;

// Kind and file type of an open host descriptor whose status is `status`.
void classify(int fd, const struct stat& status, Descriptor& descriptor);
FileType fileType(uint32_t mode);
// The rights that can apply to it.
uint64_t applicableRights(Kind kind);

class FdTable {
 public:
  explicit FdTable(uint32_t limit) : limit_(limit) {}

  // NotCapable unless it has all of `rights`.
  std::expected<DescriptorPtr, Errno> get(uint32_t fd, uint64_t rights = 0) const;
  // For the path_* functions: NotDir if it is no directory.
  std::expected<DescriptorPtr, Errno> directory(uint32_t fd, uint64_t rights) const;

  // The lowest free number from 3 on: a program that was given no stdout must not find another file there.
  std::expected<uint32_t, Errno> add(DescriptorPtr descriptor);
  bool full() const;
  void put(uint32_t fd, DescriptorPtr descriptor);  // standard streams

  std::expected<DescriptorPtr, Errno> remove(uint32_t fd);
  // `to` becomes what `from` was, in one step; both must be open.
  Errno renumber(uint32_t from, uint32_t to);

 private:
  mutable std::mutex lock_;
  std::vector<DescriptorPtr> slots_;
  uint32_t limit_;
  uint32_t open_ = 0;
  uint32_t lowestFree_ = 3;  // none below it, from 3 on, is free
};

}  // namespace wattle::wasi
