#include "k.h"
NI static i32 fib(i32 n){ return n<2?n:fib(n-1)+fib(n-2); }
i64 run(i32 n){ return fib(n); }
