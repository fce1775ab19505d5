#include "k.h"
#define N 16384
typedef struct Nd{ struct Nd*next; i32 v; i32 pad[2]; } Nd; static Nd nd[N]; static i32 perm[N];
i64 run(i32 n){ u32 s=9; for(int i=0;i<N;i++)perm[i]=i; for(int i=N-1;i>0;i--){int j=rng(&s)%(i+1);int t=perm[i];perm[i]=perm[j];perm[j]=t;} for(int i=0;i<N;i++){nd[perm[i]].next=&nd[perm[(i+1)%N]];nd[perm[i]].v=i;}
 i64 r=0; Nd*p=nd; for(i32 k=0;k<n;k++){ for(int i=0;i<N;i++){ r+=p->v^k; p=p->next; } p=p->next; r^=r<<1; } return r; }
