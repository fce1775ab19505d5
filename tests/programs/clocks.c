// Clocks go forward, and sleeping takes the time it should.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double now(clockid_t clock) {
  struct timespec t;
  if (clock_gettime(clock, &t)) exit(1);
  return t.tv_sec + t.tv_nsec / 1e9;
}

int main(void) {
  double start = now(CLOCK_MONOTONIC);
  usleep(20000);
  double slept = now(CLOCK_MONOTONIC) - start;
  printf("slept at least 20 ms: %s\n", slept >= 0.02 ? "yes" : "no");
  printf("after 2020: %s\n", now(CLOCK_REALTIME) > 1577836800 ? "yes" : "no");
  unsigned char bytes[64] = {0};
  int set = 0;
  if (getentropy(bytes, sizeof bytes)) return 1;
  for (unsigned i = 0; i < sizeof bytes; i++) set += bytes[i] != 0;
  printf("random: %s\n", set > 32 ? "yes" : "no");
  return 0;
}
