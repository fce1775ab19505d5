// What the path_* functions do and the errno of each failure, with both ways of resolving.
#include <sys/socket.h>
#include <sys/un.h>

#include <thread>

#include "tests/unit/wasi/guest.h"

namespace wattle::wasi::test {
namespace {

namespace fs = std::filesystem;
class WasiPath : public Sandbox {};
WATTLE_BOTH_MODES(WasiPath);

using rights::kAll;

TEST_P(WasiPath, OpenFlags) {
  EXPECT_EQ(guest->openError("file"), Errno::NoEnt);
  EXPECT_EQ(guest->openError("file", Guest::writing(oflags::kCreat)), Errno::Success);
  EXPECT_EQ(guest->openError("file", Guest::writing(oflags::kCreat | oflags::kExcl)), Errno::Exist);
  EXPECT_EQ(guest->openError("file", {.oflags = oflags::kDirectory}), Errno::NotDir);
  writeFile(root / "file", "contents");
  EXPECT_EQ(guest->openError("file", Guest::writing(oflags::kCreat)), Errno::Success);
  EXPECT_EQ(readFile(root / "file"), "contents");
  EXPECT_EQ(guest->openError("file", Guest::writing(oflags::kTrunc)), Errno::Success);
  EXPECT_EQ(readFile(root / "file"), "");
  writeFile(root / "file", "contents");
  EXPECT_EQ(guest->openError("file", {.oflags = oflags::kTrunc, .base = 0}), Errno::Success);  // needs no fd_write
  EXPECT_EQ(readFile(root / "file"), "");

  fs::create_directory(root / "dir");
  EXPECT_EQ(guest->openError("dir"), Errno::Success);
  EXPECT_EQ(guest->openError("dir", {.oflags = oflags::kDirectory}), Errno::Success);
  EXPECT_EQ(guest->openError("dir", {.oflags = oflags::kDirectory, .base = kAll}), Errno::IsDir);
  EXPECT_EQ(guest->openError("dir", Guest::writing()), Errno::IsDir);
  EXPECT_EQ(guest->openError("dir", Guest::writing(oflags::kCreat)), Errno::IsDir);
  EXPECT_EQ(guest->openError("dir", {.oflags = oflags::kTrunc}), Errno::IsDir);
  EXPECT_EQ(guest->openError("dir2", {.oflags = oflags::kDirectory | oflags::kCreat}), Errno::Inval);
  EXPECT_EQ(guest->openError("none/file", Guest::writing(oflags::kCreat)), Errno::NoEnt);
  EXPECT_EQ(guest->openError("file/x", Guest::writing(oflags::kCreat)), Errno::NotDir);

  EXPECT_EQ(guest->openError("file", {.lookup = 2}), Errno::Inval);
  EXPECT_EQ(guest->openError("file", {.oflags = 16}), Errno::Inval);
  EXPECT_EQ(guest->openError("file", {.fdflags = 32}), Errno::Inval);
}

TEST_P(WasiPath, OpenBadArguments) {
  writeFile(root / "file", "");
  uint32_t file = *guest->open("file");
  EXPECT_EQ(guest->openError("x", Guest::How{}, file), Errno::NotDir);
  EXPECT_EQ(guest->openError("x", Guest::How{}, 99), Errno::BadF);
  EXPECT_EQ(guest->openError("x", Guest::How{}, ~0u), Errno::BadF);
  uint32_t end = guest->memorySize();
  auto name = guest->text("file");
  EXPECT_EQ(pathOpen(*guest, kRoot, 0, name, 0, 0, 0, 0, {end - 3}), Errno::Fault);
  EXPECT_EQ(pathOpen(*guest, kRoot, 0, {{end - 2}, 4}, 0, 0, 0, 0, {8}), Errno::Fault);
  EXPECT_EQ(pathOpen(*guest, kRoot, 0, {{~0u}, 1}, 0, 0, 0, 0, {8}), Errno::Fault);
  EXPECT_EQ(pathOpen(*guest, kRoot, 0, {{0}, ~0u}, 0, 0, 0, 0, {8}), Errno::NameTooLong);
  // A failed call has opened nothing.
  EXPECT_EQ(*guest->open("file"), file + 1);
}

TEST_P(WasiPath, OpenRights) {
  writeFile(root / "file", "");
  fs::create_directory(root / "dir");
  auto rightsOf = [&](std::string_view path, uint64_t base) {
    uint32_t fd = *guest->open(path, {.base = base});
    Fdstat stat = guest->fdstat(fd);
    fdClose(*guest, fd);
    return stat;
  };
  EXPECT_EQ(rightsOf("file", kAll).base, rights::kOnFile);
  EXPECT_EQ(rightsOf("file", kAll).inheriting, 0u);
  EXPECT_EQ(rightsOf("file", ~0ull).base, rights::kOnFile);
  EXPECT_EQ(rightsOf("file", rights::kFdRead | rights::kPathOpen).base, rights::kFdRead);
  EXPECT_EQ(rightsOf("dir", kAll & ~rights::kFdWrite).base, rights::kOnDirectory);
  EXPECT_EQ(rightsOf("dir", kAll & ~rights::kFdWrite).inheriting, kAll);
  EXPECT_EQ(rightsOf("dir", rights::kFdSeek | rights::kFdFilestatSetSize).base, 0u);
  EXPECT_EQ(rightsOf("dir", 0).type, FileType::Directory);
  EXPECT_EQ(rightsOf("dir", 0).flags, 0);

  // Rights only go down.
  uint32_t dir = *guest->open("dir", {.base = rights::kPathOpen, .inheriting = rights::kFdRead | rights::kFdSeek});
  writeFile(root / "dir/file", "");
  auto open = [&](uint64_t base, uint32_t oflags = 0, uint32_t fdflags = 0, uint64_t inheriting = 0) {
    return guest->openError("file", {.oflags = oflags, .base = base, .inheriting = inheriting, .fdflags = fdflags},
                            dir);
  };
  EXPECT_EQ(open(rights::kFdRead), Errno::Success);
  EXPECT_EQ(open(rights::kFdRead | rights::kFdWrite), Errno::NotCapable);
  EXPECT_EQ(open(rights::kFdRead, 0, 0, rights::kFdTell), Errno::NotCapable);
  EXPECT_EQ(open(0, oflags::kCreat), Errno::NotCapable);
  EXPECT_EQ(open(0, oflags::kTrunc), Errno::NotCapable);
  EXPECT_EQ(open(0, 0, fdflags::kDsync), Errno::NotCapable);
  EXPECT_EQ(open(0, 0, fdflags::kSync), Errno::NotCapable);
  uint32_t closed = *guest->open("dir", {.base = kAll & ~rights::kPathOpen & ~rights::kFdWrite});
  EXPECT_EQ(guest->openError("file", {.base = 0}, closed), Errno::NotCapable);
}

// Each path_* function wants its right.
TEST_P(WasiPath, EachNeedsItsRight) {
  fs::create_directory(root / "dir");
  writeFile(root / "dir/file", "");
  fs::create_symlink("file", root / "dir/link");
  uint32_t none = *guest->open("dir", {.base = 0});
  uint32_t all = *guest->open("dir");
  auto file = guest->text("file");
  auto link = guest->text("link");
  auto buffer = guest->room<uint8_t>(256);
  auto out = guest->room<uint32_t>();
  const Call call = *guest;
  EXPECT_EQ(pathCreateDirectory(call, none, file), Errno::NotCapable);
  EXPECT_EQ(pathFilestatGet(call, Snapshot::Preview1, none, 0, file, {buffer.address}), Errno::NotCapable);
  EXPECT_EQ(pathFilestatSetTimes(call, none, 0, file, 0, 0, 0), Errno::NotCapable);
  EXPECT_EQ(pathLink(call, none, 0, file, all, link), Errno::NotCapable);
  EXPECT_EQ(pathLink(call, all, 0, file, none, link), Errno::NotCapable);
  EXPECT_EQ(pathReadlink(call, none, link, buffer, 256, out), Errno::NotCapable);
  EXPECT_EQ(pathRemoveDirectory(call, none, file), Errno::NotCapable);
  EXPECT_EQ(pathRename(call, none, file, all, link), Errno::NotCapable);
  EXPECT_EQ(pathRename(call, all, file, none, link), Errno::NotCapable);
  EXPECT_EQ(pathSymlink(call, file, none, link), Errno::NotCapable);
  EXPECT_EQ(pathUnlinkFile(call, none, file), Errno::NotCapable);
  EXPECT_EQ(fdReaddir(call, none, buffer, 256, 0, out), Errno::NotCapable);
}

TEST_P(WasiPath, CreateAndRemoveDirectories) {
  EXPECT_EQ(guest->mkdir("dir"), Errno::Success);
  EXPECT_EQ(guest->mkdir("dir"), Errno::Exist);
  EXPECT_EQ(guest->mkdir("dir/sub/"), Errno::Success);
  EXPECT_EQ(guest->mkdir("none/sub"), Errno::NoEnt);
  EXPECT_EQ(guest->mkdir("."), Errno::Exist);
  EXPECT_EQ(guest->mkdir("dir/."), Errno::Exist);
  EXPECT_EQ(guest->mkdir("dir/.."), Errno::Exist);
  EXPECT_EQ(guest->mkdir(""), Errno::NoEnt);
  EXPECT_EQ(guest->rmdir("dir"), Errno::NotEmpty);
  EXPECT_EQ(guest->unlink("dir"), Errno::IsDir);
  EXPECT_EQ(guest->unlink("dir/"), Errno::IsDir);
  EXPECT_EQ(guest->rmdir("dir/."), Errno::Inval);
  EXPECT_EQ(guest->rmdir("dir/sub/"), Errno::Success);
  EXPECT_EQ(guest->rmdir("dir"), Errno::Success);
  EXPECT_EQ(guest->rmdir("dir"), Errno::NoEnt);
  writeFile(root / "file", "");
  EXPECT_EQ(guest->mkdir("file"), Errno::Exist);
  EXPECT_EQ(guest->mkdir("file/sub"), Errno::NotDir);
  EXPECT_EQ(guest->rmdir("file"), Errno::NotDir);
  EXPECT_EQ(guest->rmdir("file/"), Errno::NotDir);
  EXPECT_EQ(guest->unlink("file/"), Errno::NotDir);
  EXPECT_EQ(guest->unlink("file"), Errno::Success);
  EXPECT_EQ(guest->unlink("file"), Errno::NoEnt);
}

TEST_P(WasiPath, Symlinks) {
  writeFile(root / "file", "contents");
  fs::create_directory(root / "dir");
  EXPECT_EQ(guest->symlink("file", "link"), Errno::Success);
  EXPECT_EQ(guest->symlink("file", "link"), Errno::Exist);
  EXPECT_EQ(guest->symlink("file", "dir/"), Errno::Exist);
  EXPECT_EQ(guest->symlink("file", "new/"), Errno::NoEnt);
  EXPECT_EQ(guest->symlink("", "empty"), Errno::NoEnt);
  EXPECT_EQ(guest->symlink(std::string_view("a\0b", 3), "nul"), Errno::Ilseq);
  EXPECT_EQ(guest->readlink("link"), "file");
  EXPECT_EQ(guest->readlink("link", 2), "fi");
  EXPECT_EQ(guest->readlink("link", 0), "");
  EXPECT_EQ(guest->readlink("link", 4).value(), "file");
  EXPECT_EQ(guest->readlink("file").error(), Errno::Inval);
  EXPECT_EQ(guest->readlink("dir").error(), Errno::Inval);
  EXPECT_EQ(guest->readlink("none").error(), Errno::NoEnt);
  EXPECT_EQ(guest->readlink("link/").error(), Errno::NotDir);
  EXPECT_EQ(guest->contents("link"), "contents");
  EXPECT_EQ(guest->openError("link", Guest::nofollow()), Errno::Loop);
  EXPECT_EQ(guest->openError("link", Guest::nofollow(oflags::kDirectory)), Errno::NotDir);
  EXPECT_EQ(guest->stat("link", false)->type, FileType::SymbolicLink);
  EXPECT_EQ(guest->stat("link", false)->size, 4u);
  EXPECT_EQ(guest->stat("link")->type, FileType::RegularFile);
  EXPECT_EQ(guest->symlink("dir", "dirlink"), Errno::Success);
  EXPECT_EQ(guest->openError("dirlink", {.oflags = oflags::kDirectory}), Errno::Success);
  EXPECT_EQ(guest->openError("dirlink/", Guest::nofollow(oflags::kDirectory)), Errno::Success);
  EXPECT_EQ(guest->rmdir("dirlink"), Errno::NotDir);
  EXPECT_EQ(guest->unlink("dirlink"), Errno::Success);
}

TEST_P(WasiPath, HardLinks) {
  writeFile(root / "file", "contents");
  fs::create_directory(root / "dir");
  fs::create_symlink("file", root / "symlink");
  fs::create_symlink("nowhere", root / "dangling");
  EXPECT_EQ(guest->link("file", "link"), Errno::Success);
  EXPECT_EQ(guest->stat("link")->ino, guest->stat("file")->ino);
  EXPECT_EQ(guest->stat("file")->nlink, 2u);
  EXPECT_EQ(guest->link("file", "link"), Errno::Exist);
  EXPECT_EQ(guest->link("file", "file"), Errno::Exist);
  EXPECT_EQ(guest->link("file", "dir"), Errno::Exist);
  EXPECT_EQ(guest->link("file", "dangling"), Errno::Exist);
  EXPECT_EQ(guest->link("file", "new/"), Errno::NoEnt);
  EXPECT_EQ(guest->link("file/", "new"), Errno::NotDir);
  EXPECT_EQ(guest->link("none", "new"), Errno::NoEnt);
  EXPECT_EQ(guest->link("dir", "new"), Errno::Perm);
  EXPECT_EQ(guest->link("dir/", "new"), Errno::Perm);
  EXPECT_EQ(guest->link("symlink", "dir/hard"), Errno::Success);
  EXPECT_EQ(guest->stat("dir/hard", false)->type, FileType::SymbolicLink);
  EXPECT_EQ(guest->link("symlink", "followed", true), Errno::Success);
  EXPECT_EQ(guest->stat("followed", false)->ino, guest->stat("file")->ino);
  EXPECT_EQ(guest->link("dangling", "new", true), Errno::NoEnt);
  EXPECT_EQ(guest->link("dangling", "new"), Errno::Success);
}

TEST_P(WasiPath, Rename) {
  EXPECT_EQ(guest->rename("a", "b"), Errno::NoEnt);
  fs::create_directory(root / "a");
  EXPECT_EQ(guest->rename("a", "b"), Errno::Success);
  EXPECT_EQ(guest->rename("b/", "a/"), Errno::Success);
  EXPECT_EQ(guest->rename("a/", "b"), Errno::Success);
  EXPECT_EQ(guest->rename("b", "a/"), Errno::Success);
  fs::create_directory(root / "empty");
  EXPECT_EQ(guest->rename("a", "empty"), Errno::Success);
  fs::create_directory(root / "full");
  writeFile(root / "full/file", "x");
  EXPECT_EQ(guest->rename("empty", "full"), Errno::NotEmpty);
  EXPECT_EQ(guest->rename("empty", "full/file"), Errno::NotDir);
  EXPECT_EQ(guest->rename("full/file", "empty"), Errno::IsDir);
  EXPECT_EQ(guest->rename("full", "full/sub"), Errno::Inval);
  writeFile(root / "file", "one");
  writeFile(root / "other", "two");
  EXPECT_EQ(guest->rename("file/", "new"), Errno::NotDir);
  EXPECT_EQ(guest->rename("file", "new/"), Errno::NotDir);
  EXPECT_EQ(guest->rename("file", "other"), Errno::Success);
  EXPECT_EQ(readFile(root / "other"), "one");
  EXPECT_EQ(guest->rename("other", "full/moved"), Errno::Success);
  EXPECT_EQ(guest->rename(".", "x"), Errno::Busy);
  EXPECT_EQ(guest->rename("other", "none/x"), Errno::NoEnt);
}

TEST_P(WasiPath, AcrossPreopens) {
  TempDir second;
  WasiConfig both = config();
  ASSERT_TRUE(both.preopenDir(second.path().string(), "/second"));
  Guest two(both);
  two.context().resolve = mode();
  writeFile(root / "file", "x");
  EXPECT_EQ(two.rename("file", "moved", kRoot, kRoot + 1), Errno::Success);
  EXPECT_EQ(readFile(second / "moved"), "x");
  EXPECT_EQ(two.link("moved", "back", false, kRoot + 1, kRoot), Errno::Success);
  EXPECT_EQ(readFile(root / "back"), "x");
  EXPECT_EQ(two.rename("moved", "../x", kRoot + 1, kRoot), Errno::NotCapable);
  // Other file systems are told apart from other directories.
  if (fs::exists("/dev/shm")) {
    WasiConfig shm = config();
    ASSERT_TRUE(shm.preopenDir("/dev/shm", "/shm"));
    Guest three(shm);
    struct stat here, there;
    ASSERT_EQ(::stat(root.c_str(), &here), 0);
    ASSERT_EQ(::stat("/dev/shm", &there), 0);
    if (here.st_dev != there.st_dev) {
      EXPECT_EQ(three.rename("back", "wattle-test", kRoot, kRoot + 1), Errno::XDev);
    }
  }
}

TEST_P(WasiPath, FilestatFields) {
  writeFile(root / "file", "contents");
  struct stat host;
  ASSERT_EQ(::stat((root / "file").c_str(), &host), 0);
  Filestat stat = *guest->stat("file");
  EXPECT_EQ(stat.dev, host.st_dev);
  EXPECT_EQ(stat.ino, host.st_ino);
  EXPECT_EQ(stat.type, FileType::RegularFile);
  EXPECT_EQ(stat.nlink, 1u);
  EXPECT_EQ(stat.size, 8u);
  EXPECT_EQ(stat.mtim, static_cast<uint64_t>(host.st_mtim.tv_sec) * 1'000'000'000 + host.st_mtim.tv_nsec);
  EXPECT_EQ(stat.ctim, static_cast<uint64_t>(host.st_ctim.tv_sec) * 1'000'000'000 + host.st_ctim.tv_nsec);
  Filestat open = *guest->fstat(*guest->open("file"));
  EXPECT_EQ(open.ino, stat.ino);
  EXPECT_EQ(open.mtim, stat.mtim);
  EXPECT_EQ(open.type, FileType::RegularFile);
  EXPECT_EQ(guest->stat(".")->type, FileType::Directory);
  ASSERT_EQ(::mkfifo((root / "fifo").c_str(), 0666), 0);
  EXPECT_EQ(guest->stat("fifo")->type, FileType::Unknown);

  // Snapshot 0 has a shorter one.
  guest->reset();
  auto old = guest->room<UnstableFilestat>();
  ASSERT_EQ(pathFilestatGet(*guest, Snapshot::Unstable, kRoot, 0, guest->text("file"), {old.address}), Errno::Success);
  UnstableFilestat unstable = guest->get(old);
  EXPECT_EQ(unstable.ino, stat.ino);
  EXPECT_EQ(unstable.nlink, 1u);
  EXPECT_EQ(unstable.size, 8u);
  EXPECT_EQ(unstable.ctim, stat.ctim);
  uint32_t end = guest->memorySize();
  auto name = guest->text("file");
  EXPECT_EQ(pathFilestatGet(*guest, Snapshot::Preview1, kRoot, 0, name, {end - 63}), Errno::Fault);
  EXPECT_EQ(pathFilestatGet(*guest, Snapshot::Preview1, kRoot, 0, name, {end - 64}), Errno::Success);
  EXPECT_EQ(pathFilestatGet(*guest, Snapshot::Unstable, kRoot, 0, name, {end - 56}), Errno::Success);
  EXPECT_EQ(pathFilestatGet(*guest, Snapshot::Preview1, kRoot, 2, name, {8}), Errno::Inval);
}

TEST_P(WasiPath, SetTimes) {
  using namespace fstflags;
  writeFile(root / "file", "");
  fs::create_symlink("file", root / "link");
  constexpr uint64_t kThen = 1'000'000'000'123'456'789;
  ASSERT_EQ(guest->setTimes("file", kThen, kThen + 1, kAtim | kMtim), Errno::Success);
  EXPECT_EQ(guest->stat("file")->atim, kThen);
  EXPECT_EQ(guest->stat("file")->mtim, kThen + 1);
  ASSERT_EQ(guest->setTimes("file", 5, 5, 0), Errno::Success);
  EXPECT_EQ(guest->stat("file")->atim, kThen);
  ASSERT_EQ(guest->setTimes("file", 5, 7, kMtim), Errno::Success);
  EXPECT_EQ(guest->stat("file")->atim, kThen);
  EXPECT_EQ(guest->stat("file")->mtim, 7u);
  ASSERT_EQ(guest->setTimes("file", 9, 5, kAtim | kMtimNow), Errno::Success);
  EXPECT_EQ(guest->stat("file")->atim, 9u);
  EXPECT_GT(guest->stat("file")->mtim, kThen);
  ASSERT_EQ(guest->setTimes("file", 9, 5, kAtimNow), Errno::Success);
  EXPECT_GT(guest->stat("file")->atim, kThen);
  EXPECT_EQ(guest->setTimes("file", 1, 1, kAtim | kAtimNow), Errno::Inval);
  EXPECT_EQ(guest->setTimes("file", 1, 1, kMtim | kMtimNow), Errno::Inval);
  EXPECT_EQ(guest->setTimes("file", 1, 1, 16), Errno::Inval);
  EXPECT_EQ(guest->setTimes("none", 1, 1, kAtim), Errno::NoEnt);
  // The link's own time, and through it the file's.
  ASSERT_EQ(guest->setTimes("link", 11, 11, kMtim, false), Errno::Success);
  EXPECT_EQ(guest->stat("link", false)->mtim, 11u);
  EXPECT_GT(guest->stat("file")->mtim, kThen);
  ASSERT_EQ(guest->setTimes("link", 13, 13, kMtim), Errno::Success);
  EXPECT_EQ(guest->stat("file")->mtim, 13u);
  EXPECT_EQ(guest->stat("link", false)->mtim, 11u);

  uint32_t fd = *guest->open("file");
  ASSERT_EQ(fdFilestatSetTimes(*guest, fd, 21, 22, kAtim | kMtim), Errno::Success);
  EXPECT_EQ(guest->fstat(fd)->atim, 21u);
  EXPECT_EQ(guest->fstat(fd)->mtim, 22u);
  EXPECT_EQ(fdFilestatSetTimes(*guest, fd, 1, 1, kMtim | kMtimNow), Errno::Inval);
  EXPECT_EQ(fdFilestatSetTimes(*guest, 99, 1, 1, kMtim), Errno::BadF);
  EXPECT_EQ(fdFilestatSetTimes(*guest, kRoot, 31, 32, kAtim | kMtim), Errno::Success);
  EXPECT_EQ(guest->stat(".")->mtim, 32u);
}

// Read-only: everything below can be looked at, nothing changed, by whatever way.
TEST_P(WasiPath, ReadOnlyPreopen) {
  fs::create_directory(root / "dir");
  writeFile(root / "file", "contents");
  writeFile(root / "dir/file", "contents");
  TempDir writable;
  WasiConfig mixed = config(DirAccess::ReadOnly);
  ASSERT_TRUE(mixed.preopenDir(writable.path().string(), "/w"));
  Guest ro(mixed);
  ro.context().resolve = mode();
  constexpr uint32_t kWritable = kRoot + 1;
  EXPECT_EQ(ro.contents("file"), "contents");
  EXPECT_EQ(ro.stat("dir/file")->size, 8u);
  EXPECT_EQ(ro.openError("file", {.base = kAll & ~rights::kFdWrite}), Errno::Success);
  EXPECT_EQ(ro.openError("file", Guest::writing()), Errno::Rofs);
  EXPECT_EQ(ro.openError("file", {.oflags = oflags::kTrunc}), Errno::Rofs);
  EXPECT_EQ(ro.openError("file", {.oflags = oflags::kCreat}), Errno::Success);
  EXPECT_EQ(ro.openError("file", {.oflags = oflags::kCreat | oflags::kExcl}), Errno::Exist);
  EXPECT_EQ(ro.openError("new", {.oflags = oflags::kCreat}), Errno::Rofs);
  EXPECT_EQ(ro.mkdir("new"), Errno::Rofs);
  EXPECT_EQ(ro.rmdir("dir"), Errno::Rofs);
  EXPECT_EQ(ro.unlink("file"), Errno::Rofs);
  EXPECT_EQ(ro.symlink("file", "new"), Errno::Rofs);
  EXPECT_EQ(ro.rename("file", "new"), Errno::Rofs);
  EXPECT_EQ(ro.rename("file", "new", kRoot, kWritable), Errno::Rofs);
  EXPECT_EQ(ro.link("file", "new"), Errno::Rofs);
  EXPECT_EQ(ro.link("file", "new", false, kRoot, kWritable), Errno::Rofs);  // could be written under that name
  EXPECT_EQ(ro.setTimes("file", 1, 1, fstflags::kMtim), Errno::Rofs);
  uint32_t file = *ro.open("file");
  EXPECT_EQ(fdFilestatSetTimes(ro, file, 1, 1, fstflags::kMtim), Errno::Rofs);
  EXPECT_NE(fdFilestatSetSize(ro, file, 1), Errno::Success);
  EXPECT_NE(fdAllocate(ro, file, 0, 100), Errno::Success);
  EXPECT_FALSE(ro.write(file, "x"));
  uint32_t dir = *ro.open("dir", {.oflags = oflags::kDirectory});
  EXPECT_EQ(ro.openError("file", Guest::writing(), dir), Errno::Rofs);
  EXPECT_EQ(ro.unlink("file", dir), Errno::Rofs);
  EXPECT_EQ(ro.openError("new", Guest::writing(oflags::kCreat), kWritable), Errno::Success);
  EXPECT_EQ(readFile(root / "file"), "contents");
}

TEST_P(WasiPath, Fifos) {
  ASSERT_EQ(::mkfifo((root / "fifo").c_str(), 0666), 0);
  // Opening for reading does not hang; reading waits for a writer.
  uint32_t reader = *guest->open("fifo", {.base = rights::kFdRead});
  std::thread writer([&] {
    int fd = ::open((root / "fifo").c_str(), O_WRONLY);
    EXPECT_EQ(::write(fd, "hello", 5), 5);
    ::close(fd);
  });
  EXPECT_EQ(guest->read(reader), "hello");
  EXPECT_EQ(guest->read(reader), "");
  writer.join();
  fdClose(*guest, reader);
  // Opening for writing waits for a reader, unless told not to.
  EXPECT_EQ(guest->openError("fifo", {.base = rights::kFdWrite, .fdflags = fdflags::kNonblock}), Errno::Nxio);
  std::string got;
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    got = readFile(root / "fifo");
  });
  uint32_t writing = *guest->open("fifo", {.base = rights::kFdWrite});
  EXPECT_EQ(guest->write(writing, "there"), 5u);
  fdClose(*guest, writing);
  other.join();
  EXPECT_EQ(got, "there");
  // cancel() gets through.
  std::thread canceller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    guest->wasi().cancel();
  });
  guest->reset();
  auto result = pathOpen(*guest, kRoot, 0, guest->text("fifo"), 0, rights::kFdWrite, 0, 0, guest->room<uint32_t>());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().trap, TrapCode::Interrupted);
  canceller.join();
}

TEST_P(WasiPath, SocketFilesCannotBeOpened) {
  int s = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string path = (root / "socket").string();
  ASSERT_LT(path.size(), sizeof(address.sun_path));
  path.copy(address.sun_path, path.size());
  ASSERT_EQ(::bind(s, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(guest->openError("socket"), Errno::Nxio);
  EXPECT_EQ(guest->stat("socket")->type, FileType::SocketStream);
  ::close(s);
}

TEST_P(WasiPath, TooManyOpenFiles) {
  writeFile(root / "file", "");
  Guest few(config().maxOpenFiles(3));
  EXPECT_TRUE(few.open("file"));
  uint32_t fd = *few.open("file");
  EXPECT_EQ(few.openError("file"), Errno::MFile);
  EXPECT_EQ(few.openError("created", Guest::writing(oflags::kCreat)), Errno::MFile);
  EXPECT_FALSE(fs::exists(root / "created"));
  EXPECT_EQ(fdClose(few, fd), Errno::Success);
  EXPECT_EQ(few.openError("file"), Errno::Success);
}

TEST(WasiResolve, AutoPicksOne) {
  TempDir dir;
  writeFile(dir / "file", "");
  int root = ::open(dir.path().c_str(), O_PATH | O_DIRECTORY);
  EXPECT_TRUE(openBeneath(ResolveMode::Auto, root, "file", O_RDONLY));
  EXPECT_EQ(openBeneath(ResolveMode::Auto, root, "../x", O_RDONLY).error(), Errno::NotCapable);
  ::close(root);
}

}  // namespace
}  // namespace wattle::wasi::test
