#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>
#include <errno.h>
#include <fcntl.h>
/* fscopy SRCDIR DSTDIR : lists SRCDIR sorted, copies the regular files, appends to one, renames one, makes
   and removes a directory, a sparse write with lseek, and lists DSTDIR */
static int cmp(const void* a, const void* b) {
  return strcmp(*(char**)a, *(char**)b);
}
static int list(const char* d, char*** out) {
  DIR* h = opendir(d);
  if (!h) {
    fprintf(stderr, "opendir %s: %s\n", d, strerror(errno));
    exit(2);
  }
  char** v = 0;
  int n = 0;
  struct dirent* e;
  while ((e = readdir(h))) {
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
      continue;
    v = realloc(v, (n + 1) * sizeof *v);
    v[n++] = strdup(e->d_name);
  }
  closedir(h);
  if (n)
    qsort(v, n, sizeof *v, cmp);
  *out = v;
  return n;
}
static void show(const char* d) {
  char** v;
  int n = list(d, &v);
  printf("%s: %d entries\n", strrchr(d, '/') ? strrchr(d, '/') + 1 : d, n);
  for (int i = 0; i < n; i++) {
    char p[1024];
    snprintf(p, sizeof p, "%s/%s", d, v[i]);
    struct stat st;
    if (stat(p, &st)) {
      printf("  %s stat: %s\n", v[i], strerror(errno));
      continue;
    }
    if (S_ISDIR(st.st_mode))
      printf("  %s/\n", v[i]);
    else {
      FILE* f = fopen(p, "rb");
      unsigned h = 2166136261u;
      int c;
      while ((c = getc(f)) != EOF)
        h = (h ^ c) * 16777619u;
      fclose(f);
      printf("  %s %lld bytes fnv %08x\n", v[i], (long long)st.st_size, h);
    }
  }
}
int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: fscopy SRC DST\n");
    return 2;
  }
  show(argv[1]);
  char** v;
  int n = list(argv[1], &v);
  char a[1024], b[1024];
  for (int i = 0; i < n; i++) {
    snprintf(a, sizeof a, "%s/%s", argv[1], v[i]);
    snprintf(b, sizeof b, "%s/%s", argv[2], v[i]);
    struct stat st;
    if (stat(a, &st) || !S_ISREG(st.st_mode))
      continue;
    FILE *f = fopen(a, "rb"), *g = fopen(b, "wb");
    if (!f || !g) {
      printf("open: %s\n", strerror(errno));
      return 1;
    }
    char buf[4096];
    size_t k;
    while ((k = fread(buf, 1, sizeof buf, f)))
      fwrite(buf, 1, k, g);
    fclose(f);
    fclose(g);
  }
  snprintf(a, sizeof a, "%s/log.txt", argv[2]);
  for (int i = 0; i < 3; i++) {
    FILE* f = fopen(a, "a");
    fprintf(f, "line %d\n", i);
    fclose(f);
  }
  snprintf(b, sizeof b, "%s/renamed.txt", argv[2]);
  if (rename(a, b))
    printf("rename: %s\n", strerror(errno));
  snprintf(a, sizeof a, "%s/sub", argv[2]);
  printf("mkdir %d\n", mkdir(a, 0777));
  errno = 0;
  int r = mkdir(a, 0777);
  printf("mkdir again %d %s\n", r, errno == EEXIST ? "EEXIST" : "?");
  printf("rmdir %d\n", rmdir(a));
  snprintf(a, sizeof a, "%s/sparse.bin", argv[2]);
  int fd = open(a, O_CREAT | O_RDWR | O_TRUNC, 0666);
  write(fd, "head", 4);
  printf("lseek %lld\n", (long long)lseek(fd, 1000, SEEK_SET));
  write(fd, "tail", 4);
  char t[5] = {0};
  pread(fd, t, 4, 1000);
  printf("pread %s\n", t);
  printf("ftruncate %d\n", ftruncate(fd, 1002));
  close(fd);
  snprintf(a, sizeof a, "%s/gone", argv[2]);
  errno = 0;
  r = unlink(a);
  printf("unlink missing %d %s\n", r, errno == ENOENT ? "ENOENT" : "?");
  errno = 0;
  fd = open("../../etc/passwd", O_RDONLY);
  printf("escape %s\n", fd < 0 ? "refused" : "OPENED");
  show(argv[2]);
  return 0;
}
