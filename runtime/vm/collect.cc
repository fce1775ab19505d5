// The collector of a store's objects: mark from the roots, free the rest.
//
// Roots are objects with handles, references the host was handed (pins), and whatever the guest holds on the stack.
// What lies in guest frames is not described anywhere, so the stack between here and the outermost call is searched
// conservatively: a word that points into an instance or a host function keeps it, a word that reads as an external
// reference keeps that. (Registers too: guest values may wait in callee-saved registers of host code.) This can keep a
// little too much, for as long as the word stays there.
//
// A collection takes memory for what is yet to be traced. Where there is none, before anything has been freed or a mark
// of the heap forgotten, it does not take place; later, what was marked is searched again for what it reaches, as often
// as needed.
//
// Objects are freed in two steps, since closing one runs code of the host: first all of the dead are closed, then all
// are deleted.
#include "runtime/vm/collect.h"

#include <algorithm>
#include <csetjmp>

#include "runtime/vm/boundary.h"
#include "runtime/vm/call.h"
#include "runtime/vm/exceptions.h"
#include "runtime/vm/fiber.h"
#include "runtime/vm/function.h"
#include "runtime/vm/instance.h"
#include "runtime/vm/store.h"

namespace wattle::vm {

void Tracer::mark(uint64_t reference, RefKind kind) {
  if (reference == 0) return;
  if (visitor_) return visitor_->reference(reference, kind);
  switch (kind) {
    case RefKind::Func: {
      // The copy in an importing instance (function.h) is a part of that one.
      auto* record = reinterpret_cast<const abi::VMFuncRef*>(reference);
      Function* original = Function::canonical(record);
      mark(original == record ? original->owner() : find(reference));
      break;
    }
    case RefKind::Extern:
    case RefKind::Any:
      if ((reference & (abi::kGcAlignment - 1)) == 0) markInHeap(reference);
      if (store_.externs_.contains(reference)) store_.externs_.slots_[reference >> 3].marked = true;
      break;
    case RefKind::Exn: mark(Exception::from(reference)); break;
  }
}

void Tracer::markConservatively(uint64_t word) {
  if (visitor_) return visitor_->stackWord(word);
  if ((word & 7) == 2) mark(word, RefKind::Extern);
  if (store_.gc_ && word != 0 && store_.gc_->isObject(word)) markInHeap(word);
  if (Object* object = find(word)) mark(object);
}

void Tracer::mark(Object* object) {
  if (visitor_ || object->marked_) return;
  object->marked_ = true;
  if (!appended(pending_, object)) overflowed_ = true;
}

void Tracer::markInHeap(uint64_t reference) {
  if (appended(heapObjects_, reference)) return;
  heapOverflowed_ = true;
  if (store_.gc_ && isMarkingHeap_) store_.gc_->markUntraced(reference);
}

void Tracer::beginHeap() {
  isMarkingHeap_ = true;
  store_.gc_->beginMarking();
}

void Tracer::drain() {
  do {
    while (!pending_.empty()) {
      Object* object = pending_.back();
      pending_.pop_back();
      object->trace(*this);
    }
    heapOverflowed_ = false;  // what did not get into the list is marked
    if (store_.gc_) store_.gc_->markFrom(heapObjects_, this);
    if (std::exchange(overflowed_, false)) {
      for (Object* o = store_.objects_; o; o = o->next_) {
        if (o->marked_) o->trace(*this);
      }
    }
  } while (!pending_.empty() || !heapObjects_.empty() || overflowed_ || heapOverflowed_);
}

std::optional<std::vector<Tracer::Extent>> Tracer::listExtents() const {
  std::vector<Extent> extents;
  for (Object* o = store_.objects_; o; o = o->next_) {
    auto begin = reinterpret_cast<uintptr_t>(o);
    if (size_t size = o->extent()) extents.push_back({begin, begin + size, o});
  }
  std::ranges::sort(extents, {}, &Extent::begin);
  return extents;
}

Object* Tracer::find(uintptr_t address) {
  if (!extents_) extents_ = orElse(std::nullopt, [&] { return listExtents(); });
  if (!extents_) {
    for (Object* o = store_.objects_; o; o = o->next_) {
      if (address - reinterpret_cast<uintptr_t>(o) < o->extent()) return o;
    }
    return nullptr;
  }
  auto it = std::ranges::upper_bound(*extents_, address, {}, &Extent::begin);
  if (it == extents_->begin()) return nullptr;
  --it;
  return address < it->end ? it->object : nullptr;
}

namespace {

// Reads stack words as they lie, those of other frames included: no business of the address sanitizer's.
__attribute__((no_sanitize("address"), noinline)) void searchWords(uintptr_t from, uintptr_t to, Tracer& tracer) {
  for (uintptr_t at = from & ~uintptr_t{7}; at < to; at += 8) {
    tracer.markConservatively(*reinterpret_cast<const uintptr_t*>(at));
  }
}

}  // namespace

// Of the stack that runs (down to `from`) and those that wait for it to suspend or end: the parts between here and the
// outermost call into the store. False: some of its calls are on other threads.
bool Store::findStacks(uintptr_t from, std::vector<StackPart>& parts) const {
  unsigned mine = 0, all = 0;
  for (const ThreadState* thread = &threadState(); thread;) {
    const abi::VMActivation* outermost = nullptr;
    for (const auto* a = thread->top; a; a = a->previous) {
      if (a->store != &cells_->context) continue;
      outermost = a;
      ++mine;
    }
    if (outermost) parts.push_back({from, outermost->stackPointer + abi::kEntryFrameBytes});
    const Fiber* fiber = thread->fiber;
    from = fiber ? fiber->resumerStackPointer() : 0;
    thread = fiber ? &fiber->resumer() : nullptr;
  }
  for (const auto* a = cells_->context.activation; a; a = a->outer) ++all;
  return mine == all;
}

bool Store::scanStack(Tracer& tracer) {
  if (lostPins_) return false;
  std::vector<StackPart> parts;
  std::jmp_buf registers;  // low in this frame; glibc leaves rbx, r12 to r15 in it as they are
  setjmp(registers);
  if (!orElse(false, [&] { return findStacks(reinterpret_cast<uintptr_t>(&registers), parts); })) return false;
  for (const StackPart& part : parts) searchWords(part.from, part.to, tracer);
  for (const Fiber* fiber : suspendedFibers) searchWords(fiber->stackPointer(), fiber->stackEnd(), tracer);
  return true;
}

bool Store::traceAll(Tracer& tracer) {
  if (!scanStack(tracer)) return false;
  for (Object* o = objects_; o; o = o->next_) o->trace(tracer);
  traceWords(tracer);
  return true;
}

// What the host holds without a handle: pinned words, and values in passing.
void Store::traceWords(Tracer& tracer) {
  for (const Pin& pin : pins_) {
    if (!pin.object) tracer.mark(pin.word, RefKind::Any);
  }
  for (const GcRoots* roots = gcRoots; roots; roots = roots->outer()) {
    for (const abi::RawValue& value : roots->values()) tracer.markConservatively(value.words[0]);
  }
  for (const auto& noted : notedOutcomes) {
    const auto suspension = noted.lock();
    if (!suspension || !suspension->outcome || !suspension->outcome->has_value()) continue;
    for (const Val& value : **suspension->outcome) tracer.markConservatively(value.low());
  }
}

void Store::collect(bool releasePins) {
  if (collecting_ || closing_) return;
  Tracer tracer(*this);
  if (!scanStack(tracer)) return;
  if (tracer.hasLost()) return forgetMarks();
  collecting_ = true;
  if (releasePins && scopes_ == 0 && !context().activation) unpin(0);
  for (Object* o = objects_; o; o = o->next_) {
    if (o->handles_ != 0 || o->pinned_) tracer.mark(o);
  }
  traceWords(tracer);
  if (tracer.hasLost()) {
    collecting_ = false;
    return forgetMarks();
  }
  if (gc_) tracer.beginHeap();
  tracer.drain();

  Object* dead = nullptr;
  Object** link = &objects_;
  while (Object* o = *link) {
    if (o->marked_) {
      o->marked_ = false;
      link = &o->next_;
      continue;
    }
    *link = o->next_;
    o->next_ = dead;
    dead = o;
    --objectCount_;
  }
  std::vector<std::shared_ptr<void>> deadValues;  // destroyed when the table is whole again
  for (uint32_t i = 0; i < externs_.slots_.size(); ++i) {
    auto& slot = externs_.slots_[i];
    if (slot.used && !slot.marked && !slot.pinned && appended(deadValues, slot.value)) {
      slot.value.reset();
      slot.used = false;
      slot.nextFree = externs_.firstFree_;
      externs_.firstFree_ = i;
      --externs_.count_;
    }
    slot.marked = false;
  }
  if (gc_) gc_->sweep(0);
  pruneTypes();
  dispose(dead);
  deadValues.clear();
  collectAt_ = std::max<size_t>(1024, objectCount() * 2);
  // By bytes too, but never more often than every so many objects: a collection costs time in proportion to them.
  collectAtBytes_ = memoryBytes_ + std::max({kCollectBytes, memoryBytes_, objectCount() << 16});
  collecting_ = false;
}

void Store::forgetMarks() {
  for (Object* o = objects_; o; o = o->next_) o->marked_ = false;
  for (auto& slot : externs_.slots_) slot.marked = false;
}

// When there is no memory for that they stay till another time.
void Store::pruneTypes() noexcept {
  if (gc_ && !gc_->hasSeenAllTypes()) return;
  orElse(false, [this] { return pruneTypesNow(); });
}

bool Store::pruneTypesNow() {
  std::vector<const Module*> modules;
  for (Object* o = objects_; o; o = o->next_) {
    if (auto* instance = dynamic_cast<Instance*>(o)) modules.push_back(&instance->module());
  }
  gcTypes.prune(modules, gc_ ? gc_->typesSeen() : std::unordered_set<uint32_t>());
  return true;
}

void Store::dispose(Object* list) {
  size_t bytes = 0;
  for (Object* o = list; o; o = o->next_) {
    bytes += o->extent();
    o->close();
  }
  for (Object* o = list; o; o = o->next_) hostInfo.drop(*o);
  while (list) {
    Object* next = list->next_;
    list->store_ = nullptr;
    if (list->handles_ == 0) delete list;
    list = next;
  }
  if (bytes) engine_->heap.dropped(bytes);
}

uint64_t ExternTable::add(std::shared_ptr<void> value) {
  uint32_t index = firstFree_;
  if (index == kNone) {
    index = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    firstFree_ = slots_[index].nextFree;
  }
  Slot& slot = slots_[index];
  slot.value = std::move(value);
  slot.used = true;
  ++count_;
  return word(index);
}

void Store::pin(uint64_t reference, RefKind kind) noexcept {
  if (reference == 0) return;
  if (kind == RefKind::Func || kind == RefKind::Exn) {
    Object* object = kind == RefKind::Func
                         ? Function::ownerOf(reinterpret_cast<const abi::VMFuncRef*>(reference)->context)
                         : Exception::from(reference);
    if (!object->pinned_) object->pinned_ = addPin({object, 0});
  } else if (externs_.contains(reference)) {
    auto& slot = externs_.slots_[reference >> 3];
    if (!slot.pinned) slot.pinned = addPin({nullptr, static_cast<uint32_t>(reference)});
  } else if (kind != RefKind::Exn && (reference & (abi::kGcAlignment - 1)) == 0) {
    addPin({nullptr, static_cast<uint32_t>(reference)});
  }
}

bool Store::addPin(const Pin& pin) {
  ++context().pins;
  if (lostPins_ == 0 && appended(pins_, pin)) return true;
  ++lostPins_;
  return false;
}

void Store::unpin(size_t mark) {
  context().pins = mark;
  lostPins_ = mark > pins_.size() ? mark - pins_.size() : 0;
  if (lostPins_) return;
  for (size_t i = mark; i < pins_.size(); ++i) {
    const Pin& pin = pins_[i];
    if (pin.object)
      pin.object->pinned_ = false;
    else if ((pin.word & 7) == 2)
      externs_.slots_[pin.word >> 3].pinned = false;
  }
  pins_.resize(mark);
}

}  // namespace wattle::vm
