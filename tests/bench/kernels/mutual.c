#include "k.h"
/* Hofstadter's female and male sequences */
static i32 M(i32 n); NI static i32 F(i32 n){ return n?n-M(F(n-1)):1; } NI static i32 M(i32 n){ return n?n-F(M(n-1)):0; }
i64 run(i32 n){ i64 s=0; for(i32 i=0;i<n;i++) s=s*7+F(i%40)*3+M((i+20)%40); return s; }
