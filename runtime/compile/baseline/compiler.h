// The baseline compiler: a sink of the body decoder that emits x86-64 code as it is told of instructions, in one pass.
//
//   operands   An abstract stack (operand.h) mirrors the validator's: constants, names of locals, registers, spilled slots. Code is
//              emitted only when an instruction needs its operands somewhere, so constants become immediates and locals become
//              register or memory operands.
//   locals     Fixed homes for the whole function (locals.h).
//   joins      Entering a block spills whatever the stack still holds in registers (in compiled code that is rare), so that
//              inside a block everything below is immutable. A label then has only its results to place: one result in rax or xmm0,
//              several in their slots.
//   flags      A comparison followed by br_if, if, select or eqz leaves its result in the flags.
//   targets    An instruction followed by local.set/local.tee of a pinned local computes straight into that register.
//   traps      Out-of-line `ud2; reason`, no tables (abi/registers.h).
//
// Files: compiler.cc (function frame), operands.cc (stack), control.cc, exceptions.cc, calls.cc, memory.h (accesses),
// atomics.h, integer.h, float.h, simd*.h (arithmetic), fuel.cc, references.cc (references, tables, bulk operations),
// aggregates.cc (structures, arrays), casts.cc.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "frontend/module.h"
#include "frontend/validate/function_decoder.h"
#include "frontend/validate/sink.h"
#include "runtime/compile/abi/gc.h"
#include "runtime/compile/abi/handlers.h"
#include "runtime/compile/abi/poll.h"
#include "runtime/compile/abi/registers.h"
#include "runtime/compile/abi/trap_reason.h"
#include "runtime/compile/abi/vmcontext.h"
#include "runtime/compile/baseline/frame.h"
#include "runtime/compile/baseline/locals.h"
#include "runtime/compile/baseline/operand.h"
#include "runtime/compile/baseline/prescan.h"
#include "runtime/compile/baseline/simd_forms.h"
#include "runtime/compile/compile.h"
#include "runtime/compile/x64/assembler.h"
#include "runtime/compile/x64/cpu_features.h"

namespace wattle::compile::baseline {

using abi::TrapReason;
using frontend::MemArg;
using frontend::Op;
using frontend::ValType;
using x64::AluOp;
using x64::Cond;
using x64::Mem;
using x64::w16;
using x64::w32;
using x64::w64;
using x64::w8;
using x64::Width;

// A direct call whose target is patched when all functions have their place.
struct CallSite {
  uint32_t position;  // of the rel32, in the function's code
  uint32_t function;
};

// How far in a block of code that is charged for at its start (fuel.cc) an instruction stands, itself included.
struct FuelMark {
  uint32_t block = ~0u;  // none
  uint32_t count = 0;
};

// From a code offset to the instruction it was emitted for.
struct Position {
  uint32_t code;
  uint64_t module;
  FuelMark fuel;
};

// What stays the same for all functions of a module.
struct ModuleContext {
  const frontend::ModuleInfo* module = nullptr;
  std::span<const uint8_t> bytes;
  const abi::Layout* layout = nullptr;
  Settings settings;
  x64::CpuFeatures cpu;
  bool anyVectorTypes = false;    // v128 in some type or global
  std::vector<CallShape> shapes;  // by type index
};

class Compiler : public frontend::NullSink {
 public:
  using Decoder = frontend::FunctionDecoder<Compiler>;

  static constexpr uint32_t kNone32 = ~0u;
  struct Label {
    x64::Label target;     // where branches go
    x64::Label elseLabel;  // of an `if`: the second arm
    PinFacts facts;        // at `target`
    PinFacts elseFacts;
    uint32_t base = 0;        // operand stack height below the parameters
    uint32_t scope = 0;       // of a try: its handlers
    uint32_t pads = kNone32;  // landing pads that lead here: the first, by LandingPad::next
    bool hasFacts = false;    // some edge has arrived
  };
  using Ctl = frontend::Control<Label>;
  static constexpr size_t kRoomPerInstruction = 512;  // what ensure() makes before each instruction

  explicit Compiler(const ModuleContext& context);

  // --- one function -----------------------------------------------------------------------------------------------
  // Before Decoder::run.
  void startFunction(uint32_t functionIndex, bool forceStackCheck, Prescan& scan);
  std::span<const uint8_t> code() const { return {as_.data(), as_.size()}; }
  std::span<const CallSite> callSites() const { return callSites_; }
  // The function left out its stack check but has too large a frame: compile once more with forceStackCheck.
  bool needsStackCheck() const { return needsStackCheck_; }
  // The scan said that the function has no such thing, and it has (prescan.h): compile once more without believing it.
  bool scanMissed() const { return scanMissed_; }
  uint8_t rangeFlags() const;  // for CodeRange::flags (abi/handlers.h)
  const char* unsupported() const { return unsupported_; }
  void recordPositions(bool on) { recordPositions_ = on; }
  std::span<const Position> positions() const { return positions_; }
  // Units that have been charged for instructions of the block behind this one.
  uint32_t fuelAhead(const Position& p) const;

  // --- called by the decoder (sink.h) -------------------------------------------------------------------------------
  void attach(Decoder& decoder) { decoder_ = &decoder; }
  [[gnu::always_inline]] inline void nextInstruction() {
    as_.ensure(kRoomPerInstruction);
    if (noteInstructions_) [[unlikely]]
      noteInstruction();
  }
  [[gnu::always_inline]] inline void nextQuietInstruction() {
    if (noteInstructions_) [[unlikely]]
      noteInstruction();
  }
  void noteInstruction();
  void begin(std::span<const ValType> locals);
  void finish() {}

  template <Op>
  void simple();
  template <Op>
  void lane(uint8_t lane);
  template <Op>
  void memory(const MemArg& arg);
  template <Op>
  void memoryLane(const MemArg& arg, uint8_t lane);
  void shuffle(const std::array<uint8_t, 16>& lanes);
  void constI32(int32_t v) { push(Operand::constant(Type::I32, static_cast<int64_t>(static_cast<uint32_t>(v)))); }
  void constI64(int64_t v) { push(Operand::constant(Type::I64, v)); }
  void constF32(uint32_t bits) { push(Operand::constant(Type::F32, static_cast<int64_t>(bits))); }
  void constF64(uint64_t bits) { push(Operand::constant(Type::F64, static_cast<int64_t>(bits))); }
  void constV128(const std::array<uint8_t, 16>& bytes);
  void atomicFence() { as_.mfence(); }

  void drop(ValType);
  void select(ValType);
  void localGet(uint32_t i, ValType) {
    ++localRefs_;
    useLocal(i);
    push(Operand::local(homes_[i].head(), i));
  }
  void localSet(uint32_t i, ValType);
  void localTee(uint32_t i, ValType);
  void globalGet(uint32_t);
  void globalSet(uint32_t);

  void block(Ctl&);
  void loop(Ctl&);
  void chooseLoopFacts(const Prescan::Loop& loop);
  void ifOp(Ctl&);
  void elseOp(Ctl&, bool fallthrough);
  void end(Ctl&, bool fallthrough);
  void unreachable() {
    trapHere(TrapReason::Unreachable);
    endFuelBlock();
  }
  void br(uint32_t depth);
  void brIf(uint32_t depth);
  void brTable(std::span<const uint32_t> depths);
  void returnOp();
  void call(uint32_t function);
  void callIndirect(uint32_t type, uint32_t table);
  void callRef(uint32_t type);
  void returnCall(uint32_t function);
  void returnCallIndirect(uint32_t type, uint32_t table);
  void returnCallRef(uint32_t type);

  void tryTable(Ctl&, std::span<const frontend::CatchClause>);
  void throwOp(uint32_t tag);
  void throwRef();
  void tryOp(Ctl&);
  void catchOp(Ctl&, uint32_t tag, bool fallthrough);
  void catchAll(Ctl&, bool fallthrough);
  void delegate(Ctl&, uint32_t depth, bool fallthrough);
  void rethrow(uint32_t depth);

  void refNull(ValType) { push(Operand::constant(Type::I64, 0)); }
  void refIsNull(ValType);
  void refFunc(uint32_t function);
  void refAsNonNull(ValType);
  void brOnNull(uint32_t depth, ValType);
  void brOnNonNull(uint32_t depth, ValType);
  void refEq();
  void refTest(ValType from, ValType to);
  void refCast(ValType from, ValType to);
  void brOnCast(uint32_t depth, ValType from, ValType to, bool onFail);
  void anyConvertExtern(ValType);
  void externConvertAny(ValType);
  void refI31();
  void i31Get(bool isSigned);
  void refGetDesc(uint32_t type, bool exact);
  void refCastDescEq(ValType from, ValType to);
  void brOnCastDescEq(uint32_t depth, ValType from, ValType to, bool onFail);
  void structNew(uint32_t type, bool isDefault, bool withDescriptor);
  void structGet(uint32_t type, uint32_t field, Extend extend);
  void structSet(uint32_t type, uint32_t field);
  void arrayNew(uint32_t type, bool isDefault);
  void arrayNewFixed(uint32_t type, uint32_t count);
  void arrayNewData(uint32_t type, uint32_t segment);
  void arrayNewElem(uint32_t type, uint32_t segment);
  void arrayGet(uint32_t type, Extend extend);
  void arraySet(uint32_t type);
  void arrayLen();
  void arrayFill(uint32_t type);
  void arrayCopy(uint32_t dstType, uint32_t srcType);
  void arrayInitData(uint32_t type, uint32_t segment);
  void arrayInitElem(uint32_t type, uint32_t segment);

  void tableGet(uint32_t table);
  void tableSet(uint32_t table);
  void tableSize(uint32_t table);
  void tableGrow(uint32_t table);
  void tableFill(uint32_t table);
  void tableCopy(uint32_t dst, uint32_t src);
  void tableInit(uint32_t table, uint32_t segment);
  void elemDrop(uint32_t segment);
  void memorySize(uint32_t memory);
  void memoryGrow(uint32_t memory);
  void memoryFill(uint32_t memory);
  void memoryCopy(uint32_t dst, uint32_t src);
  void memoryInit(uint32_t memory, uint32_t segment);
  void dataDrop(uint32_t segment);

 private:
  // --- operand stack (operands.cc) ----------------------------------------------------------------------------------
  void push(const Operand& o) {
    if (top_ == stackEnd_) [[unlikely]]
      growStack();
    *top_++ = o;
  }
  // A popped slot operand keeps its frame slot's number in `index`.
  Operand pop() {
    Operand o = *--top_;
    localRefs_ -= o.isLocal();
    return o;
  }
  // What was popped, once more.
  void pushBack(const Operand& o) {
    localRefs_ += o.isLocal();
    push(o);
  }
  uint32_t height() const { return static_cast<uint32_t>(top_ - stack_.data()); }
  void truncate(uint32_t height);  // forgets entries and frees what they own
  void growStack();
  void pushGpr(Type type, Gpr r) { push(Operand::in(type, r)); }
  void pushXmm(Type type, Xmm r) {
    if (type == Type::V128 && slotSize_ == 8) [[unlikely]]
      scanMissed_ = true;
    push(Operand::in(type, r));
  }

  // Registers an instruction owns are neither free nor on the stack; give them back by release() or push them.
  Gpr allocGpr() {
    if (!freeGpr_) [[unlikely]]
      spillOneGpr();
    unsigned r = lowest(freeGpr_);
    freeGpr_ &= freeGpr_ - 1;
    return static_cast<Gpr>(r);
  }
  Xmm allocXmm() {
    if (!freeXmm_) [[unlikely]]
      spillOneXmm();
    unsigned r = lowest(freeXmm_);
    freeXmm_ &= freeXmm_ - 1;
    return static_cast<Xmm>(r);
  }
  void freeReg(Gpr r) { freeGpr_ |= bit(r) & tempGprs_; }
  void freeReg(Xmm r) { freeXmm_ |= bit(r) & tempXmms_; }
  void release(const Operand& o) {
    if (o.where() == Where::Gpr)
      freeReg(o.gpr());
    else if (o.where() == Where::Xmm)
      freeReg(o.xmm());
  }
  // Takes a particular register for the instruction; a stack entry in it is moved away. `except`: registers the
  // instruction holds.
  void claim(Gpr r);
  void claim(Xmm r);
  void spillOneGpr();
  void spillOneXmm();
  void spill(Operand& entry, uint32_t position);
  void spillAll(uint32_t from);  // entries from this height up: registers, locals and flags go to slots
  int32_t slotOffset(uint32_t position) {
    if (position >= maxSlots_) maxSlots_ = position + 1;
    return slotBase_ - static_cast<int32_t>((position + 1) * slotSize_);
  }
  Mem slotMem(uint32_t position) { return Mem(Gpr::rbp, slotOffset(position)); }

  // Reading operands. use: some register that holds the value, not to be changed (afterwards the operand owns it or
  // names a pin).
  Gpr use(Operand& o) {
    if (!o.inRegister()) return toTemp(o);
    validate(o);
    return o.gpr();
  }
  Xmm useXmm(Operand& o);
  // toTemp: a register of the instruction's own with the value, to be changed. Flags are kept.
  Gpr toTemp(Operand& o);
  Xmm toTempXmm(Operand& o);
  // The value in the target; without one as toTemp. Flags are kept.
  Gpr toResult(Operand& o, uint8_t target);
  Xmm toResultXmm(Operand& o, uint8_t target);
  // The value in this very register, whatever it is now. Flags are kept. Does not release the operand.
  void load(Gpr dst, const Operand& o);
  void load(Xmm dst, const Operand& o);
  void store(const Mem& dst, const Operand& o);  // Flags are kept; scratch registers are used
  Mem memOf(const Operand& o) {
    return o.where() == Where::Slot ? slotMem(o.index()) : Mem(Gpr::rbp, homes_[o.index()].slot);
  }
  void materializeFlags(Operand& o);
  static Width widthOf(Type t) { return t == Type::I32 ? w32 : w64; }
  bool isPinned(const Operand& o, Gpr r) const { return o.where() == Where::Pin && !isFloat(o.type()) && o.gpr() == r; }

  // --- locals -------------------------------------------------------------------------------------------------------
  void useLocal(uint32_t i) {
    if (homes_[i].isUnused()) [[unlikely]]
      scanMissed_ = true;
  }
  // An operand that is a volatile pin whose register is out of date: loads that. All others are as they should be.
  bool isCurrent(const Operand& o) const { return !o.isVolatile() || (facts_.valid & o.factBit()) != 0; }
  void validate(const Operand& o) {
    if (!isCurrent(o)) [[unlikely]]
      reload(homes_[o.index()]);
  }
  void reload(const LocalHome& home);
  void save(const LocalHome& home);
  void saveVolatilePins();  // before a call: slots become current; registers stay valid
  void dropVolatilePins() { facts_.valid &= ~homes_.volatilePins(); }  // after it
  void materializeLocal(uint32_t local);  // stack entries that name it take its present value
  // The register the next instruction (local.set or local.tee) would move the result to, if it may be written now.
  static constexpr uint8_t kNone = 0xff;
  uint8_t targetPin(bool wantFloat);
  Gpr resultGpr(uint8_t target) { return target != kNone ? static_cast<Gpr>(target) : allocGpr(); }
  Xmm resultXmm(uint8_t target) { return target != kNone ? static_cast<Xmm>(target) : allocXmm(); }

  // --- integer arithmetic (integer.h) -------------------------------------------------------------------------------
  template <AluOp op, Type type, bool commutative>
  void binaryAlu();
  template <Type type>
  void multiply();
  template <x64::ShiftOp op, Type type>
  void shift();
  template <Type type, bool isSigned, bool remainder>
  void divide();
  template <Type type>
  void compare(Cond cond);
  template <Type type>
  void eqz();
  template <Type type, class F>
  void unaryInteger(F&& emit);  // emit(dst, Gpr src)
  template <Type type>
  void countLeading();
  template <Type type>
  void countTrailing();
  template <Type type>
  void popcount();
  void pushCondition(Cond cond);
  void extendUnsigned();
  void aluOperand(AluOp op, Width w, Gpr dst, const Operand& b);
  void wideAdd(bool subtract);
  void wideMultiply(bool isSigned);

  // --- floats (float.h) ---------------------------------------------------------------------------------------------
  template <class F>
  void binaryFloat(Type type, bool commutative, F&& emit);
  template <class F>
  void unaryFloat(Type from, Type to, F&& emit);
  template <bool isMin>
  void minMax(Type type);
  void compareFloat(Type type, Cond cond, bool swap);
  void compareFloatEquality(Type type, bool negated);
  void truncate(Type from, Type to, bool isSigned, bool saturating);
  struct Truncation;
  void convertTruncated(Truncation& t);
  void convertTruncatedUnsigned64(Truncation& t);
  void saturate(const Truncation& t);
  void convertToFloat(Type from, Type to, bool isSigned);
  void copysign(Type type);
  void moveToFloat(Type to);
  void moveToInteger(Type from);
  void loadFloatBits(Xmm dst, Type type, uint64_t bits);

  // --- vectors (simd.h) ---------------------------------------------------------------------------------------------
  // The operands of a sequence, in registers. `dst` may be the first one's register, and is neither of the others'.
  struct Vectors {
    Operand a, b, c;
    Xmm ra, rb, rc, dst;
  };
  Vectors takeVectors(unsigned count, bool swapped = false);
  Vectors holdVectors(Operand a, Operand b, Operand c, unsigned count);  // already popped
  Vectors takeAccumulator();                                             // dst = c, which is not a's or b's
  void give(const Vectors& v);                                           // pushes dst and releases what it may
  void giveVector(Xmm dst, const Operand& a);
  Xmm useVector(Operand& o);
  Xmm vectorResult(uint8_t target, const Operand& a);
  void loadVector(Xmm dst, VectorConstant c);
  void pushVectorConstant(VectorConstant c);
  void applyVector(const VectorBinaryForm& f, Xmm dst, Xmm a, Operand& b);
  void binaryVector(VectorBinary op);
  void unaryVector(VectorUnary op);
  void shiftVector(VectorShift op);
  void holdShiftCount(Operand& count, uint8_t mask, uint8_t add);
  void roundVector(Shape shape, uint8_t mode);
  void complement(Xmm dst, Xmm src);
  void splat(Shape shape);
  void splatLow(Shape shape, Xmm x);
  void splatFromMemory(Shape shape, Xmm dst, const Mem& m);
  void extractLane(Shape shape, uint8_t lane, bool isSigned);
  void extractFloatLane(Shape shape, uint8_t lane, Operand a);
  void replaceLane(Shape shape, uint8_t lane);
  void anyTrue();
  void allTrue(VectorBinary equal);
  void bitmask(Shape shape);
  void compareByBound(VectorBinary bound, VectorBinary equal);
  void compareUnsigned(VectorBinary greater, uint64_t signs, bool swapped);
  void compareWide(VectorBinary op);
  void negateVector(VectorBinary subtract);
  void notVector();
  void absI64x2();
  void popcountVector();
  void extendHigh(Shape from, bool isSigned);
  void addPairs(Shape from, bool isSigned);
  void multiplyI64x2();
  void multiplyQ15();
  void extendedMultiply(Shape from, bool high, bool isSigned);
  void shiftBytes(x64::ShiftOp op);
  void shiftBytesBy(x64::ShiftOp op, Xmm dst, Xmm src, uint8_t n);
  void shiftRightI64x2();
  void shiftRightI64x2By(Xmm dst, Xmm src, uint8_t n);
  void bitselect();
  void bitselect(const Vectors& v);
  void relaxedLaneselect(Shape shape);
  void relaxedDotAdd();
  void relaxedMadd(Shape shape, bool negated);
  void compareFloats(Shape shape, uint8_t predicate, bool swapped);
  void absFloats(Shape shape);
  void negateFloats(Shape shape);
  void minMaxFloats(Shape shape, bool isMin);
  void convertU32ToF32();
  void convertLowU32ToF64();
  void truncateF32ToS32();
  void truncateF32ToU32();
  void truncateF64ToS32();
  void truncateF64ToU32();
  void swizzle();
  void shuffleOne(Operand a, const Pattern& p);
  bool shuffleOne(Xmm dst, Xmm src, const Pattern& p);
  bool shuffleWithZeros(Xmm dst, Xmm src, const Pattern& p);
  bool shuffleTwo(Xmm dst, Xmm a, Xmm b, const Pattern& p);
  bool shufflePacking(const Vectors& v, const Pattern& p);
  void shuffleAny(const Vectors& v, const Pattern& p);
  void loadExtended(const MemArg& arg, VectorUnary extend);
  void loadSplat(const MemArg& arg, Shape shape);
  void loadZero(const MemArg& arg, Shape shape);
  void loadLane(const MemArg& arg, Shape shape, uint8_t lane);
  void storeLane(const MemArg& arg, Shape shape, uint8_t lane);
  void evex(const Evex& e, Xmm reg, Xmm v, Xmm rm);
  VectorConstant vectorConstant_;  // of the constant that the current instruction takes (constV128)
  // --- end of vectors -----------------------------------------------------------------------------------------------

  // --- memory accesses (memory.h) -----------------------------------------------------------------------------------
  // The checked address of an access; `held` are registers to release after it.
  struct Address {
    Mem mem{Gpr::rax};
    Gpr held =
        Gpr::rsp;  // the index's temp, rsp: none (not the operand itself: copying one just made stalls the processor)
    Gpr extra = Gpr::rsp;  // a further temp, rsp: none
  };
  Address address(const MemArg& arg, uint32_t accessBytes);
  bool isNear(const MemArg& arg, const Operand& index) const {
    return !index.isConst() && arg.memory == 0 && arg.offset < nearOffsets_;
  }
  [[gnu::always_inline]] inline Address nearAddress(const MemArg& arg, Operand index);
  Address otherAddress(const MemArg& arg, uint32_t accessBytes, Operand index);
  void release(const Address& a) {
    if (a.held != Gpr::rsp) freeReg(a.held);
    if (a.extra != Gpr::rsp) freeReg(a.extra);
  }
  Address checkedAddress(const MemArg& arg, uint32_t accessBytes, Operand index);
  bool isGuarded(uint32_t memory) const;
  Gpr memory0Base() {
    if (!scan_->usesMemory()) [[unlikely]]
      scanMissed_ = true;
    return kMemoryBase;
  }
  void loadMemoryBase() {
    if (scan_->usesMemory()) as_.mov(w64, kMemoryBase, Mem(kContext, offsetof(abi::VMContext, memory0Base)));
  }
  Gpr memoryBaseFor(uint32_t memory, Address& a);
  void storeConstant(const Mem& dst, Width w, uint64_t value);
  template <Op>
  [[gnu::noinline]] void loadOp(const MemArg& arg);
  template <Op>
  [[gnu::noinline]] void loadElsewhere(const MemArg& arg, Operand index);
  template <Op>
  [[gnu::always_inline]] inline void loadFrom(Address a);
  template <Op>
  [[gnu::always_inline]] inline void loadInteger(Address a);
  template <Op>
  [[gnu::noinline]] void storeOp(const MemArg& arg);
  template <Op>
  [[gnu::noinline]] void storeElsewhere(const MemArg& arg, Operand index, Operand value);
  template <Op>
  [[gnu::always_inline]] inline void storeAt(Address a, Operand value);
  // --- atomics (atomics.h) ------------------------------------------------------------------------------------------
  Address atomicAddress(const MemArg& arg, uint32_t bytes);
  void atomicAddressInScratch(const MemArg& arg, uint32_t bytes);
  void atomicRead(uint32_t bytes, Gpr dst, const Mem& m);
  Gpr useBesideRax(Operand& o, bool holdsRax);
  void zeroExtend(uint32_t bytes, Gpr r);
  template <Op>
  void atomicOp(const MemArg&);
  template <Op>
  void atomicWaitNotify(const MemArg&);
  template <Op>
  void atomicLoad(const MemArg&);
  template <Op>
  void atomicCompareExchange(const MemArg&);
  template <Op>
  void atomicLogic(const MemArg&);
  template <Op>
  void atomicExchange(const MemArg&);

  // --- control (control.cc) -----------------------------------------------------------------------------------------
  bool hasVector(std::span<const ValType> types) const;
  void placeResults(const Ctl& c);  // the values a branch to c carries, from the top of the stack; pops nothing
  void placeOne(const Operand& o, uint32_t position);
  void pushResults(std::span<const ValType> types);  // as found at a label
  void arrive(Label& label);                         // meets the label's facts, or weakens them
  void beginElseArm(Ctl& c);
  void endFunction(Ctl& c, bool fallthrough);
  void endIfWithoutElse(Ctl& c, bool fallthrough);
  bool mergeElseEdge(Label& label);
  // Nothing is in a temp or the flags: behind calls and at joins.
  void resetRegisters() {
    freeGpr_ = tempGprs_;
    freeXmm_ = tempXmms_;
    truth_.local = kNone32;
  }
  Cond popCondition();  // pops an i32, leaves its truth in the flags
  bool needsOwnEdge(const Ctl& c) const;
  void safepoint();
  void compareWithLimit(bool isPrologue, uint64_t position);
  bool isReturnLabel(uint32_t depth) const { return depth + 1 == decoder_->controlDepth(); }

  // --- calls (calls.cc) ---------------------------------------------------------------------------------------------
  void beforeCall(
      uint32_t from);  // everything that a call destroys is in the frame; entries from `from` up are arguments
  void afterCall();
  void emitArguments(uint32_t type, bool tail);  // pops them
  int currentRegister(const Operand& o) const;   // that holds its value; -1: none
  void moveArguments(const CallShape& shape, uint32_t from);
  void loadArgument(const ArgumentPlace& place, const Operand& o);
  void pushCallResults(const frontend::FuncType& type);
  void emitReturn();
  void epilogue();
  void leaveFrame(uint32_t calleeType);     // of a tail call: the callee's arguments stand where ours did
  void holdFuncRef();                       // pops a reference into rax
  void tableFuncRef(uint32_t table);        // pops the index; the element, not null, is in rax
  void checkSignature(uint32_t type);       // of the VMFuncRef in rax
  void callHeld(uint32_t type, bool tail);  // the VMFuncRef in rax
  void emitOtherContexts();
  void pushBuiltinResult(bool is64);
  void callImport(uint32_t function, uint32_t type, bool tail);
  // A builtin: the context, then `immediate` if given, then the top `operands` stack entries, which it pops. The result
  // is in rax.
  void callBuiltin(size_t offset, const uint64_t* immediate, unsigned operands);
  void callBuiltin(size_t offset, uint64_t immediate, unsigned operands) { callBuiltin(offset, &immediate, operands); }

  // --- exceptions (exceptions.cc) -----------------------------------------------------------------------------------
  void throwHeld();  // the exception in rax
  void enterScope(Label& label);
  void changeScope(uint32_t scope);  // from here on
  void enterHandler();               // the frame as it should be, the exception in rax
  void copyPayload(size_t i, uint32_t position);
  void loadPayload(size_t i, Type type, Xmm dst);
  uint32_t meetHandler(Label& label);
  void placePads(const Label& label);  // the label is bound here
  void beginCatch(Ctl& c, uint32_t tagSlot, std::span<const ValType> values, bool fallthrough);
  void emitLandingPads();
  void emitHandlerTable();

  // --- structures and arrays (aggregates.cc) ------------------------------------------------------------------------
  struct FieldPlace {
    abi::Storage storage;
    int32_t offset;
  };
  struct StructLayout {
    std::vector<FieldPlace> fields;
    uint32_t size = 0;  // 0: not made yet
  };
  abi::Storage storageOf(ValType type) const;
  abi::Storage elementOf(uint32_t type) const { return storageOf(module_.types[type].fields[0].type); }
  const StructLayout& layoutOf(uint32_t type);
  void allocateFixed(Gpr dst, Gpr base, uint32_t type, uint64_t bytes);
  void allocateArray(Gpr dst, Gpr base, uint32_t type, Gpr length);
  void addAllocation(Gpr dst, int32_t bytes);
  void writeTypeId(Gpr base, uint32_t type);
  void emitAllocations();  // their out-of-line parts
  void holdValue(Operand& o);
  void storeField(const Mem& at, abi::Storage s, const Operand& o);
  void repeatValue(Xmm x, abi::Storage s, Operand& value);
  void fillElements(Gpr base, Gpr n, abi::Storage s, Operand& value);
  void loadField(const Mem& at, abi::Storage s, Extend extend);
  bool isZero(const Operand& o) const;
  void nullCheck(Gpr r, TrapReason reason);  // of a reference of 32 bits
  Mem elementAt(Operand& array, Operand& index, abi::Storage s);
  void pushNewArray();
  // --- tests of types (casts.cc) ------------------------------------------------------------------------------------
  bool isStructure(frontend::HeapType heap) const;
  bool isObjectType(frontend::HeapType heap) const;
  Cond testType(Gpr r, ValType from, ValType to);
  Cond testConstant(bool yes);
  Cond testEq(Gpr r, bool nullable, bool mayBeNull);
  Cond testI31(Gpr r, bool nullable, bool mayBeNull);
  void loadTypeRow();
  void testKind(frontend::CompositeKind kind);
  void testTypeId(uint32_t type, bool exact, Gpr id);
  void testDescriptor(Gpr r, Operand& descriptor, ValType from, ValType to);
  void branchOnTest(uint32_t depth, const Operand& o, Cond yes, bool onFail);

  // --- fuel (fuel.cc) -----------------------------------------------------------------------------------------------
  void countInstruction();
  void openFuelBlock();
  void endFuelBlock() { fuelOpen_ = false; }  // what follows may be reached another way, or this may go elsewhere
  FuelMark fuelMark() const {
    return fuelOpen_ ? FuelMark{static_cast<uint32_t>(fuelBlocks_.size()) - 1, fuelBlocks_.back().cost} : FuelMark{};
  }
  void chargeLength(Gpr length, unsigned elementShift, Gpr temp, Gpr cells);
  void emitFuelBlocks();

  // --- traps and out-of-line code (compiler.cc) ---------------------------------------------------------------------
  void trapHere(TrapReason reason) {
    as_.ud2();
    as_.emit8(static_cast<uint8_t>(reason));
  }
  void trapIf(Cond cond, TrapReason reason);
  void trapOnStatus();  // eax != 0: its value is the reason
  void emitOutOfLine();
  void refuse(const char* feature);
  void notePosition();
  void prologue(const frontend::FuncType& type);
  void moveParameters(const frontend::FuncType& type);
  void zeroLocals(uint32_t firstDeclared);
  uint8_t peek() const { return *decoder_->nextBytes(); }

  struct OutOfLineTrap {
    x64::Label label;
    TrapReason reason;
    uint64_t position;
    FuelMark fuel;
  };
  struct FuelBlock {
    int32_t costAt;  // position of the imm32
    uint32_t cost;
    x64::Label label;
    uint64_t position;
    x64::Label back{};
  };
  struct OtherContext {  // a call by reference into another instance
    x64::Label label, back;
  };
  struct OutOfLineSafepoint {
    x64::Label label;
    x64::Label back;
    bool isPrologue;
    uint64_t position;
  };
  struct OutOfLineAllocation {
    x64::Label label;
    x64::Label back;
    Gpr dst;
    int32_t bytes;  // -1: dst has the cursor as it would be
    uint64_t position;
    FuelMark fuel;
  };
  struct PooledConstant {
    uint64_t low, high;
    bool wide;
    x64::Label label;
  };
  x64::Label& pooled(uint64_t low, uint64_t high, bool wide);
  struct HandlerScope {
    uint32_t parent;
    std::vector<abi::Clause> clauses;
  };
  struct LandingPad {
    uint32_t scope = 0, clause = 0;   // whose handler it is
    std::span<const ValType> values;  // from the payload
    bool withReference = false;       // the exception itself is the last value
    uint32_t base = 0;                // of the label: operand stack height
    uint32_t loads = 0;               // pins, as in PinFacts
    int32_t target = 0;               // position of the label
    uint32_t next = kNone32;
  };

  const ModuleContext& ctx_;
  const frontend::ModuleInfo& module_;
  const bool memory0Guarded_;
  Decoder* decoder_ = nullptr;
  x64::Assembler as_;
  Prescan* scan_ = nullptr;  // of this function
  LocalHomes homes_;
  PinFacts facts_;

  Operand* top_ = nullptr;
  Operand* stackEnd_ = nullptr;
  std::vector<Operand> stack_;
  uint32_t localRefs_ = 0;  // stack entries of kind Pin or Local
  // A local took a condition from the flags, which still hold it: as long as no code has followed (but moves), and
  // nothing has come from elsewhere.
  struct Truth {
    uint32_t local = kNone32;
    Cond cond = Cond::e;
    int32_t at = 0;
  } truth_;
  RegSet freeGpr_ = 0, freeXmm_ = 0;
  RegSet tempGprs_ = 0, tempXmms_ = 0;

  uint64_t nearOffsets_ = 0;  // in memory 0 smaller ones are not checked
  uint32_t function_ = 0;
  uint32_t loopCursor_ = 0;
  uint64_t bodyStart_ = 0;  // module offset of the first instruction
  int32_t slotBase_ = 0;    // rbp-relative; operand slots lie below
  uint32_t slotSize_ = 8;
  uint32_t maxSlots_ = 0;
  uint32_t resultsArea_ = 0;    // bytes for the memory results of callees
  int32_t frameSizeAt_ = 0;     // position of the imm32 in `sub rsp, imm32`
  int32_t handlerTableAt_ = 0;  // position of the displacement that says where the handler table is
  uint32_t scope_ = abi::kNoScope;
  bool hasStackCheck_ = true;
  bool hasResultsPointer_ = false;
  bool needsStackCheck_ = false;
  bool scanMissed_ = false;
  bool recordPositions_ = false;
  bool noteInstructions_ = false;  // for positions or for fuel
  const char* unsupported_ = nullptr;

  std::vector<CallSite> callSites_;
  std::vector<Position> positions_;
  std::vector<OutOfLineTrap> traps_;
  std::vector<FuelBlock> fuelBlocks_;
  bool fuelOpen_ = false;  // the last of them goes on
  std::vector<OutOfLineSafepoint> safepoints_;
  std::vector<OtherContext> otherContexts_;
  std::vector<OutOfLineAllocation> allocations_;
  std::vector<StructLayout> structs_;  // by type index
  std::vector<PooledConstant> constants_;
  std::vector<HandlerScope> scopes_;
  std::vector<abi::ScopeChange> scopeChanges_;
  std::vector<LandingPad> pads_;
  std::vector<int32_t> framePatches_;  // displacements to become minus the frame's size
};

}  // namespace wattle::compile::baseline

#include "runtime/compile/baseline/operands.h"  // IWYU pragma: export
