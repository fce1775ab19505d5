#include "k.h"
/* register VM whose handlers are called through a table of function pointers */
typedef struct{ u8 op,a,b,c; } I; static i32 r[16]; static i32 pc;
static void add(I i){r[i.a]=r[i.b]+r[i.c];} static void sub(I i){r[i.a]=r[i.b]-r[i.c];} static void mul(I i){r[i.a]=r[i.b]*r[i.c];} static void xor_(I i){r[i.a]=r[i.b]^r[i.c];} static void shr(I i){r[i.a]=(u32)r[i.b]>>(r[i.c]&31);} static void li(I i){r[i.a]=(i.b<<8)|i.c;} static void jnz(I i){ if(r[i.a])pc=i.b; } static void dec(I i){r[i.a]--;}
static void (*const H[8])(I)={add,sub,mul,xor_,shr,li,jnz,dec};
static const I prog[]={{5,1,0,7},{5,2,1,3},{5,3,0,13},{0,4,1,2},{2,5,4,3},{3,6,5,4},{4,7,6,1},{0,2,2,7},{1,1,5,2},{7,15,0,0},{6,15,3,0}};
i64 run(i32 n){ for(int i=0;i<16;i++)r[i]=0; r[15]=n; pc=0; i32 L=sizeof prog/sizeof*prog; while(pc<L){ I i=prog[pc++]; H[i.op](i); } i64 s=0; for(int i=0;i<16;i++) s=s*131+r[i]; return s; }
