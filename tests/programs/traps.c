// traps KIND: ends in the trap named.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

volatile int zero = 0;
volatile int minus_one = -1;
volatile int smallest = (-2147483647 - 1);
volatile double huge = 1e300;

__attribute__((noinline)) int divide(int a, int b) { return a / b; }

__attribute__((noinline)) int recurse(int n) {
  volatile char frame[64];
  frame[0] = (char)n;
  return recurse(n + 1) + frame[0];
}

static int takes_int(int a) { return a; }

int main(int argc, char** argv) {
  const char* kind = argc > 1 ? argv[1] : "";
  printf("before %s\n", kind);
  fflush(stdout);
  if (!strcmp(kind, "unreachable")) __builtin_trap();
  if (!strcmp(kind, "abort")) abort();
  if (!strcmp(kind, "divide")) return divide(1, zero);
  if (!strcmp(kind, "overflow")) return divide(smallest, minus_one);
  if (!strcmp(kind, "memory")) return *(volatile int*)0x7fffffff;
  if (!strcmp(kind, "recursion")) return recurse(0);
  if (!strcmp(kind, "signature")) {
    void (*volatile f)(double) = (void (*)(double))takes_int;
    f(1.0);
  }
  if (!strcmp(kind, "element")) {
    int (*volatile f)(int) = (int (*)(int))0x7ffff;
    return f(1);
  }
  printf("no trap\n");
  return 0;
}
