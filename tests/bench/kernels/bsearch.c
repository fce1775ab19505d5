#include "k.h"
#define N 65536
static i32 a[N];
NI static i32 bs(i32 x){ i32 l=0,h=N; while(l<h){ i32 m=(u32)(l+h)>>1; if(a[m]<x)l=m+1; else h=m; } return l; }
i64 run(i32 n){ u32 s=8; i32 v=0; for(int i=0;i<N;i++){v+=1+(rng(&s)&15);a[i]=v;} i64 r=0; for(i32 k=0;k<n;k++) r+=bs((i32)(rng(&s)%(u32)v))*(k&7); return r; }
