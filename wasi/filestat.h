// File status and times, between the host's shapes and preview 1's.
#pragma once

#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <expected>

#include "wasi/context.h"

namespace wattle::wasi {

Filestat filestatOf(const struct stat& status);

// Room for a filestat of the interface the guest imports, and writing one there.
bool filestatFits(const GuestMemory& memory, Snapshot snapshot, Ptr<Filestat> out);
void writeFilestat(const GuestMemory& memory, Snapshot snapshot, Ptr<Filestat> out, const Filestat& filestat);

// For utimensat: access and modification time. Inval: unknown fstflags, or a time both given and "now".
std::expected<std::array<timespec, 2>, Errno> timesToSet(uint64_t atim, uint64_t mtim, uint32_t flags);

uint64_t nanoseconds(int64_t seconds, int64_t nanos);

}  // namespace wattle::wasi
