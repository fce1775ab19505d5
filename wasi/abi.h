// The binary interface of WASI preview 1 (wasi_snapshot_preview1.witx) and what its predecessor wasi_unstable (snapshot
// 0) lays out differently. Structures here are copied to and from guest memory byte for byte: every gap is a named,
// zeroed field, so that no host byte gets out through padding.
#pragma once

#include <cstddef>
#include <cstdint>

namespace wattle::wasi {

enum class Errno : uint16_t {
  Success,
  TooBig,
  Acces,
  AddrInUse,
  AddrNotAvail,
  AfNoSupport,
  Again,
  Already,
  BadF,
  BadMsg,
  Busy,
  Canceled,
  Child,
  ConnAborted,
  ConnRefused,
  ConnReset,
  Deadlk,
  DestAddrReq,
  Dom,
  Dquot,
  Exist,
  Fault,
  FBig,
  HostUnreach,
  Idrm,
  Ilseq,
  InProgress,
  Intr,
  Inval,
  Io,
  IsConn,
  IsDir,
  Loop,
  MFile,
  MLink,
  MsgSize,
  Multihop,
  NameTooLong,
  NetDown,
  NetReset,
  NetUnreach,
  NFile,
  NoBufs,
  NoDev,
  NoEnt,
  NoExec,
  NoLck,
  NoLink,
  NoMem,
  NoMsg,
  NoProtoOpt,
  NoSpc,
  NoSys,
  NotConn,
  NotDir,
  NotEmpty,
  NotRecoverable,
  NotSock,
  NotSup,
  NoTty,
  Nxio,
  Overflow,
  OwnerDead,
  Perm,
  Pipe,
  Proto,
  ProtoNoSupport,
  Prototype,
  Range,
  Rofs,
  SPipe,
  Srch,
  Stale,
  TimedOut,
  TxtBsy,
  XDev,
  NotCapable,
};
static_assert(static_cast<int>(Errno::NotCapable) == 76);

// Of a Linux error number, positive or (as libuv returns it) negative. 0 is Success.
Errno fromHost(int error);

// Which interface the guest imports; they share all handlers but those that take a Snapshot.
enum class Snapshot : uint8_t { Unstable, Preview1 };

namespace rights {
constexpr uint64_t kFdDatasync = 1ull << 0, kFdRead = 1ull << 1, kFdSeek = 1ull << 2, kFdFdstatSetFlags = 1ull << 3,
                   kFdSync = 1ull << 4, kFdTell = 1ull << 5, kFdWrite = 1ull << 6, kFdAdvise = 1ull << 7,
                   kFdAllocate = 1ull << 8, kPathCreateDirectory = 1ull << 9, kPathCreateFile = 1ull << 10,
                   kPathLinkSource = 1ull << 11, kPathLinkTarget = 1ull << 12, kPathOpen = 1ull << 13,
                   kFdReaddir = 1ull << 14, kPathReadlink = 1ull << 15, kPathRenameSource = 1ull << 16,
                   kPathRenameTarget = 1ull << 17, kPathFilestatGet = 1ull << 18, kPathFilestatSetSize = 1ull << 19,
                   kPathFilestatSetTimes = 1ull << 20, kFdFilestatGet = 1ull << 21, kFdFilestatSetSize = 1ull << 22,
                   kFdFilestatSetTimes = 1ull << 23, kPathSymlink = 1ull << 24, kPathRemoveDirectory = 1ull << 25,
                   kPathUnlinkFile = 1ull << 26, kPollFdReadwrite = 1ull << 27, kSockShutdown = 1ull << 28,
                   kSockAccept = 1ull << 29;
constexpr uint64_t kAll = (1ull << 30) - 1;

// What can apply to a descriptor of each sort; the rest is dropped when it is opened (path_open: "fewer rights than
// specified, if and only if those rights do not apply to the type of file").
constexpr uint64_t kOnFile = kFdDatasync | kFdRead | kFdSeek | kFdFdstatSetFlags | kFdSync | kFdTell | kFdWrite |
                             kFdAdvise | kFdAllocate | kFdFilestatGet | kFdFilestatSetSize | kFdFilestatSetTimes |
                             kPollFdReadwrite;
constexpr uint64_t kOnDirectory = kFdDatasync | kFdFdstatSetFlags | kFdSync | kFdAdvise | kPathCreateDirectory |
                                  kPathCreateFile | kPathLinkSource | kPathLinkTarget | kPathOpen | kFdReaddir |
                                  kPathReadlink | kPathRenameSource | kPathRenameTarget | kPathFilestatGet |
                                  kPathFilestatSetSize | kPathFilestatSetTimes | kFdFilestatGet | kFdFilestatSetTimes |
                                  kPathSymlink | kPathRemoveDirectory | kPathUnlinkFile;
// wasi-libc's isatty(): a character device that can neither seek nor tell.
constexpr uint64_t kOnTerminal = kFdRead | kFdFdstatSetFlags | kFdWrite | kFdFilestatGet | kPollFdReadwrite;
constexpr uint64_t kOnSocket =
    kFdRead | kFdFdstatSetFlags | kFdWrite | kFdFilestatGet | kPollFdReadwrite | kSockShutdown;
constexpr uint64_t kOnListener = kFdFdstatSetFlags | kFdFilestatGet | kPollFdReadwrite | kSockAccept | kFdRead;
}  // namespace rights

enum class FileType : uint8_t {
  Unknown,
  BlockDevice,
  CharacterDevice,
  Directory,
  RegularFile,
  SocketDgram,
  SocketStream,
  SymbolicLink,
};

namespace fdflags {
constexpr uint16_t kAppend = 1, kDsync = 2, kNonblock = 4, kRsync = 8, kSync = 16, kAll = 31;
}
namespace lookupflags {
constexpr uint32_t kSymlinkFollow = 1, kAll = 1;
}
namespace oflags {
constexpr uint16_t kCreat = 1, kDirectory = 2, kExcl = 4, kTrunc = 8, kAll = 15;
}
namespace fstflags {
constexpr uint16_t kAtim = 1, kAtimNow = 2, kMtim = 4, kMtimNow = 8, kAll = 15;
}
namespace riflags {
constexpr uint16_t kPeek = 1, kWaitall = 2, kAll = 3;
}
namespace roflags {
constexpr uint16_t kDataTruncated = 1;
}
namespace sdflags {
constexpr uint8_t kRd = 1, kWr = 2, kAll = 3;
}
namespace subclockflags {
constexpr uint16_t kAbstime = 1, kAll = 1;
}
namespace eventrwflags {
constexpr uint16_t kHangup = 1;
}

enum class ClockId : uint32_t { Realtime, Monotonic, ProcessCputime, ThreadCputime };
enum class EventType : uint8_t { Clock, FdRead, FdWrite };

struct Iovec {
  uint32_t buf = 0;
  uint32_t length = 0;
};
static_assert(sizeof(Iovec) == 8);

struct Prestat {
  uint8_t tag = 0;  // preopentype: 0 is a directory, the only one
  uint8_t gap[3]{};
  uint32_t nameLength = 0;
};
static_assert(sizeof(Prestat) == 8 && offsetof(Prestat, nameLength) == 4);

struct Fdstat {
  FileType type = FileType::Unknown;
  uint8_t gap0 = 0;
  uint16_t flags = 0;
  uint32_t gap1 = 0;
  uint64_t base = 0;
  uint64_t inheriting = 0;
};
static_assert(sizeof(Fdstat) == 24 && offsetof(Fdstat, flags) == 2 && offsetof(Fdstat, base) == 8);

struct Filestat {
  uint64_t dev = 0;
  uint64_t ino = 0;
  FileType type = FileType::Unknown;
  uint8_t gap[7]{};
  uint64_t nlink = 0;
  uint64_t size = 0;
  uint64_t atim = 0;
  uint64_t mtim = 0;
  uint64_t ctim = 0;
};
static_assert(sizeof(Filestat) == 64 && offsetof(Filestat, type) == 16 && offsetof(Filestat, nlink) == 24 &&
              offsetof(Filestat, ctim) == 56);

struct UnstableFilestat {  // linkcount was 32 bits wide
  uint64_t dev = 0;
  uint64_t ino = 0;
  FileType type = FileType::Unknown;
  uint8_t gap[3]{};
  uint32_t nlink = 0;
  uint64_t size = 0;
  uint64_t atim = 0;
  uint64_t mtim = 0;
  uint64_t ctim = 0;
};
static_assert(sizeof(UnstableFilestat) == 56 && offsetof(UnstableFilestat, nlink) == 20 &&
              offsetof(UnstableFilestat, ctim) == 48);

struct Dirent {
  uint64_t next = 0;
  uint64_t ino = 0;
  uint32_t nameLength = 0;
  FileType type = FileType::Unknown;
  uint8_t gap[3]{};
};
static_assert(sizeof(Dirent) == 24 && offsetof(Dirent, nameLength) == 16 && offsetof(Dirent, type) == 20);

// The union of a subscription's contents starts at byte 16; `fd` is its first word for fd_read and fd_write.
struct Subscription {
  uint64_t userdata = 0;
  uint8_t tag = 0;  // EventType
  uint8_t gap0[7]{};
  uint32_t clockOrFd = 0;
  uint32_t gap1 = 0;
  uint64_t timeout = 0;
  uint64_t precision = 0;
  uint16_t flags = 0;  // subclockflags
  uint8_t gap2[6]{};
};
static_assert(sizeof(Subscription) == 48 && offsetof(Subscription, clockOrFd) == 16 &&
              offsetof(Subscription, timeout) == 24 && offsetof(Subscription, flags) == 40);

struct UnstableSubscription {  // had one more user-given word, before the clock's id
  uint64_t userdata = 0;
  uint8_t tag = 0;
  uint8_t gap0[7]{};
  uint64_t identifierOrFd = 0;
  uint32_t clock = 0;
  uint32_t gap1 = 0;
  uint64_t timeout = 0;
  uint64_t precision = 0;
  uint16_t flags = 0;
  uint8_t gap2[6]{};
};
static_assert(sizeof(UnstableSubscription) == 56 && offsetof(UnstableSubscription, identifierOrFd) == 16 &&
              offsetof(UnstableSubscription, clock) == 24 && offsetof(UnstableSubscription, flags) == 48);

struct Event {
  uint64_t userdata = 0;
  Errno error = Errno::Success;
  EventType type = EventType::Clock;
  uint8_t gap0[5]{};
  uint64_t nbytes = 0;
  uint16_t flags = 0;  // eventrwflags
  uint8_t gap1[6]{};
};
static_assert(sizeof(Event) == 32 && offsetof(Event, type) == 10 && offsetof(Event, nbytes) == 16 &&
              offsetof(Event, flags) == 24);

}  // namespace wattle::wasi
