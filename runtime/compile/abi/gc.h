// Objects of the GC heap as code sees them (the heap itself: runtime/vm/gc_heap.h).
//
//   reference   32-bit offset from VMContext::gcHeap, a multiple of 8, zero-extended to a word; 0 is null
//   +0          canonical type id, never 0
//   +4          array: length.  structure: its descriptor's reference, or 0
//   +8          fields in order, naturally aligned (v128: to 8), or elements
//
// References of the any and extern hierarchies are told apart by their low bits, and are the same words in both:
//   ...000 an object     ......1 an i31, value << 1 | 1     ...010 a host value (vm::ExternTable)
// They take 4 bytes in a field. References to functions and exceptions are addresses and take 8.
#pragma once

#include <cstddef>
#include <cstdint>

#include "frontend/types.h"

namespace wattle::abi {

inline constexpr uint32_t kGcHeader = 8;
inline constexpr uint32_t kGcLengthAt = 4;
inline constexpr uint32_t kGcDescriptorAt = 4;
inline constexpr uint32_t kGcAlignment = 8;
constexpr uint64_t gcAligned(uint64_t bytes) { return (bytes + (kGcAlignment - 1)) & ~uint64_t{kGcAlignment - 1}; }

// How the references in objects of a type are found.
enum class GcTrace : uint8_t {
  None,        // there are none
  Words,       // structure: VMTypeRow::references
  References,  // array of 4-byte references
  Slow,        // by the type itself: wide references, or far from the start
};

// What code and the collector ask of a canonical type, in one cache line. Row 0 is no type: all zeros.
struct alignas(64) VMTypeRow {
  static constexpr uint32_t kAncestors = 8;
  uint32_t ancestors[kAncestors];  // canonical ids by depth, the type's own among them; 0 beyond
  uint8_t kind;                    // 1 + frontend::CompositeKind
  uint8_t elementShift;            // array: log2 of an element's size
  GcTrace trace;
  uint8_t reserved;
  uint32_t depth;
  uint32_t size;  // structure: bytes of an object
  uint32_t reserved2;
  uint64_t references;      // GcTrace::Words: bit i means the 4 bytes at kGcHeader + 4 * i
  const uint32_t* display;  // all ancestors by depth
};
static_assert(sizeof(VMTypeRow) == 64);
inline constexpr uint8_t kTypeRowShift = 6;
constexpr uint8_t rowKind(frontend::CompositeKind kind) { return static_cast<uint8_t>(static_cast<uint8_t>(kind) + 1); }

// How a field or element lies in memory.
enum class Storage : uint8_t { I8, I16, I32, I64, F32, F64, V128, Ref, WideRef };

constexpr uint32_t sizeOf(Storage s) {
  switch (s) {
    case Storage::I8: return 1;
    case Storage::I16: return 2;
    case Storage::V128: return 16;
    case Storage::I64:
    case Storage::F64:
    case Storage::WideRef: return 8;
    default: return 4;
  }
}

// `kindOf` gives the CompositeKind of a heap type index.
template <class KindOf>
constexpr Storage storageOf(frontend::ValType type, KindOf&& kindOf) {
  using enum frontend::ValKind;
  switch (type.kind()) {
    case I8: return Storage::I8;
    case I16: return Storage::I16;
    case I64: return Storage::I64;
    case F32: return Storage::F32;
    case F64: return Storage::F64;
    case V128: return Storage::V128;
    case Ref: break;
    default: return Storage::I32;
  }
  if (type.heap().isIndex()) {
    return kindOf(type.heap().typeIndex()) == frontend::CompositeKind::Func ? Storage::WideRef : Storage::Ref;
  }
  switch (type.heap().abstractKind()) {
    case frontend::AbstractHeap::Func:
    case frontend::AbstractHeap::NoFunc:
    case frontend::AbstractHeap::Exn:
    case frontend::AbstractHeap::NoExn: return Storage::WideRef;
    default: return Storage::Ref;
  }
}

// Lays out the fields of a structure: visit(index, storage, offset) for each. Returns the object's size. A subtype's
// layout begins with its supertype's, since matching fields take the same space.
template <class KindOf, class Visit>
uint32_t layOutStruct(const frontend::SubType& type, KindOf&& kindOf, Visit&& visit) {
  uint32_t at = kGcHeader;
  for (uint32_t i = 0; i < type.fields.size(); ++i) {
    Storage storage = storageOf(type.fields[i].type, kindOf);
    uint32_t size = sizeOf(storage);
    uint32_t alignment = size < kGcAlignment ? size : kGcAlignment;
    at = (at + alignment - 1) & ~(alignment - 1);
    visit(i, storage, at);
    at += size;
  }
  return static_cast<uint32_t>(gcAligned(at));
}

}  // namespace wattle::abi
