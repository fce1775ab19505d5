#include "k.h"
#define N 262144
static u8 a[N],b[N];
NI static void cpy8(u8*d,const u8*s,int n){ for(int i=0;i<n;i++){ d[i]=s[i]; __asm__ volatile(""); } }
NI static void cpy32(u32*d,const u32*s,int n){ for(int i=0;i<n;i+=4){ u32 x=s[i],y=s[i+1],z=s[i+2],w=s[i+3]; d[i]=x;d[i+1]=y;d[i+2]=z;d[i+3]=w; __asm__ volatile("":::"memory"); } }
i64 run(i32 n){ u32 s=1; for(int i=0;i<N;i++)a[i]=rng(&s); i64 r=0; for(i32 k=0;k<n;k++){ cpy8(b,a,N); b[k&(N-1)]^=k; cpy32((u32*)a,(u32*)b,N/4); r=r*33+a[(k*7919)&(N-1)]; } return r; }
