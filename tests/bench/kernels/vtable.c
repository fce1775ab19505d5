#include "k.h"
typedef struct S S; typedef struct { i32(*area)(const S*); i32(*scale)(S*,i32); } VT; struct S{ const VT*vt; i32 a,b,c; };
static i32 a0(const S*s){return s->a*s->b;} static i32 a1(const S*s){return 3*s->a*s->a;} static i32 a2(const S*s){return (s->a*s->b)>>1;} static i32 a3(const S*s){return s->a+s->b+s->c;}
static i32 c0(S*s,i32 k){s->a=(s->a+k)&63;return s->a;} static i32 c1(S*s,i32 k){s->b=(s->b^k)&63;return s->b;} static i32 c2(S*s,i32 k){s->a=(s->a*3+k)&63;return s->a;} static i32 c3(S*s,i32 k){s->c=(s->c-k)&63;return s->c;}
static const VT vt[4]={{a0,c0},{a1,c1},{a2,c2},{a3,c3}};
#define N 1024
static S sh[N];
i64 run(i32 n){ u32 s=77; for(int i=0;i<N;i++){sh[i].vt=&vt[rng(&s)>>11&3];sh[i].a=rng(&s)&63;sh[i].b=rng(&s)&63;sh[i].c=rng(&s)&63;} i64 r=0; for(i32 k=0;k<n;k++) for(int i=0;i<N;i++){ r+=sh[i].vt->area(&sh[i]); r^=sh[i].vt->scale(&sh[i],k+i); } return r; }
