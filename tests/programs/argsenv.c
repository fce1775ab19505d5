#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
extern char **environ;
/* argsenv [exit CODE] ARG... : prints arguments and the environment sorted; exits with CODE */
static int cmp(const void *a, const void *b) {
  return strcmp(*(char **)a, *(char **)b);
}
int main(int argc, char **argv) {
  printf("argc=%d\n", argc);
  for (int i = 1; i < argc; i++)
    printf("argv[%d]=\"%s\" (%zu bytes)\n", i, argv[i], strlen(argv[i]));
  int n = 0;
  while (environ && environ[n])
    n++;
  char **e = malloc((n + 1) * sizeof *e);
  memcpy(e, environ, n * sizeof *e);
  qsort(e, n, sizeof *e, cmp);
  printf("envc=%d\n", n);
  for (int i = 0; i < n; i++)
    printf("%s\n", e[i]);
  const char *h = getenv("GREETING");
  printf("GREETING=%s\n", h ? h : "(unset)");
  FILE *f = fopen("/no/such/file", "r");
  printf("fopen: %s\n", f ? "opened?" : strerror(errno));
  if (argc > 2 && !strcmp(argv[1], "exit"))
    exit(atoi(argv[2]));
  return 0;
}
