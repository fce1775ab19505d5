#include "wasi/resolve.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <optional>
#include <string_view>
#include <vector>

namespace wattle::wasi {
namespace {

constexpr int kMaxExpansions = 40;  // of symbolic links, as in the kernel
constexpr int kMaxRaces = 64;       // openat2 gives EAGAIN when a rename made it unsure of a ".."

std::unexpected<Errno> fail(Errno error) { return std::unexpected(error); }
std::unexpected<Errno> failHost(int error) { return std::unexpected(fromHost(error)); }

// What no path may be, whatever is on the disk.
std::optional<Errno> unacceptable(std::string_view path) {
  if (path.empty()) return Errno::NoEnt;
  if (path.find('\0') != std::string_view::npos) return Errno::Ilseq;
  if (path.size() >= PATH_MAX) return Errno::NameTooLong;
  if (path.front() == '/') return Errno::NotCapable;
  return std::nullopt;
}

int openat2(int root, const char* path, int flags, mode_t permissions) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags);
  how.mode = flags & O_CREAT ? permissions : 0;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, root, path, &how, sizeof(how)));
}

// The target of the link `name` in `directory` (or of the link `directory` itself, if the name is empty). Inval: no
// link.
std::expected<std::string, Errno> readLink(int directory, const char* name) {
  char buffer[PATH_MAX];
  ssize_t length = ::readlinkat(directory, name, buffer, sizeof(buffer));
  // For an empty name the kernel says ENOENT where it means EINVAL.
  if (length < 0) return *name == '\0' && errno == ENOENT ? fail(Errno::Inval) : failHost(errno);
  if (length == sizeof(buffer)) return fail(Errno::NameTooLong);
  if (length == 0) return fail(Errno::NoEnt);
  if (buffer[0] == '/') return fail(Errno::NotCapable);
  return std::string(buffer, static_cast<size_t>(length));
}

class Walk {
 public:
  Walk(int root, int flags, mode_t permissions) : root_(root), flags_(flags | O_CLOEXEC), permissions_(permissions) {}

  std::expected<HostFd, Errno> run(const std::string& path) {
    if (path.back() == '/' && flags_ & O_CREAT) return fail(Errno::IsDir);
    push(path);
    while (!pending_.empty()) {
      std::string name = std::move(pending_.back());
      pending_.pop_back();
      if (name == ".." && !up()) return fail(Errno::NotCapable);
      if (pending_.empty()) {
        auto opened = last(name);
        if (!opened || *opened) return opened;
      } else if (name != "." && name != "..") {
        if (Errno error = into(name); error != Errno::Success) return fail(error);
      }
    }
    return fail(Errno::NoEnt);
  }

 private:
  int current() const { return below_.empty() ? root_ : below_.back().get(); }

  bool up() {
    if (below_.empty()) return false;
    below_.pop_back();
    return true;
  }

  // Puts a path's components before those still to come; a trailing slash becomes a ".", which needs a directory.
  void push(std::string_view path) {
    std::vector<std::string> names;
    for (size_t at = 0; at < path.size();) {
      size_t end = std::min(path.find('/', at), path.size());
      if (end > at) names.emplace_back(path.substr(at, end - at));
      at = end + 1;
    }
    if (path.back() == '/') names.emplace_back(".");
    pending_.insert(pending_.end(), std::make_move_iterator(names.rbegin()), std::make_move_iterator(names.rend()));
  }

  Errno expand(const std::expected<std::string, Errno>& target) {
    if (!target) return target.error();
    if (++expansions_ > kMaxExpansions) return Errno::Loop;
    push(*target);
    return Errno::Success;
  }

  // Goes down into `name`, or on to where it points.
  Errno into(const std::string& name) {
    auto fd = HostFd::own(::openat(current(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat status;
    if (!fd || ::fstat(fd.get(), &status) != 0) return fromHost(errno);
    if (S_ISLNK(status.st_mode)) return expand(readLink(fd.get(), ""));
    if (!S_ISDIR(status.st_mode)) return Errno::NotDir;
    below_.push_back(std::move(fd));
    return Errno::Success;
  }

  // Opens the last component. No descriptor and no error: it was a link, which is now expanded.
  std::expected<HostFd, Errno> last(const std::string& name) {
    if (name == "." || name == "..") return opened(::openat(current(), ".", flags_, permissions_));
    auto fd = HostFd::own(::openat(current(), name.c_str(), flags_ | O_NOFOLLOW, permissions_));
    int error = errno;
    bool follow = !(flags_ & O_NOFOLLOW) && (flags_ & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);
    if (!follow) return fd ? std::expected<HostFd, Errno>(std::move(fd)) : failHost(error);
    std::expected<std::string, Errno> target;
    if (fd) {
      if (!(flags_ & O_PATH)) return fd;
      target = readLink(fd.get(), "");  // O_PATH opens a link itself
      if (!target && target.error() == Errno::Inval) return fd;
    } else {
      // What was met is a link if it can be read as one; O_DIRECTORY makes that ENOTDIR instead of ELOOP.
      if (error != ELOOP && error != ENOTDIR) return failHost(error);
      target = readLink(current(), name.c_str());
      if (!target && target.error() == Errno::Inval) return failHost(error);
    }
    if (Errno failed = expand(target); failed != Errno::Success) return fail(failed);
    return HostFd();
  }

  static std::expected<HostFd, Errno> opened(int fd) {
    if (fd < 0) return failHost(errno);
    return HostFd::own(fd);
  }

  int root_;
  int flags_;
  mode_t permissions_;
  std::vector<HostFd> below_;         // the directories from the root to the current one
  std::vector<std::string> pending_;  // components still to come, the next one last
  int expansions_ = 0;
};

std::expected<HostFd, Errno> openByKernel(int root, const std::string& path, int flags, mode_t permissions) {
  for (int attempt = 0; attempt < kMaxRaces; ++attempt) {
    int fd = openat2(root, path.c_str(), flags | O_CLOEXEC, permissions);
    if (fd >= 0) return HostFd::own(fd);
    if (errno == EXDEV) return fail(Errno::NotCapable);
    if (errno != EAGAIN && errno != EINTR) return failHost(errno);
  }
  return Walk(root, flags, permissions).run(path);
}

}  // namespace

bool kernelCanResolve() {
  static const bool can = [] {
    // A filter that does not know the call may say EPERM.
    int fd = openat2(AT_FDCWD, ".", O_PATH | O_CLOEXEC, 0);
    if (fd >= 0) ::close(fd);
    return fd >= 0 || (errno != ENOSYS && errno != EPERM && errno != EINVAL);
  }();
  return can;
}

std::expected<HostFd, Errno> openBeneath(ResolveMode mode, int root, const std::string& path, int flags,
                                         mode_t permissions) {
  if (auto error = unacceptable(path)) return fail(*error);
  if (mode == ResolveMode::Auto) mode = kernelCanResolve() ? ResolveMode::Kernel : ResolveMode::Walk;
  if (mode == ResolveMode::Kernel) return openByKernel(root, path, flags, permissions);
  return Walk(root, flags, permissions).run(path);
}

std::expected<Place, Errno> locate(ResolveMode mode, int root, std::string path, LastName last) {
  for (int expansions = 0; expansions <= kMaxExpansions; ++expansions) {
    if (auto error = unacceptable(path)) return fail(*error);
    size_t end = path.find_last_not_of('/') + 1;  // it starts with none, so there is something before them
    bool slash = end < path.size();
    size_t nameAt = path.find_last_of('/', end - 1) + 1;
    Place place{HostFd(), root, path.substr(nameAt, end - nameAt)};
    bool dots = place.name == "." || place.name == "..";
    std::string parent = dots ? path : path.substr(0, nameAt);
    if (!parent.empty()) {
      auto opened = openBeneath(mode, root, parent, O_PATH | O_DIRECTORY);
      if (!opened) return fail(opened.error());
      place.owned = std::move(*opened);
      place.parent = place.owned.get();
    }
    if (dots) place.name = ".";
    if (last == LastName::AsIs && slash && !dots) place.name += '/';
    if (dots || last == LastName::AsIs || (last == LastName::NoFollow && !slash)) return place;

    auto target = readLink(place.parent, place.name.c_str());
    if (target) {
      // Relative to the link's directory, and so after the same prefix, links and ".." in it included.
      path = path.substr(0, nameAt) + *target + (slash ? "/" : "");
      continue;
    }
    if (target.error() != Errno::Inval) return fail(target.error());
    struct stat status;
    if (slash && ::fstatat(place.parent, place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
        !S_ISDIR(status.st_mode)) {
      return fail(Errno::NotDir);
    }
    return place;
  }
  return fail(Errno::Loop);
}

}  // namespace wattle::wasi
