// Less for a process to lose: what `wattle run --harden` takes away from the whole process, for good, before the guest
// starts.
//
// The guest is confined by its code already. This is the second wall, for the day the first one has a hole: file access
// only beneath the given directories (landlock), and no system calls that a runtime does not need (seccomp): no new
// programs or processes, no tracing, no mounting, no kernel interfaces of ill repute, no memory both writable and
// executable.
#pragma once

#include <expected>
#include <string>
#include <vector>

namespace wattle::sandbox {

struct HardenOptions {
  bool restrictFiles = true;
  std::vector<std::string> readOnly;  // files and directories (with all beneath)
  std::vector<std::string> readWrite;
  bool restrictSystemCalls = true;
  bool allowNetwork = true;  // false: no sockets but local ones
};

struct HardenReport {
  bool files = false;  // in force
  bool systemCalls = false;
  std::string skipped;  // what this kernel cannot do, in words; empty if nothing
};

// Irrevocable, for all threads of the process and its children. What the kernel lacks is skipped and reported; an error
// means that something it should be able to do failed (a path that does not exist, for one), and then nothing may be
// assumed.
std::expected<HardenReport, std::string> hardenProcess(const HardenOptions& options);

}  // namespace wattle::sandbox
