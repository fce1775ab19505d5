// The seams between guest and host: entry stubs, host stubs, the safepoint stub. See abi/registers.h for the convention that the guest's side
// follows; the host's side is the System V one.
//
// Entry stub's frame (so that a backtrace can tell it apart, and a trap can leave through it):
//   [rbp + 8] return to C++   [rbp] caller's rbp   [rbp - 8] 0   [rbp - 16 .. -48] rbx r12 r13 r14 r15   <- rsp saved for trapExit
//
// Stubs depend on the shape of a signature only (i32, i64 or reference, f32, f64, v128), so there are few; they live as long as the process.
#include <map>
#include <mutex>
#include <string>

#include "runtime/compile/abi/handlers.h"
#include "runtime/compile/abi/trap_reason.h"
#include "runtime/compile/baseline/frame.h"
#include "runtime/compile/baseline/operand.h"
#include "runtime/compile/compile.h"
#include "runtime/compile/x64/assembler.h"

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

constexpr Gpr kSaved[] = {Gpr::rbx, Gpr::r12, Gpr::r13, Gpr::r14, Gpr::r15};

char letterOf(frontend::ValType t) { return "iIfFv"[static_cast<int>(typeOf(t))]; }

std::string shapeOf(const frontend::FuncType& type) {
  std::string shape;
  for (auto t : type.params) shape += letterOf(t);
  shape += ':';
  for (auto t : type.results) shape += letterOf(t);
  return shape;
}

int32_t valueOffset(size_t i) { return static_cast<int32_t>(i * sizeof(abi::RawValue)); }

// Between memory and a vector register, as wide as the type.
void loadXmm(x64::Assembler& as, Type type, Xmm dst, const Mem& src) {
  if (type == Type::F32) as.movss(dst, src);
  else if (type == Type::F64) as.movsd(dst, src);
  else as.movups(dst, src);
}
void storeXmm(x64::Assembler& as, Type type, const Mem& dst, Xmm src) {
  if (type == Type::F32) as.movss(dst, src);
  else if (type == Type::F64) as.movsd(dst, src);
  else as.movups(dst, src);
}
void copyValue(x64::Assembler& as, Type type, const Mem& dst, const Mem& src) {
  if (type == Type::V128) {
    as.movups(Xmm::xmm15, src);
    as.movups(dst, Xmm::xmm15);
  } else {
    as.mov(w64, Gpr::r11, src);
    as.mov(w64, dst, Gpr::r11);
  }
}

void leaveEntry(x64::Assembler& as) {
  as.lea(w64, Gpr::rsp, Mem(Gpr::rbp, -48));
  for (size_t i = std::size(kSaved); i-- > 0;) as.pop(kSaved[i]);
  as.add(w64, Gpr::rsp, 8);
  as.pop(Gpr::rbp);
  as.ret();
}

void emitEntryStub(x64::Assembler& as, const frontend::FuncType& type) {
  constexpr Gpr kValues = Gpr::r12;   // survives the call
  as.ensure(512 + 64 * (type.params.size() + type.results.size()));
  as.push(Gpr::rbp);
  as.mov(w64, Gpr::rbp, Gpr::rsp);
  as.push(0);
  for (Gpr r : kSaved) as.push(r);
  as.mov(w64, Mem(Gpr::rcx), Gpr::rsp);
  as.mov(w64, Gpr::rax, Gpr::rdi);
  as.mov(w64, kContext, Gpr::rsi);
  as.mov(w64, kValues, Gpr::rdx);
  as.zero(kMemoryBase);               // no guest calls: see emitHostStub
  ResultPlaces results(type);
  if (results.area) as.sub(w64, Gpr::rsp, static_cast<int32_t>(results.area));
  if (results.inMemory) as.mov(w64, Gpr::rdi, Gpr::rsp);
  if (uint32_t bytes = ArgumentPlaces::stackBytes(type)) as.sub(w64, Gpr::rsp, static_cast<int32_t>(bytes));
  ArgumentPlaces arguments(type);
  for (size_t i = 0; i < type.params.size(); ++i) {
    Type t = typeOf(type.params[i]);
    ArgumentPlace place = arguments.next(type.params[i]);
    Mem value(kValues, valueOffset(i));
    if (place.where == ArgumentPlace::Integer) as.mov(t == Type::I32 ? w32 : w64, place.gpr(), value);
    else if (place.where == ArgumentPlace::Float) loadXmm(as, t, place.xmm(), value);
    else copyValue(as, t, Mem(Gpr::rsp, static_cast<int32_t>(place.offset)), value);
  }
  as.call(Gpr::rax);
  ResultPlaces places(type);
  for (size_t i = 0; i < type.results.size(); ++i) {
    Type t = typeOf(type.results[i]);
    ResultPlace place = places.next(type.results[i]);
    Mem value(kValues, valueOffset(i));
    if (place.where == ResultPlace::Integer) as.mov(w64, value, static_cast<Gpr>(place.reg));
    else if (place.where == ResultPlace::Float) storeXmm(as, t, value, static_cast<Xmm>(place.reg));
    else copyValue(as, t, value, Mem(Gpr::rsp, static_cast<int32_t>(place.offset)));
  }
  as.zero(Gpr::rax);
  leaveEntry(as);
}

// The context of the calling guest comes in r14 (call sequences through the import table or a reference leave it there).
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
    if (place.where == ArgumentPlace::Integer) as.mov(w64, value, place.gpr());
    else if (place.where == ArgumentPlace::Float) storeXmm(as, t, value, place.xmm());
    else copyValue(as, t, value, Mem(Gpr::rbp, 16 + static_cast<int32_t>(place.offset)));
  }
  as.mov(w64, Gpr::rax, Mem(kContext, offsetof(abi::VMContext, storeContext)));
  as.mov(w64, Mem(Gpr::rax, offsetof(abi::VMStoreContext, exitFrame)), Gpr::rbp);
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
    if (place.where == ResultPlace::Integer) as.mov(t == Type::I32 ? w32 : w64, static_cast<Gpr>(place.reg), value);
    else if (place.where == ResultPlace::Float) loadXmm(as, t, static_cast<Xmm>(place.reg), value);
    else copyValue(as, t, Mem(Gpr::rcx, static_cast<int32_t>(place.offset)), value);
  }
  as.leave();
  as.ret(static_cast<uint16_t>(ArgumentPlaces::stackBytes(type)));
  as.bind(failed);
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

// The exception is in rax, and the return address lies in the throwing function (or host stub). rbx, r12 and r15 are those of the
// guest. The handler takes rbp and rsp from its own frame; until it has, rsp stays down here, below all that lives.
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

// Resumed by the fault hook with rsp as the entry stub saved it and the reason in rax.
void emitTrapExit(x64::Assembler& as) {
  as.ensure(128);
  as.lea(w64, Gpr::rbp, Mem(Gpr::rsp, 48));
  leaveEntry(as);
}

struct Registry {
  std::mutex mutex;
  std::map<std::string, codecache::CodeRef> stubs;
};

// Never destroyed: code that runs at exit may still trap.
Registry& registry() {
  static Registry* instance = new Registry;
  return *instance;
}

template <class Emit>
const void* stub(const std::string& key, codecache::RangeKind kind, Emit&& emit) {
  Registry& all = registry();
  std::lock_guard lock(all.mutex);
  auto& slot = all.stubs[key];
  if (slot) return slot->code();
  x64::Assembler as(1024);
  emit(as);
  auto block = codecache::CodeCache::process().allocate(static_cast<uint32_t>(as.size()));
  if (!block) {
    all.stubs.erase(key);
    return nullptr;
  }
  std::memcpy((*block)->writable(), as.data(), as.size());
  codecache::CodeRange range;
  range.kind = static_cast<uint32_t>(kind) & 15;
  (*block)->publish({range});
  slot = std::move(*block);
  return slot->code();
}

}  // namespace

EntryStub entryStub(const frontend::FuncType& type) {
  return reinterpret_cast<EntryStub>(const_cast<void*>(
      stub("entry " + shapeOf(type), codecache::RangeKind::EntryStub, [&](x64::Assembler& as) { emitEntryStub(as, type); })));
}

const void* hostStub(const frontend::FuncType& type, HostEntry entry) {
  std::string key = "host " + std::to_string(reinterpret_cast<uintptr_t>(entry)) + " " + shapeOf(type);
  return stub(key, codecache::RangeKind::HostStub, [&](x64::Assembler& as) { emitHostStub(as, type, entry); });
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

const void* trapExit() {
  static const void* const code =
      stub("trap exit", codecache::RangeKind::Helper, [](x64::Assembler& as) { emitTrapExit(as); });
  return code;
}

}  // namespace wattle::compile
