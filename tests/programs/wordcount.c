#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ctype.h>
/* counts lines, words and bytes of stdin, then the ten most frequent words (count down, then alphabet) */
typedef struct W {
  struct W* next;
  int n;
  char s[];
} W;
static W* tab[4096];
static int nw;
static int cmp(const void* a, const void* b) {
  const W *x = *(W**)a, *y = *(W**)b;
  return x->n != y->n ? y->n - x->n : strcmp(x->s, y->s);
}
int main(void) {
  static char buf[65536];
  char w[256];
  int wl = 0;
  long lines = 0, words = 0, bytes = 0;
  size_t k;
  int in = 0;
  while ((k = fread(buf, 1, sizeof buf, stdin)) > 0 || wl) {
    for (size_t i = 0; i <= k; i++) {
      int c = i < k ? (unsigned char)buf[i] : (k ? -1 : ' ');
      if (c < 0)
        break;
      if (i < k) {
        bytes++;
        if (c == '\n')
          lines++;
        if (isspace(c))
          in = 0;
        else if (!in) {
          in = 1;
          words++;
        }
      }
      if (isalpha(c)) {
        if (wl < 255)
          w[wl++] = tolower(c);
      } else if (wl) {
        w[wl] = 0;
        unsigned h = 5381;
        for (int j = 0; j < wl; j++)
          h = h * 33 + w[j];
        W** p = &tab[h & 4095];
        while (*p && strcmp((*p)->s, w))
          p = &(*p)->next;
        if (!*p) {
          *p = malloc(sizeof(W) + wl + 1);
          (*p)->next = 0;
          (*p)->n = 0;
          strcpy((*p)->s, w);
          nw++;
        }
        (*p)->n++;
        wl = 0;
      }
    }
    if (!k)
      break;
  }
  W** v = malloc(nw * sizeof *v + 1);
  int n = 0;
  for (int i = 0; i < 4096; i++)
    for (W* p = tab[i]; p; p = p->next)
      v[n++] = p;
  qsort(v, n, sizeof *v, cmp);
  printf("%ld lines %ld words %ld bytes %d distinct\n", lines, words, bytes, nw);
  for (int i = 0; i < n && i < 10; i++)
    printf("%7d %s\n", v[i]->n, v[i]->s);
  return 0;
}
