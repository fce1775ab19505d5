#include "k.h"
/* no tail calls here (asm barrier), so that the recursion stays real */
NI static i32 ack(i32 m,i32 n){ if(!m)return n+1; i32 r= n? ack(m,n-1):1; r=ack(m-1,r); __asm__ volatile("" : "+r"(r)); return r; }
i64 run(i32 n){ i64 s=0; for(i32 i=0;i<n;i++) s+=ack(2,300+(i&15)); return s+ack(3,6); }
