// Confinement: the only place where a guest's path meets the host's file system.
//
// Each directory descriptor a guest holds is a root. Whatever a path says (`..`, absolute, through symbolic links whose
// targets say so, while others rename and relink at the same time), what comes back lies beneath that root, or the
// answer is NotCapable. Nothing here ever hands a path with a separator to a system call other than openat2 with
// RESOLVE_BENEATH.
//
// Two implementations: openat2 (Linux 5.6), which lets the kernel guarantee it, and a walk that opens one component at
// a time without following links, reads links itself, and goes up by going back to the descriptor it came down from
// (never by the kernel's `..`, which would leave if the directory had been moved meanwhile).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <string>

#include "wasi/abi.h"
#include "wasi/host_fd.h"

namespace wattle::wasi {

enum class ResolveMode : uint8_t {
  Auto,  // Kernel if the running kernel and its filters allow openat2, else Walk
  Kernel,
  Walk,
};

// Opens `path` beneath the directory `root`. `flags` are open(2)'s; O_NOFOLLOW means the last component as there.
// O_CLOEXEC is added.
std::expected<HostFd, Errno> openBeneath(ResolveMode mode, int root, const std::string& path, int flags,
                                         mode_t permissions = 0);

// A directory beneath the root and one name in it, for the *at() calls.
struct Place {
  HostFd owned;  // unless the parent is the root itself
  int parent = -1;
  std::string name;  // no separator in it, but for a trailing one if asked for by LastName::AsIs; not ".."
};

enum class LastName : uint8_t {
  // For calls that create, remove or rename the entry: these never follow it, and have their own rules for a trailing
  // slash, so that is kept.
  AsIs,
  // For calls that look the entry up, which must be given AT_SYMLINK_NOFOLLOW. With a trailing slash POSIX has the link
  // followed, and a directory is needed.
  NoFollow,
  // The same after following links: the name was none a moment ago. Should it have become one, the call meets the link
  // itself and stays inside.
  Follow,
};

std::expected<Place, Errno> locate(ResolveMode mode, int root, std::string path, LastName last);

// Whether the running kernel has openat2.
bool kernelCanResolve();

}  // namespace wattle::wasi
