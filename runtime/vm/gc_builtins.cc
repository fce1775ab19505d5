#include "runtime/vm/gc_builtins.h"

#include <cstring>

#include "runtime/compile/abi/trap_reason.h"
#include "runtime/vm/boundary.h"
#include "runtime/vm/builtins.h"
#include "runtime/vm/instance.h"
#include "runtime/vm/store.h"

namespace wattle::vm {

using abi::TrapReason;
using abi::VMContext;

namespace {

uint8_t shiftOf(uint32_t type) { return TypeRegistry::process().rows()[type].elementShift; }

// Whether elements are references of 4 bytes (or of 8).
bool isNarrow(uint32_t type) { return shiftOf(type) == 2; }

uint64_t newArray(Instance& instance, uint32_t type, uint32_t length) {
  return orElse(uint64_t{0}, [&] {
    GcHeap* heap = instance.store()->gcHeap();
    return heap ? heap->allocateArray(type, length) : 0;
  });
}

void copyElements(Instance& instance, uint32_t segment, uint64_t array, uint64_t dst, uint64_t src, uint64_t n) {
  const GcHeap& heap = *instance.store()->gc();
  if (isNarrow(heap.typeOf(array))) {
    auto* to = heap.at<uint32_t>(array, abi::kGcHeader) + dst;
    for (uint64_t i = 0; i < n; ++i) to[i] = static_cast<uint32_t>(instance.element(segment, src + i));
  } else {
    auto* to = heap.at<uint64_t>(array, abi::kGcHeader) + dst;
    for (uint64_t i = 0; i < n; ++i) to[i] = instance.element(segment, src + i);
  }
}

TrapReason newArrayFromData(Instance& instance, uint32_t type, uint32_t segment, uint64_t offset, uint32_t n,
                            uint64_t& array) {
  const uint32_t id = instance.module().typeIds()[type];
  const uint64_t bytes = uint64_t{n} << shiftOf(id);
  auto data = instance.dataSegment(segment);
  if (!within(offset, bytes, data.size())) return TrapReason::MemoryOutOfBounds;
  array = newArray(instance, id, n);
  if (!array) return TrapReason::AllocationFailed;
  if (n) std::memcpy(instance.store()->gc()->at<uint8_t>(array, abi::kGcHeader), data.data() + offset, bytes);
  return TrapReason::None;
}

TrapReason newArrayFromElements(Instance& instance, uint32_t type, uint32_t segment, uint64_t offset, uint32_t n,
                                uint64_t& array) {
  if (!within(offset, n, instance.elementCount(segment))) return TrapReason::TableOutOfBounds;
  array = newArray(instance, instance.module().typeIds()[type], n);
  if (!array) return TrapReason::AllocationFailed;
  copyElements(instance, segment, array, 0, offset, n);
  return TrapReason::None;
}

uint64_t allocateObject(VMContext* context) {
  abi::VMStoreContext& cells = *context->storeContext;
  return orElse(uint64_t{0}, [&] {
    GcHeap* heap = static_cast<Store*>(cells.store)->gcHeap();
    return heap ? heap->allocate(cells.gcRequest) : 0;
  });
}

// Is charged before it is known whether the segment has as much.
bool chargeElements(VMContext* context, uint64_t typeSegment, uint64_t n) {
  const uint32_t id = Instance::of(context)->module().typeIds()[low(typeSegment)];
  return charge(context, uint64_t{low(n)} << shiftOf(id));
}

uint32_t arrayNewData(VMContext* context, uint64_t typeSegment, uint64_t offset, uint64_t n) {
  uint64_t array = 0;
  if (!chargeElements(context, typeSegment, n)) return status(TrapReason::OutOfFuel);
  auto reason = newArrayFromData(*Instance::of(context), low(typeSegment), high(typeSegment), offset,
                                 static_cast<uint32_t>(n), array);
  context->storeContext->gcRequest = array;
  return status(reason);
}

uint32_t arrayNewElem(VMContext* context, uint64_t typeSegment, uint64_t offset, uint64_t n) {
  uint64_t array = 0;
  if (!chargeElements(context, typeSegment, n)) return status(TrapReason::OutOfFuel);
  auto reason = newArrayFromElements(*Instance::of(context), low(typeSegment), high(typeSegment), offset,
                                     static_cast<uint32_t>(n), array);
  context->storeContext->gcRequest = array;
  return status(reason);
}

uint32_t arrayInitData(VMContext* context, uint64_t segment, uint64_t array, uint64_t dst, uint64_t src, uint64_t n) {
  if (array == 0) return status(TrapReason::NullArrayReference);
  Instance& instance = *Instance::of(context);
  const GcHeap& heap = *instance.store()->gc();
  if (!within(dst, n, heap.lengthOf(array))) return status(TrapReason::ArrayOutOfBounds);
  const uint8_t shift = shiftOf(heap.typeOf(array));
  auto data = instance.dataSegment(low(segment));
  if (!within(src, n << shift, data.size())) return status(TrapReason::MemoryOutOfBounds);
  if (!charge(context, n << shift)) return status(TrapReason::OutOfFuel);
  if (n) std::memcpy(heap.at<uint8_t>(array, abi::kGcHeader) + (dst << shift), data.data() + src, n << shift);
  return 0;
}

uint32_t arrayInitElem(VMContext* context, uint64_t segment, uint64_t array, uint64_t dst, uint64_t src, uint64_t n) {
  if (array == 0) return status(TrapReason::NullArrayReference);
  Instance& instance = *Instance::of(context);
  if (!within(dst, n, instance.store()->gc()->lengthOf(array))) return status(TrapReason::ArrayOutOfBounds);
  if (!within(src, n, instance.elementCount(low(segment)))) return status(TrapReason::TableOutOfBounds);
  if (!charge(context, n * 8)) return status(TrapReason::OutOfFuel);
  copyElements(instance, low(segment), array, dst, src, n);
  return 0;
}

uint32_t arrayCopy(VMContext* context, uint64_t dstArray, uint64_t dst, uint64_t srcArray, uint64_t src, uint64_t n) {
  if (dstArray == 0 || srcArray == 0) return status(TrapReason::NullArrayReference);
  const GcHeap& heap = *Instance::of(context)->store()->gc();
  if (!within(dst, n, heap.lengthOf(dstArray)) || !within(src, n, heap.lengthOf(srcArray)))
    return status(TrapReason::ArrayOutOfBounds);
  const uint8_t shift = shiftOf(heap.typeOf(dstArray));
  if (!charge(context, n << shift)) return status(TrapReason::OutOfFuel);
  std::memmove(heap.at<uint8_t>(dstArray, abi::kGcHeader) + (dst << shift),
               heap.at<uint8_t>(srcArray, abi::kGcHeader) + (src << shift), n << shift);
  return 0;
}

}  // namespace

void addGcBuiltins(abi::BuiltinTable& table) {
  table.AllocateObject = allocateObject;
  table.ArrayNewData = arrayNewData;
  table.ArrayNewElem = arrayNewElem;
  table.ArrayInitData = arrayInitData;
  table.ArrayInitElem = arrayInitElem;
  table.ArrayCopy = arrayCopy;
}

}  // namespace wattle::vm
