#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
  int n = argc > 1 ? atoi(argv[1]) : 10;
  long sum = 0;
  for (int i = 1; i <= n; i++) sum += (long)i * i;
  printf("sum of squares 1..%d = %ld\n", n, sum);
  return 0;
}
