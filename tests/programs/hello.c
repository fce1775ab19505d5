#include <stdio.h>
int main(void) {
  puts("hello, world");
  fprintf(stderr, "on stderr\n");
  printf("%d %.3f %s %c %08x %lld\n", 42, 3.14159, "str", 'z', 0xbeefu, 1234567890123LL);
  return 0;
}
