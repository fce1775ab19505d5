// The one table of instructions, as types. opcodes.def is the table; nothing else in the project lists opcodes.
#pragma once

#include <cstdint>
#include <string_view>

namespace wattle::frontend {

// Which immediates follow the opcode (spec "Binary Format / Instructions").
enum class Imm : uint8_t {
  None,
  Block,       // blocktype
  Label,       // labelidx
  LabelTable,  // vec(labelidx) labelidx
  Function,    // funcidx
  Type,        // typeidx
  TypeTable,   // typeidx tableidx            (call_indirect)
  Local,
  Global,
  Table,
  TableTable,
  Tag,
  Elem,
  ElemTable,  // elemidx [tableidx]
  Data,
  DataMemory,  // dataidx [memidx]
  Memory,
  MemoryMemory,
  MemArg,      // align offset [memidx]
  MemArgLane,  // memarg laneidx
  Lane,
  Shuffle,  // laneidx; 16 laneidx
  I32,
  I64,
  F32,
  F64,
  V128,
  SelectTypes,  // vec(valtype)
  HeapType,     // heaptype                     (ref.null, ref.test, ref.cast)
  TypeField,    // typeidx fieldidx
  TypeType,
  TypeData,
  TypeElem,
  TypeCount,
  BrCast,    // castflags labelidx heaptype heaptype
  TryTable,  // blocktype vec(catch)
  Fence,     // 0x00                         (atomic.fence)
};

enum class Feature : uint8_t { Core, Threads, LegacyExceptions, WideArithmetic, CustomDescriptors };

// Id is the text name in CamelCase: "i32.add" is I32Add, "i8x16.extract_lane_s" is I8x16ExtractLaneS, "br_if" is BrIf.
enum class Op : uint16_t {
#define WATTLE_OP(Id, text, prefix, code, imm, sig, feature) Id,
#include "frontend/opcodes.def"
#undef WATTLE_OP
  Count
};

// Signature column: operand letters, a colon, result letters.
//   i i32   I i64   f f32   F f64   v v128   a the address type of the memory named by the memarg
// "*" marks an instruction whose typing is its own (control, references, parametric, aggregates).
struct OpInfo {
  std::string_view name;
  uint8_t prefix;  // 0, or 0xfb, 0xfc, 0xfd, 0xfe
  uint16_t code;   // opcode, or the number after the prefix
  Imm imm;
  std::string_view signature;
  Feature feature;
};

inline constexpr OpInfo kOpInfo[] = {
#define WATTLE_OP(Id, text, prefix, code, imm, sig, feature) {text, prefix, code, Imm::imm, sig, Feature::feature},
#include "frontend/opcodes.def"
#undef WATTLE_OP
};

constexpr const OpInfo& info(Op op) { return kOpInfo[static_cast<unsigned>(op)]; }
constexpr std::string_view name(Op op) { return info(op).name; }

}  // namespace wattle::frontend
