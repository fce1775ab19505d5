#include "wasi/filestat.h"

namespace wattle::wasi {
namespace {

constexpr uint64_t kNanos = 1'000'000'000;

}  // namespace

uint64_t nanoseconds(int64_t seconds, int64_t nanos) {
  if (seconds < 0) return 0;  // before 1970 there are no timestamps
  return static_cast<uint64_t>(seconds) * kNanos + static_cast<uint64_t>(nanos);
}

Filestat filestatOf(const struct stat& status) {
  Filestat out;
  out.dev = status.st_dev;
  out.ino = status.st_ino;
  out.type = fileType(status.st_mode);
  out.nlink = status.st_nlink;
  out.size = static_cast<uint64_t>(status.st_size);
  out.atim = nanoseconds(status.st_atim.tv_sec, status.st_atim.tv_nsec);
  out.mtim = nanoseconds(status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  out.ctim = nanoseconds(status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
  return out;
}

bool filestatFits(const GuestMemory& memory, Snapshot snapshot, Ptr<Filestat> out) {
  return snapshot == Snapshot::Preview1 ? memory.contains(out) : memory.contains(Ptr<UnstableFilestat>{out.address});
}

void writeFilestat(const GuestMemory& memory, Snapshot snapshot, Ptr<Filestat> out, const Filestat& from) {
  if (snapshot == Snapshot::Preview1) {
    memory.write(out, from);
    return;
  }
  UnstableFilestat to;
  to.dev = from.dev;
  to.ino = from.ino;
  to.type = from.type;
  to.nlink = static_cast<uint32_t>(from.nlink);
  to.size = from.size;
  to.atim = from.atim;
  to.mtim = from.mtim;
  to.ctim = from.ctim;
  memory.write(Ptr<UnstableFilestat>{out.address}, to);
}

std::expected<std::array<timespec, 2>, Errno> timesToSet(uint64_t atim, uint64_t mtim, uint32_t flags) {
  auto both = [&](uint32_t bits) { return (flags & bits) == bits; };
  if (flags & ~uint32_t{fstflags::kAll} || both(fstflags::kAtim | fstflags::kAtimNow) ||
      both(fstflags::kMtim | fstflags::kMtimNow)) {
    return std::unexpected(Errno::Inval);
  }
  auto time = [](uint64_t value, bool given, bool now) {
    timespec out{};
    out.tv_nsec = now ? UTIME_NOW : UTIME_OMIT;
    if (given) {
      out.tv_sec = static_cast<time_t>(value / kNanos);
      out.tv_nsec = static_cast<long>(value % kNanos);
    }
    return out;
  };
  return std::array{time(atim, flags & fstflags::kAtim, flags & fstflags::kAtimNow),
                    time(mtim, flags & fstflags::kMtim, flags & fstflags::kMtimNow)};
}

}  // namespace wattle::wasi
