// Throwing: from the throw site, over frames of generated code, to a handler.
//
// 1. `throw` makes an Exception (the NewException builtin), fills its payload, and calls the throw stub; throw_ref and
//    rethrow call it with an exception that there is. The stub keeps the callee-saved registers as they are at the
//    throw and calls unwind() here.
// 2. unwind() walks the frame pointers as the fault handler does (traps.cc): rbp names the frame, [rbp + 8] the return
//    address, [rbp - 8] the context, CodeCache::lookup the function. If the function has handlers, the table behind its
//    code (abi/handlers.h) tells which tries the call lies in and their clauses, innermost first. Tags are compared by
//    the address of their VMTag, which importing instances share.
// 3. A frame that is left restores what it saved of rbx, r12 and r15: CodeRange::flags says which, the slots are fixed.
//    So at the handler these hold what they held at the call; they are pinned locals of the handler's function. All
//    other pins are in the frame, since every call saves them.
// 4. The stub loads these and rbp and jumps to the handler, which sets rsp from rbp.
//
// The walk changes nothing, so an exception that nobody catches traps like any failing builtin, with the whole stack
// there for the backtrace; enter() (call.cc) makes an error of kind Exception of it. Only frames of one activation are
// searched. If a host callback that called the guest returns that error (or one that it made: Exception::error), its
// host stub throws the same exception in the guest that called it. So every host frame sees its calls return, and no
// destructor is skipped. Traps are no exceptions and never come here.
//
// Exceptions are Objects, freed by Store::collect() when nothing reaches them; a program that throws a million has some
// thousands at a time.
#include "runtime/vm/exceptions.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "runtime/codecache/code_cache.h"
#include "runtime/compile/abi/trap_reason.h"
#include "runtime/compile/baseline/frame.h"
#include "runtime/vm/collect.h"
#include "runtime/vm/instance.h"
#include "runtime/vm/store.h"
#include "runtime/vm/values.h"

namespace wattle::vm {

using abi::TrapReason;
using codecache::CodeCache;
using codecache::RangeKind;

static_assert(sizeof(Exception) % 16 == 0, "the payload follows");

Exception::Exception(Store& store, Tag& tag) : Object(store), abi::VMException{&tag} {
  store.exceptionBytes += extent();
  std::fill_n(reinterpret_cast<uint8_t*>(values()), type().params.size() * sizeof(abi::RawValue), uint8_t{0});
}

Exception* Exception::create(Store& store, Tag& tag) {
  size_t size = sizeof(Exception) + tag.type().params.size() * sizeof(abi::RawValue);
  // They count like objects of the heap: each can hold the one before.
  auto isFull = [&] { return store.exceptionBytes + size > store.limits().maxGcHeapBytes; };
  if (isFull()) store.collect(false);
  if (isFull()) return nullptr;
  void* at = ::operator new(size, std::nothrow);
  if (!at) return nullptr;
  auto* exception = new (at) Exception(store, tag);
  // Where compiled code and this class look for the payload is one place.
  static_assert(sizeof(abi::VMException) == abi::kExceptionValues);
  return exception;
}

void Exception::close() {
  if (store()) store()->exceptionBytes -= extent();
}

size_t Exception::extent() const {
  return sizeof(Exception) + Tag::from(abi::VMException::tag)->type().params.size() * sizeof(abi::RawValue);
}

void Exception::trace(Tracer& tracer) {
  tracer.mark(&tag());
  const auto& params = type().params;
  for (size_t i = 0; i < params.size(); ++i) {
    if (params[i].isRef() && values()[i].ref) tracer.mark(values()[i].ref, refKind(params[i]));
  }
}

// --- errors --------------------------------------------------------------------------------------------------------

Error uncaught(Exception& exception) {
  std::string payload;
  const auto& params = exception.type().params;
  for (size_t i = 0; i < params.size(); ++i) {
    const abi::RawValue& v = exception.values()[i];
    if (i) payload += ", ";
    switch (params[i].kind()) {
      case frontend::ValKind::I32: payload += fmt::format("{}", v.i32); break;
      case frontend::ValKind::I64: payload += fmt::format("{}", v.i64); break;
      case frontend::ValKind::F32: payload += fmt::format("{}", std::bit_cast<float>(v.f32)); break;
      case frontend::ValKind::F64: payload += fmt::format("{}", std::bit_cast<double>(v.f64)); break;
      default: payload += toString(toApi(params[i]));
    }
  }
  Error error = Error::make(ErrorKind::Exception, fmt::format("uncaught exception ({})", payload));
  error.trap = TrapCode::UncaughtException;
  exception.retain();
  error.exception = {&exception, [](void* e) { static_cast<Exception*>(e)->release(); }};
  return error;
}

Exception* exceptionOf(const Error& error, const Store& store) {
  if (error.kind != ErrorKind::Exception || !error.exception) return nullptr;
  auto* exception = static_cast<Exception*>(error.exception.get());
  return exception->store() == &store ? exception : nullptr;
}

// --- unwinding -----------------------------------------------------------------------------------------------------

namespace {

uintptr_t load(uintptr_t at) { return *reinterpret_cast<const uintptr_t*>(at); }

// The handler table of a function, as the compiler wrote it. Aligned to 4.
class Handlers {
 public:
  explicit Handlers(const uint8_t* function) : function_(function) {
    uint32_t at;
    std::memcpy(&at, function + abi::kHandlerTableAt, sizeof at);
    const auto* table = reinterpret_cast<const abi::HandlerTable*>(function + at);
    changes_ = {reinterpret_cast<const abi::ScopeChange*>(table + 1), table->changes};
    scopes_ = reinterpret_cast<const abi::Scope*>(changes_.data() + changes_.size());
    clauses_ = reinterpret_cast<const abi::Clause*>(scopes_ + table->scopes + 1);
  }

  // For an exception out of the call that has its last byte at `position`. nullptr: none.
  const uint8_t* find(uint32_t position, uintptr_t context, const abi::VMTag* tag) const {
    auto change = std::ranges::upper_bound(changes_, position, {}, &abi::ScopeChange::position);
    if (change == changes_.begin()) return nullptr;
    for (uint32_t scope = change[-1].scope; scope != abi::kNoScope; scope = scopes_[scope].parent) {
      for (uint32_t i = scopes_[scope].firstClause; i < scopes_[scope + 1].firstClause; ++i) {
        if (clauses_[i].tag != abi::kAnyTag && load(context + clauses_[i].tag) != reinterpret_cast<uintptr_t>(tag))
          continue;
        return function_ + clauses_[i].handler;
      }
    }
    return nullptr;
  }

 private:
  const uint8_t* function_;
  std::span<const abi::ScopeChange> changes_;
  const abi::Scope* scopes_;
  const abi::Clause* clauses_;
};

}  // namespace

uint32_t unwind(abi::UnwindState* state, abi::VMException* exception, uintptr_t stubFrame, abi::VMContext* context) {
  const CodeCache& cache = CodeCache::process();
  for (uintptr_t frame = stubFrame;;) {
    const uintptr_t pc = load(frame + 8) - 1;
    frame = load(frame);
    const auto hit = cache.lookup(pc);
    if (!hit || !hit.range || hit.range->kind == static_cast<unsigned>(RangeKind::EntryStub)) break;
    if (hit.range->kind != static_cast<unsigned>(RangeKind::Function)) continue;
    const unsigned flags = hit.range->flags;
    if (flags & abi::kHasHandlers) {
      const Handlers handlers(hit.block->code() + hit.range->start);
      if (const auto* handler = handlers.find(hit.offset - hit.range->start, load(frame - 8), exception->tag)) {
        state->framePointer = frame;
        state->handler = handler;
        return 0;
      }
    }
    auto saved = [frame](size_t i) { return load(frame + static_cast<uintptr_t>(compile::baseline::kSavedSlot(i))); };
    if (flags & abi::kSavesRbx) state->rbx = saved(0);
    if (flags & abi::kSavesR12) state->r12 = saved(1);
    if (flags & abi::kSavesR15) state->r15 = saved(2);
  }
  context->storeContext->pendingException = exception;
  return static_cast<uint32_t>(TrapReason::UncaughtException);
}

}  // namespace wattle::vm
