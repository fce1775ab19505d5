// From the guest into the host: host stubs, the safepoint, allocation and throw stubs. See abi/registers.h for the
// convention that the guest's side follows; the host's side is the System V one. The other way is entry_stubs.cc.
#include "runtime/compile/abi/entry.h"
#include "runtime/compile/abi/handlers.h"
#include "runtime/compile/abi/trap_reason.h"
#include "runtime/compile/compile.h"
#include "runtime/compile/stub_registry.h"

namespace wattle::compile {

namespace {

using baseline::ArgumentPlace;
using baseline::ArgumentPlaces;
using baseline::kContext;
using baseline::kMemoryBase;
using baseline::ResultPlace;
using baseline::ResultPlaces;
using baseline::Type;
using baseline::typeOf;
using x64::Gpr;
using x64::Mem;
using x64::w32;
using x64::w64;
using x64::Xmm;

// Where a backtrace goes on when the host calls the guest again. Clobbers rax.
void noteExit(x64::Assembler& as) {
  as.mov(w64, Gpr::rax, Mem(kContext, offsetof(abi::VMContext, storeContext)));
  as.mov(w64, Gpr::rax, Mem(Gpr::rax, offsetof(abi::VMStoreContext, activation)));
  as.mov(w64, Mem(Gpr::rax, offsetof(abi::VMActivation, exitFrame)), Gpr::rbp);
}

// A host function failed; why is in eax.
void emitHostFailure(x64::Assembler& as) {
  as.cmp(w32, Gpr::rax, static_cast<int32_t>(abi::TrapReason::UncaughtException));
  x64::ShortJump trap = as.jccShort(x64::Cond::ne);
  as.mov(w64, Gpr::rax, Mem(kContext, offsetof(abi::VMContext, storeContext)));
  as.mov(w64, Gpr::rax, Mem(Gpr::rax, offsetof(abi::VMStoreContext, pendingException)));
  as.mov(w64, Gpr::r11, Mem(kContext, offsetof(abi::VMContext, builtins)));
  as.call(Mem(Gpr::r11, offsetof(abi::BuiltinTable, throwStub)));
  as.bind(trap);
  as.ud2();
  as.emit8(static_cast<uint8_t>(abi::TrapReason::InRax));
}

// The context of the calling guest comes in r14 (call sequences through the import table or a reference leave it
// there).
void emitHostStub(x64::Assembler& as, const frontend::FuncType& type, HostEntry entry) {
  as.ensure(512 + 64 * (type.params.size() + type.results.size()));
  size_t count = std::max(type.params.size(), type.results.size());
  as.push(Gpr::rbp);
  as.mov(w64, Gpr::rbp, Gpr::rsp);
  as.sub(w64, Gpr::rsp, 16 + valueOffset(count));
  as.mov(w64, Mem(Gpr::rbp, baseline::kContextSlot), kContext);
  if (ResultPlaces(type).inMemory) as.mov(w64, Mem(Gpr::rbp, baseline::kResultsSlot), Gpr::rdi);
  ArgumentPlaces arguments(type);
  for (size_t i = 0; i < type.params.size(); ++i) {
    Type t = typeOf(type.params[i]);
    ArgumentPlace place = arguments.next(type.params[i]);
    Mem value(Gpr::rsp, valueOffset(i));
    if (place.where == ArgumentPlace::Integer)
      as.mov(w64, value, place.gpr());
    else if (place.where == ArgumentPlace::Float)
      storeXmm(as, t, value, place.xmm());
    else
      copyValue(as, t, value, Mem(Gpr::rbp, 16 + static_cast<int32_t>(place.offset)));
  }
  noteExit(as);
  as.mov(w64, Gpr::rdi, kContext);
  as.mov(w64, Gpr::rsi, Gpr::rsp);
  as.mov(w64, Gpr::rdx, kMemoryBase);
  as.movImm64(Gpr::rax, reinterpret_cast<uint64_t>(entry));
  as.call(Gpr::rax);
  as.test(w32, Gpr::rax, Gpr::rax);
  x64::Label failed;
  as.jcc(x64::Cond::ne, failed);
  ResultPlaces places(type);
  if (places.inMemory) as.mov(w64, Gpr::rcx, Mem(Gpr::rbp, baseline::kResultsSlot));
  for (size_t i = 0; i < type.results.size(); ++i) {
    Type t = typeOf(type.results[i]);
    ResultPlace place = places.next(type.results[i]);
    Mem value(Gpr::rsp, valueOffset(i));
    if (place.where == ResultPlace::Integer)
      as.mov(t == Type::I32 ? w32 : w64, static_cast<Gpr>(place.reg), value);
    else if (place.where == ResultPlace::Float)
      loadXmm(as, t, static_cast<Xmm>(place.reg), value);
    else
      copyValue(as, t, Mem(Gpr::rcx, static_cast<int32_t>(place.offset)), value);
  }
  as.leave();
  as.ret(static_cast<uint16_t>(ArgumentPlaces::stackBytes(type)));
  as.bind(failed);
  emitHostFailure(as);
}

// For host functions whose arguments are in registers and that have at most one result: all stays where it is, and the
// HostFrame is one more integer argument after the `integers` that there are.
void emitTypedHostStub(x64::Assembler& as, unsigned integers) {
  constexpr int32_t kFrame = -static_cast<int32_t>(sizeof(abi::HostFrame));
  static_assert(kFrame + static_cast<int32_t>(offsetof(abi::HostFrame, host)) == baseline::kContextSlot);
  constexpr int32_t kStatus = kFrame + static_cast<int32_t>(offsetof(abi::HostFrame, status));
  as.ensure(512);
  as.push(Gpr::rbp);
  as.mov(w64, Gpr::rbp, Gpr::rsp);
  as.sub(w64, Gpr::rsp, 48);
  as.mov(w64, Mem(Gpr::rbp, baseline::kContextSlot), kContext);
  as.mov(w64, Mem(Gpr::rbp, kFrame + static_cast<int32_t>(offsetof(abi::HostFrame, caller))), kMemoryBase);
  as.mov(w64, Mem(Gpr::rbp, kStatus), 0);
  noteExit(as);
  if (integers < abi::kIntegerArguments) {
    as.lea(w64, baseline::kIntegerArgumentRegs[integers], Mem(Gpr::rbp, kFrame));
  } else {
    as.lea(w64, Gpr::rax, Mem(Gpr::rbp, kFrame));
    as.mov(w64, Mem(Gpr::rsp), Gpr::rax);
  }
  as.call(Mem(kContext, static_cast<int32_t>(offsetof(abi::VMHostContext, thunk))));
  as.cmp(w64, Mem(Gpr::rbp, kStatus), 0);
  x64::Label failed;
  as.jcc(x64::Cond::ne, failed);
  as.leave();
  as.ret();
  as.bind(failed);
  as.mov(w64, Gpr::rax, Mem(Gpr::rbp, kStatus));
  emitHostFailure(as);
}

constexpr Gpr kVolatile[] = {Gpr::rax, Gpr::rcx, Gpr::rdx, Gpr::rsi, Gpr::rdi, Gpr::r8, Gpr::r9, Gpr::r10};

// Every register a guest may hold a value in is as before when the guest goes on. `body` makes the call and
// jumps to where the stub traps if it failed; the trap's reason is for the caller to emit.
template <class Body>
void emitKeepingStub(x64::Assembler& as, Body&& body) {
  as.ensure(1024);
  as.push(Gpr::rbp);
  as.mov(w64, Gpr::rbp, Gpr::rsp);
  as.sub(w64, Gpr::rsp, 16 + 8 * 8 + 16 * 16);
  as.mov(w64, Mem(Gpr::rbp, baseline::kContextSlot), kContext);
  for (int32_t i = 0; i < 8; ++i) as.mov(w64, Mem(Gpr::rsp, 256 + 8 * i), kVolatile[i]);
  for (int32_t i = 0; i < 16; ++i) as.movups(Mem(Gpr::rsp, 16 * i), static_cast<Xmm>(i));
  as.mov(w64, Gpr::rdi, kContext);
  x64::Label stop;
  body(stop);
  for (int32_t i = 0; i < 8; ++i) as.mov(w64, kVolatile[i], Mem(Gpr::rsp, 256 + 8 * i));
  for (int32_t i = 0; i < 16; ++i) as.movups(static_cast<Xmm>(i), Mem(Gpr::rsp, 16 * i));
  as.leave();
  as.ret();
  as.bind(stop);
  as.ud2();
}

void emitSafepointStub(x64::Assembler& as) {
  emitKeepingStub(as, [&](x64::Label& stop) {
    as.lea(w64, Gpr::rsi, Mem(Gpr::rbp, 16));
    as.mov(w64, Gpr::rax, Mem(kContext, offsetof(abi::VMContext, builtins)));
    as.call(Mem(Gpr::rax, offsetof(abi::BuiltinTable, Safepoint)));
    as.test(w32, Gpr::rax, Gpr::rax);
    as.jcc(x64::Cond::ne, stop);
  });
  as.emit8(static_cast<uint8_t>(abi::TrapReason::InRax));
}

void emitAllocationStub(x64::Assembler& as) {
  emitKeepingStub(as, [&](x64::Label& stop) {
    as.mov(w64, Gpr::rax, Mem(kContext, offsetof(abi::VMContext, builtins)));
    as.call(Mem(Gpr::rax, offsetof(abi::BuiltinTable, AllocateObject)));
    as.test(w64, Gpr::rax, Gpr::rax);
    as.jcc(x64::Cond::e, stop);
    as.mov(w64, Gpr::r11, Gpr::rax);
  });
  as.emit8(static_cast<uint8_t>(abi::TrapReason::AllocationFailed));
}

// The exception is in rax, and the return address lies in the throwing function (or host stub). rbx, r12 and r15 are
// those of the guest. The handler takes rbp and rsp from its own frame; until it has, rsp stays down here, below all
// that lives.
void emitThrowStub(x64::Assembler& as) {
  using abi::UnwindState;
  as.ensure(512);
  as.push(Gpr::rbp);
  as.mov(w64, Gpr::rbp, Gpr::rsp);
  as.sub(w64, Gpr::rsp, 16 + static_cast<int32_t>(sizeof(UnwindState)));
  as.mov(w64, Mem(Gpr::rbp, baseline::kContextSlot), kContext);
  as.mov(w64, Mem(Gpr::rbp, baseline::kContextSlot - 8), Gpr::rax);
  as.mov(w64, Mem(Gpr::rsp, offsetof(UnwindState, rbx)), Gpr::rbx);
  as.mov(w64, Mem(Gpr::rsp, offsetof(UnwindState, r12)), Gpr::r12);
  as.mov(w64, Mem(Gpr::rsp, offsetof(UnwindState, r15)), Gpr::r15);
  as.mov(w64, Gpr::rdi, Gpr::rsp);
  as.mov(w64, Gpr::rsi, Gpr::rax);
  as.mov(w64, Gpr::rdx, Gpr::rbp);
  as.mov(w64, Gpr::rcx, kContext);
  as.mov(w64, Gpr::rax, Mem(kContext, offsetof(abi::VMContext, builtins)));
  as.call(Mem(Gpr::rax, offsetof(abi::BuiltinTable, Unwind)));
  as.test(w32, Gpr::rax, Gpr::rax);
  x64::ShortJump uncaught = as.jccShort(x64::Cond::ne);
  as.mov(w64, Gpr::rax, Mem(Gpr::rbp, baseline::kContextSlot - 8));
  as.mov(w64, Gpr::rbx, Mem(Gpr::rsp, offsetof(UnwindState, rbx)));
  as.mov(w64, Gpr::r12, Mem(Gpr::rsp, offsetof(UnwindState, r12)));
  as.mov(w64, Gpr::r15, Mem(Gpr::rsp, offsetof(UnwindState, r15)));
  as.mov(w64, Gpr::rbp, Mem(Gpr::rsp, offsetof(UnwindState, framePointer)));
  as.jmp(Mem(Gpr::rsp, offsetof(UnwindState, handler)));
  as.bind(uncaught);
  as.ud2();
  as.emit8(static_cast<uint8_t>(abi::TrapReason::InRax));
}

}  // namespace

const void* hostStub(const frontend::FuncType& type, HostEntry entry) {
  std::string key = "host " + std::to_string(reinterpret_cast<uintptr_t>(entry)) + " " + shapeOf(type);
  return stub(key, codecache::RangeKind::HostStub, [&](x64::Assembler& as) { emitHostStub(as, type, entry); });
}

const void* typedHostStub(unsigned integers) {
  return stub("typed host " + std::to_string(integers), codecache::RangeKind::HostStub,
              [&](x64::Assembler& as) { emitTypedHostStub(as, integers); });
}

const void* safepointStub() {
  return stub("safepoint", codecache::RangeKind::Helper, [](x64::Assembler& as) { emitSafepointStub(as); });
}

const void* throwStub() {
  return stub("throw", codecache::RangeKind::Helper, [](x64::Assembler& as) { emitThrowStub(as); });
}

const void* allocationStub() {
  return stub("allocation", codecache::RangeKind::Helper, [](x64::Assembler& as) { emitAllocationStub(as); });
}

}  // namespace wattle::compile
