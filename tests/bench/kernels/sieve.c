#include "k.h"
#define N 2000000
static u8 comp[N+1];
i64 run(i32 n){ i64 r=0; for(i32 it=0;it<n;it++){ for(i32 i=0;i<=N;i++)comp[i]=0;
  for(i32 i=2;i*i<=N;i++) if(!comp[i]) for(i32 j=i*i;j<=N;j+=i) comp[j]=1;
  i32 c=0; for(i32 i=2;i<=N;i++) c+=!comp[i]; r=r*31+c+it; } return r; }
