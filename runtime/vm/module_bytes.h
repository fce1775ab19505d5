// The bytes of a module: in memory of ours, or a file mapped.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "runtime/compile/worker_pool.h"
#include "wattle/error.hpp"

namespace wattle::vm {

class ModuleBytes {
 public:
  ModuleBytes() = default;
  explicit ModuleBytes(std::vector<uint8_t>&& bytes) { adopt(std::move(bytes)); }
  // Copies; a large module on all threads of the pool.
  static ModuleBytes copy(std::span<const uint8_t> bytes, compile::WorkerPool& pool);
  // Maps the file privately; reads one that is small, or when the process has few mappings left. A file that shrinks
  // while mapped makes reads fault, as for any program that maps files.
  static Result<ModuleBytes> map(const std::string& path);
  // The same of an opened file, which is closed with this, or before. `status` is its fstat().
  static Result<ModuleBytes> map(int file, const struct stat& status, const std::string& path);
  // A part of this.
  ModuleBytes slice(size_t offset, size_t size) &&;
  // Of bytes in memory, keeps only this part; gives back what holds the rest.
  std::shared_ptr<const void> trim();

  ModuleBytes(ModuleBytes&& other) noexcept
      : owned_(std::move(other.owned_)),
        ownedSize_(std::exchange(other.ownedSize_, 0)),
        mapping_(std::exchange(other.mapping_, nullptr)),
        mappingSize_(std::exchange(other.mappingSize_, 0)),
        file_(std::exchange(other.file_, -1)),
        status_(std::move(other.status_)),
        view_(std::exchange(other.view_, {})) {}
  ModuleBytes& operator=(ModuleBytes&& other) noexcept {
    owned_.swap(other.owned_);
    std::swap(ownedSize_, other.ownedSize_);
    std::swap(mapping_, other.mapping_);
    std::swap(mappingSize_, other.mappingSize_);
    std::swap(file_, other.file_);
    std::swap(status_, other.status_);
    std::swap(view_, other.view_);
    return *this;
  }
  ~ModuleBytes();

  std::span<const uint8_t> span() const { return view_; }
  // Of bytes in memory, all but a part, which the rest closes up over. False: they are mapped, and stay.
  bool cutOut(size_t offset, size_t size);
  bool isMapped() const { return mapping_ != nullptr; }
  // A mapped file's descriptor and status while it is open, when this is all of it; else -1 and nullptr.
  int file() const { return mapping_ ? file_ : -1; }
  const struct stat* wholeFile() const { return mapping_ && view_.size() == mappingSize_ ? status_.get() : nullptr; }
  void closeFile();

 private:
  void adopt(std::vector<uint8_t>&& bytes);
  // New memory for so many bytes, which is now what this views.
  uint8_t* allocate(size_t size);

  std::shared_ptr<const void> owned_;
  size_t ownedSize_ = 0;
  void* mapping_ = nullptr;
  size_t mappingSize_ = 0;
  int file_ = -1;
  std::unique_ptr<struct stat> status_;
  std::span<const uint8_t> view_;
};

}  // namespace wattle::vm
