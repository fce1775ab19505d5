#include "k.h"
#define CAP 65536
static u32 key[CAP]; static i32 val[CAP];
static i32 *slot(u32 k){ u32 h=k*2654435769u>>16; while(key[h]&&key[h]!=k)h=(h+1)&(CAP-1); key[h]=k; return &val[h]; }
i64 run(i32 n){ i64 r=0; for(i32 t=0;t<n;t++){ for(int i=0;i<CAP;i++){key[i]=0;val[i]=0;} u32 s=1234+t; for(int i=0;i<40000;i++) *slot((rng(&s)>>4)|1)+=i; s=1234+t; for(int i=0;i<40000;i++) r+=*slot((rng(&s)>>4)|1); r=r*3+t; } return r; }
