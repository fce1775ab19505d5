// Vector instructions against the same in scalar code.
#include <stdint.h>
#include <stdio.h>
#include <wasm_simd128.h>

static uint32_t state = 12345;
static uint32_t next(void) { return state = state * 1664525 + 1013904223; }

int main(void) {
  enum { kCount = 4096 };
  static int16_t a[kCount], b[kCount];
  static uint8_t bytes[kCount];
  static float f[kCount];
  for (int i = 0; i < kCount; i++) {
    a[i] = (int16_t)next();
    b[i] = (int16_t)next();
    bytes[i] = (uint8_t)(next() >> 24);
    f[i] = (float)(int32_t)next() / 65536.0f;
  }
  v128_t dots = wasm_i32x4_splat(0);
  for (int i = 0; i < kCount; i += 8) {
    dots = wasm_i32x4_add(dots, wasm_i32x4_dot_i16x8(wasm_v128_load(a + i), wasm_v128_load(b + i)));
  }
  int32_t dot = wasm_i32x4_extract_lane(dots, 0) + wasm_i32x4_extract_lane(dots, 1) +
                wasm_i32x4_extract_lane(dots, 2) + wasm_i32x4_extract_lane(dots, 3);
  uint32_t scalar = 0;
  for (int i = 0; i < kCount; i++) scalar += (uint32_t)((int32_t)a[i] * b[i]);
  printf("dot %d %s\n", dot, (uint32_t)dot == scalar ? "equal" : "different");

  v128_t most = wasm_u8x16_splat(0);
  int ones = 0;
  for (int i = 0; i < kCount; i += 16) {
    v128_t v = wasm_v128_load(bytes + i);
    most = wasm_u8x16_max(most, v);
    ones += __builtin_popcount(wasm_i8x16_bitmask(v));
  }
  int scalar_ones = 0;
  for (int i = 0; i < kCount; i++) scalar_ones += bytes[i] >> 7;
  printf("bitmask %d %s\n", ones, ones == scalar_ones ? "equal" : "different");

  v128_t sums = wasm_f32x4_splat(0);
  for (int i = 0; i < kCount; i += 4) sums = wasm_f32x4_add(sums, wasm_f32x4_sqrt(wasm_f32x4_abs(wasm_v128_load(f + i))));
  printf("sums %.3f %.3f %.3f %.3f\n", wasm_f32x4_extract_lane(sums, 0), wasm_f32x4_extract_lane(sums, 1),
         wasm_f32x4_extract_lane(sums, 2), wasm_f32x4_extract_lane(sums, 3));

  v128_t reversed = wasm_i8x16_shuffle(wasm_v128_load(bytes), wasm_v128_load(bytes + 16), 31, 30, 29, 28, 27, 26, 25, 24, 7, 6,
                                       5, 4, 3, 2, 1, 0);
  printf("shuffle %s\n", wasm_u8x16_extract_lane(reversed, 0) == bytes[31] && wasm_u8x16_extract_lane(reversed, 15) == bytes[0]
                             ? "equal"
                             : "different");
  return 0;
}
