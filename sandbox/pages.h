// Address space and pages: the few things that every pool here does.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace wattle::sandbox {

// Inaccessible address space, aligned; nullptr (and errno) when refused.
uint8_t* reserveAligned(uint64_t bytes, uint64_t alignment);
// Makes whole pages read as zero, giving the memory back. `bytes` is rounded up to the page.
void zeroPages(uint8_t* base, uint64_t bytes);
// Copies to memory that reads as zero, leaving out pages of zeros: what is sparse stays sparse.
void copySparse(uint8_t* to, const uint8_t* from, uint64_t bytes);

// Which pages memories of one kind use to touch: a bit for each of the first 64. See resetPages.
struct TouchHabit {
  std::atomic<uint64_t> pages{0};
  std::atomic<uint32_t> resets{0};
};

// Makes whole pages read as zero for the next user, who probably touches the same pages as the last: those that `habit`
// names are overwritten and stay, all others are given back. Returns the pages that stay (a bit each): pass them as
// `kept` at the next reset of this memory, and call leaveKept when it goes another way. (On the machine this was
// written on, giving a page back and faulting it in again takes 2,500 ns, overwriting it 60 ns.)
uint64_t resetPages(uint8_t* base, uint64_t bytes, uint64_t kept, TouchHabit& habit);
// The pages are in use, or gone: they no longer count as spare.
void leaveKept(uint64_t kept);

}  // namespace wattle::sandbox
