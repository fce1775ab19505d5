// What FunctionDecoder does without knowing its sink: the operand stack of types, locals, immediates and errors.
//
// How it is fast:
//  - The byte cursor and the top of the operand stack live in a Cursor on the stack of the main loop, hence in
//    registers.
//  - No read checks for the end. A body is walked in windows; each ends at `end_`, at least kSlack readable bytes
//    before the last byte that may be touched, and only the main loop compares against it, once an instruction.
//    Instructions of any length (br_table, ...) compare for each element. The last bytes of a module are walked in a
//    padded copy, `tail_`.
//  - A window is also the unit for which stack space is made: an instruction pushes at most one word a byte, or else
//    makes space itself. So pushes are not checked.
//  - Below each block's part of the operand stack lies one word kBottom, which equals no type that an instruction
//    expects. Popping by comparing words therefore cannot run below the block; the comparison fails and the slow path
//    sorts out why.
//  - Failed LEB reads record the error and move `end_`, so that the loop stops at its next turn.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "frontend/binary/leb128.h"
#include "frontend/binary/reader.h"
#include "frontend/error.h"
#include "frontend/module.h"
#include "frontend/op_facts.h"
#include "frontend/types.h"
#include "frontend/validate/sink.h"

namespace wattle::frontend {

class DecoderBase {
 public:
  // Offset in the module of the instruction that is being decoded.
  uint64_t instructionOffset() const { return offsetOf(instruction_); }
  const uint8_t* instructionBytes() const { return instruction_; }
  // For a sink that looks ahead: the bytes after the current instruction (some are always readable), and their offset
  // in the module.
  const uint8_t* nextBytes() const { return pos_; }
  uint64_t nextOffset() const { return offsetOf(pos_); }
  // A sink gives up: run() ends after this instruction, with this error if the body is not at fault itself.
  void abandon(std::string message) {
    fail(ErrorKind::Limit, std::move(message));
    end_ = nullptr;
  }
  // Parameters and declared locals of the current function.
  std::span<const ValType> locals() const { return {locals_.get(), localCount_}; }

 protected:
  struct Cursor {
    const uint8_t* pos;  // next byte
    ValType* top;        // one above the topmost operand
  };
  struct BlockType {
    std::span<const ValType> params;
    std::span<const ValType> results;
  };
  template <class T>
  struct LebRead {
    T value;
    const uint8_t* pos;
  };

  static constexpr size_t kSlack = 64;  // more than the longest fixed-size instruction
  static constexpr size_t kWindow = 32 * 1024;
  static constexpr size_t kStackPad = 1024;  // words below the function's operands: more than any signature's length

  DecoderBase(const ModuleInfo& module, std::span<const uint8_t> bytes);

  // --- starting ----------------------------------------------------------------------------------
  // Walk this range of the module, a function body or an expression; the operand stack becomes empty.
  void start(uint64_t begin, uint64_t end, bool inFunction);
  bool readLocals(std::span<const ValType> params);

  // --- bytes -------------------------------------------------------------------------------------
  uint64_t offsetOf(const uint8_t* pos) const { return reinterpret_cast<uintptr_t>(pos) - origin_; }
  bool more();               // at the end of a window: open the next; false at the end of the range or after an error
  bool refill(Cursor& at) {  // the same for a cursor within an instruction of any length
    if (at.pos < end_) [[likely]]
      return true;
    pos_ = at.pos;
    top_ = at.top;
    const bool ok = more();
    at = {pos_, top_};
    return ok || endOfRange();
  }
  [[gnu::always_inline]] uint32_t readU32(Cursor& at) {
    const uint32_t first = at.pos[0];
    if (first < 0x80) [[likely]] {
      at.pos += 1;
      return first;
    }
    const uint32_t second = at.pos[1];
    if (second < 0x80) {
      at.pos += 2;
      return (first & 0x7f) | second << 7;
    }
    const auto read = readU32Slow(at.pos);
    at.pos = read.pos;
    return read.value;
  }
  [[gnu::always_inline]] int32_t readS32(Cursor& at) {
    const uint32_t first = at.pos[0];
    if (first < 0x80) [[likely]] {
      at.pos += 1;
      return static_cast<int32_t>(first << 25) >> 25;
    }
    const auto read = readS32Slow(at.pos);
    at.pos = read.pos;
    return read.value;
  }
  [[gnu::always_inline]] uint64_t readU64(Cursor& at) {
    if ((at.pos[0] & at.pos[1] & 0x80) == 0) [[likely]]
      return readU32(at);
    const auto read = readU64Slow(at.pos);
    at.pos = read.pos;
    return read.value;
  }
  [[gnu::always_inline]] int64_t readS64(Cursor& at) {
    const uint64_t first = at.pos[0];
    if (first < 0x80) [[likely]] {
      at.pos += 1;
      return static_cast<int64_t>(first << 57) >> 57;
    }
    const auto read = readS64Slow(at.pos);
    at.pos = read.pos;
    return read.value;
  }
  Reader readerAt(const Cursor& at) const { return Reader(at.pos, hardEnd_, offsetOf(at.pos)); }
  bool take(Reader& reader, Cursor& at);  // after a Reader's use: move on, or adopt its error

  // --- operands ----------------------------------------------------------------------------------
  [[gnu::always_inline]] static void push(Cursor& at, ValType type) { *at.top++ = type; }
  [[gnu::always_inline]] bool pop(Cursor& at, ValType expected) {
    if (at.top[-1] == expected) [[likely]] {
      at.top--;
      return true;
    }
    return popped(at, popSlow(at.top, expected));
  }
  [[gnu::always_inline]] bool popped(Cursor& at, ValType* top) {
    if (!top) return false;
    at.top = top;
    return true;
  }
  bool popAll(Cursor& at, std::initializer_list<ValType> expected) {
    return popped(at, popValues(at.top, {expected.begin(), expected.size()}));
  }
  // Whether the topmost operands are exactly these.
  [[gnu::always_inline]] static bool topEquals(const ValType* top, std::span<const ValType> types) {
    const ValType* from = top - types.size();
    uint32_t different = 0;
    for (size_t i = 0; i < types.size(); i++) different |= from[i].bits() ^ types[i].bits();
    return different == 0;
  }
  [[gnu::always_inline]] bool popAll(Cursor& at, std::span<const ValType> expected) {
    if (topEquals(at.top, expected)) [[likely]] {
      at.top -= expected.size();
      return true;
    }
    return popped(at, popValues(at.top, expected));
  }
  [[gnu::always_inline]] void pushAll(Cursor& at, std::span<const ValType> types) {
    if (types.size() > 1) at.top = makeRoom(at.pos, at.top, types.size());
    for (const ValType type : types) *at.top++ = type;
  }
  [[gnu::noinline]] ValType* popBottom(ValType* top);  // what pops as kBottom: the stack was polymorphic, or is
  bool popAny(Cursor& at, ValType& type);              // one operand of any type; kBottom from a polymorphic stack
  bool popRef(Cursor& at, ValType& type);              // one reference; (ref bot) from a polymorphic stack
  [[gnu::noinline]] ValType* makeRoom(const uint8_t* pos, ValType* top, size_t count);  // the same top, perhaps moved
  // The slow paths: with subtyping and polymorphic stacks. The new top, or null after an error.
  [[gnu::noinline]] ValType* popSlow(ValType* top, ValType expected);
  [[gnu::noinline]] ValType* applySlow(ValType* top, const Signature& signature, ValType address);
  [[gnu::noinline]] ValType* popValues(ValType* top, std::span<const ValType> expected);
  // What a block leaves: results and nothing else.
  [[gnu::always_inline]] bool operandsAtEnd(ValType* top, std::span<const ValType> results) {
    if (top - results.size() == base_ && topEquals(top, results)) [[likely]]
      return true;
    return operandsAtEndSlow(top, results);
  }
  [[gnu::noinline]] bool operandsAtEndSlow(ValType* top, std::span<const ValType> results);
  [[gnu::noinline]] bool typesMatch(std::span<const ValType> sub, std::span<const ValType> super) const;

  // --- locals ------------------------------------------------------------------------------------
  void initialise(uint32_t local);
  void forgetInitialised(uint32_t height);

  // --- immediates --------------------------------------------------------------------------------
  [[gnu::noinline]] const uint8_t* readBlockTypeSlow(const uint8_t* pos, BlockType& type);
  bool readValTypeAt(Cursor& at, ValType& type);
  bool readHeapTypeAt(Cursor& at, HeapType& heap, bool& exact);
  const SubType* readTypeAt(Cursor& at, uint32_t& index, CompositeKind kind);
  const FuncType* readFuncTypeAt(Cursor& at, uint32_t& index);
  const Table* readTableAt(Cursor& at, uint32_t& index);
  const Memory* readMemoryAt(Cursor& at, uint32_t& index);
  const FuncType* readTagAt(Cursor& at, uint32_t& index);
  bool readElemAt(Cursor& at, uint32_t& index);
  bool readDataAt(Cursor& at, uint32_t& index);
  struct MemoryUse {
    const uint8_t* next;  // null after an error
    uint32_t alignLog2;
    uint32_t memory;
  };
  [[gnu::noinline]] MemoryUse readMemoryUse(const uint8_t* pos);

  // --- errors ------------------------------------------------------------------------------------
  // Each records the first error and returns false.
  [[gnu::cold, gnu::noinline]] bool fail(ErrorKind kind, std::string message);
  [[gnu::cold, gnu::noinline]] bool malformed(std::string message) {
    return fail(ErrorKind::Malformed, std::move(message));
  }
  [[gnu::cold, gnu::noinline]] bool invalid(std::string message) {
    return fail(ErrorKind::Invalid, std::move(message));
  }
  [[gnu::cold, gnu::noinline]] bool typeMismatch(const std::string& detail) {
    return invalid("type mismatch: " + detail);
  }
  [[gnu::cold, gnu::noinline]] bool unknown(const char* what, uint64_t index);
  [[gnu::cold, gnu::noinline]] bool illegalOpcode(const uint8_t* end);  // its bytes end there
  [[gnu::cold, gnu::noinline]] bool memArgError(uint32_t alignLog2, uint64_t offset, unsigned natural, bool atomic);
  [[gnu::cold, gnu::noinline]] bool endOfRange();  // the range ended inside the function
  std::optional<Error> takeError();
  std::string operandsText(const ValType* top, size_t count) const;
  std::string instructionName() const;

  static ValType addressType(bool is64) { return is64 ? kI64 : kI32; }

  const ModuleInfo& module_;
  const std::span<const uint8_t> bytes_;

  const uint8_t* pos_ = nullptr;  // the cursor, while no Cursor holds it
  ValType* top_ = nullptr;
  const uint8_t* end_ = nullptr;      // of the window
  const uint8_t* hardEnd_ = nullptr;  // of the range
  uintptr_t origin_ = 0;              // address of the module's first byte, as the current buffer has it
  const uint8_t* instruction_ = nullptr;
  bool inFunction_ = true;
  bool inTail_ = false;
  bool live_ = true;  // the current point is reachable: the sink is told
  bool failed_ = false;

  ControlRecord* current_ = nullptr;  // the innermost block, and the first word of its operands
  ValType* base_ = nullptr;
  std::unique_ptr<ValType[]> stack_;
  size_t stackCapacity_ = 0;

  std::unique_ptr<ValType[]> locals_;
  std::unique_ptr<ValType[]> initialised_;  // as locals_, but kBottom where nothing was assigned yet
  const ValType* readable_ = nullptr;       // what local.get gives: one of the two above
  uint32_t localCount_ = 0;
  size_t localCapacity_ = 0;
  size_t initialisedCapacity_ = 0;
  std::vector<uint32_t> initLog_;  // locals assigned, in order; undone at the end of each block

  ValType memory0_;                   // address type of memory 0; kBottom without one
  std::deque<ValType> blockResults_;  // storage for block types that name one reference type

 private:
  [[gnu::noinline]] LebRead<uint32_t> readU32Slow(const uint8_t* pos);
  [[gnu::noinline]] LebRead<int32_t> readS32Slow(const uint8_t* pos);
  [[gnu::noinline]] LebRead<uint64_t> readU64Slow(const uint8_t* pos);
  [[gnu::noinline]] LebRead<int64_t> readS64Slow(const uint8_t* pos);
  template <unsigned N, class T>
  LebRead<T> readLebAt(const uint8_t* pos);
  ValType* operandMismatch(ValType* top, std::span<const ValType> expected);
  void reserveStack(size_t words);
  void reserveLocals(size_t count);
  const uint8_t* readableEnd() const { return inTail_ ? tail_.data() + tail_.size() : bytes_.data() + bytes_.size(); }

  Error error_;
  std::array<uint8_t, 2 * kSlack> tail_{};
};

}  // namespace wattle::frontend
