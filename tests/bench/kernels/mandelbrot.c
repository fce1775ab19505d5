#include "k.h"
i64 run(i32 n){ i64 s=0; for(i32 y=0;y<n;y++) for(i32 x=0;x<n;x++){ double cr=3.0*x/n-2.25,ci=2.5*y/n-1.25,zr=0,zi=0; i32 i=0; for(;i<100;i++){ double r2=zr*zr,i2=zi*zi; if(r2+i2>4.0)break; zi=2*zr*zi+ci; zr=r2-i2+cr; } s=s*3+i; } return s; }
