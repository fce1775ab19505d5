#include "k.h"
static u32 tab[256]; static u8 buf[65536];
i64 run(i32 n){ for(u32 i=0;i<256;i++){ u32 c=i; for(int k=0;k<8;k++) c=(c&1)?0xEDB88320u^(c>>1):c>>1; tab[i]=c; }
  u32 s=12345; for(int i=0;i<65536;i++) buf[i]=rng(&s)>>8;
  u32 c=~0u; for(i32 r=0;r<n;r++) for(int i=0;i<65536;i++) c=tab[(c^buf[i])&255]^(c>>8); return ~c; }
