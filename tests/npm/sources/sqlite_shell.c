// sqlite_shell [DATABASE]: runs the SQL of standard input, prints rows with "|" between the columns.
#include <stdio.h>
#include <stdlib.h>

#include "sqlite3.h"

static int print_row(void* unused, int count, char** values, char** names) {
  (void)unused;
  (void)names;
  for (int i = 0; i < count; i++) printf("%s%s", i ? "|" : "", values[i] ? values[i] : "NULL");
  putchar('\n');
  return 0;
}

static char* read_all(FILE* in) {
  size_t size = 0, capacity = 1 << 16, n;
  char* text = malloc(capacity);
  while (text && (n = fread(text + size, 1, capacity - 1 - size, in)) > 0) {
    size += n;
    if (size + 1 >= capacity) text = realloc(text, capacity *= 2);
  }
  if (text) text[size] = 0;
  return text;
}

int main(int argc, char** argv) {
  sqlite3* db;
  if (sqlite3_open(argc > 1 ? argv[1] : ":memory:", &db)) {
    fprintf(stderr, "open: %s\n", sqlite3_errmsg(db));
    return 1;
  }
  char* sql = read_all(stdin);
  char* error = NULL;
  if (!sql || sqlite3_exec(db, sql, print_row, NULL, &error)) {
    fprintf(stderr, "error: %s\n", error ? error : "out of memory");
    return 1;
  }
  sqlite3_close(db);
  return 0;
}
