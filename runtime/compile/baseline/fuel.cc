// Fuel: an exact count of the instructions that are executed.
//
// Each instruction costs one unit; what only gives structure (block, loop, else, end, and the words of try) costs
// nothing. Code is charged block by block, where a block is what can only be entered at its start and left at its end:
// it begins behind a join, a branch or a call, and its first instruction adds the cost of all of it to the store's
// counter, which runs up to zero. The cost is known when the block ends, and patched in. So one addition to memory and
// one branch that is never taken pay for a block, wherever it leads.
//
//     mov r11, [r13 + storeContext]
//     add qword [r11 + fuel], cost
//     jg  out of line                 more than there was: traps before anything of the block has been executed
//
// The count is exact wherever somebody can see it. A call ends a block, so a host function finds all instructions up to
// its call charged and no other. Where a block is left by a trap, what it has not executed is given back (vm/call.cc):
// the function is compiled once more, noting for each instruction how far in its block it stands (FuelMark). That holds
// for the trap of the charge itself.
//
// What works on any number of bytes costs more: one unit for 64 bytes (8 elements of a table), rounded down. Builtins
// charge that before they begin; array.new and array.fill do it here.
#include "runtime/compile/baseline/compiler.h"

namespace wattle::compile::baseline {

namespace {

bool isBlockMarker(uint8_t opcode) {
  using frontend::info;
  using frontend::Op;
  switch (opcode) {
    case info(Op::Block).code:
    case info(Op::Loop).code:
    case info(Op::Else).code:
    case info(Op::Try).code:
    case info(Op::Catch).code:
    case info(Op::End).code:
    case info(Op::Delegate).code:
    case info(Op::CatchAll).code:
    case info(Op::TryTable).code: return true;
    default: return false;
  }
}

constexpr int32_t kFuel = offsetof(abi::VMStoreContext, fuel);

}  // namespace

void Compiler::countInstruction() {
  if (isBlockMarker(*decoder_->instructionBytes())) return;
  if (!fuelOpen_) openFuelBlock();
  ++fuelBlocks_.back().cost;
}

void Compiler::openFuelBlock() {
  // The block before may have ended in a test that leaves its result in the flags.
  if (height() != 0 && top_[-1].where() == Where::Flags) materializeFlags(top_[-1]);
  as_.mov(w64, kScratch, Mem(kContext, offsetof(abi::VMContext, storeContext)));
  as_.add(w64, Mem(kScratch, kFuel), 0x7fffffff);  // patched when the block's cost is known
  fuelBlocks_.push_back({as_.pos() - 4, 0, {}, recordPositions_ ? decoder_->instructionOffset() : 0});
  as_.jcc(Cond::g, fuelBlocks_.back().label);
  as_.bind(fuelBlocks_.back().back);
  fuelOpen_ = true;
}

void Compiler::chargeLength(Gpr length, unsigned elementShift, Gpr temp, Gpr cells) {
  as_.mov(w32, temp, length);
  as_.shr(w64, temp, static_cast<uint8_t>(6 - elementShift));
  as_.mov(w64, cells, Mem(kContext, offsetof(abi::VMContext, storeContext)));
  as_.add(w64, Mem(cells, kFuel), temp);
  endFuelBlock();
}

void Compiler::emitFuelBlocks() {
  for (uint32_t i = 0; i < fuelBlocks_.size(); ++i) {
    FuelBlock& b = fuelBlocks_[i];
    as_.ensure(64);
    as_.write32(b.costAt, static_cast<int32_t>(b.cost));
    if (recordPositions_) positions_.push_back({static_cast<uint32_t>(as_.pos()), b.position, {i, 0}});
    as_.bind(b.label);
    as_.mov(w64, kScratch, Mem(kContext, offsetof(abi::VMContext, builtins)));
    as_.call(Mem(kScratch, offsetof(abi::BuiltinTable, safepointStub)));
    as_.jmp(b.back);
  }
}

uint32_t Compiler::fuelAhead(const Position& p) const {
  return p.fuel.block == kNone32 ? 0 : fuelBlocks_[p.fuel.block].cost - p.fuel.count;
}

}  // namespace wattle::compile::baseline
