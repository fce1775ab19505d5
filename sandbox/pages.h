// Address space and pages: the few calls that every pool here makes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace wattle::sandbox {

// Inaccessible address space, aligned; nullptr (and errno) when refused.
uint8_t* reserveAligned(uint64_t bytes, uint64_t alignment);
// Makes whole pages read as zero, giving the memory back. `bytes` is rounded up to the page.
void zeroPages(uint8_t* base, uint64_t bytes);

}  // namespace wattle::sandbox
