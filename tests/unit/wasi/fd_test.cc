// Descriptors: the table, status, flags, rights, seeking, sizes.
#include <sys/socket.h>

#include "tests/unit/wasi/guest.h"

namespace wattle::wasi::test {
namespace {

namespace fs = std::filesystem;

class WasiFd : public ::testing::Test {
 protected:
  WasiFd() : guest(config()) {}
  WasiConfig config() {
    WasiConfig config;
    EXPECT_TRUE(config.preopenDir(dir.path().string(), "/data"));
    return config;
  }
  uint32_t file(std::string_view contents = "", uint32_t fdflags = 0) {
    writeFile(dir / "file", contents);
    return *guest.open("file", {.base = rights::kAll, .fdflags = fdflags});
  }
  std::expected<uint64_t, Errno> seek(uint32_t fd, int64_t offset, uint32_t whence,
                                      Snapshot snapshot = Snapshot::Preview1) {
    guest.reset();
    auto out = guest.room<uint64_t>();
    Errno error = fdSeek(guest, snapshot, fd, offset, whence, out);
    if (error != Errno::Success) return std::unexpected(error);
    return guest.get(out);
  }
  std::expected<uint64_t, Errno> tell(uint32_t fd) {
    guest.reset();
    auto out = guest.room<uint64_t>();
    Errno error = fdTell(guest, fd, out);
    if (error != Errno::Success) return std::unexpected(error);
    return guest.get(out);
  }

  TempDir dir;
  Guest guest;
};

TEST_F(WasiFd, NothingIsGrantedByDefault) {
  Guest none{WasiConfig()};
  for (uint32_t fd = 0; fd < 10; ++fd) {
    EXPECT_EQ(fdFdstatGet(none, fd, {8}), Errno::BadF);
    EXPECT_EQ(fdPrestatGet(none, fd, {8}), Errno::BadF);
  }
  EXPECT_EQ(none.write(1, "x").error(), Errno::BadF);
  EXPECT_EQ(none.openError("file"), Errno::BadF);
  // And what is opened later takes no standard number.
  EXPECT_EQ(*guest.open("."), 4u);
}

TEST_F(WasiFd, Prestat) {
  auto out = guest.room<Prestat>();
  ASSERT_EQ(fdPrestatGet(guest, kRoot, out), Errno::Success);
  EXPECT_EQ(guest.get(out).tag, 0);
  EXPECT_EQ(guest.get(out).nameLength, 5u);
  auto name = guest.room<uint8_t>(8);
  EXPECT_EQ(fdPrestatDirName(guest, kRoot, name, 5), Errno::Success);
  EXPECT_EQ(guest.bytes(name, 6), std::string("/data\0", 6));
  EXPECT_EQ(fdPrestatDirName(guest, kRoot, name, 8), Errno::Success);
  EXPECT_EQ(fdPrestatDirName(guest, kRoot, name, 4), Errno::NameTooLong);
  EXPECT_EQ(fdPrestatDirName(guest, kRoot, {guest.memorySize() - 2}, 5), Errno::Fault);
  EXPECT_EQ(fdPrestatGet(guest, kRoot, {guest.memorySize() - 4}), Errno::Fault);
  EXPECT_EQ(fdPrestatGet(guest, *guest.open("."), out), Errno::BadF);  // not a preopen
  EXPECT_EQ(fdPrestatDirName(guest, 77, name, 5), Errno::BadF);
}

TEST_F(WasiFd, CloseAndReuse) {
  uint32_t a = file();
  uint32_t b = *guest.open("file");
  EXPECT_EQ(b, a + 1);
  EXPECT_EQ(fdClose(guest, a), Errno::Success);
  EXPECT_EQ(fdClose(guest, a), Errno::BadF);
  EXPECT_EQ(*guest.open("file"), a);
  EXPECT_EQ(fdClose(guest, kRoot), Errno::Success);  // a preopen is closed as any other
  EXPECT_EQ(guest.openError("file"), Errno::BadF);
  EXPECT_TRUE(guest.fstat(b));
  EXPECT_EQ(fdClose(guest, ~0u), Errno::BadF);
}

TEST_F(WasiFd, Renumber) {
  writeFile(dir / "one", "1");
  writeFile(dir / "two", "22");
  uint32_t one = *guest.open("one");
  uint32_t two = *guest.open("two");
  ASSERT_EQ(fdRenumber(guest, one, two), Errno::Success);
  EXPECT_EQ(guest.fstat(two)->size, 1u);
  EXPECT_EQ(guest.fstat(one).error(), Errno::BadF);
  EXPECT_EQ(fdRenumber(guest, two, one), Errno::BadF);  // both must be open
  EXPECT_EQ(fdRenumber(guest, one, two), Errno::BadF);
  EXPECT_EQ(fdRenumber(guest, two, two), Errno::Success);
  EXPECT_EQ(guest.fstat(two)->size, 1u);
  EXPECT_EQ(*guest.open("two"), one);
  // Over a preopen: it is gone.
  ASSERT_EQ(fdRenumber(guest, two, kRoot), Errno::Success);
  EXPECT_EQ(fdPrestatGet(guest, kRoot, {8}), Errno::BadF);
  EXPECT_EQ(guest.fstat(kRoot)->size, 1u);
}

TEST_F(WasiFd, FdstatOfEachKind) {
  Fdstat root = guest.fdstat(kRoot);
  EXPECT_EQ(root.type, FileType::Directory);
  EXPECT_EQ(root.flags, 0);
  EXPECT_EQ(root.base, rights::kOnDirectory);
  EXPECT_EQ(root.inheriting, rights::kAll);
  Fdstat stat = guest.fdstat(file("", fdflags::kAppend | fdflags::kSync));
  EXPECT_EQ(stat.type, FileType::RegularFile);
  EXPECT_EQ(stat.flags, fdflags::kAppend | fdflags::kSync);
  EXPECT_EQ(fdFdstatGet(guest, kRoot, {guest.memorySize() - 8}), Errno::Fault);
  EXPECT_EQ(fdFdstatGet(guest, 99, {8}), Errno::BadF);
}

TEST_F(WasiFd, RightsOnlyShrink) {
  uint32_t fd = file("contents");
  EXPECT_EQ(fdFdstatSetRights(guest, fd, rights::kFdRead | rights::kFdSeek, 0), Errno::Success);
  EXPECT_EQ(guest.fdstat(fd).base, rights::kFdRead | rights::kFdSeek);
  EXPECT_EQ(fdFdstatSetRights(guest, fd, rights::kFdRead | rights::kFdWrite, 0), Errno::NotCapable);
  EXPECT_EQ(fdFdstatSetRights(guest, fd, rights::kFdRead, rights::kFdRead), Errno::NotCapable);
  EXPECT_EQ(fdFdstatSetRights(guest, fd, rights::kFdRead | 1ull << 40, 0), Errno::NotCapable);
  EXPECT_EQ(guest.fdstat(fd).base, rights::kFdRead | rights::kFdSeek);
  EXPECT_EQ(fdFdstatSetRights(guest, 99, 0, 0), Errno::BadF);
  EXPECT_TRUE(guest.read(fd));
  EXPECT_EQ(guest.write(fd, "x").error(), Errno::NotCapable);
  EXPECT_EQ(guest.fstat(fd).error(), Errno::NotCapable);
  EXPECT_EQ(tell(fd), 8u);  // seeking implies telling
  EXPECT_EQ(fdFdstatSetRights(guest, fd, 0, 0), Errno::Success);
  EXPECT_EQ(guest.read(fd).error(), Errno::NotCapable);
  EXPECT_EQ(tell(fd).error(), Errno::NotCapable);
  EXPECT_EQ(seek(fd, 0, 1).error(), Errno::NotCapable);
  EXPECT_EQ(fdSync(guest, fd), Errno::NotCapable);
  EXPECT_EQ(fdDatasync(guest, fd), Errno::NotCapable);
  EXPECT_EQ(fdAdvise(guest, fd, 0, 0, 0), Errno::NotCapable);
  EXPECT_EQ(fdAllocate(guest, fd, 0, 1), Errno::NotCapable);
  EXPECT_EQ(fdFilestatSetSize(guest, fd, 0), Errno::NotCapable);
  EXPECT_EQ(fdFilestatSetTimes(guest, fd, 0, 0, 0), Errno::NotCapable);
  EXPECT_EQ(fdFdstatSetFlags(guest, fd, 0), Errno::NotCapable);
  EXPECT_EQ(fdClose(guest, fd), Errno::Success);

  uint32_t teller = *guest.open("file", {.base = rights::kFdTell | rights::kFdRead});
  EXPECT_EQ(tell(teller), 0u);
  EXPECT_EQ(seek(teller, 0, 1), 0u);
  EXPECT_EQ(seek(teller, 0, 0).error(), Errno::NotCapable);
  EXPECT_EQ(seek(teller, 1, 1).error(), Errno::NotCapable);
}

TEST_F(WasiFd, SetFlags) {
  uint32_t fd = file("12345");
  EXPECT_EQ(fdFdstatSetFlags(guest, fd, fdflags::kAppend), Errno::Success);
  EXPECT_EQ(guest.fdstat(fd).flags, fdflags::kAppend);
  EXPECT_EQ(guest.write(fd, "67"), 2u);
  EXPECT_EQ(readFile(dir / "file"), "1234567");
  EXPECT_EQ(fdFdstatSetFlags(guest, fd, 0), Errno::Success);
  EXPECT_EQ(seek(fd, 0, 0), 0u);
  EXPECT_EQ(guest.write(fd, "ab"), 2u);
  EXPECT_EQ(readFile(dir / "file"), "ab34567");
  EXPECT_EQ(fdFdstatSetFlags(guest, fd, fdflags::kNonblock), Errno::Success);
  EXPECT_EQ(guest.fdstat(fd).flags, fdflags::kNonblock);
  EXPECT_EQ(fdFdstatSetFlags(guest, fd, fdflags::kSync), Errno::NotSup);
  EXPECT_EQ(fdFdstatSetFlags(guest, fd, 32), Errno::Inval);
  EXPECT_EQ(fdFdstatSetFlags(guest, 99, 0), Errno::BadF);
}

TEST_F(WasiFd, Append) {
  uint32_t fd = file("start", fdflags::kAppend);
  EXPECT_EQ(guest.write(fd, "+"), 1u);
  EXPECT_EQ(seek(fd, 0, 0), 0u);
  EXPECT_EQ(guest.write(fd, "+"), 1u);
  EXPECT_EQ(readFile(dir / "file"), "start++");
  EXPECT_EQ(tell(fd), 7u);
}

TEST_F(WasiFd, SeekAndTell) {
  uint32_t fd = file(std::string(100, 'x'));
  EXPECT_EQ(tell(fd), 0u);
  EXPECT_EQ(seek(fd, 50, 0), 50u);
  EXPECT_EQ(seek(fd, -20, 1), 30u);
  EXPECT_EQ(seek(fd, -10, 2), 90u);
  EXPECT_EQ(tell(fd), 90u);
  EXPECT_EQ(seek(fd, 1000, 1), 1090u);
  EXPECT_EQ(guest.read(fd), "");
  EXPECT_EQ(seek(fd, -2000, 1).error(), Errno::Inval);
  EXPECT_EQ(seek(fd, -1, 0).error(), Errno::Inval);
  EXPECT_EQ(seek(fd, INT64_MIN, 1).error(), Errno::Inval);
  EXPECT_EQ(seek(fd, 0, 3).error(), Errno::Inval);
  EXPECT_EQ(seek(99, 0, 0).error(), Errno::BadF);
  EXPECT_EQ(seek(kRoot, 0, 0).error(), Errno::NotCapable);
  EXPECT_EQ(tell(kRoot).error(), Errno::NotCapable);
  EXPECT_EQ(fdTell(guest, fd, {guest.memorySize() - 4}), Errno::Fault);
  EXPECT_EQ(fdSeek(guest, Snapshot::Preview1, fd, 7, 0, {guest.memorySize() - 4}), Errno::Fault);
  EXPECT_EQ(tell(fd), 1090u);
  // Snapshot 0 counts cur, end, set.
  EXPECT_EQ(seek(fd, 10, 2, Snapshot::Unstable), 10u);
  EXPECT_EQ(seek(fd, 10, 0, Snapshot::Unstable), 20u);
  EXPECT_EQ(seek(fd, 10, 1, Snapshot::Unstable), 110u);
}

TEST_F(WasiFd, SizeAndAllocation) {
  uint32_t fd = file("contents");
  EXPECT_EQ(fdFilestatSetSize(guest, fd, 100), Errno::Success);
  EXPECT_EQ(guest.fstat(fd)->size, 100u);
  EXPECT_EQ(readFile(dir / "file"), "contents" + std::string(92, '\0'));
  EXPECT_EQ(fdFilestatSetSize(guest, fd, 3), Errno::Success);
  EXPECT_EQ(readFile(dir / "file"), "con");
  EXPECT_EQ(fdFilestatSetSize(guest, fd, 1ull << 63), Errno::FBig);
  EXPECT_EQ(fdFilestatSetSize(guest, 99, 0), Errno::BadF);
  EXPECT_EQ(fdFilestatSetSize(guest, kRoot, 0), Errno::NotCapable);
  Errno allocated = fdAllocate(guest, fd, 10, 100);
  if (allocated != Errno::NotSup) {  // a matter of the file system
    EXPECT_EQ(allocated, Errno::Success);
    EXPECT_EQ(guest.fstat(fd)->size, 110u);
    EXPECT_EQ(fdAllocate(guest, fd, 0, 10), Errno::Success);
    EXPECT_EQ(guest.fstat(fd)->size, 110u);
  }
  EXPECT_EQ(fdAllocate(guest, fd, 0, 0), Errno::Inval);
  EXPECT_EQ(fdAllocate(guest, fd, 1ull << 63, 1), Errno::FBig);
  EXPECT_EQ(fdAllocate(guest, fd, INT64_MAX, 1), Errno::FBig);
  EXPECT_EQ(fdAllocate(guest, kRoot, 0, 1), Errno::NotCapable);
}

TEST_F(WasiFd, AdviseAndSync) {
  uint32_t fd = file("contents");
  for (uint32_t advice = 0; advice < 6; ++advice) EXPECT_EQ(fdAdvise(guest, fd, 0, 8, advice), Errno::Success);
  EXPECT_EQ(fdAdvise(guest, fd, 0, 8, 6), Errno::Inval);
  EXPECT_EQ(fdAdvise(guest, fd, 1ull << 63, 8, 0), Errno::Inval);
  EXPECT_EQ(fdAdvise(guest, fd, 0, ~0ull, 0), Errno::Inval);
  EXPECT_EQ(fdAdvise(guest, 99, 0, 0, 0), Errno::BadF);
  EXPECT_EQ(fdSync(guest, fd), Errno::Success);
  EXPECT_EQ(fdDatasync(guest, fd), Errno::Success);
  EXPECT_EQ(fdSync(guest, kRoot), Errno::Success);  // databases do that
  EXPECT_EQ(fdSync(guest, 99), Errno::BadF);
}

TEST_F(WasiFd, DirectoriesAreNoFiles) {
  auto buffer = guest.room<uint8_t>(8);
  auto iov = guest.iov(buffer, 8);
  auto out = guest.room<uint32_t>();
  EXPECT_EQ(fdRead(guest, kRoot, iov, 1, out), Errno::IsDir);
  EXPECT_EQ(fdPread(guest, kRoot, iov, 1, 0, out), Errno::IsDir);
  EXPECT_EQ(fdPwrite(guest, kRoot, iov, 1, 0, out), Errno::IsDir);
  EXPECT_EQ(fdWrite(guest, kRoot, iov, 1, out), Errno::NotCapable);
}

TEST_F(WasiFd, UnstableFilestat) {
  uint32_t fd = file("contents");
  auto out = guest.room<UnstableFilestat>();
  ASSERT_EQ(fdFilestatGet(guest, Snapshot::Unstable, fd, {out.address}), Errno::Success);
  EXPECT_EQ(guest.get(out).size, 8u);
  EXPECT_EQ(guest.get(out).nlink, 1u);
  EXPECT_EQ(fdFilestatGet(guest, Snapshot::Preview1, fd, {guest.memorySize() - 60}), Errno::Fault);
  EXPECT_EQ(fdFilestatGet(guest, Snapshot::Unstable, fd, {guest.memorySize() - 60}), Errno::Success);
}

TEST_F(WasiFd, ManyContextsShareAPreopen) {
  WasiConfig shared = config();
  auto count = [] { return std::distance(fs::directory_iterator("/proc/self/fd"), {}); };
  auto before = count();
  std::vector<std::unique_ptr<Guest>> guests;
  for (int i = 0; i < 50; ++i) guests.push_back(std::make_unique<Guest>(shared, 4096));
  EXPECT_EQ(count(), before);
  EXPECT_EQ(fdClose(*guests[0], kRoot), Errno::Success);
  EXPECT_EQ(guests[0]->statError("."), Errno::BadF);
  EXPECT_EQ(guests[1]->statError("."), Errno::Success);
}

TEST_F(WasiFd, ErrnoOfEveryHostError) {
  EXPECT_EQ(fromHost(0), Errno::Success);
  EXPECT_EQ(fromHost(ENOENT), Errno::NoEnt);
  EXPECT_EQ(fromHost(-ENOTDIR), Errno::NotDir);
  EXPECT_EQ(fromHost(EWOULDBLOCK), Errno::Again);
  EXPECT_EQ(fromHost(ENOTSUP), Errno::NotSup);
  EXPECT_EQ(fromHost(EXDEV), Errno::XDev);
  EXPECT_EQ(fromHost(12345), Errno::Io);
  EXPECT_EQ(static_cast<int>(Errno::NoEnt), 44);
  EXPECT_EQ(static_cast<int>(Errno::BadF), 8);
  EXPECT_EQ(static_cast<int>(Errno::Inval), 28);
  EXPECT_EQ(static_cast<int>(Errno::Rofs), 69);
  EXPECT_EQ(static_cast<int>(Errno::SPipe), 70);
}

}  // namespace
}  // namespace wattle::wasi::test
