#include "k.h"
#define LG 12
#define N (1<<LG)
static double re[N],im[N],cs[N/2],sn[N/2];
static double sin_t(double x){ double t=x,s=x; for(int k=1;k<14;k++){ t*=-x*x/((2*k)*(2*k+1)); s+=t; } return s; }
static double cos_t(double x){ double t=1,s=1; for(int k=1;k<14;k++){ t*=-x*x/((2*k-1)*(2*k)); s+=t; } return s; }
NI static void fft(int inv){ for(int i=1,j=0;i<N;i++){ int b=N>>1; for(;j&b;b>>=1)j^=b; j^=b; if(i<j){double t=re[i];re[i]=re[j];re[j]=t;t=im[i];im[i]=im[j];im[j]=t;} }
 for(int len=2;len<=N;len<<=1){ int h=len/2,st=N/len; for(int i=0;i<N;i+=len) for(int k=0;k<h;k++){ double wr=cs[k*st],wi=inv?-sn[k*st]:sn[k*st]; double xr=re[i+k+h]*wr-im[i+k+h]*wi,xi=re[i+k+h]*wi+im[i+k+h]*wr; re[i+k+h]=re[i+k]-xr;im[i+k+h]=im[i+k]-xi;re[i+k]+=xr;im[i+k]+=xi; } } }
i64 run(i32 n){ for(int i=0;i<N/2;i++){double a=-2*3.141592653589793*i/N;cs[i]=cos_t(a);sn[i]=sin_t(a);} u32 s=99; for(int i=0;i<N;i++){re[i]=(double)(rng(&s)&1023)/512-1;im[i]=0;}
 for(i32 r=0;r<n;r++){ fft(0); fft(1); for(int i=0;i<N;i++){re[i]*=1.0/N;im[i]*=1.0/N;} } double e=0; for(int i=0;i<N;i++)e+=re[i]*(i&7)+im[i]; return (i64)(e*1e6); }
