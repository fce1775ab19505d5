// Without exceptions there is no setjmp: a Lua error ends the program.
#define LUAI_THROW(L, c) __builtin_trap()
#define LUAI_TRY(L, c, a) \
  { a }
#define luai_jmpbuf int
