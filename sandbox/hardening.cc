// See hardening.h. Both mechanisms ask for no_new_privs, which is set first.
//
// landlock: all rights to files that the running kernel knows are "handled", so denied unless granted; read-only paths
// are granted the reading ones, read-write paths all. Descriptors opened before go on working, which is how the
// engine's own files stay usable. Landlock restricts one thread; threads started later inherit it, those started before
// would not, so hardenProcess is called before any is started (on kernels that can, all threads are restricted).
//
// seccomp: a list of refused calls, since the list of needed ones differs between libc versions and would break at the
// next one. Refused calls fail with EPERM: the caller gets an ordinary error. Foreign ABIs (32 bit, x32), whose numbers
// mean other calls, kill.
#include "sandbox/hardening.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>

#include "sandbox/stack.h"

// Newer than the headers we may be built with.
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif

namespace wattle::sandbox {

namespace {

std::string failed(const std::string& what) {
  return "cannot harden the process: " + what + ": " + std::strerror(errno);
}

// --- landlock ------------------------------------------------------------------------------------------------------

constexpr uint64_t kReadFile = LANDLOCK_ACCESS_FS_READ_FILE;
constexpr uint64_t kRead = kReadFile | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr uint64_t kFirstVersion = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;  // EXECUTE .. MAKE_SYM
constexpr uint64_t kOfFiles = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | kReadFile |
                              LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV;

uint64_t knownRights(long version) {
  uint64_t rights = kFirstVersion;
  if (version >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
  if (version >= 3) rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
  if (version >= 5) rights |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
  return rights;
}

std::expected<void, std::string> grant(int ruleset, const std::string& path, uint64_t rights) {
  const int file = open(path.c_str(), O_PATH | O_CLOEXEC);
  if (file < 0) return std::unexpected(failed(path));
  struct stat status {};
  if (fstat(file, &status) == 0 && !S_ISDIR(status.st_mode)) rights &= kOfFiles;
  landlock_path_beneath_attr rule{};
  rule.allowed_access = rights;
  rule.parent_fd = file;
  const long result = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
  const int error = errno;
  close(file);
  errno = error;
  if (result != 0) return std::unexpected(failed(path));
  return {};
}

std::expected<bool, std::string> restrictFiles(const HardenOptions& options) {
  const long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return false;
  const uint64_t rights = knownRights(version);
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = rights;
  const int ruleset =
      static_cast<int>(syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes.handled_access_fs, 0));
  if (ruleset < 0) return std::unexpected(failed("landlock"));
  std::expected<void, std::string> done;
  for (const std::string& path : options.readOnly) {
    if (done) done = grant(ruleset, path, kRead);
  }
  for (const std::string& path : options.readWrite) {
    if (done) done = grant(ruleset, path, rights & ~uint64_t{LANDLOCK_ACCESS_FS_EXECUTE});
  }
  constexpr unsigned kAllThreads = 1u << 3;  // LANDLOCK_RESTRICT_SELF_TSYNC, in the newest kernels
  if (done && syscall(SYS_landlock_restrict_self, ruleset, kAllThreads) != 0 &&
      syscall(SYS_landlock_restrict_self, ruleset, 0) != 0) {
    done = std::unexpected(failed("landlock"));
  }
  close(ruleset);
  if (!done) return std::unexpected(done.error());
  return true;
}

// --- seccomp -------------------------------------------------------------------------------------------------------

constexpr int kRefused[] = {
    // other programs, other processes
    SYS_execve,
    SYS_execveat,
    SYS_fork,
    SYS_vfork,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
    SYS_pidfd_getfd,
    // the file system's shape, and ways around paths
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_chroot,
    SYS_move_mount,
    SYS_open_tree,
    SYS_fsopen,
    SYS_fsconfig,
    SYS_fsmount,
    SYS_fspick,
    SYS_mount_setattr,
    SYS_open_by_handle_at,
    SYS_name_to_handle_at,
    SYS_swapon,
    SYS_swapoff,
    SYS_quotactl,
    SYS_acct,
    // namespaces and identity
    SYS_unshare,
    SYS_setns,
    SYS_setuid,
    SYS_setgid,
    SYS_setreuid,
    SYS_setregid,
    SYS_setresuid,
    SYS_setresgid,
    SYS_setfsuid,
    SYS_setfsgid,
    SYS_setgroups,
    SYS_capset,
    // the kernel itself
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_reboot,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_personality,
    SYS_modify_ldt,
    SYS_iopl,
    SYS_ioperm,
    SYS_syslog,
    SYS_lookup_dcookie,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_clock_adjtime,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_vhangup,
};

constexpr uint32_t kErrno = SECCOMP_RET_ERRNO | EPERM;

class Filter {
 public:
  void load(size_t offset) { add(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset)); }
  void result(uint32_t value) { add(BPF_RET | BPF_K, value); }
  // Skips the next `count` instructions unless A compares so with `value`.
  void unlessEqual(uint32_t value, uint8_t count = 1) { add(BPF_JMP | BPF_JEQ | BPF_K, value, 0, count); }
  void ifEqual(uint32_t value, uint8_t count = 1) { add(BPF_JMP | BPF_JEQ | BPF_K, value, count, 0); }
  void unlessAtLeast(uint32_t value, uint8_t count = 1) { add(BPF_JMP | BPF_JGE | BPF_K, value, 0, count); }
  void mask(uint32_t value) { add(BPF_ALU | BPF_AND | BPF_K, value); }
  void loadNumber() { load(offsetof(seccomp_data, nr)); }
  void loadArgument(unsigned i) { load(offsetof(seccomp_data, args) + i * sizeof(uint64_t)); }  // its low half

  // Refuses `call` when the low half of an argument, masked, is `value`.
  void refuseWhen(int call, unsigned argument, uint32_t bits, uint32_t value) {
    unlessEqual(static_cast<uint32_t>(call), 5);
    loadArgument(argument);
    mask(bits);
    unlessEqual(value);
    result(kErrno);
    loadNumber();
  }

  long install() {
    const sock_fprog program{static_cast<unsigned short>(code_.size()), code_.data()};
    // For every thread there is.
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
  }

 private:
  void add(unsigned op, uint32_t k, uint8_t yes = 0, uint8_t no = 0) {
    code_.push_back({static_cast<uint16_t>(op), yes, no, k});
  }
  std::vector<sock_filter> code_;
};

void refuseSockets(Filter& filter) {
  // AF_UNIX stays; socketpair is local by nature.
  filter.unlessEqual(SYS_socket, 4);
  filter.loadArgument(0);
  filter.ifEqual(AF_UNIX);
  filter.result(kErrno);
  filter.loadNumber();
}

std::expected<bool, std::string> restrictSystemCalls(const HardenOptions& options) {
  constexpr uint32_t kX32 = 0x40000000;
  Filter filter;
  filter.load(offsetof(seccomp_data, arch));
  filter.ifEqual(AUDIT_ARCH_X86_64);
  filter.result(SECCOMP_RET_KILL_PROCESS);
  filter.loadNumber();
  filter.unlessAtLeast(kX32);
  filter.result(SECCOMP_RET_KILL_PROCESS);
  for (const int call : kRefused) {
    filter.unlessEqual(static_cast<uint32_t>(call));
    filter.result(kErrno);
  }
  // clone3's arguments are in memory where a filter cannot look: libc then falls back to clone, which may make threads
  // only.
  filter.unlessEqual(SYS_clone3);
  filter.result(SECCOMP_RET_ERRNO | ENOSYS);
  filter.refuseWhen(SYS_clone, 0, CLONE_THREAD, 0);
  for (const int call : {SYS_mmap, SYS_mprotect, SYS_pkey_mprotect}) {
    filter.refuseWhen(call, 2, PROT_WRITE | PROT_EXEC, PROT_WRITE | PROT_EXEC);
  }
  if (!options.allowNetwork) refuseSockets(filter);
  filter.result(SECCOMP_RET_ALLOW);
  const long result = filter.install();
  if (result == 0) return true;
  if (result > 0) return std::unexpected("cannot harden the process: a thread has another seccomp filter");
  if (errno == ENOSYS || errno == EINVAL) return false;
  return std::unexpected(failed("seccomp"));
}

}  // namespace

std::expected<HardenReport, std::string> hardenProcess(const HardenOptions& options) {
  HardenReport report;
  (void)currentStackEnd();  // asks /proc once, which will not answer any more
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return std::unexpected(failed("no_new_privs"));
  const auto note = [&report](const char* what) {
    report.skipped += report.skipped.empty() ? what : std::string("; ") + what;
  };
  if (options.restrictFiles) {
    const auto done = restrictFiles(options);
    if (!done) return std::unexpected(done.error());
    report.files = *done;
    if (!*done) note("this kernel has no landlock: files are not restricted");
  }
  if (options.restrictSystemCalls) {
    const auto done = restrictSystemCalls(options);
    if (!done) return std::unexpected(done.error());
    report.systemCalls = *done;
    if (!*done) note("this kernel has no seccomp filters: system calls are not restricted");
  }
  return report;
}

}  // namespace wattle::sandbox
