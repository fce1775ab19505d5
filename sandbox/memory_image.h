// What a memory holds when it begins: the data segments of a module, laid out once and shared by all its instances.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace wattle::sandbox {

// Immutable. A large image is a sealed memory file: a guarded memory maps it copy-on-write, so that an instance costs a
// system call (none, when it takes a slot that another instance of the module left) and pages for what it writes. Small
// images, and those of checked memories, are copied, leaving out pages of zeros.
class MemoryImage {
 public:
  // `bytes` lies at offset 0 of the memory; everything behind it is zero. Copied.
  static std::expected<std::shared_ptr<const MemoryImage>, std::string> create(std::span<const uint8_t> bytes);
  ~MemoryImage();
  MemoryImage(const MemoryImage&) = delete;
  MemoryImage& operator=(const MemoryImage&) = delete;

  uint64_t byteSize() const { return size_; }  // to the last byte that is not zero: the least size of a memory with it
  bool isFile() const { return file_ >= 0; }

  // --- for the pools ---
  uint64_t id() const { return id_; }
  uint64_t mapStart() const { return start_; }  // whole pages; the image is zero outside
  uint64_t mapEnd() const { return end_; }
  // Slots wait warm for one size of memory with this image: the first there was. (A module has one.)
  bool isWarmSize(uint64_t bytes) const;
  // Replaces zero pages at base + mapStart() by the image, copy-on-write.
  bool mapInto(uint8_t* base) const;
  // `base` reads as zero.
  bool copyInto(uint8_t* base) const;

 private:
  MemoryImage() = default;
  bool makeFile(std::span<const uint8_t> bytes);

  uint64_t id_ = 0;
  uint64_t size_ = 0;
  uint64_t start_ = 0;
  uint64_t end_ = 0;
  mutable std::atomic<uint64_t> warmSize_{0};
  int file_ = -1;
  std::vector<uint8_t> bytes_;  // from start_ to size_, when it is no file
};

}  // namespace wattle::sandbox
