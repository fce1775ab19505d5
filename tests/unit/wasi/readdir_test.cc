// fd_readdir: what is listed, cookies, small buffers.
#include <algorithm>
#include <map>
#include <set>

#include "tests/unit/wasi/guest.h"

namespace wattle::wasi::test {
namespace {

namespace fs = std::filesystem;

struct Listed {
  Dirent head;
  std::string name;
};

// The whole entries of a call, and how many bytes it gave.
struct Listing {
  std::vector<Listed> entries;
  uint32_t used = 0;
};

class WasiReaddir : public ::testing::Test {
 protected:
  WasiReaddir() : guest(config()) {}
  WasiConfig config() {
    WasiConfig config;
    EXPECT_TRUE(config.preopenDir(dir.path().string(), "/"));
    return config;
  }
  Listing list(uint64_t cookie, uint32_t size, uint32_t fd = kRoot) {
    guest.reset();
    auto buffer = guest.room<uint8_t>(size);
    auto used = guest.room<uint32_t>();
    EXPECT_EQ(fdReaddir(guest, fd, buffer, size, cookie, used), Errno::Success);
    Listing out;
    out.used = guest.get(used);
    EXPECT_LE(out.used, size);
    for (uint32_t at = 0; at + sizeof(Dirent) <= out.used;) {
      Listed entry;
      entry.head = guest.get(Ptr<Dirent>{buffer.address + at});
      at += sizeof(Dirent) + entry.head.nameLength;
      if (at > out.used) break;
      entry.name = guest.bytes({buffer.address + at - entry.head.nameLength}, entry.head.nameLength);
      out.entries.push_back(entry);
    }
    return out;
  }
  // As a C library reads it: from where the last whole entry ended, with a larger buffer if not even one fits.
  std::vector<Listed> all(uint32_t size, uint32_t fd = kRoot, uint64_t cookie = 0) {
    std::vector<Listed> out;
    for (;;) {
      Listing part = list(cookie, size, fd);
      out.insert(out.end(), part.entries.begin(), part.entries.end());
      if (part.used < size) return out;
      if (part.entries.empty()) {
        size *= 2;
      } else {
        cookie = part.entries.back().head.next;
      }
    }
  }
  static std::multiset<std::string> names(const std::vector<Listed>& entries) {
    std::multiset<std::string> out;
    for (const Listed& entry : entries) out.insert(entry.name);
    return out;
  }

  TempDir dir;
  Guest guest;
};

TEST_F(WasiReaddir, EmptyDirectory) {
  auto entries = all(4096);
  EXPECT_EQ(names(entries), (std::multiset<std::string>{".", ".."}));
  struct stat status;
  ASSERT_EQ(::stat(dir.path().c_str(), &status), 0);
  for (const Listed& entry : entries) {
    EXPECT_EQ(entry.head.type, FileType::Directory);
    EXPECT_EQ(entry.head.ino, status.st_ino) << entry.name;  // the root's parent is the root
  }
}

TEST_F(WasiReaddir, TypesAndInodes) {
  writeFile(dir / "file", "");
  fs::create_directory(dir / "sub");
  fs::create_symlink("file", dir / "link");
  ASSERT_EQ(::mkfifo((dir / "fifo").c_str(), 0600), 0);
  std::map<std::string, FileType> types;
  for (const Listed& entry : all(4096)) {
    types[entry.name] = entry.head.type;
    EXPECT_TRUE(entry.name == ".." || entry.head.ino == guest.stat(entry.name, false)->ino) << entry.name;
  }
  EXPECT_EQ(types["file"], FileType::RegularFile);
  EXPECT_EQ(types["sub"], FileType::Directory);
  EXPECT_EQ(types["link"], FileType::SymbolicLink);
  EXPECT_EQ(types["fifo"], FileType::Unknown);
  EXPECT_EQ(types.size(), 6u);
  // Below the root ".." is what it is.
  uint32_t sub = *guest.open("sub");
  for (const Listed& entry : all(4096, sub)) {
    EXPECT_EQ(entry.head.ino, guest.stat(entry.name == "." ? "sub" : ".")->ino);
  }
}

TEST_F(WasiReaddir, EverySizeOfBuffer) {
  std::multiset<std::string> expected = {".", ".."};
  for (int i = 0; i < 40; ++i) {
    std::string name = "file" + std::string(static_cast<size_t>(i) * 5, 'x') + std::to_string(i);
    writeFile(dir / name, "");
    expected.insert(name);
  }
  for (uint32_t size : {1u, 23u, 24u, 25u, 26u, 60u, 100u, 256u, 300u, 1000u, 4096u, 100'000u}) {
    EXPECT_EQ(names(all(size)), expected) << size;
  }
}

TEST_F(WasiReaddir, TruncatedEntryHasItsPlace) {
  writeFile(dir / "a_rather_long_name", "");
  Listing whole = list(0, 4096);
  for (uint32_t size = 0; size < whole.used; ++size) EXPECT_EQ(list(0, size).used, size);
  EXPECT_EQ(list(0, whole.used).used, whole.used);
  EXPECT_EQ(list(whole.entries.back().head.next, 100).used, 0u);  // only now the end shows
  EXPECT_EQ(list(0, whole.used + 1).used, whole.used);
}

TEST_F(WasiReaddir, AnyCookieResumes) {
  for (int i = 0; i < 300; ++i) writeFile(dir / ("file" + std::to_string(i)), "");
  auto entries = all(100'000);
  ASSERT_EQ(entries.size(), 302u);
  for (size_t step : {7u, 13u, 101u}) {
    for (size_t i = 0; i < entries.size(); i += step) {
      size_t from = (i * 31) % (entries.size() - 1);
      auto rest = all(500, kRoot, entries[from].head.next);
      ASSERT_EQ(rest.size(), entries.size() - from - 1);
      EXPECT_EQ(rest.front().name, entries[from + 1].name);
      EXPECT_EQ(rest.back().name, entries.back().name);
    }
  }
  // Going back a little, as seekdir(telldir()) does.
  EXPECT_EQ(list(entries[5].head.next, 300).entries.front().name, entries[6].name);
  EXPECT_EQ(list(entries[2].head.next, 300).entries.front().name, entries[3].name);
  EXPECT_EQ(list(entries[5].head.next, 300).entries.front().name, entries[6].name);
}

// wasm32's telldir() gives a long of 32 bits.
TEST_F(WasiReaddir, CookiesAreSmall) {
  for (int i = 0; i < 100; ++i) writeFile(dir / ("file" + std::to_string(i)), "");
  for (const Listed& entry : all(1000)) EXPECT_LT(entry.head.next, 1u << 31);
}

TEST_F(WasiReaddir, CookiesSurviveDeletion) {
  for (int i = 0; i < 100; ++i) writeFile(dir / ("file" + std::to_string(i)), "");
  auto entries = all(1000);
  std::multiset<std::string> rest;
  for (size_t i = 60; i < entries.size(); ++i) rest.insert(entries[i].name);
  for (size_t i = 0; i < 50; ++i) guest.unlink(entries[i].name);
  EXPECT_EQ(names(all(300, kRoot, entries[59].head.next)), rest);
}

TEST_F(WasiReaddir, DeletingWhatIsListed) {
  for (int i = 0; i < 500; ++i) writeFile(dir / ("file" + std::to_string(i)), "");
  uint64_t cookie = 0;
  for (;;) {
    Listing part = list(cookie, 400);
    for (const Listed& entry : part.entries) {
      EXPECT_TRUE(entry.name.size() <= 2 || guest.unlink(entry.name) == Errno::Success);
    }
    if (part.used < 400) break;
    cookie = part.entries.back().head.next;
  }
  EXPECT_TRUE(fs::is_empty(dir.path()));
}

TEST_F(WasiReaddir, StartSeesWhatIsNew) {
  EXPECT_EQ(all(4096).size(), 2u);
  writeFile(dir / "new", "");
  EXPECT_EQ(all(4096).size(), 3u);
  list(0, 60);  // in the middle
  writeFile(dir / "newer", "");
  EXPECT_EQ(all(60).size(), 4u);
}

TEST_F(WasiReaddir, TwoDescriptorsTwoPositions) {
  for (int i = 0; i < 50; ++i) writeFile(dir / ("file" + std::to_string(i)), "");
  uint32_t other = *guest.open(".");
  Listing a = list(0, 200);
  Listing b = list(0, 400, other);
  EXPECT_GT(b.entries.size(), a.entries.size());
  EXPECT_EQ(a.entries.size() + all(200, kRoot, a.entries.back().head.next).size(), 52u);
  EXPECT_EQ(b.entries.size() + all(200, other, b.entries.back().head.next).size(), 52u);
}

TEST_F(WasiReaddir, Errors) {
  writeFile(dir / "file", "");
  uint32_t file = *guest.open("file");
  uint32_t end = guest.memorySize();
  EXPECT_EQ(fdReaddir(guest, file, {1024}, 100, 0, {8}), Errno::NotDir);
  EXPECT_EQ(fdReaddir(guest, 99, {1024}, 100, 0, {8}), Errno::BadF);
  EXPECT_EQ(fdReaddir(guest, kRoot, {end - 50}, 100, 0, {8}), Errno::Fault);
  EXPECT_EQ(fdReaddir(guest, kRoot, {1024}, 100, 0, {end - 3}), Errno::Fault);
  // Cookies that were never given are the end, or what another descriptor would find there.
  EXPECT_EQ(list(~0ull, 100).used, 0u);
  EXPECT_EQ(list(12345678901, 100).used, 0u);
  EXPECT_EQ(list(3, 100).used, 0u);
  uint32_t other = *guest.open(".");
  EXPECT_EQ(list(2, 100, other).entries.size(), 1u);
  EXPECT_EQ(all(4096).size(), 3u);
}

TEST_F(WasiReaddir, RemovedDirectory) {
  fs::create_directory(dir / "sub");
  uint32_t sub = *guest.open("sub");
  EXPECT_EQ(guest.rmdir("sub"), Errno::Success);
  guest.reset();
  Errno error = fdReaddir(guest, sub, guest.room<uint8_t>(100), 100, 0, guest.room<uint32_t>());
  EXPECT_TRUE(error == Errno::Success || error == Errno::NoEnt);
}

TEST_F(WasiReaddir, NoDescriptorIsKept) {
  auto count = [] { return std::distance(fs::directory_iterator("/proc/self/fd"), {}); };
  auto before = count();
  for (int i = 0; i < 10; ++i) all(4096);
  EXPECT_EQ(count(), before);
}

}  // namespace
}  // namespace wattle::wasi::test
