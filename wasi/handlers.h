// The functions of preview 1. They answer with an errno for the guest, or an Outcome if they may wait, and be
// cancelled; or an Error, which ends the guest. Each takes the call's context and memory, then the wasm parameters in
// order; bind.cc derives the wasm signature from these types. They check in this order: memory for results, flags,
// descriptor, rights; and do nothing on the host before all checks have passed.
#pragma once

#include <cstdint>

#include "wasi/abi.h"
#include "wasi/context.h"
#include "wasi/memory.h"
#include "wasi/wait.h"

namespace wattle::wasi {

// process.cc
Errno argsSizesGet(const Call&, Ptr<uint32_t> count, Ptr<uint32_t> bytes);
Errno argsGet(const Call&, Ptr<uint32_t> argv, Ptr<uint8_t> buffer);
Errno environSizesGet(const Call&, Ptr<uint32_t> count, Ptr<uint32_t> bytes);
Errno environGet(const Call&, Ptr<uint32_t> environ, Ptr<uint8_t> buffer);
Error procExit(const Call&, uint32_t code);
Outcome procRaise(const Call&, uint32_t signal);
Errno schedYield(const Call&);

// clock.cc, random.cc
Errno clockResGet(const Call&, uint32_t clock, Ptr<uint64_t> resolution);
Errno clockTimeGet(const Call&, uint32_t clock, uint64_t precision, Ptr<uint64_t> time);
Errno randomGet(const Call&, Ptr<uint8_t> buffer, uint32_t length);

// fd.cc
Errno fdAdvise(const Call&, uint32_t fd, uint64_t offset, uint64_t length, uint32_t advice);
Errno fdAllocate(const Call&, uint32_t fd, uint64_t offset, uint64_t length);
Errno fdClose(const Call&, uint32_t fd);
Errno fdDatasync(const Call&, uint32_t fd);
Errno fdFdstatGet(const Call&, uint32_t fd, Ptr<Fdstat> out);
Errno fdFdstatSetFlags(const Call&, uint32_t fd, uint32_t flags);
Errno fdFdstatSetRights(const Call&, uint32_t fd, uint64_t base, uint64_t inheriting);
Errno fdFilestatGet(const Call&, Snapshot, uint32_t fd, Ptr<Filestat> out);
Errno fdFilestatSetSize(const Call&, uint32_t fd, uint64_t size);
Errno fdFilestatSetTimes(const Call&, uint32_t fd, uint64_t atim, uint64_t mtim, uint32_t flags);
Errno fdPrestatGet(const Call&, uint32_t fd, Ptr<Prestat> out);
Errno fdPrestatDirName(const Call&, uint32_t fd, Ptr<uint8_t> buffer, uint32_t length);
Errno fdRenumber(const Call&, uint32_t from, uint32_t to);
Errno fdSeek(const Call&, Snapshot, uint32_t fd, int64_t offset, uint32_t whence, Ptr<uint64_t> position);
Errno fdSync(const Call&, uint32_t fd);
Errno fdTell(const Call&, uint32_t fd, Ptr<uint64_t> position);

// io.cc
Outcome fdRead(const Call&, uint32_t fd, Ptr<Iovec> iovs, uint32_t count, Ptr<uint32_t> read);
Outcome fdWrite(const Call&, uint32_t fd, Ptr<Iovec> iovs, uint32_t count, Ptr<uint32_t> written);
Errno fdPread(const Call&, uint32_t fd, Ptr<Iovec> iovs, uint32_t count, uint64_t offset, Ptr<uint32_t> read);
Errno fdPwrite(const Call&, uint32_t fd, Ptr<Iovec> iovs, uint32_t count, uint64_t offset, Ptr<uint32_t> written);

// readdir.cc
Errno fdReaddir(const Call&, uint32_t fd, Ptr<uint8_t> buffer, uint32_t length, uint64_t cookie, Ptr<uint32_t> used);

// path.cc
Errno pathCreateDirectory(const Call&, uint32_t fd, GuestString path);
Errno pathFilestatGet(const Call&, Snapshot, uint32_t fd, uint32_t lookup, GuestString path, Ptr<Filestat> out);
Errno pathFilestatSetTimes(const Call&, uint32_t fd, uint32_t lookup, GuestString path, uint64_t atim, uint64_t mtim,
                           uint32_t flags);
Errno pathLink(const Call&, uint32_t oldFd, uint32_t lookup, GuestString oldPath, uint32_t newFd, GuestString newPath);
Outcome pathOpen(const Call&, uint32_t fd, uint32_t lookup, GuestString path, uint32_t oflags, uint64_t base,
                 uint64_t inheriting, uint32_t fdflags, Ptr<uint32_t> opened);
Errno pathReadlink(const Call&, uint32_t fd, GuestString path, Ptr<uint8_t> buffer, uint32_t length,
                   Ptr<uint32_t> used);
Errno pathRemoveDirectory(const Call&, uint32_t fd, GuestString path);
Errno pathRename(const Call&, uint32_t oldFd, GuestString oldPath, uint32_t newFd, GuestString newPath);
Errno pathSymlink(const Call&, GuestString target, uint32_t fd, GuestString path);
Errno pathUnlinkFile(const Call&, uint32_t fd, GuestString path);

// poll.cc
Outcome pollOneoff(const Call&, Snapshot, Ptr<uint8_t> subscriptions, Ptr<Event> events, uint32_t count,
                   Ptr<uint32_t> stored);

// socket.cc
Outcome sockAccept(const Call&, uint32_t fd, uint32_t flags, Ptr<uint32_t> accepted);
Outcome sockRecv(const Call&, uint32_t fd, Ptr<Iovec> iovs, uint32_t count, uint32_t flags, Ptr<uint32_t> read,
                 Ptr<uint16_t> outFlags);
Outcome sockSend(const Call&, uint32_t fd, Ptr<Iovec> iovs, uint32_t count, uint32_t flags, Ptr<uint32_t> written);
Errno sockShutdown(const Call&, uint32_t fd, uint32_t how);

}  // namespace wattle::wasi
