#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* life W H GENERATIONS: R-pentomino on a torus; prints population and hash every 50 generations and the last
 * board when small */
int main(int c, char** v) {
  int W = c > 1 ? atoi(v[1]) : 64, H = c > 2 ? atoi(v[2]) : 48, G = c > 3 ? atoi(v[3]) : 200;
  unsigned char *a = calloc(W, H), *b = malloc((size_t)W * H);
  static const int p[5][2] = {{1, 0}, {2, 0}, {0, 1}, {1, 1}, {1, 2}};
  for (int i = 0; i < 5; i++)
    a[(H / 2 + p[i][1]) * W + W / 2 + p[i][0]] = 1;
  for (int g = 0; g <= G; g++) {
    if (g % 50 == 0 || g == G) {
      int n = 0;
      unsigned h = 2166136261u;
      for (int i = 0; i < W * H; i++) {
        n += a[i];
        h = (h ^ a[i]) * 16777619u;
      }
      printf("gen %d population %d hash %08x\n", g, n, h);
    }
    if (g == G)
      break;
    for (int y = 0; y < H; y++) {
      int u = (y + H - 1) % H * W, d = (y + 1) % H * W, m = y * W;
      for (int x = 0; x < W; x++) {
        int l = (x + W - 1) % W, r = (x + 1) % W;
        int n = a[u + l] + a[u + x] + a[u + r] + a[m + l] + a[m + r] + a[d + l] + a[d + x] + a[d + r];
        b[m + x] = n == 3 || (n == 2 && a[m + x]);
      }
    }
    unsigned char* t = a;
    a = b;
    b = t;
  }
  if (W <= 80 && H <= 50)
    for (int y = 0; y < H; y++) {
      for (int x = 0; x < W; x++)
        putchar(a[y * W + x] ? '#' : '.');
      putchar('\n');
    }
  return 0;
}
