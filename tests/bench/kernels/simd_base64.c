#include "k.h"
#include <wasm_simd128.h>
#define N 12288
static u8 in[N+16] __attribute__((aligned(16))),out[N/3*4+16] __attribute__((aligned(16)));
/* Mula's base64 encoder, with i8x16.swizzle for pshufb */
NI static void enc(void){ const v128_t lut=wasm_i8x16_make('a'-26,'0'-52,'0'-52,'0'-52,'0'-52,'0'-52,'0'-52,'0'-52,'0'-52,'0'-52,'0'-52,'+'-62,'/'-63,'A',0,0);
 for(int i=0,o=0;i<N;i+=12,o+=16){ v128_t x=wasm_v128_load(in+i); x=wasm_i8x16_shuffle(x,x,1,0,2,1,4,3,5,4,7,6,8,7,10,9,11,10);
  v128_t ac=wasm_v128_and(x,wasm_i32x4_splat(0x0fc0fc00)), bd=wasm_v128_and(x,wasm_i32x4_splat(0x003f03f0));
  /* mulhi_epu16(ac,0x04000040): lanes alternate >>10 and >>6 */
  v128_t a=wasm_v128_bitselect(wasm_u16x8_shr(ac,10),wasm_u16x8_shr(ac,6),wasm_i32x4_splat(0x0000ffff));
  v128_t b=wasm_i16x8_mul(bd,wasm_i32x4_splat(0x01000010)); v128_t idx=wasm_v128_or(a,b);
  v128_t r=wasm_u8x16_sub_sat(idx,wasm_i8x16_splat(51)); v128_t lt=wasm_i8x16_lt(idx,wasm_i8x16_splat(26)); r=wasm_v128_or(r,wasm_v128_and(lt,wasm_i8x16_splat(13)));
  wasm_v128_store(out+o,wasm_i8x16_add(wasm_i8x16_swizzle(lut,r),idx)); } }
i64 run(i32 n){ u32 s=11; for(int i=0;i<N;i++)in[i]=rng(&s)>>7; u32 h=2166136261u; for(i32 k=0;k<n;k++){ in[(k*31)%N]^=k; enc(); h=(h^out[(k*47)%(N/3*4)])*16777619u; } for(int i=0;i<N/3*4;i++)h=(h^out[i])*16777619u; return h; }
