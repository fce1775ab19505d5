/* freestanding helpers: no libc; memset/memcpy come from here where clang emits calls to them */
#ifndef K_H
#define K_H
typedef signed char i8;
typedef unsigned char u8;
typedef short i16;
typedef unsigned short u16;
typedef int i32;
typedef unsigned u32;
typedef long long i64;
typedef unsigned long long u64;
#define NI __attribute__((noinline))
static inline u32 rng(u32 *s) {
  u32 x = *s;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return *s = x;
}
static inline i64 fbits(double d) {
  union {
    double d;
    i64 i;
  } u;
  u.d = d;
  return u.i;
}
__attribute__((weak, no_builtin("memset"))) void *memset(void *d, int c, __SIZE_TYPE__ n) {
  u8 *p = d;
  while (n >= 4) {
    *(u32 *)p = 0x01010101u * (u8)c;
    p += 4;
    n -= 4;
    __asm__ volatile("" ::: "memory");
  }
  while (n--) *p++ = c;
  return d;
}
__attribute__((weak, no_builtin("memcpy"))) void *memcpy(void *d, const void *s, __SIZE_TYPE__ n) {
  u8 *p = d;
  const u8 *q = s;
  while (n--) *p++ = *q++;
  return d;
}
#endif
