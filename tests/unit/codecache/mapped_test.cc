// Blocks whose code is a file's.
#include <fcntl.h>
#include <sys/mman.h>

#include "tests/unit/codecache/code_maker.h"

namespace wattle::codecache {
namespace {

constexpr uint32_t kPageBytes = 4096;

// A file of so many pages; the code at the beginning of each returns `base` plus the page's number.
class CodeFile {
 public:
  explicit CodeFile(uint32_t pages, uint32_t base = 0) : pages_(pages) {
    file_ = memfd_create("code-file", MFD_CLOEXEC);
    std::vector<uint8_t> bytes(size_t{pages} * kPageBytes, 0xcc);
    for (uint32_t i = 0; i < pages; ++i) writeReturn(bytes.data() + size_t{i} * kPageBytes, base + i);
    EXPECT_EQ(write(file_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  ~CodeFile() { close(file_); }
  CodeCache::FilePart part(uint32_t at = 0, uint32_t fromPage = 0) const {
    return {file_, uint64_t{fromPage} * kPageBytes, at, (pages_ - fromPage) * kPageBytes};
  }

 private:
  int file_;
  uint32_t pages_;
};

CodeRef mapOrDie(uint32_t size, const CodeCache::FilePart& part) {
  auto block = cache().map(size, part);
  if (!block) {
    ADD_FAILURE() << block.error();
    std::abort();
  }
  (*block)->publish({CodeRange{0, 7, static_cast<uint32_t>(RangeKind::Function), 0}});
  return std::move(*block);
}

TEST(CodeCacheMapped, RunsFromTheFileAndIsFound) {
  CodeRef small = makeReturn(1);  // so that the next free granule is not the beginning of a page
  const CodeFile file(100, 500);
  const Stats before = cache().stats();
  CodeRef block = mapOrDie(100 * kPageBytes, file.part());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(block->code()) % kPageBytes, 0u);
  for (uint32_t i : {0u, 1u, 50u, 99u}) {
    const uint8_t* pc = block->code() + size_t{i} * kPageBytes;
    EXPECT_EQ(run(pc), 500 + i);
    const auto hit = lookup(pc + 5);
    EXPECT_EQ(hit.block, block.get());
    EXPECT_EQ(hit.offset, i * kPageBytes + 5);
    ASSERT_NE(hit.range, nullptr);
    EXPECT_EQ(hit.range->index, 7u);
  }
  const Stats now = cache().stats();
  EXPECT_EQ(now.bytesUsed - before.bytesUsed, 100 * kPageBytes);
  EXPECT_EQ(now.bytesMapped - before.bytesMapped, 100 * kPageBytes);
  EXPECT_EQ(now.mappings - before.mappings, 2u);
  EXPECT_LE(now.bytesCommitted, before.bytesCommitted + 2 * kPageBytes) << "nothing is copied";
  EXPECT_EQ(run(small->code()), 1u);
}

TEST(CodeCacheMapped, MemoryBeforeAndBehindThePart) {
  const CodeFile file(10, 40);
  CodeRef block = mapOrDie(30 * kPageBytes, file.part(8 * kPageBytes));
  for (uint32_t at : {0u, 7 * kPageBytes, 18 * kPageBytes, 30 * kPageBytes - 6}) {
    writeReturn(block->writable() + at, at);
    EXPECT_EQ(run(block->code() + at), at);
  }
  EXPECT_EQ(run(block->code() + 8 * kPageBytes), 40u);
  EXPECT_EQ(run(block->code() + 17 * kPageBytes), 49u);
}

// A part that ends within a page, in a block that does too.
TEST(CodeCacheMapped, RaggedEnds) {
  const CodeFile file(3, 9);
  const CodeRef first = makeReturn(1);
  const Stats before = cache().stats();
  for (uint32_t size : {2 * kPageBytes + 64, 2 * kPageBytes + 4000, 3 * kPageBytes}) {
    auto part = file.part();
    part.bytes = size;
    CodeRef block = mapOrDie(size, part);
    EXPECT_EQ(run(block->code() + 2 * kPageBytes), 11u);
    CodeRef next = makeReturn(77, 4096);  // what comes behind does not share the mapped page
    EXPECT_EQ(run(next->code()), 77u);
    EXPECT_EQ(run(block->code()), 9u);
  }
  EXPECT_EQ(cache().stats().bytesUsed, before.bytesUsed);
  EXPECT_EQ(cache().stats().bytesMapped, before.bytesMapped);
}

// Their place serves other code afterwards, and memory and mappings are what they were.
TEST(CodeCacheMapped, ThePlaceIsReused) {
  const CodeFile file(64);
  const CodeRef first = makeReturn(1);  // so that there is a region
  const Stats before = cache().stats();
  const size_t mappings = mappingCount();
  for (uint32_t round = 0; round < 200; ++round) {
    CodeRef mapped = mapOrDie(64 * kPageBytes, file.part());
    EXPECT_EQ(run(mapped->code() + 63 * size_t{kPageBytes}), 63u);
    mapped = CodeRef();
    CodeRef plain = makeReturn(round, 64 * kPageBytes);
    std::memset(plain->writable() + 6, 0xcc, plain->size() - 6);
    EXPECT_EQ(run(plain->code()), round);
  }
  const Stats now = cache().stats();
  EXPECT_EQ(now.bytesUsed, before.bytesUsed);
  EXPECT_EQ(now.bytesMapped, before.bytesMapped);
  EXPECT_EQ(now.blocks, before.blocks);
  EXPECT_EQ(now.mappings, before.mappings);
  EXPECT_LE(mappingCount(), mappings + 4);
}

TEST(CodeCacheMapped, OnlySoManyAtATime) {
  const CodeFile file(1, 3);
  std::vector<CodeRef> blocks;
  std::string error;
  while (blocks.size() <= CodeCache::kMostMapped) {
    auto block = cache().map(kPageBytes, file.part());
    if (!block) {
      error = block.error();
      break;
    }
    blocks.push_back(std::move(*block));
  }
  EXPECT_EQ(blocks.size(), CodeCache::kMostMapped);
  EXPECT_EQ(error, "code cache: too many files are mapped");
  EXPECT_TRUE(cache().allocate(kPageBytes)) << "there is room for what is copied";
  blocks.pop_back();
  EXPECT_TRUE(cache().map(kPageBytes, file.part()));
}

TEST(CodeCacheMapped, WhatCannotBeMappedIsAnError) {
  const CodeRef first = makeReturn(1);
  const Stats before = cache().stats();
  EXPECT_FALSE(cache().map(kPageBytes, {-1, 0, 0, kPageBytes}));
  const size_t limit = before.limit;
  cache().setLimit(before.bytesUsed + kPageBytes);
  const CodeFile file(2);
  auto full = cache().map(2 * kPageBytes, file.part());
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().find("code cache is full: "), 0u) << full.error();
  cache().setLimit(limit);
  const Stats now = cache().stats();
  EXPECT_EQ(now.bytesUsed, before.bytesUsed);
  EXPECT_EQ(now.bytesMapped, before.bytesMapped);
  EXPECT_EQ(now.mappings, before.mappings);
}

TEST(CodeCacheMapped, AForkedChildRunsAndDropsIt) {
  const CodeFile file(20, 100);
  CodeRef block = mapOrDie(30 * kPageBytes, file.part(4 * kPageBytes));
  writeReturn(block->writable(), 5);
  const int code = inChild([&] {
    const uint8_t* inside = block->code() + 10 * kPageBytes;
    if (run(inside) != 106 || run(block->code()) != 5 || lookup(inside).block != block.get()) return 1;
    CodeRef mapped = mapOrDie(20 * kPageBytes, file.part());  // in a region of the child's own
    if (run(mapped->code()) != 100) return 2;
    block = CodeRef();
    if (run(makeReturn(9)->code()) != 9) return 3;
    return 0;
  });
  EXPECT_EQ(code, 0);
  EXPECT_EQ(run(block->code() + 10 * kPageBytes), 106u) << "the child's dropping is its own";
  EXPECT_EQ(run(block->code()), 5u);
  block = CodeRef();
  EXPECT_EQ(run(makeReturn(9)->code()), 9u);
}

}  // namespace
}  // namespace wattle::codecache
