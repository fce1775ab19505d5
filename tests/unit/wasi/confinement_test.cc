// No path, link or race leads out of a preopened directory. Every test runs with both ways of resolving.
#include <atomic>
#include <thread>

#include "tests/unit/wasi/guest.h"

namespace wattle::wasi::test {
namespace {

namespace fs = std::filesystem;
class WasiConfinement : public Sandbox {};
WATTLE_BOTH_MODES(WasiConfinement);

// Every path_* call with `path` for each of its names; nothing may come back that is outside, nor change there.
void expectShut(Guest& guest, const std::string& path) {
  SCOPED_TRACE(path);
  for (uint32_t lookup : {0u, 1u}) {
    for (uint32_t oflags : {0, 1, 2, 5, 8}) {
      Guest::How how{.lookup = lookup, .oflags = oflags, .base = oflags & 2 ? 0 : rights::kAll};
      EXPECT_NE(guest.openError(path, how), Errno::Success) << "oflags " << oflags << " lookup " << lookup;
    }
  }
  EXPECT_NE(guest.mkdir(path), Errno::Success);
  EXPECT_NE(guest.rmdir(path), Errno::Success);
  EXPECT_NE(guest.unlink(path), Errno::Success);
  EXPECT_NE(guest.statError(path), Errno::Success);
  EXPECT_NE(guest.statError(path, false), Errno::Success);
  EXPECT_NE(guest.setTimes(path, 1, 1, fstflags::kAtim | fstflags::kMtim), Errno::Success);
  EXPECT_NE(guest.setTimes(path, 1, 1, fstflags::kAtim | fstflags::kMtim, false), Errno::Success);
  EXPECT_FALSE(guest.readlink(path));
  EXPECT_NE(guest.symlink("x", path), Errno::Success);
  EXPECT_NE(guest.link(path, "stolen"), Errno::Success);
  EXPECT_NE(guest.link(path, "stolen", true), Errno::Success);
  EXPECT_NE(guest.link("own", path), Errno::Success);
  EXPECT_NE(guest.rename(path, "stolen"), Errno::Success);
  EXPECT_NE(guest.rename("own", path), Errno::Success);
}

TEST_P(WasiConfinement, NoNameLeadsOut) {
  writeFile(root / "own", "own");
  fs::create_directories(root / "a/b");
  writeFile(outside / "second", "second");
  fs::create_symlink("/", root / "to_root");
  fs::create_symlink(outside, root / "to_outside");
  fs::create_symlink("../outside", root / "up");
  fs::create_symlink("..", root / "dotdot");
  fs::create_symlink("a/../../outside", root / "detour");
  fs::create_symlink("up", root / "chain1");
  fs::create_symlink("chain1", root / "chain2");
  fs::create_symlink("../../../outside", root / "a/b/deep");
  for (std::string way : {"..", "../outside", "a/../../outside", "a/b/../../../outside", "./../outside",
                          "a//..//../outside", "up", "dotdot", "dotdot/outside", "detour", "chain1", "chain2",
                          "a/b/deep", "a/../chain2", "to_outside", "to_root/etc"}) {
    for (std::string end : {"/secret", "/second", "/new", "/secret/", "/new/"}) expectShut(*guest, way + end);
  }
  for (const std::string& path : {std::string("/etc/passwd"), outside.string() + "/secret", std::string("//etc/passwd"),
                                  root.string() + "/own"}) {
    expectShut(*guest, path);
  }
  EXPECT_EQ(readFile(outside / "secret"), "secret");
  EXPECT_EQ(std::distance(fs::directory_iterator(outside), {}), 2);
  EXPECT_EQ(readFile(root / "own"), "own");
  EXPECT_FALSE(fs::exists(root / "stolen"));
}

// Paths that end in "..": what is meant is a directory above the root.
TEST_P(WasiConfinement, DotDotAsTheLastName) {
  fs::create_directories(root / "a/b");
  fs::create_symlink("..", root / "link");
  fs::create_symlink("../..", root / "a/link");
  writeFile(root / "own", "own");
  for (std::string path :
       {"..", "../", "../.", "./..", "a/../..", "a/b/../../..", "a/b/../../../", "link/", "a/link/"}) {
    SCOPED_TRACE(path);
    for (uint32_t lookup : {0u, 1u}) {
      EXPECT_EQ(guest->openError(path, {.lookup = lookup, .oflags = oflags::kDirectory}), Errno::NotCapable);
      EXPECT_EQ(guest->statError(path, lookup), Errno::NotCapable);
      EXPECT_EQ(guest->setTimes(path, 1, 1, fstflags::kMtim, lookup), Errno::NotCapable);
      EXPECT_EQ(guest->link(path, "stolen", lookup), Errno::NotCapable);
    }
    EXPECT_EQ(guest->readlink(path).error(), Errno::NotCapable);
    EXPECT_NE(guest->mkdir(path), Errno::Success);
    EXPECT_NE(guest->rmdir(path), Errno::Success);
    EXPECT_NE(guest->unlink(path), Errno::Success);
    EXPECT_NE(guest->symlink("x", path), Errno::Success);
    EXPECT_NE(guest->rename(path, "stolen"), Errno::Success);
    EXPECT_NE(guest->rename("own", path), Errno::Success);
    EXPECT_NE(guest->link("own", path), Errno::Success);
  }
  // At or below the root it is a directory like another.
  EXPECT_EQ(guest->stat("a/..")->ino, guest->stat(".")->ino);
  EXPECT_EQ(guest->stat("a/b/..", false)->ino, guest->stat("a")->ino);
  EXPECT_EQ(guest->setTimes("a/b/..", 7, 7, fstflags::kMtim), Errno::Success);
  EXPECT_EQ(guest->stat("a")->mtim, 7u);
  EXPECT_NE(guest->rmdir("a/b/.."), Errno::Success);
  EXPECT_NE(guest->rename("a/b/..", "x"), Errno::Success);
}

// Names that are links out: what looks at or replaces the link itself may work, what follows it may not.
TEST_P(WasiConfinement, LinksOutAreNotFollowed) {
  writeFile(root / "own", "own");
  fs::create_symlink("../outside/secret", root / "file");
  fs::create_symlink("../outside/new", root / "dangling");
  fs::create_symlink("../outside", root / "dir");
  fs::create_symlink(outside / "secret", root / "absolute");
  for (std::string name : {"file", "absolute"}) {
    SCOPED_TRACE(name);
    EXPECT_EQ(guest->openError(name), Errno::NotCapable);
    EXPECT_EQ(guest->openError(name, Guest::writing(oflags::kTrunc)), Errno::NotCapable);
    EXPECT_EQ(guest->openError(name, Guest::nofollow()), Errno::Loop);
    EXPECT_EQ(guest->statError(name), Errno::NotCapable);
    EXPECT_EQ(guest->stat(name, false)->type, FileType::SymbolicLink);
    EXPECT_EQ(guest->setTimes(name, 1, 1, fstflags::kMtim), Errno::NotCapable);
    EXPECT_EQ(guest->link(name, "stolen", true), Errno::NotCapable);
  }
  EXPECT_EQ(guest->openError("dangling", Guest::writing(oflags::kCreat)), Errno::NotCapable);
  EXPECT_EQ(guest->openError("dangling", Guest::writing(oflags::kCreat | oflags::kExcl)), Errno::Exist);
  EXPECT_EQ(guest->openError("dir", {.oflags = oflags::kDirectory}), Errno::NotCapable);
  EXPECT_EQ(guest->openError("dir/", {.lookup = 0}), Errno::NotCapable);
  EXPECT_EQ(guest->statError("dir/", false), Errno::NotCapable);
  EXPECT_EQ(guest->setTimes("dir/", 1, 1, fstflags::kMtim, false), Errno::NotCapable);
  EXPECT_EQ(guest->link("dir/", "stolen"), Errno::NotCapable);
  // A trailing slash must not make the calls that remove and create follow it, either.
  EXPECT_EQ(guest->rmdir("dir/"), Errno::NotDir);
  EXPECT_EQ(guest->unlink("dir/"), Errno::NotDir);
  EXPECT_EQ(guest->mkdir("dir/"), Errno::Exist);
  EXPECT_EQ(guest->mkdir("dangling/"), Errno::Exist);
  EXPECT_NE(guest->symlink("x", "dir/"), Errno::Success);
  EXPECT_EQ(guest->rename("dir/", "moved"), Errno::NotDir);
  EXPECT_EQ(guest->rename("own", "dir/"), Errno::NotDir);
  EXPECT_NE(guest->link("own", "dangling/"), Errno::Success);
  EXPECT_FALSE(fs::exists(outside / "new"));
  EXPECT_EQ(readFile(outside / "secret"), "secret");
  // The link itself is the guest's.
  EXPECT_EQ(guest->setTimes("file", 5, 5, fstflags::kMtim, false), Errno::Success);
  EXPECT_NE(fs::last_write_time(outside / "secret").time_since_epoch().count(), 5);
  EXPECT_EQ(guest->rename("file", "renamed"), Errno::Success);
  EXPECT_EQ(guest->unlink("renamed"), Errno::Success);
  EXPECT_TRUE(fs::exists(outside / "secret"));
}

TEST_P(WasiConfinement, AbsoluteSymlinksAreRefused) {
  EXPECT_EQ(guest->symlink("/etc/passwd", "evil"), Errno::NotCapable);
  EXPECT_EQ(guest->symlink("/", "evil"), Errno::NotCapable);
  EXPECT_EQ(guest->symlink("../outside/secret", "relative"), Errno::Success);  // may be made, leads nowhere
  EXPECT_EQ(guest->openError("relative"), Errno::NotCapable);
}

TEST_P(WasiConfinement, WithinTheRootEverythingWorks) {
  fs::create_directories(root / "a/b/c");
  writeFile(root / "a/file", "inside");
  fs::create_symlink("../../a", root / "a/b/up");
  fs::create_symlink("a/b/up/b/up", root / "winding");
  fs::create_symlink("a/b/../file", root / "plain");
  fs::create_symlink("a/b/c/", root / "slashed");
  fs::create_symlink("plain", root / "chain");
  for (std::string path :
       {"a/file", "./a/file", "a/./b/../file", "a/b/c/../../file", "winding/file", "a/b/up/b/up/file", "plain", "chain",
        "a//file", "slashed/../../file", "a/b/c/../../../a/file"}) {
    EXPECT_EQ(guest->contents(path), "inside") << path;
    EXPECT_EQ(guest->stat(path)->size, 6u) << path;
  }
  EXPECT_EQ(guest->openError(".", {.oflags = oflags::kDirectory}), Errno::Success);
  EXPECT_EQ(guest->openError("a/..", {.oflags = oflags::kDirectory}), Errno::Success);
  EXPECT_EQ(guest->stat("a/b/..")->ino, guest->stat("a")->ino);
  EXPECT_EQ(guest->stat("slashed")->ino, guest->stat("a/b/c")->ino);
  EXPECT_EQ(guest->stat("slashed/", false)->ino, guest->stat("a/b/c")->ino);
}

// A subdirectory's descriptor is a root of its own.
TEST_P(WasiConfinement, SubdirectoriesAreRoots) {
  fs::create_directories(root / "a/b");
  writeFile(root / "a/file", "");
  auto a = guest->open("a", {.oflags = oflags::kDirectory});
  ASSERT_TRUE(a);
  EXPECT_EQ(guest->openError("..", {.oflags = oflags::kDirectory}, *a), Errno::NotCapable);
  EXPECT_EQ(guest->openError("../a/file", Guest::How{}, *a), Errno::NotCapable);
  EXPECT_EQ(guest->openError("b/../file", Guest::How{}, *a), Errno::Success);
  EXPECT_EQ(guest->openError("b/../../a/file", Guest::How{}, *a), Errno::NotCapable);
}

TEST_P(WasiConfinement, DirectoryMovedWhileOpen) {
  fs::create_directories(root / "a/b/c");
  writeFile(root / "a/b/file", "still here");
  auto b = guest->open("a/b", {.oflags = oflags::kDirectory});
  ASSERT_TRUE(b);
  fs::rename(root / "a/b", outside / "b");
  // The descriptor stays what it was, and does not open the way to its new surroundings.
  EXPECT_EQ(guest->openError("file", Guest::How{}, *b), Errno::Success);
  EXPECT_EQ(guest->openError("../secret", Guest::How{}, *b), Errno::NotCapable);
  EXPECT_EQ(guest->openError("c/../../secret", Guest::How{}, *b), Errno::NotCapable);
  EXPECT_EQ(guest->statError("a/b/file"), Errno::NoEnt);
}

TEST_P(WasiConfinement, LoopsEnd) {
  fs::create_symlink("self", root / "self");
  fs::create_symlink("pong", root / "ping");
  fs::create_symlink("ping", root / "pong");
  fs::create_symlink("grow/x", root / "grow");
  for (std::string path : {"self", "ping", "grow", "self/x", "ping/x"}) {
    EXPECT_EQ(guest->openError(path), Errno::Loop) << path;
    EXPECT_EQ(guest->statError(path), Errno::Loop) << path;
    EXPECT_EQ(guest->openError(path, Guest::writing(oflags::kCreat)), Errno::Loop) << path;
  }
  std::string previous = "end";
  writeFile(root / previous, "end");
  for (int i = 0; i < 45; ++i) {
    std::string name = "link" + std::to_string(i);
    fs::create_symlink(previous, root / name);
    previous = name;
    EXPECT_EQ(guest->openError(name), i < 40 ? Errno::Success : Errno::Loop) << i;
    EXPECT_EQ(guest->statError(name), i < 40 ? Errno::Success : Errno::Loop) << i;
  }
}

TEST_P(WasiConfinement, StrangeNames) {
  writeFile(root / "file", "");
  fs::create_directory(root / "dir");
  EXPECT_EQ(guest->openError(""), Errno::NoEnt);
  EXPECT_EQ(guest->statError(""), Errno::NoEnt);
  EXPECT_EQ(guest->openError(std::string_view("file\0", 5)), Errno::Ilseq);
  EXPECT_EQ(guest->openError(std::string_view("file\0/../../outside/secret", 26)), Errno::Ilseq);
  EXPECT_EQ(guest->mkdir(std::string_view("x\0y", 3)), Errno::Ilseq);
  EXPECT_EQ(guest->openError("file/"), Errno::NotDir);
  EXPECT_EQ(guest->openError("file///"), Errno::NotDir);
  EXPECT_EQ(guest->openError("file/."), Errno::NotDir);
  EXPECT_EQ(guest->openError("file/x"), Errno::NotDir);
  EXPECT_EQ(guest->openError("file/.."), Errno::NotDir);
  EXPECT_EQ(guest->statError("file/"), Errno::NotDir);
  EXPECT_EQ(guest->statError("file/", false), Errno::NotDir);
  EXPECT_EQ(guest->openError("dir/"), Errno::Success);
  EXPECT_EQ(guest->openError("dir///"), Errno::Success);
  EXPECT_EQ(guest->openError("dir/."), Errno::Success);
  EXPECT_EQ(guest->openError(std::string(256, 'x')), Errno::NameTooLong);
  EXPECT_EQ(guest->openError(std::string(5000, 'x')), Errno::NameTooLong);
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "./";
  EXPECT_EQ(guest->openError(deep + "file"), Errno::Success);
  std::string upAndDown;
  for (int i = 0; i < 300; ++i) upAndDown += "dir/../";
  EXPECT_EQ(guest->openError(upAndDown + "file"), Errno::Success);
  EXPECT_EQ(guest->openError(upAndDown + "../outside/secret"), Errno::NotCapable);
  EXPECT_EQ(guest->openError("new/", Guest::writing(oflags::kCreat)), Errno::IsDir);
  // Bytes that are no UTF-8 are names to Linux.
  EXPECT_EQ(guest->openError("\xff\xfe", Guest::writing(oflags::kCreat)), Errno::Success);
}

// Links in /proc do not name their target, they jump.
TEST_P(WasiConfinement, ProcMagicLinks) {
  WasiConfig config;
  ASSERT_TRUE(config.preopenDir("/proc", "/proc"));
  Guest proc(config);
  proc.context().resolve = mode();
  int fd = ::open((outside / "secret").c_str(), O_RDONLY | O_CLOEXEC);
  std::string self = std::to_string(::getpid());
  for (const std::string& path :
       {std::string("self/exe"), std::string("self/cwd/x"), std::string("self/root/etc/passwd"),
        std::string("self/root"), self + "/fd/" + std::to_string(fd), "self/fd/" + std::to_string(fd),
        self + "/ns/net"}) {
    EXPECT_NE(proc.openError(path), Errno::Success) << path;
    EXPECT_NE(proc.openError(path, {.oflags = oflags::kDirectory}), Errno::Success) << path;
    EXPECT_NE(proc.statError(path), Errno::Success) << path;
    EXPECT_NE(proc.statError(path + "/", false), Errno::Success) << path;
  }
  EXPECT_EQ(proc.openError("self/status"), Errno::Success);
  EXPECT_EQ(proc.openError("self/../" + self + "/status"), Errno::Success);
  ::close(fd);
}

TEST_P(WasiConfinement, HardLinksStayWithin) {
  writeFile(root / "file", "x");
  fs::create_hard_link(outside / "secret", root / "granted");  // the host may do this
  EXPECT_EQ(guest->contents("granted"), "secret");
  EXPECT_EQ(guest->link("../outside/secret", "stolen"), Errno::NotCapable);
  EXPECT_EQ(guest->link("file", "../outside/planted"), Errno::NotCapable);
  EXPECT_FALSE(fs::exists(outside / "planted"));
}

TEST_P(WasiConfinement, DanglingLinksAndCreat) {
  fs::create_directory(root / "a");
  fs::create_symlink("made", root / "a/link");
  fs::create_symlink("a/link", root / "chain");
  EXPECT_EQ(guest->statError("chain"), Errno::NoEnt);
  EXPECT_EQ(guest->openError("chain"), Errno::NoEnt);
  EXPECT_EQ(guest->openError("chain", Guest::nofollow(oflags::kCreat)), Errno::Loop);
  EXPECT_EQ(guest->openError("chain", Guest::writing(oflags::kCreat)), Errno::Success);
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(root / "a/made")));
}

// A thread on the host keeps swapping a directory for a link that leads out, while the guest uses names below it.
TEST_P(WasiConfinement, SwappedDirectory) {
  fs::create_directories(root / "swap/in");
  writeFile(root / "swap/secret", "inside");
  writeFile(root / "swap/in/secret", "inside");
  fs::create_directory(outside / "in");
  writeFile(outside / "in/secret", "secret");
  fs::create_symlink(outside, root / "other");
  std::atomic<bool> stop = false;
  std::thread swapper([&] {
    int dir = ::open(root.c_str(), O_PATH | O_DIRECTORY);
    while (!stop) ::renameat2(dir, "swap", dir, "other", RENAME_EXCHANGE);
    ::close(dir);
  });
  int inside = 0;
  auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(700);
  while (std::chrono::steady_clock::now() < end) {
    for (std::string path : {"swap/secret", "swap/in/secret", "swap/in/../secret", "swap/in/../in/./secret"}) {
      auto contents = guest->contents(path);
      if (contents) {
        EXPECT_EQ(*contents, "inside");
        ++inside;
      }
    }
    guest->openError("swap/planted", Guest::writing(oflags::kCreat));
    guest->unlink("swap/secret.tmp");
    guest->mkdir("swap/in/planted");
    guest->rename("swap/planted", "swap/in/planted2");
    guest->symlink("x", "swap/planted3");
    guest->link("swap/secret", "swap/planted4");
    guest->setTimes("swap/secret", 1, 1, fstflags::kAtim | fstflags::kMtim);
    auto stat = guest->stat("swap/secret");
    EXPECT_TRUE(!stat || stat->size == 6u);
  }
  stop = true;
  swapper.join();
  EXPECT_GT(inside, 0);
  EXPECT_EQ(std::distance(fs::directory_iterator(outside), {}), 2);
  EXPECT_EQ(std::distance(fs::directory_iterator(outside / "in"), {}), 1);
  struct stat status;
  ASSERT_EQ(::stat((outside / "secret").c_str(), &status), 0);
  EXPECT_NE(status.st_mtim.tv_sec, 0);
}

// A thread on the host moves a directory out and back while the guest goes up from below it.
TEST_P(WasiConfinement, DirectoryMovedDuringDotDot) {
  fs::create_directories(root / "a/b/c");
  writeFile(root / "a/secret", "inside");
  writeFile(root / "secret", "inside");
  std::atomic<bool> stop = false;
  std::thread mover([&] {
    while (!stop) {
      ::rename((root / "a/b").c_str(), (outside / "b").c_str());
      ::rename((outside / "b").c_str(), (root / "a/b").c_str());
    }
  });
  int inside = 0;
  auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
  while (std::chrono::steady_clock::now() < end) {
    for (std::string path : {"a/b/../secret", "a/b/c/../../secret", "a/b/../../secret"}) {
      auto contents = guest->contents(path);
      if (!contents) continue;
      EXPECT_EQ(*contents, "inside");
      ++inside;
    }
  }
  stop = true;
  mover.join();
  EXPECT_GT(inside, 0);
}

}  // namespace
}  // namespace wattle::wasi::test
