// The frame of a function: prologue, parameters, epilogue, and the code that stands out of line.
//
//   [rbp + 16 ..]   stack arguments
//   [rbp + 8]       return address
//   [rbp]           caller's rbp
//   [rbp - 8]       VM context                        kContextSlot
//   [rbp - 16]      results pointer, if any           kResultsSlot
//   [rbp - 24..40]  rbx, r12, r15, if used            kSavedSlot
//   ...             slots of locals                   (LocalHomes)
//   ...             slots of operands, growing down   (slotOffset); legacy catch arms keep the exception in one
//   [rsp ..]        area for memory results of callees
#include "runtime/compile/baseline/compiler.h"

#include <bit>

#include "runtime/compile/baseline/frame.h"
#include "runtime/compile/baseline/memory.h"

namespace wattle::compile::baseline {

namespace {
constexpr Gpr kSaved[] = {Gpr::rbx, Gpr::r12, Gpr::r15};
// A leaf may use this much stack without a check: far less than what the store keeps in reserve below its limit.
constexpr int32_t kUncheckedFrame = 4096;
}  // namespace

Compiler::Compiler(const ModuleContext& context)
    : ctx_(context),
      module_(*context.module),
      memory0Guarded_(!module_.memories.empty() && isGuarded(0)),
      as_(64 * 1024) {
  as_.avx = context.cpu.has(x64::CpuFeature::avx2);
  stack_.resize(256);
  stackEnd_ = stack_.data() + stack_.size();
}

void Compiler::startFunction(uint32_t functionIndex, bool forceStackCheck, Prescan& scan) {
  function_ = functionIndex;
  scan_ = &scan;
  as_.reset();
  as_.ensure(4 * kRoomPerInstruction);
  top_ = stack_.data();
  localRefs_ = 0;
  truth_ = {};
  loopCursor_ = 0;
  maxSlots_ = 0;
  resultsArea_ = 0;
  facts_ = {};
  hasStackCheck_ = forceStackCheck;
  needsStackCheck_ = false;
  scanMissed_ = false;
  noteInstructions_ = recordPositions_ || ctx_.settings.fuel;
  unsupported_ = nullptr;
  callSites_.clear();
  positions_.clear();
  traps_.clear();
  fuelBlocks_.clear();
  fuelOpen_ = false;
  safepoints_.clear();
  otherContexts_.clear();
  allocations_.clear();
  constants_.clear();
  scope_ = abi::kNoScope;
  scopes_.clear();
  scopeChanges_.clear();
  pads_.clear();
  framePatches_.clear();
}

void Compiler::noteInstruction() {
  as_.ensure(kRoomPerInstruction);
  if (ctx_.settings.fuel) countInstruction();
  if (recordPositions_) notePosition();
}

void Compiler::notePosition() {
  uint64_t at = decoder_->instructionOffset();
  const auto here = static_cast<uint32_t>(as_.pos());
  if (!positions_.empty() && positions_.back().code == here)
    positions_.back() = {here, at, fuelMark()};
  else
    positions_.push_back({here, at, fuelMark()});
}

void Compiler::begin(std::span<const ValType> locals) {
  const frontend::FuncType& type = module_.funcType(function_);
  bodyStart_ = decoder_->nextOffset();
  if (!scan_->isOf(ctx_.bytes.data() + bodyStart_, locals.size()))
    scan_->giveUp(ctx_.bytes.data() + bodyStart_, locals.size());
  int32_t lowest = homes_.assign(locals, *scan_, kFrameTop);
  tempGprs_ = kTemps;
  for (Gpr r : kCallerSavedPins) {
    if (!(homes_.usedGprPins() & bit(r))) tempGprs_ |= bit(r);
  }
  tempXmms_ = kFloatTemps | (kFloatPins & ~homes_.usedXmmPins());
  bool wide = scan_->hasVectors() || ctx_.anyVectorTypes || hasVector(locals);
  slotSize_ = wide ? 16 : 8;
  slotBase_ = wide ? lowest & ~15 : lowest;
  hasStackCheck_ |= scan_->hasCalls() || scan_->hasTailCalls() || scan_->hasLoops() || slotBase_ < -kUncheckedFrame / 2;
  nearOffsets_ = memory0Guarded_ && scan_->usesMemory() ? kUncheckedOffsets : 0;
  hasResultsPointer_ = ResultPlaces(type).inMemory > 0;
  as_.ensure(4 * kRoomPerInstruction + locals.size() * 24);
  prologue(type);
  resetRegisters();
}

void Compiler::prologue(const frontend::FuncType& type) {
  as_.push(Gpr::rbp);
  as_.mov(w64, Gpr::rbp, Gpr::rsp);
  as_.sub(w64, Gpr::rsp, 0x7fffffff);  // patched when the frame's size is known
  frameSizeAt_ = as_.pos() - 4;
  as_.mov(w64, Mem(Gpr::rbp, kContextSlot), kContext);
  if (scan_->hasTry()) {
    constexpr uint8_t kNop[] = {0x0f, 0x1f, 0x80};  // nop [rax + disp32]: the handler table's place (abi/handlers.h)
    as_.emitBytes(kNop, sizeof kNop);
    handlerTableAt_ = as_.pos();
    as_.emit32(0);
    if (handlerTableAt_ != static_cast<int32_t>(abi::kHandlerTableAt)) refuse("exceptions: the prologue has changed");
  }
  if (hasStackCheck_) compareWithLimit(true, bodyStart_);
  if (hasResultsPointer_) as_.mov(w64, Mem(Gpr::rbp, kResultsSlot), Gpr::rdi);
  for (size_t i = 0; i < std::size(kSaved); ++i) {
    if (homes_.usedGprPins() & bit(kSaved[i])) as_.mov(w64, Mem(Gpr::rbp, kSavedSlot(i)), kSaved[i]);
  }
  moveParameters(type);
  loadMemoryBase();
  zeroLocals(static_cast<uint32_t>(type.params.size()));
  facts_.valid = homes_.volatilePins();
  facts_.clean = 0;
}

// Arguments go to their homes: first those that go to memory, then the registers, as a parallel move.
void Compiler::moveParameters(const frontend::FuncType& type) {
  ArgumentPlaces places(type);
  RegisterMoves moves;
  FloatMoves floatMoves;
  for (uint32_t i = 0; i < type.params.size(); ++i) {
    ArgumentPlace place = places.next(type.params[i]);
    const LocalHome& home = homes_[i];
    Mem slot(Gpr::rbp, home.slot);
    if (home.isUnused()) continue;
    bool pinned = home.pin() != kNoPin;
    if (place.where == ArgumentPlace::Integer) {
      if (pinned)
        moves.add(static_cast<Gpr>(home.pin()), place.gpr());
      else
        as_.mov(w64, slot, place.gpr());
    } else if (place.where == ArgumentPlace::Float) {
      if (pinned)
        floatMoves.add(static_cast<Xmm>(home.pin()), place.xmm());
      else
        store(slot, Operand::in(home.type(), place.xmm()));
    } else if (!pinned) {
      Mem from(Gpr::rbp, 16 + static_cast<int32_t>(place.offset));
      home.type() == Type::V128 ? as_.movups(kFloatScratch, from) : as_.movq(kFloatScratch, from);
      home.type() == Type::V128 ? as_.movups(slot, kFloatScratch) : as_.movq(slot, kFloatScratch);
    }
  }
  moves.emit(as_, kScratch);
  floatMoves.emit(as_, kFloatScratch);
  ArgumentPlaces again(type);
  for (uint32_t i = 0; i < type.params.size(); ++i) {  // stack arguments into pins, now that all registers are read
    ArgumentPlace place = again.next(type.params[i]);
    const LocalHome& home = homes_[i];
    if (place.where != ArgumentPlace::Stack || home.pin() == kNoPin) continue;
    Mem from(Gpr::rbp, 16 + static_cast<int32_t>(place.offset));
    if (!isFloat(home.type()))
      as_.mov(widthOf(home.type()), static_cast<Gpr>(home.pin()), from);
    else
      loadXmm(as_, home.type(), static_cast<Xmm>(home.pin()), from);
  }
}

void Compiler::zeroLocals(uint32_t first) {
  bool zeroReady = false;
  for (uint32_t i = first; i < homes_.count(); ++i) {
    const LocalHome& home = homes_[i];
    if (home.pin() != kNoPin) {
      isFloat(home.type()) ? as_.zero(static_cast<Xmm>(home.pin())) : as_.zero(static_cast<Gpr>(home.pin()));
      continue;
    }
    if (home.isUnused()) continue;
    Mem slot(Gpr::rbp, home.slot);
    if (home.type() == Type::V128) {
      if (!zeroReady) as_.zero(kFloatScratch);
      zeroReady = true;
      as_.movups(slot, kFloatScratch);
    } else {
      as_.mov(w64, slot, 0);
    }
  }
}

void Compiler::epilogue() {
  for (size_t i = 0; i < std::size(kSaved); ++i) {
    if (homes_.usedGprPins() & bit(kSaved[i])) as_.mov(w64, kSaved[i], Mem(Gpr::rbp, kSavedSlot(i)));
  }
  as_.leave();
}

void Compiler::refuse(const char* feature) {
  unsupported_ = feature;
  decoder_->abandon(std::string("this build cannot compile: ") + feature);
}

// --- traps -------------------------------------------------------------------------------------------------------

void Compiler::trapIf(Cond cond, TrapReason reason) {
  traps_.push_back({{}, reason, recordPositions_ ? decoder_->instructionOffset() : 0, fuelMark()});
  as_.jcc(cond, traps_.back().label);
}

void Compiler::trapOnStatus() {
  as_.test(w32, Gpr::rax, Gpr::rax);
  trapIf(Cond::ne, TrapReason::InRax);
  endFuelBlock();  // the builtin may have charged for its work
}

// Of a loop. A call into an interrupted store is stopped by the function's own stack check, whatever the thread's poll
// page says.
void Compiler::safepoint() {
  if (!hasStackCheck_) needsStackCheck_ = true;
  const uint64_t here = recordPositions_ ? decoder_->instructionOffset() : 0;
  if (!ctx_.settings.polls) return compareWithLimit(false, here);
  if (recordPositions_) positions_.push_back({static_cast<uint32_t>(as_.pos()), here, {}});
  as_.emitBytes(abi::kPoll.data(), abi::kPoll.size());
}

// Where the limit is crossed, it asks the safepoint stub, which keeps all registers.
void Compiler::compareWithLimit(bool isPrologue, uint64_t position) {
  as_.mov(w64, kScratch, Mem(kContext, offsetof(abi::VMContext, storeContext)));
  as_.cmp(w64, Gpr::rsp, Mem(kScratch, offsetof(abi::VMStoreContext, stackLimit)));
  safepoints_.push_back({{}, {}, isPrologue, position});
  as_.jcc(Cond::b, safepoints_.back().label);
  as_.bind(safepoints_.back().back);
}

x64::Label& Compiler::pooled(uint64_t low, uint64_t high, bool wide) {
  for (PooledConstant& c : constants_) {
    if (c.low == low && c.high == high && c.wide == wide) return c.label;
  }
  return constants_.emplace_back(PooledConstant{low, high, wide, {}}).label;
}

// Called at the function's end: the frame's size is known.
void Compiler::emitOutOfLine() {
  int64_t frame = -static_cast<int64_t>(slotBase_) + static_cast<int64_t>(maxSlots_) * slotSize_ + resultsArea_;
  frame = (frame + 15) & ~15;
  if (frame > (1 << 28)) return refuse("frame of this size");
  as_.write32(frameSizeAt_, static_cast<int32_t>(frame));
  if (!hasStackCheck_ && frame > kUncheckedFrame) needsStackCheck_ = true;

  auto position = [&](uint64_t module, FuelMark fuel = {}) {
    if (recordPositions_) positions_.push_back({static_cast<uint32_t>(as_.pos()), module, fuel});
  };
  emitFuelBlocks();
  for (OutOfLineSafepoint& s : safepoints_) {
    as_.ensure(64);
    position(s.position);
    as_.bind(s.label);
    // A frame that overflows may reach below the guard page; the stub must not run there.
    if (s.isPrologue) as_.add(w64, Gpr::rsp, static_cast<int32_t>(frame) - 16);
    as_.mov(w64, kScratch, Mem(kContext, offsetof(abi::VMContext, builtins)));
    as_.call(Mem(kScratch, offsetof(abi::BuiltinTable, safepointStub)));
    if (s.isPrologue) as_.sub(w64, Gpr::rsp, static_cast<int32_t>(frame) - 16);
    as_.jmp(s.back);
  }
  emitOtherContexts();
  emitAllocations();
  for (OutOfLineTrap& t : traps_) {
    as_.ensure(16);
    position(t.position, t.fuel);
    as_.bind(t.label);
    trapHere(t.reason);
  }
  emitLandingPads();
  for (int32_t at : framePatches_) as_.write32(at, -static_cast<int32_t>(frame));
  for (PooledConstant& c : constants_) {
    as_.ensure(64);
    as_.alignData(c.wide ? 16 : 8);
    as_.bind(c.label);
    as_.emit64(c.low);
    if (c.wide) as_.emit64(c.high);
  }
  emitHandlerTable();
}

}  // namespace wattle::compile::baseline
