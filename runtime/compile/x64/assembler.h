// The x86-64 assembler of the baseline compiler: header only, no checks on the way (see CodeBuffer::ensure), no
// allocation.
//
//   Assembler a;
//   a.avx = cpu.has(CpuFeature::avx2);
//   a.ensure(256);                          // once per wasm instruction
//   a.add(w32, Gpr::rax, Gpr::rcx);
//   a.mov(w64, Gpr::rdx, Mem(Gpr::r13, 16));
//   Label out;
//   a.cmp(w32, Gpr::rax, 7);
//   a.jcc(Cond::e, out);
//   ...
//   a.bind(out);
#pragma once

#include "runtime/compile/x64/assembler_simd.h"

namespace wattle::x64 {

using Assembler = AssemblerSimd;

}  // namespace wattle::x64
