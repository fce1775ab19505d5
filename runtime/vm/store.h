// A store: the objects of one isolated world, the cells that code touches, and what may be used up in it.
//
// Lifetimes are in object.h, the collector in collect.cc, interruption and deadlines in interrupt.cc.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <typeinfo>
#include <unordered_map>
#include <vector>

#include "frontend/types.h"
#include "runtime/compile/abi/entry.h"
#include "runtime/compile/abi/vmcontext.h"
#include "runtime/vm/engine.h"
#include "runtime/vm/gc_heap.h"
#include "runtime/vm/host_info.h"
#include "runtime/vm/object.h"
#include "runtime/vm/types.h"
#include "runtime/vm/wait.h"
#include "sandbox/poll_page.h"
#include "wattle/wattle.hpp"

namespace wattle::vm {

class Fiber;
struct Suspension;
struct ThreadState;
class HostFunction;
class RootVisitor;
struct HostDefinition;

// What other threads may touch, and so outlives the store: InterruptHandle and the deadline clock hold it.
struct StoreCells {
  abi::VMStoreContext context{};
  std::atomic<bool> interrupted{false};
  WaitCell wait;

  // The order matters: who resets a limit looks at the flag afterwards (see Store::setStackLimit). Async-signal-safe.
  void interrupt();
  // The thread that the store's guest runs on from now on, by its poll page.
  void runsOn(sandbox::PollPage* page);

 private:
  std::atomic<sandbox::PollPage*> poll_{nullptr};
};

// Host values that the guest holds as externref. The word of a reference is index << 3 | 2: it fits 32 bits, so that
// one day a field of a GC object can hold it, and its low bits tell it from an i31 (bit 0) and from the address of a GC
// object.
class ExternTable {
 public:
  static constexpr uint64_t word(uint32_t index) { return static_cast<uint64_t>(index) << 3 | 2; }
  uint64_t add(std::shared_ptr<void> value);
  // Does the word name a living entry?
  bool contains(uint64_t word) const { return (word & 7) == 2 && word >> 3 < slots_.size() && slots_[word >> 3].used; }
  const std::shared_ptr<void>& value(uint64_t word) const { return slots_[word >> 3].value; }
  size_t count() const { return count_; }

 private:
  friend class Store;
  friend class Tracer;
  struct Slot {
    std::shared_ptr<void> value;
    uint32_t nextFree = kNone;
    bool used = false;
    bool marked = false;
    bool pinned = false;
  };
  static constexpr uint32_t kNone = ~0u;
  std::vector<Slot> slots_;
  uint32_t firstFree_ = kNone;
  size_t count_ = 0;
};

class Store {
 public:
  Store(std::shared_ptr<Engine> engine, const StoreLimits& limits);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  Engine& engine() const { return *engine_; }
  const StoreLimits& limits() const { return limits_; }
  size_t maxStackBytes() const {
    size_t most = engine_->config.maxStackBytes;
    return limits_.maxStackBytes ? std::min(limits_.maxStackBytes, most) : most;
  }
  abi::VMStoreContext& context() { return cells_->context; }
  const std::shared_ptr<StoreCells>& cells() const { return cells_; }
  // False while (and after) the store goes: nothing may be made in it any more.
  bool isOpen() const { return !closing_; }

  // The embedder's handle, for Caller::store().
  wattle::Store* api = nullptr;
  std::shared_ptr<void> data;
  const std::type_info* dataType = nullptr;  // nullptr: untyped

  // --- objects ------------------------------------------------------------------------------------------------------
  size_t objectCount() const { return objectCount_ + externs_.count(); }
  uint64_t instanceCount = 0;
  // What counts for StoreLimits.
  uint64_t memoryCount = 0;
  uint64_t linearBytes = 0;  // of all memories
  uint64_t tableCount = 0;
  uint64_t exceptionBytes = 0;
  HostInfoTable hostInfo;
  std::vector<Fiber*> suspendedFibers;
  // Of asynchronous host functions that are still running: the values wait for their guest, and are roots.
  std::vector<std::weak_ptr<const Suspension>> notedOutcomes;
  // The host function for a definition: one in each store, as long as it lives.
  Result<HostFunction*> hostFunction(const std::shared_ptr<const HostDefinition>& definition);
  void forgetHostFunction(const HostDefinition* definition) { hostFunctions_.erase(definition); }

  // --- collection (collect.cc) -------------------------------------------------------------------------------------
  void collect(bool releasePins);
  // To be called where everything alive is held by a handle, before something new is made.
  void collectIfDue() {
    if (objectCount() >= collectAt_ || memoryBytes_ >= collectAtBytes_) [[unlikely]]
      collect(false);
  }
  // A memory or table of the store's own became larger or went. A few large memories that nobody uses any more weigh as
  // much as many objects.
  void countMemory(int64_t bytes) { memoryBytes_ += static_cast<uint64_t>(bytes); }
  // A reference is handed to the host: keeps it until the RootScope ends (see Val).
  void pin(uint64_t reference, RefKind kind) noexcept;
  size_t pinMark() {
    ++scopes_;
    return context().pins;
  }
  void unpinTo(size_t mark) {
    --scopes_;
    unpinAbove(mark);
  }
  void unpinAbove(size_t mark) {
    if (context().pins > mark) [[unlikely]]
      unpin(mark);
  }
  ExternTable& externs() { return externs_; }

  // --- structures and arrays (gc_heap.h) -----------------------------------------------------------------------------
  // nullptr while nothing has been allocated.
  GcHeap* gc() const { return gc_.get(); }
  // Makes it at first need; nullptr: no address space.
  GcHeap* gcHeap();
  uint8_t* gcBase() const;
  GcTypes gcTypes;
  const GcRoots* gcRoots = nullptr;  // innermost

  // --- stack and interruption (interrupt.cc) -------------------------------------------------------------------------
  // The limit for code that runs on a stack, unless the store is interrupted.
  void setStackLimit(uintptr_t limit) {
    stackLimit_ = limit;
    context().stackLimit.store(limit);
    if (cells_->interrupted.load()) context().stackLimit.store(~uintptr_t{0});
  }
  // The store's guest is about to run on the thread. False: loops could not be interrupted there.
  bool comesTo(ThreadState& thread);
  // To the thread that had lent it for this activation.
  void goesBack(const abi::VMActivation& activation);
  // For an outermost call that starts at this stack pointer.
  void setStackFor(const abi::VMThread& thread, uintptr_t stackPointer);
  uintptr_t stackLimit() const { return stackLimit_; }
  void clearInterrupt() { cells_->interrupted.store(false); }
  // False when the thread that keeps the time cannot be started. 0 takes the deadline back.
  bool setDeadline(std::chrono::nanoseconds fromNow);

 private:
  friend class Object;
  friend class Tracer;
  static constexpr uint64_t kCollectBytes = 1 << 28;
  // What keeps a reference that the host holds as a bare Val.
  struct Pin {
    Object* object;  // nullptr: a word
    uint32_t word;   // an external reference, or one to an object of the GC heap
  };
  // False: there was no memory for it. Then nothing is collected until it would have been taken back; so pinning cannot
  // fail.
  bool addPin(const Pin& pin);
  void unpin(size_t mark);
  friend bool markRoots(Store& store, RootVisitor& visitor);
  // Every Object's references and every word of the stack. False as scanStack.
  bool traceAll(Tracer& tracer);
  void traceWords(Tracer& tracer);
  void pruneTypes() noexcept;
  bool pruneTypesNow();
  void forgetMarks();
  struct StackPart {
    uintptr_t from, to;
  };
  bool findStacks(uintptr_t from, std::vector<StackPart>& parts) const;
  // False when some of the guest's frames are on another thread's stack.
  bool scanStack(Tracer& tracer);
  // Closes and deletes the objects of the list; what has handles stays as a shell without a store.
  void dispose(Object* list);

  std::shared_ptr<Engine> engine_;
  std::shared_ptr<StoreCells> cells_;
  StoreLimits limits_;
  Object* objects_ = nullptr;
  size_t objectCount_ = 0;
  size_t collectAt_ = 1024;
  uint64_t memoryBytes_ = 0;
  uint64_t collectAtBytes_ = kCollectBytes;
  bool collecting_ = false;
  bool closing_ = false;
  unsigned scopes_ = 0;
  std::vector<Pin> pins_;
  size_t lostPins_ = 0;  // those after them, for which there was no memory; VMStoreContext::pins counts both
  ExternTable externs_;
  std::unique_ptr<GcHeap> gc_;
  std::unordered_map<const HostDefinition*, HostFunction*> hostFunctions_;
  uintptr_t stackLimit_ = 0;
  uint64_t deadline_ = 0;  // the clock's ticket; 0: none
};

}  // namespace wattle::vm
