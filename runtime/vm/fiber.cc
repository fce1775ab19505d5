#include "runtime/vm/fiber.h"

#include <algorithm>

#include "runtime/vm/boundary.h"
#include "runtime/vm/store.h"

namespace wattle::vm {

namespace {
// The guest's own, the reserve for host functions that it calls, and what calling takes.
size_t stackBytesFor(const Store& store, size_t wanted) {
  constexpr size_t kLeast = 64 << 10;
  return std::max(wanted ? wanted : store.maxStackBytes(), kLeast) + kHostReserve;
}
}  // namespace

Fiber::Fiber(Store& store, Body body) : store_(&store), body_(std::move(body)) {}

Result<std::shared_ptr<Fiber>> Fiber::create(Store& store, size_t stackBytes, Body body) {
  std::shared_ptr<Fiber> fiber(new Fiber(store, std::move(body)));
  auto coroutine = sandbox::Coroutine::create(stackBytesFor(store, stackBytes), [f = fiber.get()] { f->main(); });
  if (!coroutine) return std::unexpected(Error::make(ErrorKind::Resource, coroutine.error()));
  fiber->coroutine_ = std::move(*coroutine);
  fiber->thread_.fiber = fiber.get();
  fiber->thread_.stackFloor = reinterpret_cast<uintptr_t>(fiber->coroutine_->stack().low()) + kHostReserve;
  return fiber;
}

void Fiber::main() {
  result_ = body_();
  body_ = nullptr;
}

void Fiber::resume() {
  const std::shared_ptr<Fiber> keep = shared_from_this();
  resumer_ = &threadState();
  thread_.poll = resumer_->poll;
  if (suspended_) link();
  currentThread = &thread_;
  coroutine_->resume();
  currentThread = resumer_;
  if (isDone()) {
    if (auto callback = std::exchange(whenDone_, nullptr)) callback();
  }
}

bool Fiber::maySuspend(const Store& store) const {
  return &store == store_ && thread_.top && !thread_.top->previous && thread_.top->store == &store_->context();
}

void Fiber::await(Suspension& suspension) {
  store_->suspendedFibers.push_back(this);  // may find no memory: before anything has changed
  waitsFor_ = &suspension;
  unlink();
  coroutine_->suspend();
  waitsFor_ = nullptr;
}

void Fiber::note(const std::shared_ptr<Suspension>& suspension) {
  auto& noted = store_->notedOutcomes;
  std::erase_if(noted, [](const auto& other) { return other.expired(); });
  noted.push_back(suspension);
}

void Fiber::forgetNoted(const Suspension& suspension) {
  std::erase_if(store_->notedOutcomes, [&](const auto& noted) { return noted.lock().get() == &suspension; });
}

// Out of the store's chain: as when the activation ends.
void Fiber::unlink() {
  abi::VMActivation& a = *thread_.top;
  abi::VMStoreContext& c = store_->context();
  stackLimit_ = store_->stackLimit();
  c.activation = a.outer;
  c.entryLimit = 0;
  if (a.lender) store_->goesBack(a);
  suspended_ = true;
}

// Into it: as when it begins.
void Fiber::link() {
  std::erase(store_->suspendedFibers, this);
  suspended_ = false;
  abi::VMActivation& a = *thread_.top;
  abi::VMStoreContext& c = store_->context();
  a.outer = c.activation;
  a.lender = nullptr;
  if (c.activation) {
    a.lender = c.stackThread;
    a.lenderLimit = store_->stackLimit();
  }
  c.activation = &a;
  c.stackThread = &thread_;
  c.entryLimit = 0;
  store_->setStackLimit(stackLimit_);
  store_->comesTo(thread_);
}

void Fiber::cancel() {
  if (!suspended_) return;
  waitsFor_->outcome = std::unexpected(orElse(outOfMemory(), [] {
    Error error = trapError(abi::TrapReason::Interrupted);
    error.message = "the call was cancelled";
    return error;
  }));
  resume();
}

void Fiber::whenDone(std::function<void()> callback) {
  if (isDone()) return callback();
  whenDone_ = std::move(callback);
}

uintptr_t Fiber::stackEnd() const { return thread_.top->stackPointer + abi::kEntryFrameBytes; }

}  // namespace wattle::vm
