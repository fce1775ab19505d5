#include "k.h"
static u32 gcd(u32 a,u32 b){ while(b){ u32 t=a%b; a=b; b=t; } return a; }
i64 run(i32 n){ u64 s=0; for(i32 i=1;i<=n;i++){ u64 x=i; i32 c=0; while(x!=1){ x=(x&1)?3*x+1:x>>1; c++; } s+=(u64)c*gcd((u32)i*2654435761u,(u32)i+360360); } return s; }
