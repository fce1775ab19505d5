#!/usr/bin/env bash
# C programs built from the sources in npm packages: sources.sh NAME runs the function case_NAME. What is built is kept beside the
# packages.
here=$(dirname "${BASH_SOURCE[0]}")
. "$here/../support/lib.sh"
: "${MODULES:?}"
skip_unless clang-19
built=$(dirname "$MODULES")
files=$here/sources

# build NAME ARGUMENTS…: NAME.wasm in $built.
build() {
  local module=$built/$1.wasm
  shift
  [ -f "$module" ] || clang-19 --target=wasm32-wasi --sysroot=/usr -O2 -w "$@" -o "$module.new" || exit 1
  [ -f "$module" ] || mv "$module.new" "$module"
}

case_lua() {
  local sources=("$MODULES"/lua-src/src/*.c)
  build lua "${sources[@]/*luac.c/$files/lua_stubs.c}" -I"$files/include" -include "$files/lua_no_setjmp.h" -DL_tmpnam=20 \
    -D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_PROCESS_CLOCKS -lwasi-emulated-signal -lwasi-emulated-process-clocks -lm \
    -Wl,-z,stack-size=1048576
  run run --dir "$files::/w" "$built/lua.wasm" /w/program.lua argument
  expect_code 0
  expect_out $'Lua 5.3\t9.007199254741e+15\t3\twattle\n17711\nbrown=1 end=1 fox=1 quick=1 the=2 \n742112\n 3.14 "a\\\nb" ff\t1\targument'
  run run "$built/lua.wasm" -e 'error("no")'
  expect_code 134
  expect_err_has unreachable
}

case_sqlite() {
  local deps=$MODULES/better-sqlite3/deps/sqlite3
  build sqlite "$files/sqlite_shell.c" "$deps/sqlite3.c" -I"$deps" -DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_LOAD_EXTENSION \
    -DSQLITE_OMIT_WAL -D_WASI_EMULATED_GETPID -lwasi-emulated-getpid
  local expected=$'5000|25038386|row-05000\n5|1|row-04807\n6|1|row-03767\n7|1|row-02727\n726F77|149.98\n23416728348467685'
  run_with "$files/query.sql" run "$built/sqlite.wasm"
  expect_code 0
  expect_out "$expected"
  # In a file, twice: the rows are kept.
  mkdir "$TMP/db"
  run_with "$files/query.sql" run --dir "$TMP/db::/db" "$built/sqlite.wasm" /db/test.db
  expect_code 0
  expect_out "$expected"
  echo 'select count(*) from t;' >"$TMP/count.sql"
  run_with "$TMP/count.sql" run --dir "$TMP/db::/db" "$built/sqlite.wasm" /db/test.db
  expect_code 0
  expect_out 5000
  echo 'select * from absent;' >"$TMP/bad.sql"
  run_with "$TMP/bad.sql" run "$built/sqlite.wasm"
  expect_code 1
  expect_err "error: no such table: absent"
}

"case_$1"
pass_or_fail
