#include "k.h"
#include <wasm_simd128.h>
#define N 65536 /* RGBA bytes */
static u8 dst[N] __attribute__((aligned(16))),src[N] __attribute__((aligned(16)));
NI static void blend(void){ const v128_t c255=wasm_i16x8_splat(255),c128=wasm_i16x8_splat(128);
 for(int i=0;i<N;i+=16){ v128_t s=wasm_v128_load(src+i),d=wasm_v128_load(dst+i); v128_t al=wasm_i8x16_shuffle(s,s,3,3,3,3,7,7,7,7,11,11,11,11,15,15,15,15);
  v128_t sl=wasm_u16x8_extend_low_u8x16(s),sh=wasm_u16x8_extend_high_u8x16(s),dl=wasm_u16x8_extend_low_u8x16(d),dh=wasm_u16x8_extend_high_u8x16(d),alo=wasm_u16x8_extend_low_u8x16(al),ahi=wasm_u16x8_extend_high_u8x16(al);
  v128_t lo=wasm_i16x8_add(wasm_i16x8_add(wasm_i16x8_mul(sl,alo),wasm_i16x8_mul(dl,wasm_i16x8_sub(c255,alo))),c128); lo=wasm_u16x8_shr(wasm_i16x8_add(lo,wasm_u16x8_shr(lo,8)),8);
  v128_t hi=wasm_i16x8_add(wasm_i16x8_add(wasm_i16x8_mul(sh,ahi),wasm_i16x8_mul(dh,wasm_i16x8_sub(c255,ahi))),c128); hi=wasm_u16x8_shr(wasm_i16x8_add(hi,wasm_u16x8_shr(hi,8)),8);
  wasm_v128_store(dst+i,wasm_u8x16_narrow_i16x8(lo,hi)); } }
i64 run(i32 n){ u32 s=5; for(int i=0;i<N;i++){src[i]=rng(&s)>>3;dst[i]=rng(&s)>>5;} for(i32 k=0;k<n;k++){ blend(); src[(k*4+3)&(N-1)]^=0x55; dst[(k*977)&(N-1)]^=k; } u32 h=2166136261u; for(int i=0;i<N;i++)h=(h^dst[i])*16777619u; return h; }
