#include <cerrno>
#include <cstdlib>

#include "wasi/abi.h"

namespace wattle::wasi {
namespace {

struct Pair {
  int host;
  Errno guest;
};

constexpr Pair kPairs[] = {
    {E2BIG, Errno::TooBig},
    {EACCES, Errno::Acces},
    {EADDRINUSE, Errno::AddrInUse},
    {EADDRNOTAVAIL, Errno::AddrNotAvail},
    {EAFNOSUPPORT, Errno::AfNoSupport},
    {EAGAIN, Errno::Again},
    {EALREADY, Errno::Already},
    {EBADF, Errno::BadF},
    {EBADMSG, Errno::BadMsg},
    {EBUSY, Errno::Busy},
    {ECANCELED, Errno::Canceled},
    {ECHILD, Errno::Child},
    {ECONNABORTED, Errno::ConnAborted},
    {ECONNREFUSED, Errno::ConnRefused},
    {ECONNRESET, Errno::ConnReset},
    {EDEADLK, Errno::Deadlk},
    {EDESTADDRREQ, Errno::DestAddrReq},
    {EDOM, Errno::Dom},
    {EDQUOT, Errno::Dquot},
    {EEXIST, Errno::Exist},
    {EFAULT, Errno::Fault},
    {EFBIG, Errno::FBig},
    {EHOSTUNREACH, Errno::HostUnreach},
    {EIDRM, Errno::Idrm},
    {EILSEQ, Errno::Ilseq},
    {EINPROGRESS, Errno::InProgress},
    {EINTR, Errno::Intr},
    {EINVAL, Errno::Inval},
    {EIO, Errno::Io},
    {EISCONN, Errno::IsConn},
    {EISDIR, Errno::IsDir},
    {ELOOP, Errno::Loop},
    {EMFILE, Errno::MFile},
    {EMLINK, Errno::MLink},
    {EMSGSIZE, Errno::MsgSize},
    {EMULTIHOP, Errno::Multihop},
    {ENAMETOOLONG, Errno::NameTooLong},
    {ENETDOWN, Errno::NetDown},
    {ENETRESET, Errno::NetReset},
    {ENETUNREACH, Errno::NetUnreach},
    {ENFILE, Errno::NFile},
    {ENOBUFS, Errno::NoBufs},
    {ENODEV, Errno::NoDev},
    {ENOENT, Errno::NoEnt},
    {ENOEXEC, Errno::NoExec},
    {ENOLCK, Errno::NoLck},
    {ENOLINK, Errno::NoLink},
    {ENOMEM, Errno::NoMem},
    {ENOMSG, Errno::NoMsg},
    {ENOPROTOOPT, Errno::NoProtoOpt},
    {ENOSPC, Errno::NoSpc},
    {ENOSYS, Errno::NoSys},
    {ENOTCONN, Errno::NotConn},
    {ENOTDIR, Errno::NotDir},
    {ENOTEMPTY, Errno::NotEmpty},
    {ENOTRECOVERABLE, Errno::NotRecoverable},
    {ENOTSOCK, Errno::NotSock},
    {EOPNOTSUPP, Errno::NotSup},
    {ENOTTY, Errno::NoTty},
    {ENXIO, Errno::Nxio},
    {EOVERFLOW, Errno::Overflow},
    {EOWNERDEAD, Errno::OwnerDead},
    {EPERM, Errno::Perm},
    {EPIPE, Errno::Pipe},
    {EPROTO, Errno::Proto},
    {EPROTONOSUPPORT, Errno::ProtoNoSupport},
    {EPROTOTYPE, Errno::Prototype},
    {ERANGE, Errno::Range},
    {EROFS, Errno::Rofs},
    {ESPIPE, Errno::SPipe},
    {ESRCH, Errno::Srch},
    {ESTALE, Errno::Stale},
    {ETIMEDOUT, Errno::TimedOut},
    {ETXTBSY, Errno::TxtBsy},
    {EXDEV, Errno::XDev},
};

}  // namespace

Errno fromHost(int error) {
  error = std::abs(error);
  if (error == 0) return Errno::Success;
  for (const Pair& pair : kPairs) {
    if (pair.host == error) return pair.guest;
  }
  return Errno::Io;
}

}  // namespace wattle::wasi
