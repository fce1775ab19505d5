#include "k.h"
/* state machine: tokenises C-like text, hashes the tokens */
#define N 65536
static u8 t[N+1]; static const char src[]="static int f(int a, float b2){ /* note */ return a*0x1F + b2/3.14e-2 - \"str\\n\"[a]; } // end\nwhile(x<=y && z!=4){x>>=1; y=~x^z;}\n";
i64 run(i32 n){ for(int i=0,j=0;i<N;i++){t[i]=src[j++];if(j==(int)sizeof src-1)j=0;} t[N]=0; i64 r=0; for(i32 k=0;k<n;k++){ enum{WS,ID,NUM,STR,ESC,SL,LC,BC,BCS,OP}st=WS; u32 h=k,cnt=0; for(int i=0;i<=N;i++){ u8 c=t[i]; again: switch(st){
 case WS: if(c==' '||c=='\n')break; h=h*31+1;cnt++; if((c>='a'&&c<='z')||(c>='A'&&c<='Z')||c=='_'){st=ID;h^=c;} else if(c>='0'&&c<='9'){st=NUM;h^=c;} else if(c=='"')st=STR; else if(c=='/')st=SL; else st=OP; break;
 case ID: if((c>='a'&&c<='z')||(c>='A'&&c<='Z')||(c>='0'&&c<='9')||c=='_'){h=h*33+c;break;} st=WS; goto again;
 case NUM: if((c>='0'&&c<='9')||(c>='a'&&c<='f')||(c>='A'&&c<='F')||c=='x'||c=='.'||(c=='-'&&t[i-1]=='e')){h=h*37+c;break;} st=WS; goto again;
 case STR: if(c=='\\')st=ESC; else if(c=='"')st=WS; else h=h*41+c; break; case ESC: h+=c; st=STR; break;
 case SL: if(c=='/')st=LC; else if(c=='*')st=BC; else {st=OP; goto again;} break; case LC: if(c=='\n')st=WS; break; case BC: if(c=='*')st=BCS; break; case BCS: st=c=='/'?WS:(c=='*'?BCS:BC); break;
 case OP: switch(c){case '=':case '>':case '<':case '&':case '!':h=h*43+c;break;default:st=WS;goto again;} break; } } r=r*7+h+cnt; } return r; }
