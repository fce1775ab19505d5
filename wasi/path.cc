// path_*: what is done by name, beneath a directory descriptor. How names are confined: resolve.h.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>

#include "wasi/filestat.h"
#include "wasi/handlers.h"

namespace wattle::wasi {
namespace {

constexpr uint64_t kFifoRetry = 10'000'000;  // nanoseconds

// A directory descriptor and a path of the guest's, checked.
struct Start {
  DescriptorPtr directory;
  std::string path;
};

std::expected<Start, Errno> start(const Call& call, uint32_t fd, uint64_t rights, GuestString path) {
  auto directory = call.context.fds.directory(fd, rights);
  if (!directory) return std::unexpected(directory.error());
  if (path.length >= PATH_MAX) return std::unexpected(Errno::NameTooLong);
  auto text = path.copy(call.memory);
  if (!text) return std::unexpected(Errno::Fault);
  return Start{std::move(*directory), std::move(*text)};
}

std::expected<Start, Errno> startChange(const Call& call, uint32_t fd, uint64_t rights, GuestString path) {
  auto from = start(call, fd, rights, path);
  if (from && from->directory->readOnly) return std::unexpected(Errno::Rofs);
  return from;
}

std::expected<Place, Errno> locate(const Call& call, const Start& from, LastName last) {
  return locate(call.context.resolve, from.directory->host(), from.path, last);
}

LastName byLookup(uint32_t lookup) {
  return lookup & lookupflags::kSymlinkFollow ? LastName::Follow : LastName::NoFollow;
}

Errno done(int result) { return result == 0 ? Errno::Success : fromHost(errno); }

int hostFlags(uint32_t lookup, uint32_t oflags, uint64_t base, uint32_t fdflags) {
  // O_NONBLOCK always: opening a FIFO or a device must not hang where cancel() does not reach. Reading and writing wait
  // by themselves (io.cc), and on a regular file it means nothing.
  int flags = O_NOCTTY | O_NONBLOCK;
  bool reads = base & (rights::kFdRead | rights::kFdReaddir);
  bool writes = base & rights::kFdWrite;
  flags |= writes ? (reads ? O_RDWR : O_WRONLY) : O_RDONLY;
  if (!(lookup & lookupflags::kSymlinkFollow)) flags |= O_NOFOLLOW;
  if (oflags & oflags::kCreat) flags |= O_CREAT;
  if (oflags & oflags::kDirectory) flags |= O_DIRECTORY;
  if (oflags & oflags::kExcl) flags |= O_EXCL;
  if (oflags & oflags::kTrunc) flags |= O_TRUNC;
  if (fdflags & fdflags::kAppend) flags |= O_APPEND;
  if (fdflags & fdflags::kDsync) flags |= O_DSYNC;
  if (fdflags & (fdflags::kSync | fdflags::kRsync)) flags |= O_SYNC;
  return flags;
}

// In a read-only directory a file may still be opened with O_CREAT if it is there, as on a read-only file system.
std::expected<HostFd, Errno> openReadOnly(const Call& call, const Start& from, int flags) {
  if ((flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC) return std::unexpected(Errno::Rofs);
  auto opened = openBeneath(call.context.resolve, from.directory->host(), from.path, flags & ~(O_CREAT | O_EXCL));
  if (!(flags & O_CREAT)) return opened;
  if (opened && flags & O_EXCL) return std::unexpected(Errno::Exist);
  if (!opened && opened.error() == Errno::NoEnt) return std::unexpected(Errno::Rofs);
  return opened;
}

std::expected<HostFd, Errno> openOnce(const Call& call, const Start& from, int flags) {
  if (from.directory->readOnly) return openReadOnly(call, from, flags);
  auto opened = openBeneath(call.context.resolve, from.directory->host(), from.path, flags, 0666);
  // EAGAIN: someone holds a lease on the file and is given time to let go.
  if (!opened && opened.error() == Errno::Again) {
    opened = openBeneath(call.context.resolve, from.directory->host(), from.path, flags & ~O_NONBLOCK, 0666);
  }
  return opened;
}

// Opening a FIFO for writing waits for a reader, which O_NONBLOCK makes ENXIO.
bool waitsForReader(const Call& call, const Start& from, int flags) {
  if ((flags & O_ACCMODE) != O_WRONLY) return false;
  auto fifo = openBeneath(call.context.resolve, from.directory->host(), from.path, O_PATH | (flags & O_NOFOLLOW));
  struct stat status;
  return fifo && ::fstat(fifo->get(), &status) == 0 && S_ISFIFO(status.st_mode);
}

// The errno that the rights and flags alone make certain.
Errno checkOpen(const Descriptor& directory, uint32_t oflags, uint64_t base, uint64_t inheriting, uint32_t fdflags) {
  uint64_t needed = rights::kPathOpen;
  if (oflags & oflags::kCreat) needed |= rights::kPathCreateFile;
  if (oflags & oflags::kTrunc) needed |= rights::kPathFilestatSetSize;
  uint64_t neededInheriting = base | inheriting;
  if (fdflags & fdflags::kDsync) neededInheriting |= rights::kFdDatasync;
  if (fdflags & (fdflags::kSync | fdflags::kRsync)) neededInheriting |= rights::kFdSync;
  if (!directory.has(needed) || neededInheriting & ~directory.inheriting) return Errno::NotCapable;
  if (oflags & oflags::kCreat && oflags & oflags::kDirectory) return Errno::Inval;
  return Errno::Success;
}

DescriptorPtr describe(HostFd opened, const Descriptor& directory, uint64_t base, uint64_t inheriting,
                       uint16_t fdflags) {
  struct stat status;
  if (::fstat(opened.get(), &status) != 0) return nullptr;
  auto descriptor = std::make_shared<Descriptor>();
  classify(opened.get(), status, *descriptor);
  descriptor->base = base & applicableRights(descriptor->kind);
  descriptor->inheriting = descriptor->is(Kind::Directory) ? inheriting : 0;
  descriptor->flags = descriptor->is(Kind::Directory) ? 0 : fdflags;
  descriptor->readOnly = directory.readOnly;
  descriptor->file = std::make_shared<const HostFd>(std::move(opened));
  return descriptor;
}

}  // namespace

Errno pathCreateDirectory(const Call& call, uint32_t fd, GuestString path) {
  auto from = startChange(call, fd, rights::kPathCreateDirectory, path);
  if (!from) return from.error();
  auto place = locate(call, *from, LastName::AsIs);
  if (!place) return place.error();
  return done(::mkdirat(place->parent, place->name.c_str(), 0777));
}

Errno pathFilestatGet(const Call& call, Snapshot snapshot, uint32_t fd, uint32_t lookup, GuestString path,
                      Ptr<Filestat> out) {
  if (!filestatFits(call.memory, snapshot, out)) return Errno::Fault;
  if (lookup & ~lookupflags::kAll) return Errno::Inval;
  auto from = start(call, fd, rights::kPathFilestatGet, path);
  if (!from) return from.error();
  auto place = locate(call, *from, byLookup(lookup));
  if (!place) return place.error();
  struct stat status;
  if (::fstatat(place->parent, place->name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return fromHost(errno);
  writeFilestat(call.memory, snapshot, out, filestatOf(status));
  return Errno::Success;
}

Errno pathFilestatSetTimes(const Call& call, uint32_t fd, uint32_t lookup, GuestString path, uint64_t atim,
                           uint64_t mtim, uint32_t flags) {
  auto times = timesToSet(atim, mtim, flags);
  if (!times) return times.error();
  if (lookup & ~lookupflags::kAll) return Errno::Inval;
  auto from = startChange(call, fd, rights::kPathFilestatSetTimes, path);
  if (!from) return from.error();
  auto place = locate(call, *from, byLookup(lookup));
  if (!place) return place.error();
  return done(::utimensat(place->parent, place->name.c_str(), times->data(), AT_SYMLINK_NOFOLLOW));
}

Errno pathLink(const Call& call, uint32_t oldFd, uint32_t lookup, GuestString oldPath, uint32_t newFd,
               GuestString newPath) {
  if (lookup & ~lookupflags::kAll) return Errno::Inval;
  // The source must be changeable, too: under its new name a file of a read-only directory could be written.
  auto oldFrom = startChange(call, oldFd, rights::kPathLinkSource, oldPath);
  if (!oldFrom) return oldFrom.error();
  auto newFrom = startChange(call, newFd, rights::kPathLinkTarget, newPath);
  if (!newFrom) return newFrom.error();
  auto oldPlace = locate(call, *oldFrom, byLookup(lookup));
  if (!oldPlace) return oldPlace.error();
  auto newPlace = locate(call, *newFrom, LastName::AsIs);
  if (!newPlace) return newPlace.error();
  return done(::linkat(oldPlace->parent, oldPlace->name.c_str(), newPlace->parent, newPlace->name.c_str(), 0));
}

Outcome pathOpen(const Call& call, uint32_t fd, uint32_t lookup, GuestString path, uint32_t oflags, uint64_t base,
                 uint64_t inheriting, uint32_t fdflags, Ptr<uint32_t> opened) {
  if (!call.memory.contains(opened)) return Errno::Fault;
  if (lookup & ~lookupflags::kAll || oflags & ~uint32_t{oflags::kAll} || fdflags & ~uint32_t{fdflags::kAll}) {
    return Errno::Inval;
  }
  base &= rights::kAll;  // some guests ask for all 64
  inheriting &= rights::kAll;
  auto from = start(call, fd, 0, path);
  if (!from) return from.error();
  const Descriptor& directory = *from->directory;
  if (Errno error = checkOpen(directory, oflags, base, inheriting, fdflags); error != Errno::Success) return error;
  if (call.context.fds.full()) return Errno::MFile;

  int flags = hostFlags(lookup, oflags, base, fdflags);
  auto file = openOnce(call, *from, flags);
  while (!file && file.error() == Errno::Nxio && !(fdflags & fdflags::kNonblock) &&
         waitsForReader(call, *from, flags)) {
    sleepFor(call.context, {}, kFifoRetry);
    if (call.context.cancel.raised()) return std::unexpected(interrupted());
    file = openOnce(call, *from, flags);
  }
  if (!file) return file.error();
  auto descriptor = describe(std::move(*file), directory, base, inheriting, static_cast<uint16_t>(fdflags));
  if (!descriptor) return Errno::Io;
  auto number = call.context.fds.add(std::move(descriptor));
  if (!number) return number.error();
  call.memory.write(opened, *number);
  return Errno::Success;
}

Errno pathReadlink(const Call& call, uint32_t fd, GuestString path, Ptr<uint8_t> buffer, uint32_t length,
                   Ptr<uint32_t> used) {
  auto from = start(call, fd, rights::kPathReadlink, path);
  if (!from) return from.error();
  auto bytes = call.memory.slice(buffer.address, length);
  if (!bytes || !call.memory.contains(used)) return Errno::Fault;
  auto place = locate(call, *from, LastName::NoFollow);
  if (!place) return place.error();
  // The kernel refuses an empty buffer; preview 1 truncates to any length.
  char target[PATH_MAX];
  ssize_t n = ::readlinkat(place->parent, place->name.c_str(), target, sizeof(target));
  if (n < 0) return fromHost(errno);
  size_t kept = std::min<size_t>(static_cast<size_t>(n), length);
  std::copy(target, target + kept, bytes->begin());
  call.memory.write(used, static_cast<uint32_t>(kept));
  return Errno::Success;
}

Errno pathRemoveDirectory(const Call& call, uint32_t fd, GuestString path) {
  auto from = startChange(call, fd, rights::kPathRemoveDirectory, path);
  if (!from) return from.error();
  auto place = locate(call, *from, LastName::AsIs);
  if (!place) return place.error();
  return done(::unlinkat(place->parent, place->name.c_str(), AT_REMOVEDIR));
}

Errno pathRename(const Call& call, uint32_t oldFd, GuestString oldPath, uint32_t newFd, GuestString newPath) {
  auto oldFrom = startChange(call, oldFd, rights::kPathRenameSource, oldPath);
  if (!oldFrom) return oldFrom.error();
  auto newFrom = startChange(call, newFd, rights::kPathRenameTarget, newPath);
  if (!newFrom) return newFrom.error();
  auto oldPlace = locate(call, *oldFrom, LastName::AsIs);
  if (!oldPlace) return oldPlace.error();
  auto newPlace = locate(call, *newFrom, LastName::AsIs);
  if (!newPlace) return newPlace.error();
  return done(::renameat(oldPlace->parent, oldPlace->name.c_str(), newPlace->parent, newPlace->name.c_str()));
}

Errno pathSymlink(const Call& call, GuestString target, uint32_t fd, GuestString path) {
  auto from = startChange(call, fd, rights::kPathSymlink, path);
  if (!from) return from.error();
  if (target.length >= PATH_MAX) return Errno::NameTooLong;
  auto text = target.copy(call.memory);
  if (!text) return Errno::Fault;
  if (text->find('\0') != std::string::npos) return Errno::Ilseq;
  // The guest could not follow it, and a program on the host that does would leave the directory.
  if (text->starts_with('/')) return Errno::NotCapable;
  auto place = locate(call, *from, LastName::AsIs);
  if (!place) return place.error();
  return done(::symlinkat(text->c_str(), place->parent, place->name.c_str()));
}

Errno pathUnlinkFile(const Call& call, uint32_t fd, GuestString path) {
  auto from = startChange(call, fd, rights::kPathUnlinkFile, path);
  if (!from) return from.error();
  auto place = locate(call, *from, LastName::AsIs);
  if (!place) return place.error();
  return done(::unlinkat(place->parent, place->name.c_str(), 0));
}

}  // namespace wattle::wasi
