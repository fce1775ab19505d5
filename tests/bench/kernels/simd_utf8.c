#include "k.h"
#include <wasm_simd128.h>
#define N 65536
static u8 t[N+16] __attribute__((aligned(16)));
/* counts code points, ASCII blocks (any_true/bitmask) and non-BMP leads */
i64 run(i32 n){ u32 s=21; int i=0; while(i<N-8){ u32 r=rng(&s)&31; if(r<24)t[i++]=32+(rng(&s)%90); else if(r<28){t[i++]=0xC3;t[i++]=0x80+(rng(&s)&63);} else if(r<31){t[i++]=0xE2;t[i++]=0x82;t[i++]=0x80+(rng(&s)&63);} else {t[i++]=0xF0;t[i++]=0x9F;t[i++]=0x98;t[i++]=0x80+(rng(&s)&63);} }
 i64 res=0; for(i32 k=0;k<n;k++){ i64 cp=0,asc=0,four=0; for(int j=0;j<N;j+=16){ v128_t v=wasm_v128_load(t+j); v128_t lead=wasm_i8x16_gt(v,wasm_i8x16_splat(-65)); cp+=__builtin_popcount(wasm_i8x16_bitmask(lead)); if(!wasm_v128_any_true(wasm_v128_and(v,wasm_i8x16_splat(-128))))asc++; else { v128_t f=wasm_u8x16_ge(v,wasm_i8x16_splat((i8)0xF0)); four+=__builtin_popcount(wasm_i8x16_bitmask(f)); } } t[(k*13)&8191]^=1; res=res*31+cp+asc*3+four*5; } return res; }
