#include "k.h"
#include <wasm_simd128.h>
#define N 8192
static float a[N],b[N]; static i16 p[N],q[N];
NI static float dotf(void){ v128_t s0=wasm_f32x4_splat(0),s1=s0; for(int i=0;i<N;i+=8){ s0=wasm_f32x4_add(s0,wasm_f32x4_mul(wasm_v128_load(a+i),wasm_v128_load(b+i))); s1=wasm_f32x4_add(s1,wasm_f32x4_mul(wasm_v128_load(a+i+4),wasm_v128_load(b+i+4))); } s0=wasm_f32x4_add(s0,s1); return wasm_f32x4_extract_lane(s0,0)+wasm_f32x4_extract_lane(s0,1)+wasm_f32x4_extract_lane(s0,2)+wasm_f32x4_extract_lane(s0,3); }
NI static i32 doti(void){ v128_t s=wasm_i32x4_splat(0); for(int i=0;i<N;i+=8) s=wasm_i32x4_add(s,wasm_i32x4_dot_i16x8(wasm_v128_load(p+i),wasm_v128_load(q+i))); return wasm_i32x4_extract_lane(s,0)+wasm_i32x4_extract_lane(s,1)+wasm_i32x4_extract_lane(s,2)+wasm_i32x4_extract_lane(s,3); }
i64 run(i32 n){ u32 s=3; for(int i=0;i<N;i++){a[i]=(float)(rng(&s)&15);b[i]=(float)(rng(&s)&7);p[i]=rng(&s)&255;q[i]=rng(&s)&127;} i64 r=0; for(i32 k=0;k<n;k++){ a[k&(N-1)]+=1; p[k&(N-1)]^=3; r+=(i64)dotf()*7+doti(); } return r; }
