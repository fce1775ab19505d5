#include "k.h"
#define N 192
static double A[N][N],Bm[N][N],C[N][N];
NI static void mm(void){ for(int i=0;i<N;i++) for(int j=0;j<N;j++){ double s=0; for(int k=0;k<N;k++) s+=A[i][k]*Bm[k][j]; C[i][j]=s; } }
i64 run(i32 n){ for(int i=0;i<N;i++)for(int j=0;j<N;j++){A[i][j]=(i*7+j*3)%11-5;Bm[i][j]=((i*5+j*13)%17)*0.25;}
 double t=0; for(i32 r=0;r<n;r++){ A[r%N][0]+=1; mm(); t+=C[r%N][(r*7)%N]; } for(int i=0;i<N;i++)t+=C[i][(i*3)%N]; return fbits(t); }
