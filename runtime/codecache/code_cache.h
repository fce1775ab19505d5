// The code cache: all native code of the process. See DESIGN section 2 and the essay in code_cache.cc.
//
// Thread safety: everything here may be called from any thread. lookup() takes no lock, allocates nothing and is safe
// in a signal handler.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace wattle::codecache {

// What stands in a range of a block's code.
enum class RangeKind : uint8_t {
  Function,   // a guest function; index = function index in its module
  EntryStub,  // host to guest: a backtrace ends here (or goes on at the activation before)
  HostStub,   // guest to host
  Helper,     // anything else (jump tables, the safepoint stub)
};

struct CodeRange {
  uint32_t start = 0;  // offset in the block; ranges are sorted and reach to the next one's start
  uint32_t index : 24 = 0;
  uint32_t kind : 4 = 0;   // RangeKind
  uint32_t flags : 4 = 0;  // the compiler's own
};

class CodeCache;
class Region;

// A run of granules in one region. Reference counted; freed on the last release. 64 bytes, in the region's side memory.
class alignas(64) CodeBlock {
 public:
  const uint8_t* code() const { return code_; }    // read-execute view
  uint8_t* writable() const { return writable_; }  // read-write view of the same bytes
  uint32_t size() const { return size_; }          // as asked for (or shrunk to), not rounded
  std::span<const CodeRange> ranges() const;
  // Who owns the code: handed back by lookup. Set once before publish().
  void setOwner(const void* owner) { owner_ = owner; }
  const void* owner() const { return owner_; }
  // Makes the block visible to lookup(), with these ranges, once the code is written. May be called again with other
  // ranges while other threads look up; who holds the old span keeps it until the block dies. One thread at a time (for
  // one block).
  void publish(std::vector<CodeRange> ranges);
  // For code that comes piece by piece: adds ranges that begin behind all there are, in amortized constant time;
  // published if it was not. One thread at a time, like publish().
  void append(std::span<const CodeRange> ranges);
  // Gives the tail beyond `size` back. Before publish() only.
  void shrink(uint32_t size);
  // The block was made before a fork() and this is the child: its code runs, but must not be written any more (the
  // pages are the parent's too, and writable() faults). Allocate another block for what comes later.
  bool frozen() const;

  CodeBlock(const CodeBlock&) = delete;
  CodeBlock& operator=(const CodeBlock&) = delete;

 private:
  friend class CodeCache;
  friend class CodeRef;
  friend class Region;
  struct RangeList;
  CodeBlock() = default;
  void show(RangeList* list);
  void dropRanges();

  const uint8_t* code_ = nullptr;
  uint8_t* writable_ = nullptr;
  const void* owner_ = nullptr;
  std::atomic<RangeList*> ranges_{nullptr};
  uint32_t size_ = 0;
  uint32_t region_ = 0;
  std::atomic<uint32_t> references_{1};
  uint32_t mappedAt_ = 0;     // CodeCache::map: where the file's part begins, and its length, in pages
  uint32_t mappedPages_ = 0;  // 0: no part of it comes from a file
};

// A counted reference to a block.
class CodeRef {
 public:
  CodeRef() = default;
  explicit CodeRef(CodeBlock* adopted) : block_(adopted) {}
  CodeRef(const CodeRef& other);
  CodeRef(CodeRef&& other) noexcept : block_(other.block_) { other.block_ = nullptr; }
  CodeRef& operator=(CodeRef other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~CodeRef();
  CodeBlock* get() const { return block_; }
  CodeBlock* operator->() const { return block_; }
  explicit operator bool() const { return block_ != nullptr; }

 private:
  CodeBlock* block_ = nullptr;
};

struct Stats {
  size_t bytesUsed = 0;       // granules in live blocks
  size_t bytesCommitted = 0;  // pages that hold memory
  size_t bytesReserved = 0;   // address space of all regions (one view)
  size_t bytesMapped = 0;     // of bytesUsed: pages of files, neither committed nor copied
  size_t bytesFree = 0;       // free granules within committed pages: fragmentation = bytesFree / bytesCommitted
  size_t limit = 0;
  size_t blocks = 0;
  size_t regions = 0;
  size_t mappings = 0;  // kernel mappings the cache holds
  size_t heldRegions =
      0;  // regions that wait for a forked child, or are a forked parent's: they run, but take nothing new
};

class CodeCache {
 public:
  // The cache of this process. Created at first use, never destroyed.
  static CodeCache& process();

  // A block of at least `size` bytes (rounded up to granules of 64), writable through writable(). The error is one
  // line: "code cache is full: 512 MiB of 512 MiB in 123456 modules". Takes address space only: pages cost memory when
  // they are first written.
  std::expected<CodeRef, std::string> allocate(uint32_t size);
  // The same for the few bytes between host and guest that are kept for the life of the process: when the limit is
  // reached, a reserve beyond it (kReserve in all) serves them, so that what has been compiled can also be called.
  std::expected<CodeRef, std::string> allocateForGood(uint32_t size);
  static constexpr size_t kReserve = 1 << 20;

  // Code that stands in a file, to be run from there.
  struct FilePart {
    int file = -1;            // open for reading; not needed any more afterwards
    uint64_t fileOffset = 0;  // a multiple of 4096
    uint32_t at = 0;          // where in the block; a multiple of 4096
    uint32_t bytes = 0;       // whole pages are mapped
  };
  // A block of at least `size` bytes, at the beginning of a page, of which the part is a private read-execute mapping
  // of the file; the rest is memory, written through writable() as in any block. Nothing is copied, and pages are read
  // at first use. Costs two mappings, so only so many parts can be had at a time (kMostMapped, and the process's
  // budget): then, as when the system refuses, the error tells the caller to copy. Nobody may cut the file short while
  // the block lives, or its code faults (SIGBUS); unlinking it is fine.
  std::expected<CodeRef, std::string> map(uint32_t size, const FilePart& part);
  static constexpr uint32_t kMostMapped = 1024;

  struct Hit {
    const CodeBlock* block = nullptr;
    uint32_t offset = 0;               // of the pc in the block
    const CodeRange* range = nullptr;  // nullptr between ranges
    explicit operator bool() const { return block != nullptr; }
  };
  // Which published block holds the pc. Lock-free, allocation-free, async-signal-safe. The caller must know that the
  // block lives (it runs on this thread, or is referenced).
  Hit lookup(uintptr_t pc) const noexcept;
  bool contains(uintptr_t pc) const noexcept;  // in any region at all

  // Total bytes in live blocks allowed (default 16 GiB, or half of RAM if that is less). Never frees live code.
  void setLimit(size_t bytes);
  Stats stats() const;

 private:
  friend class CodeRef;
  friend class CodeBlock;
  CodeCache();
  void free(CodeBlock* block);
  struct Impl;
  Impl* impl_;
};

}  // namespace wattle::codecache
