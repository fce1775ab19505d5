#include "runtime/vm/call.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <type_traits>

#include "runtime/codecache/code_cache.h"
#include "runtime/vm/boundary.h"
#include "runtime/vm/exceptions.h"
#include "runtime/vm/fiber.h"
#include "runtime/vm/instance.h"
#include "runtime/vm/small_buffer.h"
#include "runtime/vm/store.h"
#include "runtime/vm/values.h"
#include "sandbox/stack.h"

namespace wattle::vm {

[[gnu::tls_model("initial-exec")]] constinit thread_local abi::VMThread* currentThread = nullptr;

namespace {

struct ThreadStateOwner {
  ~ThreadStateOwner() {
    delete static_cast<ThreadState*>(currentThread);
    currentThread = nullptr;
  }
  bool used = false;
};
thread_local ThreadStateOwner threadStateOwner;

}  // namespace

ThreadState& makeThreadState() {
  threadStateOwner.used = true;  // so that its destructor runs at the thread's end
  auto* state = new ThreadState;
  state->stackFloor = sandbox::currentStackEnd() + kHostReserve;
  currentThread = state;
  return *state;
}

Error hostException(const char* what) noexcept {
  return orElse(outOfMemory(), [&] {
    try {
      throw;
    } catch (const std::bad_alloc&) {
      return outOfMemory();
    } catch (...) {
    }
    Error error = trapError(abi::TrapReason::HostError);
    if (what) error.message += fmt::format(": {}", what);
    return error;
  });
}

namespace {

Error goneError() { return Error::make(ErrorKind::Argument, "the store of this function is gone"); }
Error noPollPage() {
  return Error::make(
      ErrorKind::Resource,
      "guests cannot be interrupted on this thread: there is no memory, or its gs base is used by somebody "
      "else (see LoopCheck)");
}
Error cacheFullError() { return Error::make(ErrorKind::Resource, "the code cache is full"); }

// --- entry ---------------------------------------------------------------------------------------------------------

// Entry code is not sure of the stack limit. A callback may also hand the store to another thread and wait for it: a
// call from there has another stack.
abi::VMThread* prepare(abi::VMActivation* activation) noexcept {
  auto* state = orElse(nullptr, [] { return &threadState(); });
  if (!state) {
    activation->reason = static_cast<uint64_t>(abi::TrapReason::OutOfMemory);
    return nullptr;
  }
  ThreadState& thread = *state;
  auto* store = static_cast<Store*>(activation->store->store);
  if (!store) {
    activation->reason = static_cast<uint64_t>(abi::TrapReason::HostError);
    thread.hostError = orElse(nullptr, [] { return std::make_unique<Error>(goneError()); });
    return nullptr;
  }
  if (!store->comesTo(thread)) {
    activation->reason = static_cast<uint64_t>(abi::TrapReason::HostError);
    thread.hostError = orElse(nullptr, [] { return std::make_unique<Error>(noPollPage()); });
    return nullptr;
  }
  if (!activation->store->activation) {
    store->setStackFor(thread, activation->stackPointer);
  } else if (activation->store->stackThread != &thread) {
    activation->lender = activation->store->stackThread;
    activation->lenderLimit = store->stackLimit();
    store->setStackFor(thread, activation->stackPointer);
  }
  return &thread;
}

void restore(abi::VMActivation* activation) noexcept {
  activation->store->entryLimit = 0;  // what is prepared is for this thread's stack
  if (auto* store = static_cast<Store*>(activation->store->store))
    store->goesBack(*activation);
  else
    activation->store->stackThread = activation->lender;
}

inline Result<void> enter(Store& store, compile::EntryStub stub, const void* code, abi::VMContext* context,
                          abi::RawValue* values) {
  abi::VMActivation activation;
  activation.code = code;
  activation.context = context;
  activation.store = &store.context();
  activation.values = values;
  activation.reason = 0;
  activation.lender = nullptr;
  stub(&activation);
  if (activation.reason == 0) [[likely]]
    return {};
  return std::unexpected(failure(activation));
}

compile::EntryStub entryStubFor(const TypeEntry& entry) {
  auto stub = entry.entryStub.load(std::memory_order_acquire);
  if (stub) [[likely]]
    return stub;
  stub = compile::entryStub(entry.type.func, entrySupport());
  entry.entryStub.store(stub, std::memory_order_release);
  return stub;
}

}  // namespace

const compile::EntrySupport& entrySupport() {
  static const compile::EntrySupport support = [] {
    compile::EntrySupport s;
    auto* threadPointer = static_cast<const char*>(__builtin_thread_pointer());
    s.threadOffset = static_cast<int32_t>(reinterpret_cast<const char*>(&currentThread) - threadPointer);
    s.prepareStub = compile::prepareStub(prepare);
    s.restore = restore;
    return s;
  }();
  return support;
}

// A trap leaves a block of code that has been charged for as a whole: gives back what it did not execute.
static void giveFuelBack(const ThreadState& thread) {
  if (thread.frameCount == 0) return;
  const RawFrame& frame = thread.frames[0];
  Instance& instance = *Instance::of(frame.context);
  if (!instance.code().settings().fuel) return;
  auto hit = codecache::CodeCache::process().lookup(frame.pc);
  if (!hit || !hit.range) return;
  const Module& module = instance.module();
  frame.context->storeContext->fuel -= static_cast<int64_t>(compile::fuelAhead(
      module.info(), module.bytes(), instance.code().settings(), hit.range->index, hit.offset - hit.range->start));
}

// A trap is told without its backtrace rather than not at all.
static std::vector<Frame> backtrace(const ThreadState& thread) {
  return orElse({}, [&] { return symbolize(thread.frames, thread.frameCount); });
}

Error failure(const abi::VMActivation& activation) {
  ThreadState& thread = threadState();
  giveFuelBack(thread);
  auto reason = static_cast<abi::TrapReason>(activation.reason);
  if (reason == abi::TrapReason::UncaughtException) {
    Error error = uncaught(*Exception::from(std::exchange(activation.store->pendingException, nullptr)));
    error.backtrace = backtrace(thread);
    return error;
  }
  if (reason != abi::TrapReason::HostError || !thread.hostError) {
    Error error = trapError(reason);
    error.backtrace = backtrace(thread);
    return error;
  }
  Error error = std::move(*thread.hostError);
  thread.hostError.reset();
  if (error.kind == ErrorKind::Trap && error.backtrace.empty()) error.backtrace = backtrace(thread);
  return error;
}

abi::TrapReason holdHostError(Store& store, Error&& error) {
  if (Exception* exception = exceptionOf(error, store)) {
    store.context().pendingException = exception;  // which the host stub throws before anything else runs
    return abi::TrapReason::UncaughtException;
  }
  auto& held = threadState().hostError;
  held = orElse(nullptr, [&] { return std::make_unique<Error>(std::move(error)); });
  return held ? abi::TrapReason::HostError : abi::TrapReason::OutOfMemory;
}

namespace {

// An asynchronous host function has begun what it does, and all that it held on to is gone.
Result<void> awaitOutcome(Fiber& fiber, std::span<Val> results) {
  auto suspension = std::exchange(fiber.pending, nullptr);
  if (suspension->outcome)
    fiber.forgetNoted(*suspension);
  else
    fiber.await(*suspension);
  auto& outcome = *suspension->outcome;
  if (!outcome) return std::unexpected(std::move(outcome.error()));
  if (outcome->size() != results.size()) {
    return std::unexpected(Error::make(
        ErrorKind::Argument, fmt::format("an asynchronous host function was completed with {} results, not {}",
                                         outcome->size(), results.size())));
  }
  std::ranges::copy(*outcome, results.begin());
  return {};
}

// Runs the callback; nothing it throws gets past.
Result<void> callback(HostFunction& host, Instance* instance, std::span<const Val> arguments, std::span<Val> results) {
  Store& store = *host.store();
  Caller::State state{&store, instance};
  Caller caller(state);
  size_t mark = store.pinMark();
  host.retain();
  auto run = [&]() -> Result<void> {
    try {
      return host.definition().callback(caller, arguments, results);
    } catch (const std::exception& e) {
      return std::unexpected(hostException(e.what()));
    } catch (...) {
      return std::unexpected(hostException(nullptr));
    }
  };
  Result<void> result = run();
  store.unpinTo(mark);
  Fiber* fiber = threadState().fiber;
  if (fiber && fiber->pending && result) [[unlikely]]
    result = atBoundary([&] { return awaitOutcome(*fiber, results); });
  host.release();
  return result;
}

Result<void> runHost(HostFunction& host, Instance* instance, abi::RawValue* values) {
  const frontend::FuncType& type = host.definition().signature;
  size_t params = type.params.size(), results = type.results.size();
  Store& store = *host.store();
  SmallBuffer<Val, 12> buffer(params + results);
  Val* vals = buffer.data();
  for (size_t i = 0; i < params; ++i) vals[i] = fromRaw(values[i], type.params[i]);
  for (size_t i = 0; i < results; ++i) vals[params + i] = Val::zero(toApi(type.results[i]));
  auto result = callback(host, instance, {vals, params}, {vals + params, results});
  if (!result) return result;
  for (size_t i = 0; i < results; ++i) {
    if (auto error = toRaw(store, vals[params + i], type.results[i], values[i])) {
      error->message = fmt::format("result {} of host function {}: {}", i, host.definition().name, error->message);
      return std::unexpected(std::move(*error));
    }
  }
  return {};
}

// What host stubs call.
uint32_t hostEntry(abi::VMContext* hostContext, abi::RawValue* values, abi::VMContext* callerContext) noexcept {
  auto& host = *static_cast<HostFunction*>(hostContext->hostFunction);
  auto result =
      atBoundary([&] { return runHost(host, callerContext ? Instance::of(callerContext) : nullptr, values); });
  if (result) [[likely]]
    return 0;
  return static_cast<uint32_t>(holdHostError(*host.store(), std::move(result.error())));
}

}  // namespace

const void* hostStubFor(const HostDefinition& definition) {
  if (definition.thunk) return compile::typedHostStub(definition.integers);
  const uint32_t typeId = definition.type.id;
  const TypeEntry& entry = TypeRegistry::process().entry(typeId);
  const void* stub = entry.hostStub.load(std::memory_order_acquire);
  if (stub) return stub;
  stub = compile::hostStub(entry.type.func, hostEntry);
  entry.hostStub.store(stub, std::memory_order_release);
  return stub;
}

namespace {

inline Result<void> callEntry(Store& store, const TypeEntry& type, const void* code, abi::VMContext* context,
                              abi::RawValue* values) {
  if (context->hostFunction) [[unlikely]]
    return runHost(*static_cast<HostFunction*>(context->hostFunction), nullptr, values);
  auto stub = entryStubFor(type);
  if (!stub) [[unlikely]]
    return std::unexpected(cacheFullError());
  return enter(store, stub, code, context, values);
}

const TypeEntry& typeOf(const Function& function) { return TypeRegistry::process().entry(function.typeId); }

}  // namespace

Result<void> callCode(Store& store, uint32_t typeId, const void* code, abi::VMContext* context, abi::RawValue* values) {
  return callEntry(store, TypeRegistry::process().entry(typeId), code, context, values);
}

Result<std::vector<Val>> callChecked(Function& function, std::span<const Val> arguments) {
  Store* store = function.store();
  if (!store || !store->isOpen()) return std::unexpected(goneError());
  const TypeEntry& entry = typeOf(function);
  const frontend::FuncType& type = entry.type.func;
  if (arguments.size() != type.params.size()) {
    return std::unexpected(Error::make(ErrorKind::Argument, fmt::format("the function takes {} arguments, not {}",
                                                                        type.params.size(), arguments.size())));
  }
  SmallBuffer<abi::RawValue, 16> buffer(entry.valueCount);
  abi::RawValue* values = buffer.data();
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (auto error = toRaw(*store, arguments[i], type.params[i], values[i])) {
      error->message = fmt::format("argument {}: {}", i, error->message);
      return std::unexpected(std::move(*error));
    }
  }
  if (auto result = callEntry(*store, entry, function.code, function.context, values); !result) {
    return std::unexpected(std::move(result.error()));
  }
  std::vector<Val> results;
  results.reserve(type.results.size());
  for (size_t i = 0; i < type.results.size(); ++i) results.push_back(handOut(*store, values[i], type.results[i]));
  return results;
}

Result<void> callRaw(Function& function, std::span<RawVal> values) {
  static_assert(sizeof(RawVal) == sizeof(abi::RawValue) && alignof(RawVal) == alignof(abi::RawValue));
  Store* store = function.store();
  if (!store || !store->isOpen()) [[unlikely]]
    return std::unexpected(goneError());
  const TypeEntry& entry = typeOf(function);
  if (values.size() < entry.valueCount) [[unlikely]] {
    return std::unexpected(Error::make(ErrorKind::Argument, "too few values for the function's type"));
  }
  auto* raw = reinterpret_cast<abi::RawValue*>(values.data());
  if (!entry.hasReferences) [[likely]]
    return callEntry(*store, entry, function.code, function.context, raw);
  const auto& [params, results] = entry.type.func;
  for (size_t i = 0; i < params.size(); ++i) {
    if (!params[i].isRef()) continue;
    if (auto error = checkReference(*store, raw[i].ref, params[i])) return std::unexpected(std::move(*error));
  }
  auto result = callEntry(*store, entry, function.code, function.context, raw);
  if (!result) return result;
  for (size_t i = 0; i < results.size(); ++i) {
    if (!results[i].isRef()) continue;
    raw[i].ref = canonicalReference(raw[i].ref, results[i]);
    store->pin(raw[i].ref, refKind(results[i]));
  }
  return {};
}

}  // namespace wattle::vm
