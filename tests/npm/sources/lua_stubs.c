// What Lua's libraries use of the system and wasi-libc does not have.
#include <stdio.h>

int system(const char* command) {
  (void)command;
  return -1;
}
FILE* tmpfile(void) { return NULL; }
char* tmpnam(char* buffer) {
  (void)buffer;
  return NULL;
}
