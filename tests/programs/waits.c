// waits KIND: never ends by itself.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

volatile unsigned counter;

int main(int argc, char** argv) {
  const char* kind = argc > 1 ? argv[1] : "spin";
  printf("waiting\n");
  fflush(stdout);
  if (!strcmp(kind, "spin")) {
    for (;;) counter++;
  }
  if (!strcmp(kind, "sleep")) {
    for (;;) sleep(1000);
  }
  char byte;
  while (read(0, &byte, 1) >= 0) {
  }
  return 1;
}
