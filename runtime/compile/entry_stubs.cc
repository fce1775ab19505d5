// From the host into the guest.
//
// All entry code does the same around its call: it saves the host's registers, links an activation (abi/entry.h) into
// the chains of thread and store, and unlinks it afterwards. It is written for the usual call, which takes some twenty
// instructions: the thread is known, and the limit of the stack that stands in the store is good for where the call
// starts (VMStoreContext::entryLow). If not, `prepare` is called, in vm/call.cc, which makes it so or refuses the call.
//
//   entry stub     one for each shape of signature: arguments and results in memory (VMActivation::values)
//   typed entry    seven for all signatures: System V and the guest's convention (abi/registers.h) agree on the registers of
//                  arguments and of one result, so they stay where the host's compiler has put them. The activation is passed as a further,
//                  last, integer argument: how many there are before it is all that the code depends on. Signatures that need the stack,
//                  or have several results, go through an entry stub.
//   trap exit      where the fault hook resumes: rsp = VMActivation::stackPointer, r13 = the activation, rax = the reason
//
// Frame (so that a backtrace can tell it apart, and a trap can leave through it):
//   [rbp + 8] return to C++   [rbp] caller's rbp   [rbp - 8] 0   [rbp - 16 .. -48] rbx r12 r13 r14 r15   <- stackPointer
// During the call r12 is the activation and rbx the store's context; the guest gives both back as they were.
#include "runtime/compile/abi/entry.h"
#include "runtime/compile/compile.h"
#include "runtime/compile/stub_registry.h"

namespace wattle::compile {

namespace {

using abi::VMActivation;
using abi::VMStoreContext;
using abi::VMThread;
using baseline::ArgumentPlace;
using baseline::ArgumentPlaces;
using baseline::kContext;
using baseline::kMemoryBase;
using baseline::ResultPlace;
using baseline::ResultPlaces;
using baseline::Type;
using baseline::typeOf;
using codecache::RangeKind;
using x64::Cond;
using x64::Gpr;
using x64::Label;
using x64::Mem;
using x64::w32;
using x64::w64;
using x64::Xmm;

constexpr Gpr kSaved[] = {Gpr::rbx, Gpr::r12, Gpr::r13, Gpr::r14, Gpr::r15};
constexpr Gpr kActivation = Gpr::r12;
constexpr Gpr kStore = Gpr::rbx;
constexpr Gpr kThread = Gpr::r15;
constexpr int32_t kSavedBytes = 48;

Mem activation(size_t offset) { return Mem(kActivation, static_cast<int32_t>(offset)); }
Mem store(size_t offset) { return Mem(kStore, static_cast<int32_t>(offset)); }
Mem thread(size_t offset) { return Mem(kThread, static_cast<int32_t>(offset)); }

class EntryCode {
 public:
  EntryCode(x64::Assembler& as, const EntrySupport& support) : as_(as), support_(support) {}

  // `from`: where the activation is passed. Leaves all argument registers and rcx, rdx ... alone.
  void enter(Gpr from) {
    save();
    as_.mov(w64, kActivation, from);
    link();
  }
  void enterFromStack() {
    save();
    as_.mov(w64, kActivation, Mem(Gpr::rbp, 16));
    link();
  }
  void call() {
    as_.mov(w64, kContext, activation(offsetof(VMActivation, context)));
    as_.zero(kMemoryBase);  // no guest calls: see emitHostStub
    as_.call(activation(offsetof(VMActivation, code)));
  }
  // Results are kept. `adjusted`: rsp may be below the saved registers.
  void leave(bool adjusted) {
    Label lent, unlinked;
    loadThread();
    as_.mov(w64, Gpr::rcx, activation(offsetof(VMActivation, previous)));
    as_.mov(w64, thread(offsetof(VMThread, top)), Gpr::rcx);
    as_.mov(w64, Gpr::rcx, activation(offsetof(VMActivation, outer)));
    as_.mov(w64, store(offsetof(VMStoreContext, activation)), Gpr::rcx);
    as_.cmp(w64, activation(offsetof(VMActivation, lender)), 0);
    as_.jcc(Cond::ne, lent);
    as_.bind(unlinked);
    if (adjusted) as_.lea(w64, Gpr::rsp, Mem(Gpr::rbp, -kSavedBytes));
    restore();
    as_.bind(lent);
    as_.sub(w64, Gpr::rsp, 48);
    as_.mov(w64, Mem(Gpr::rsp, 0), Gpr::rax);
    as_.mov(w64, Mem(Gpr::rsp, 8), Gpr::rdx);
    as_.movups(Mem(Gpr::rsp, 16), Xmm::xmm0);
    as_.movups(Mem(Gpr::rsp, 32), Xmm::xmm1);
    as_.mov(w64, Gpr::rdi, kActivation);
    as_.movImm64(Gpr::rax, reinterpret_cast<uint64_t>(support_.restore));
    as_.call(Gpr::rax);
    as_.mov(w64, Gpr::rax, Mem(Gpr::rsp, 0));
    as_.mov(w64, Gpr::rdx, Mem(Gpr::rsp, 8));
    as_.movups(Xmm::xmm0, Mem(Gpr::rsp, 16));
    as_.movups(Xmm::xmm1, Mem(Gpr::rsp, 32));
    as_.add(w64, Gpr::rsp, 48);
    as_.jmp(unlinked);
    emitSlow();
  }

 private:
  void save() {
    as_.push(Gpr::rbp);
    as_.mov(w64, Gpr::rbp, Gpr::rsp);
    as_.push(0);
    for (Gpr r : kSaved) as_.push(r);
  }
  void restore() {
    for (size_t i = std::size(kSaved); i-- > 0;) as_.pop(kSaved[i]);
    as_.add(w64, Gpr::rsp, 8);
    as_.pop(Gpr::rbp);
    as_.ret();
  }
  // mov r15, fs:[offset]. Asked anew after the call: a fiber may come back on another thread.
  void loadThread() {
    constexpr uint8_t kLoad[] = {0x64, 0x4c, 0x8b, 0x3c, 0x25};
    as_.emitBytes(kLoad, sizeof kLoad);
    as_.emit32(static_cast<uint32_t>(support_.threadOffset));
  }
  void link() {
    as_.mov(w64, activation(offsetof(VMActivation, stackPointer)), Gpr::rsp);
    as_.mov(w64, kStore, activation(offsetof(VMActivation, store)));
    loadThread();
    as_.test(w64, kThread, kThread);
    as_.jcc(Cond::e, slow_);
    as_.mov(w64, Gpr::rax, store(offsetof(VMStoreContext, entryLimit)));
    as_.cmp(w64, Gpr::rax, thread(offsetof(VMThread, stackFloor)));
    as_.jcc(Cond::b, slow_);
    as_.mov(w64, Gpr::rax, Gpr::rsp);
    as_.sub(w64, Gpr::rax, store(offsetof(VMStoreContext, entryLow)));
    as_.cmp(w64, Gpr::rax, store(offsetof(VMStoreContext, entrySpan)));
    as_.jcc(Cond::a, slow_);
    as_.bind(prepared_);
    hasSlow_ = true;
    as_.mov(w64, store(offsetof(VMStoreContext, stackThread)), kThread);
    as_.mov(w64, Gpr::rax, thread(offsetof(VMThread, top)));
    as_.mov(w64, activation(offsetof(VMActivation, previous)), Gpr::rax);
    as_.mov(w64, Gpr::rax, store(offsetof(VMStoreContext, activation)));
    as_.mov(w64, activation(offsetof(VMActivation, outer)), Gpr::rax);
    as_.mov(w64, activation(offsetof(VMActivation, exitFrame)), 0);
    as_.mov(w64, thread(offsetof(VMThread, top)), kActivation);
    as_.mov(w64, store(offsetof(VMStoreContext, activation)), kActivation);
  }
  void emitSlow() {
    if (!hasSlow_) return;
    as_.bind(slow_);
    as_.movImm64(Gpr::rax, reinterpret_cast<uint64_t>(support_.prepareStub));
    as_.call(Gpr::rax);
    as_.test(w64, kThread, kThread);
    as_.jcc(Cond::ne, prepared_);
    restore();
  }

  x64::Assembler& as_;
  const EntrySupport& support_;
  Label slow_, prepared_;
  bool hasSlow_ = false;
};

void emitEntryStub(x64::Assembler& as, const frontend::FuncType& type, const EntrySupport& support) {
  constexpr Gpr kValues = Gpr::r10;
  as.ensure(1024 + 64 * (type.params.size() + type.results.size()));
  EntryCode entry(as, support);
  entry.enter(Gpr::rdi);
  ResultPlaces results(type);
  if (results.area) as.sub(w64, Gpr::rsp, static_cast<int32_t>(results.area));
  if (results.inMemory) as.mov(w64, Gpr::rdi, Gpr::rsp);
  if (uint32_t bytes = ArgumentPlaces::stackBytes(type)) as.sub(w64, Gpr::rsp, static_cast<int32_t>(bytes));
  as.mov(w64, kValues, activation(offsetof(VMActivation, values)));
  ArgumentPlaces arguments(type);
  for (size_t i = 0; i < type.params.size(); ++i) {
    Type t = typeOf(type.params[i]);
    ArgumentPlace place = arguments.next(type.params[i]);
    Mem value(kValues, valueOffset(i));
    if (place.where == ArgumentPlace::Integer)
      as.mov(t == Type::I32 ? w32 : w64, place.gpr(), value);
    else if (place.where == ArgumentPlace::Float)
      loadXmm(as, t, place.xmm(), value);
    else
      copyValue(as, t, Mem(Gpr::rsp, static_cast<int32_t>(place.offset)), value);
  }
  entry.call();
  as.mov(w64, kValues, activation(offsetof(VMActivation, values)));
  ResultPlaces places(type);
  for (size_t i = 0; i < type.results.size(); ++i) {
    Type t = typeOf(type.results[i]);
    ResultPlace place = places.next(type.results[i]);
    Mem value(kValues, valueOffset(i));
    if (place.where == ResultPlace::Integer)
      as.mov(w64, value, static_cast<Gpr>(place.reg));
    else if (place.where == ResultPlace::Float)
      storeXmm(as, t, value, static_cast<Xmm>(place.reg));
    else
      copyValue(as, t, value, Mem(Gpr::rsp, static_cast<int32_t>(place.offset)));
  }
  entry.leave(true);
}

void emitTypedEntry(x64::Assembler& as, unsigned integers, const EntrySupport& support) {
  as.ensure(1024);
  EntryCode entry(as, support);
  if (integers < abi::kIntegerArguments)
    entry.enter(baseline::kIntegerArgumentRegs[integers]);
  else
    entry.enterFromStack();
  entry.call();
  entry.leave(false);
}

void emitTrapExit(x64::Assembler& as, const EntrySupport& support) {
  as.ensure(1024);
  as.lea(w64, Gpr::rbp, Mem(Gpr::rsp, kSavedBytes));
  as.mov(w64, kActivation, kContext);
  as.mov(w64, activation(offsetof(VMActivation, reason)), Gpr::rax);
  as.mov(w64, kStore, activation(offsetof(VMActivation, store)));
  EntryCode(as, support).leave(false);
}

// prepare(activation), with every argument register as before; its answer in r15.
void emitPrepareStub(x64::Assembler& as, abi::VMThread* (*prepare)(VMActivation*)) {
  as.ensure(1024);
  as.push(Gpr::rbp);
  as.mov(w64, Gpr::rbp, Gpr::rsp);
  as.sub(w64, Gpr::rsp, 48 + 128);
  for (int32_t i = 0; i < 6; ++i) as.mov(w64, Mem(Gpr::rsp, 8 * i), baseline::kIntegerArgumentRegs[i]);
  for (int32_t i = 0; i < 8; ++i) as.movups(Mem(Gpr::rsp, 48 + 16 * i), static_cast<Xmm>(i));
  as.mov(w64, Gpr::rdi, kActivation);
  as.movImm64(Gpr::rax, reinterpret_cast<uint64_t>(prepare));
  as.call(Gpr::rax);
  as.mov(w64, kThread, Gpr::rax);
  for (int32_t i = 0; i < 6; ++i) as.mov(w64, baseline::kIntegerArgumentRegs[i], Mem(Gpr::rsp, 8 * i));
  for (int32_t i = 0; i < 8; ++i) as.movups(static_cast<Xmm>(i), Mem(Gpr::rsp, 48 + 16 * i));
  as.leave();
  as.ret();
}

}  // namespace

const void* prepareStub(abi::VMThread* (*prepare)(VMActivation*)) {
  return stub("prepare", RangeKind::Helper, [&](x64::Assembler& as) { emitPrepareStub(as, prepare); });
}

EntryStub entryStub(const frontend::FuncType& type, const EntrySupport& support) {
  if (!support.prepareStub) return nullptr;
  return reinterpret_cast<EntryStub>(const_cast<void*>(stub(
      "entry " + shapeOf(type), RangeKind::EntryStub, [&](x64::Assembler& as) { emitEntryStub(as, type, support); })));
}

const void* typedEntry(unsigned integers, const EntrySupport& support) {
  if (!support.prepareStub) return nullptr;
  return stub("typed entry " + std::to_string(integers), RangeKind::EntryStub,
              [&](x64::Assembler& as) { emitTypedEntry(as, integers, support); });
}

const void* trapExit(const EntrySupport& support) {
  return stub("trap exit", RangeKind::Helper, [&](x64::Assembler& as) { emitTrapExit(as, support); });
}

}  // namespace wattle::compile
