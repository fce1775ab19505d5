/* A small Scheme: integers, symbols, lists, lambda, define, if, let, cond-less; mark-sweep is left out: an
   arena grows with malloc. Reads a program from a file argument or stdin, prints each top-level value that is
   not a define. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ctype.h>
typedef struct V V;
typedef enum { INT, SYM, PAIR, NIL, PRIM, LAM } T;
typedef V* (*Fn)(V** a, int n);
struct V {
  T t;
  union {
    long long i;
    char* s;
    struct {
      V *a, *d;
    };
    Fn f;
    struct {
      V *ps, *body;
      struct E* env;
    };
  };
};
typedef struct E {
  V *k, *v;
  struct E* next;
} E;
static V nil = {NIL}, *T_;
static long cells;
static void die(const char* m, const char* x) {
  printf("error: %s %s\n", m, x ? x : "");
  exit(3);
}
static V* mk(T t) {
  static V* arena;
  static int left;
  if (!left) {
    left = 4096;
    arena = malloc(left * sizeof(V));
    if (!arena)
      die("out of memory", 0);
  }
  cells++;
  left--;
  V* v = arena++;
  v->t = t;
  return v;
}
static V* num(long long i) {
  V* v = mk(INT);
  v->i = i;
  return v;
}
static V* cons(V* a, V* d) {
  V* v = mk(PAIR);
  v->a = a;
  v->d = d;
  return v;
}
static V* syms[1024];
static V* sym(const char* s) {
  unsigned h = 5381;
  for (const char* p = s; *p; p++)
    h = h * 33 + (unsigned char)*p;
  for (h &= 1023; syms[h]; h = (h + 1) & 1023)
    if (!strcmp(syms[h]->s, s))
      return syms[h];
  V* v = mk(SYM);
  v->s = strdup(s);
  return syms[h] = v;
}
static char* src;
static V *S_quote, *S_if, *S_define, *S_lambda, *S_let, *S_begin;
static void ws(void) {
  for (;;) {
    while (isspace((unsigned char)*src))
      src++;
    if (*src == ';')
      while (*src && *src != '\n')
        src++;
    else
      return;
  }
}
static V* rd(void) {
  ws();
  if (*src == '(') {
    src++;
    V *h = &nil, **t = &h;
    for (;;) {
      ws();
      if (*src == ')') {
        src++;
        return h;
      }
      if (!*src)
        die("unexpected end", 0);
      *t = cons(rd(), &nil);
      t = &(*t)->d;
    }
  }
  if (*src == '\'') {
    src++;
    V* x = rd();
    return cons(S_quote, cons(x, &nil));
  }
  char b[128];
  int n = 0;
  while (*src && !isspace((unsigned char)*src) && *src != '(' && *src != ')' && n < 127)
    b[n++] = *src++;
  b[n] = 0;
  if (!n)
    die("stray )", 0);
  if (isdigit((unsigned char)b[0]) || (b[0] == '-' && n > 1))
    return num(strtoll(b, 0, 10));
  return sym(b);
}
static void pr(V* v) {
  switch (v->t) {
    case INT:
      printf("%lld", v->i);
      break;
    case SYM:
      printf("%s", v->s);
      break;
    case NIL:
      printf("()");
      break;
    case PRIM:
      printf("#<prim>");
      break;
    case LAM:
      printf("#<lambda>");
      break;
    case PAIR:
      putchar('(');
      for (;;) {
        pr(v->a);
        v = v->d;
        if (v->t == PAIR)
          putchar(' ');
        else
          break;
      }
      if (v->t != NIL) {
        printf(" . ");
        pr(v);
      }
      putchar(')');
  }
}
static E* global;
static V* ev(V* x, E* e);
static E* bind(V* k, V* v, E* n) {
  E* e = malloc(sizeof *e);
  e->k = k;
  e->v = v;
  e->next = n;
  return e;
}
static V* ev(V* x, E* e) {
  for (;;) {
    if (x->t == SYM) {
      for (E* p = e; p; p = p->next)
        if (p->k == x)
          return p->v;
      for (E* p = global; p; p = p->next)
        if (p->k == x)
          return p->v;
      die("unbound", x->s);
    }
    if (x->t != PAIR)
      return x;
    V *h = x->a, *r = x->d;
    if (h == S_quote)
      return r->a;
    if (h == S_if) {
      V* c = ev(r->a, e);
      x = c->t != NIL ? r->d->a : (r->d->d->t == PAIR ? r->d->d->a : &nil);
      continue;
    }
    if (h == S_define) {
      if (r->a->t == PAIR) {
        V* l = mk(LAM);
        l->ps = r->a->d;
        l->body = r->d;
        l->env = e;
        global = bind(r->a->a, l, global);
      } else {
        global = bind(r->a, &nil, global);
        E* g = global;
        g->v = ev(r->d->a, e);
      }
      return 0;
    }
    if (h == S_lambda) {
      V* l = mk(LAM);
      l->ps = r->a;
      l->body = r->d;
      l->env = e;
      return l;
    }
    if (h == S_let) {
      E* n = e;
      for (V* b = r->a; b->t == PAIR; b = b->d)
        n = bind(b->a->a, ev(b->a->d->a, e), n);
      e = n;
      r = r->d;
      goto body;
    }
    if (h == S_begin)
      goto body;
    {
      V *f = ev(h, e), *a[16];
      int n = 0;
      for (; r->t == PAIR; r = r->d) {
        if (n == 16)
          die("too many arguments", 0);
        a[n++] = ev(r->a, e);
      }
      if (f->t == PRIM)
        return f->f(a, n);
      if (f->t != LAM)
        die("not a function", 0);
      E* ne = f->env;
      int i = 0;
      for (V* p = f->ps; p->t == PAIR; p = p->d) {
        if (i >= n)
          die("too few arguments", 0);
        ne = bind(p->a, a[i++], ne);
      }
      e = ne;
      r = f->body;
    }
  body:
    while (r->d->t == PAIR) {
      ev(r->a, e);
      r = r->d;
    }
    x = r->a;
  }
}
#define B(v) ((v) ? T_ : &nil)
#define P(nm, ex)              \
  static V* nm(V** a, int n) { \
    (void)n;                   \
    return ex;                 \
  }
static V* p_add(V** a, int n) {
  long long s = 0;
  for (int i = 0; i < n; i++)
    s += a[i]->i;
  return num(s);
}
static V* p_mul(V** a, int n) {
  long long s = 1;
  for (int i = 0; i < n; i++)
    s *= a[i]->i;
  return num(s);
}
P(p_sub, n == 1 ? num(-a[0]->i) : num(a[0]->i - a[1]->i))
P(p_div, a[1]->i ? num(a[0]->i / a[1]->i) : (die("division by zero", 0), &nil))
    P(p_mod, num(a[0]->i % a[1]->i)) P(p_lt, B(a[0]->i < a[1]->i))
        P(p_eq, B(a[0] == a[1] || (a[0]->t == INT && a[1]->t == INT && a[0]->i == a[1]->i)))
            P(p_cons, cons(a[0], a[1]))
                P(p_car, a[0]->t == PAIR ? a[0]->a : (die("car of a non-pair", 0), &nil))
                    P(p_cdr, a[0]->t == PAIR ? a[0]->d : (die("cdr of a non-pair", 0), &nil))
                        P(p_null, B(a[0]->t == NIL))
                            P(p_pair, B(a[0]->t == PAIR)) static V* p_print(V** a, int n) {
  for (int i = 0; i < n; i++) {
    if (i)
      putchar(' ');
    pr(a[i]);
  }
  putchar('\n');
  return &nil;
}
static const struct {
  const char* s;
  Fn f;
} prims[] = {{"+", p_add},      {"-", p_sub},      {"*", p_mul},      {"/", p_div},   {"mod", p_mod},
             {"<", p_lt},       {"=", p_eq},       {"cons", p_cons},  {"car", p_car}, {"cdr", p_cdr},
             {"null?", p_null}, {"pair?", p_pair}, {"print", p_print}};
int main(int argc, char** argv) {
  FILE* f = argc > 1 ? fopen(argv[1], "r") : stdin;
  if (!f) {
    perror(argv[1]);
    return 1;
  }
  size_t cap = 65536, n = 0, k;
  src = malloc(cap);
  while ((k = fread(src + n, 1, cap - 1 - n, f)) > 0) {
    n += k;
    if (n + 1 >= cap)
      src = realloc(src, cap *= 2);
  }
  src[n] = 0;
  S_quote = sym("quote");
  S_if = sym("if");
  S_define = sym("define");
  S_lambda = sym("lambda");
  S_let = sym("let");
  S_begin = sym("begin");
  T_ = sym("t");
  global = bind(T_, T_, global);
  for (unsigned i = 0; i < sizeof prims / sizeof *prims; i++) {
    V* p = mk(PRIM);
    p->f = prims[i].f;
    global = bind(sym(prims[i].s), p, global);
  }
  for (ws(); *src; ws()) {
    V* v = ev(rd(), 0);
    if (v) {
      pr(v);
      putchar('\n');
    }
  }
  fprintf(stderr, "%ld cells\n", cells);
  return 0;
}
