// What the sandbox has taken from the process, and may still take. Internal; the public view is budget() in
// linear_memory.h.
#pragma once

#include <cstdint>

namespace wattle::sandbox {

// Everything that maps memory reports here. Negative to give back.
void noteMappings(int64_t count);
void noteAddressSpace(int64_t bytes);
// The system refused address space: there is less than we thought.
void noteAddressSpaceEnd();

bool addressSpaceAllows(uint64_t bytes);
bool mappingsAllow(uint64_t count);
bool budgetOverridden();
// Whether a file of so many bytes may be written: beyond `ulimit -f` the system would end the process (SIGXFSZ).
bool fileSizeAllows(uint64_t bytes);

}  // namespace wattle::sandbox
