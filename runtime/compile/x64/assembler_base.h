// Registers, memory operands, labels, the code buffer, and the two encoders (legacy and VEX) that every instruction
// goes through. Emission does not check for room: the compiler calls ensure() once per wasm instruction.
#pragma once

#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

#define WATTLE_X64_INLINE [[gnu::always_inline]] inline

namespace wattle::x64 {

enum class Gpr : uint8_t { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15 };

// clang-format off
enum class Xmm : uint8_t { xmm0, xmm1, xmm2, xmm3, xmm4, xmm5, xmm6, xmm7,
                           xmm8, xmm9, xmm10, xmm11, xmm12, xmm13, xmm14, xmm15 };
// clang-format on

// The x86 condition codes.
enum class Cond : uint8_t { o, no, b, ae, e, ne, be, a, s, ns, p, np, l, ge, le, g };

constexpr Cond negate(Cond c) { return static_cast<Cond>(static_cast<uint8_t>(c) ^ 1); }

// The condition that holds after `cmp b, a` when `c` holds after `cmp a, b` (orderings and equality only).
constexpr Cond swapOperands(Cond c) {
  switch (c) {
    case Cond::b: return Cond::a;
    case Cond::a: return Cond::b;
    case Cond::ae: return Cond::be;
    case Cond::be: return Cond::ae;
    case Cond::l: return Cond::g;
    case Cond::g: return Cond::l;
    case Cond::ge: return Cond::le;
    case Cond::le: return Cond::ge;
    default: return c;
  }
}

// Operand width; w32 writes clear the upper half of the register. Instructions without 8 and 16 bit forms say so.
enum class Width : uint8_t { w8, w16, w32, w64 };
inline constexpr Width w8 = Width::w8, w16 = Width::w16, w32 = Width::w32, w64 = Width::w64;

constexpr unsigned num(Gpr r) { return static_cast<unsigned>(r); }
constexpr unsigned num(Xmm r) { return static_cast<unsigned>(r); }
constexpr unsigned num(Cond c) { return static_cast<unsigned>(c); }

// [base + index * scale + disp]. rsp cannot be an index in the encoding and stands for "none".
struct Mem {
  Gpr base;
  Gpr index;
  uint8_t scaleLog2;
  int32_t disp;

  static constexpr Gpr kNoIndex = Gpr::rsp;

  constexpr explicit Mem(Gpr b, int32_t d = 0) : base(b), index(kNoIndex), scaleLog2(0), disp(d) {}
  // scale: 1, 2, 4 or 8
  constexpr Mem(Gpr b, Gpr i, unsigned scale, int32_t d = 0)
      : base(b), index(i), scaleLog2(static_cast<uint8_t>(std::countr_zero(scale))), disp(d) {
    assert(i != Gpr::rsp && std::has_single_bit(scale) && scale <= 8);
  }
  constexpr bool hasIndex() const { return index != kNoIndex; }
  constexpr bool uses(Gpr r) const { return base == r || (index == r && hasIndex()); }
  constexpr Mem at(int32_t more) const {
    Mem m = *this;
    m.disp += more;
    return m;
  }
  friend constexpr bool operator==(const Mem&, const Mem&) = default;
};
static_assert(sizeof(Mem) == 8);

// A place in the code. While it is unbound, its uses form a chain through their own displacement fields; `link` is the
// last. Never copy a label that has uses and is not bound.
struct Label {
  int32_t pos = -1;
  int32_t link = -1;

  bool bound() const { return pos >= 0; }
  bool used() const { return link >= 0; }  // has uses that wait for bind()
};

// A forward jump with an 8-bit displacement, for targets known to be near.
struct ShortJump {
  int32_t at = -1;  // position of the displacement
};

// Growable memory for code, reusable from function to function.
class CodeBuffer {
 public:
  // Emission stores up to 8 bytes at a time and may scribble on this much beyond cur.
  static constexpr size_t kSlack = 32;

  explicit CodeBuffer(size_t capacity = 64 * 1024) { allocate(capacity); }
  ~CodeBuffer() { std::free(start); }
  CodeBuffer(const CodeBuffer&) = delete;
  CodeBuffer& operator=(const CodeBuffer&) = delete;

  // Makes room for n more bytes. The only check on the way of emission.
  WATTLE_X64_INLINE void ensure(size_t n) {
    if (static_cast<size_t>(limit - cur) < n) [[unlikely]]
      grow(n);
  }
  int32_t pos() const { return static_cast<int32_t>(cur - start); }
  size_t size() const { return static_cast<size_t>(cur - start); }
  size_t capacity() const { return static_cast<size_t>(limit - start); }
  uint8_t* data() { return start; }
  const uint8_t* data() const { return start; }
  // Forgets the contents, keeps the memory.
  void reset() { cur = start; }
  // Gives the memory back when a huge function has blown it up.
  void shrink(size_t keep = 1024 * 1024) {
    if (capacity() <= keep) return;
    std::free(start);
    allocate(keep);
  }

  uint8_t* start = nullptr;
  uint8_t* cur = nullptr;
  uint8_t* limit = nullptr;

 private:
  void allocate(size_t capacity) {
    start = static_cast<uint8_t*>(std::malloc(capacity + kSlack));
    if (!start) throw std::bad_alloc();
    cur = start;
    limit = start + capacity;
  }
  [[gnu::noinline, gnu::cold]] void grow(size_t n) {
    size_t used = size();
    size_t wanted = capacity() * 2;
    if (wanted < used + n) wanted = used + n;
    if (wanted > INT32_MAX) {
      wanted = INT32_MAX - kSlack;
      if (wanted < used + n) throw std::bad_alloc();
    }
    auto* bigger = static_cast<uint8_t*>(std::realloc(start, wanted + kSlack));
    if (!bigger) throw std::bad_alloc();
    start = bigger;
    cur = start + used;
    limit = start + wanted;
  }
};

// Mandatory prefixes and opcode maps, in VEX numbering.
enum class Pp : uint8_t { np, p66, pf3, pf2 };
enum class Map : uint8_t { m0f = 1, m38 = 2, m3a = 3 };

// What an SSE or VEX instruction is, in one constant.
struct OpSpec {
  uint8_t opcode;
  Pp pp;
  Map map;
  uint8_t w = 0;
};

class AssemblerBase : public CodeBuffer {
 public:
  using CodeBuffer::CodeBuffer;

  // ---- data ----
  WATTLE_X64_INLINE void emit8(uint8_t v) { *cur++ = v; }
  WATTLE_X64_INLINE void emit16(uint16_t v) { put(v, 2); }
  WATTLE_X64_INLINE void emit32(uint32_t v) { put(v, 4); }
  WATTLE_X64_INLINE void emit64(uint64_t v) { put(v, 8); }
  // Makes its own room.
  void emitBytes(const void* p, size_t n) {
    ensure(n);
    std::memcpy(cur, p, n);
    cur += n;
  }

  // ---- labels ----
  // The label's place is here; earlier uses are patched.
  void bind(Label& l) {
    assert(!l.bound());
    int32_t here = pos();
    for (int32_t at = l.link; at >= 0;) {
      int32_t next = read32(at);
      write32(at, here - (at + 4));
      at = next;
    }
    l.link = -1;
    l.pos = here;
  }
  void bind(ShortJump j) {
    int32_t distance = pos() - (j.at + 1);
    if (distance > 127) [[unlikely]]
      std::abort();  // in every build: a jump to the wrong place is the end of the sandbox
    start[j.at] = static_cast<uint8_t>(distance);
  }
  // A 32-bit displacement to the label, relative to the end of the field; also the entries of jump tables.
  WATTLE_X64_INLINE void rel32(Label& l) {
    int32_t at = pos();
    if (l.bound()) {
      emit32(static_cast<uint32_t>(l.pos - (at + 4)));
    } else {
      emit32(static_cast<uint32_t>(l.link));
      l.link = at;
    }
  }
  int32_t read32(int32_t at) const {
    int32_t v;
    std::memcpy(&v, start + at, 4);
    return v;
  }
  void write32(int32_t at, int32_t v) { std::memcpy(start + at, &v, 4); }
  // Makes the 32-bit displacement at `at` (see callRel32, jmpRel32) lead to `target`.
  void patchRel32(int32_t at, int32_t target) { write32(at, target - (at + 4)); }

 protected:
  WATTLE_X64_INLINE void put(uint64_t bits, unsigned length) {
    uint8_t* p = cur;
    cur = p + length;
    std::memcpy(p, &bits, 8);
  }

  // REX.X and REX.B of the last operand.
  WATTLE_X64_INLINE static unsigned rexXb(Gpr r) { return num(r) >> 3; }
  WATTLE_X64_INLINE static unsigned rexXb(Xmm r) { return num(r) >> 3; }
  WATTLE_X64_INLINE static unsigned rexXb(const Mem& m) { return (num(m.index) >> 3) << 1 | num(m.base) >> 3; }
  WATTLE_X64_INLINE static unsigned rexXb(const Label&) { return 0; }

  // Stores the head (prefixes and opcode), then ModRM, SIB and displacement.
  WATTLE_X64_INLINE void finish(uint64_t head, unsigned n, unsigned reg, Gpr rm) { finishReg(head, n, reg, num(rm)); }
  WATTLE_X64_INLINE void finish(uint64_t head, unsigned n, unsigned reg, Xmm rm) { finishReg(head, n, reg, num(rm)); }
  WATTLE_X64_INLINE void finishReg(uint64_t head, unsigned n, unsigned reg, unsigned rm) {
    put(head | static_cast<uint64_t>(0xc0 | (reg & 7) << 3 | (rm & 7)) << (8 * n), n + 1);
  }
  WATTLE_X64_INLINE void finish(uint64_t head, unsigned n, unsigned reg, const Mem& m) {
    // Arithmetic instead of branches: base and index are often constants here, the displacement seldom.
    unsigned low = num(m.base) & 7;
    unsigned sib = m.hasIndex() | (low == 4);
    unsigned empty = (m.disp == 0) & (low != 5);
    unsigned mod = 2u - (m.disp == static_cast<int8_t>(m.disp)) - empty;  // displacements of 0, 1, 4 bytes
    unsigned sibByte = static_cast<unsigned>(m.scaleLog2) << 6 | (num(m.index) & 7) << 3 | low;
    uint64_t tail = static_cast<uint64_t>(static_cast<uint32_t>(m.disp)) << (8 + 8 * sib) |
                    (sibByte & (0u - sib)) << 8 | mod << 6 | (reg & 7) << 3 | (m.hasIndex() ? 4 : low);
    uint8_t* p = cur;
    cur = p + n + 1 + sib + mod * mod;
    std::memcpy(p, &head, 8);
    std::memcpy(p + n, &tail, 8);
  }
  // rip-relative. Not for instructions with an immediate: the displacement must come last.
  WATTLE_X64_INLINE void finish(uint64_t head, unsigned n, unsigned reg, Label& l) {
    put(head | static_cast<uint64_t>((reg & 7) << 3 | 5) << (8 * n), n + 1);
    rel32(l);
  }

  // [prefix] [66] [REX] opcode ModRM. `opcode` holds `opcodeLength` bytes, the first in the lowest bits. forceRex: the
  // operand is one of spl, bpl, sil, dil.
  template <class Rm>
  WATTLE_X64_INLINE void legacy(Width w, uint32_t opcode, unsigned opcodeLength, unsigned reg, Rm&& rm,
                                bool forceRex = false, uint8_t prefix = 0) {
    unsigned rex = (w == w64 ? 8u : 0u) | (reg >> 3) << 2 | rexXb(rm);
    bool need = rex != 0 || forceRex;
    uint64_t head = need ? static_cast<uint64_t>(opcode) << 8 | 0x40 | rex : opcode;
    unsigned n = opcodeLength + need;
    if (prefix) {
      head = head << 8 | prefix;
      ++n;
    }
    if (w == w16) {
      head = head << 8 | 0x66;
      ++n;
    }
    finish(head, n, reg, rm);
  }

  // [66|F3|F2] [REX] 0F [38|3A] opcode ModRM
  template <class Rm>
  WATTLE_X64_INLINE void sse(OpSpec s, unsigned reg, Rm&& rm, bool forceRex = false) {
    unsigned rex = static_cast<unsigned>(s.w) << 3 | (reg >> 3) << 2 | rexXb(rm);
    uint64_t head = s.opcode;
    unsigned n = 2;
    if (s.map != Map::m0f) {
      head = head << 8 | (s.map == Map::m38 ? 0x38 : 0x3a);
      ++n;
    }
    head = head << 8 | 0x0f;
    bool need = rex != 0 || forceRex;
    head = need ? head << 8 | 0x40 | rex : head;
    n += need;
    if (s.pp != Pp::np) {
      head = head << 8 | (0xf2f36600u >> (8 * static_cast<unsigned>(s.pp)) & 0xff);
      ++n;
    }
    finish(head, n, reg, rm);
  }

  // VEX.128 (or LZ); v is the extra operand, 0 if none.
  template <class Rm>
  WATTLE_X64_INLINE void vex(OpSpec s, unsigned reg, unsigned v, Rm&& rm) {
    unsigned xb = rexXb(rm);
    unsigned r = (reg >> 3 ^ 1) << 7;
    unsigned last = (v ^ 15) << 3 | static_cast<unsigned>(s.pp);
    bool shortForm = s.map == Map::m0f && (xb | s.w) == 0;
    uint64_t two = 0xc5u | (r | last) << 8 | static_cast<unsigned>(s.opcode) << 16;
    uint64_t three = 0xc4u | (r | (xb ^ 3) << 5 | static_cast<unsigned>(s.map)) << 8 |
                     (last | static_cast<unsigned>(s.w) << 7) << 16 | static_cast<unsigned>(s.opcode) << 24;
    finish(shortForm ? two : three, shortForm ? 3 : 4, reg, rm);
  }
};

}  // namespace wattle::x64
