// The bytes of a module: a vector of ours, or a file mapped.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "wattle/error.hpp"

namespace wattle::vm {

class ModuleBytes {
 public:
  ModuleBytes() = default;
  explicit ModuleBytes(std::vector<uint8_t>&& bytes) : owned_(std::move(bytes)), view_(owned_) {}
  // Maps the file privately; reads one that is small, or when the process has few mappings left. A file that shrinks
  // while mapped makes reads fault, as for any program that maps files.
  static Result<ModuleBytes> map(const std::string& path);
  // The same of an opened file, which is closed with this, or before. `status` is its fstat().
  static Result<ModuleBytes> map(int file, const struct stat& status, const std::string& path);
  // A part of this.
  ModuleBytes slice(size_t offset, size_t size) &&;
  // Of bytes in memory, keeps only this part; gives back what they were.
  std::vector<uint8_t> trim();

  ModuleBytes(ModuleBytes&& other) noexcept
      : owned_(std::move(other.owned_)),
        mapping_(std::exchange(other.mapping_, nullptr)),
        mappingSize_(std::exchange(other.mappingSize_, 0)),
        file_(std::exchange(other.file_, -1)),
        status_(std::move(other.status_)),
        view_(std::exchange(other.view_, {})) {}
  ModuleBytes& operator=(ModuleBytes&& other) noexcept {
    owned_.swap(other.owned_);
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
  std::vector<uint8_t> owned_;
  void* mapping_ = nullptr;
  size_t mappingSize_ = 0;
  int file_ = -1;
  std::unique_ptr<struct stat> status_;
  std::span<const uint8_t> view_;
};

}  // namespace wattle::vm
