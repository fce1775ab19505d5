#include "k.h"
#define N 50000
static i32 a[N];
NI static void qs(i32*v,i32 l,i32 h){ while(h-l>12){ i32 m=l+(h-l)/2,p=v[m],i=l,j=h; if(v[l]>v[h]){i32 t=v[l];v[l]=v[h];v[h]=t;} while(i<=j){ while(v[i]<p)i++; while(v[j]>p)j--; if(i<=j){i32 t=v[i];v[i]=v[j];v[j]=t;i++;j--;} } if(j-l<h-i){qs(v,l,j);l=i;}else{qs(v,i,h);h=j;} }
 for(i32 i=l+1;i<=h;i++){i32 x=v[i],j=i-1;while(j>=l&&v[j]>x){v[j+1]=v[j];j--;}v[j+1]=x;} }
i64 run(i32 n){ i64 r=0; u32 s=42; for(i32 k=0;k<n;k++){ for(int i=0;i<N;i++)a[i]=(i32)rng(&s)>>4; qs(a,0,N-1); for(int i=1;i<N;i++)if(a[i-1]>a[i])return -1; r=r*31+a[k%N]+a[N/2]; } return r; }
