#!/usr/bin/env bash
# Whatever is wrong: one clear line, the documented exit code, no crash.
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
: "${PROGRAMS:?}"

# Files that are no modules, for each command that reads one.
mkdir "$TMP/folder"
: >"$TMP/empty.wasm"
printf '\0as' >"$TMP/short.wasm"
printf '\0asm\2\0\0\0' >"$TMP/version.wasm"
printf '\x7fELF\2\1\1\0' >"$TMP/elf.wasm"
printf 'hello, world\n' >"$TMP/text.wasm"
printf '(module (func (result i32) (i32.const 1) (i32.cons 2)))' >"$TMP/wrong.wat"
printf '(module (func (result i32) (i64.const 1)))' >"$TMP/invalid.wat"
printf '(module\n  (func\n    (call $nowhere)))' >"$TMP/name.wat"
[ "$(id -u)" -eq 0 ] || { cp "$TMP/text.wasm" "$TMP/secret.wasm"; chmod 0 "$TMP/secret.wasm"; }
# try CODE FILE TEXTS…: $command on the file gives that.
try() {
  local wanted=$1 file=$2 output=()
  shift 2
  [ "$command" != compile ] || output=(-o "$TMP/never")
  # shellcheck disable=SC2086
  run $command "$file" "${output[@]}"
  expect_error "$wanted" "$@"
}
for command in run validate inspect compile "run -O2" "inspect --wat" "run --lazy"; do
  try 1 "$TMP/missing.wasm" "missing.wasm" "No such file"
  try 1 "$TMP/folder" "folder" "directory"
  [ ! -e "$TMP/secret.wasm" ] || try 1 "$TMP/secret.wasm" "Permission denied"
  try 2 "$TMP/empty.wasm" "empty"
  try 2 "$TMP/short.wasm" "short.wasm"
  try 2 "$TMP/version.wasm" "version"
  try 2 "$TMP/elf.wasm" "not a WebAssembly module" "7f 45 4c 46" "native"
  try 2 "$TMP/text.wasm" "not a WebAssembly module"
  try 2 "$TMP/wrong.wat" "1:43"
  try 2 "$TMP/name.wat" "3:" "nowhere"
  [ "$command" = "inspect --wat" ] || try 2 "$TMP/invalid.wat" "type mismatch"
done
[ ! -e "$TMP/never" ] || complain "something was written"

# Truncated at every length, and a byte changed: refused or valid, never more.
if [ -f "$PROGRAMS/hello.wasm" ]; then
  size=$(stat -c %s "$PROGRAMS/hello.wasm")
  for i in {1..40}; do
    head -c $((size * i / 41)) "$PROGRAMS/hello.wasm" >"$TMP/cut.wasm"
    run validate "$TMP/cut.wasm"
    expect_error 2 "cut.wasm"
  done
  for i in {1..40}; do
    cp "$PROGRAMS/hello.wasm" "$TMP/changed.wasm"
    printf "\\x$(printf %02x $((i * 37 % 256)))" | dd of="$TMP/changed.wasm" bs=1 seek=$((size * i / 41)) conv=notrunc 2>/dev/null
    run validate "$TMP/changed.wasm"
    [ "$code" -eq 0 ] || expect_error 2 "changed.wasm"
  done
fi

# Imports: all that are missing, with their types.
imports=$(wat <<'W'
(module
  (import "env" "first" (func (param i32 f64) (result i64)))
  (import "env" "second" (global (mut i32)))
  (import "other" "third" (memory 2 5))
  (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
  (import "other" "fourth" (table 3 funcref))
  (func (export "_start")))
W
)
run "$imports"
expect_error 3 first "(i32, f64) -> (i64)" second third fourth
[[ $err != *fd_write* ]] || complain "fd_write is not missing"
mistyped=$(wat <<'W'
(module (import "wasi_snapshot_preview1" "fd_close" (func (param f32))) (func (export "_start")))
W
)
run "$mistyped"
expect_error 3 fd_close "f32"
run run --missing trap "$(wat <<'W'
(module (import "env" "f" (func $f)) (func (export "_start")))
W
)"
expect_code 0
run run --missing trap "$(wat <<'W'
(module (import "env" "f" (func $f)) (func (export "_start") (call $f)))
W
)"
expect_code 134
expect_err_has 'env' 'f'
run run --missing zero --invoke g "$(wat <<'W'
(module (import "env" "f" (func $f (result f32))) (func (export "g") (result f32) (call $f)))
W
)"
expect_code 0
expect_out 0

# No _start.
library=$(wat <<'W'
(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))) (memory (export "memory") 1))
W
)
run "$library"
expect_error 3 "_start" "--invoke add" "add func (i32, i32) -> (i32)" "memory memory 1"
run "$(echo '(module)' | wat)"
expect_error 3 "exports nothing"

# Out of memory.
huge=$(echo '(module (memory 65536) (func (export "_start")))' | wat)
run run --max-memory 1GiB "$huge"
expect_error 4 "memory"

# Standard output that is closed or full.
checked() {
  last=$1 out='' err=$(cat "$TMP/err")
  expect_code 1
  expect_err_has "wattle: error: cannot write to standard output"
}
run inspect "$library"
expect_code 0
"$WATTLE" inspect "$library" >&- 2>"$TMP/err"
code=$?
checked "wattle inspect >&-"
"$WATTLE" inspect "$library" 2>"$TMP/err" >/dev/full
code=$?
checked "wattle inspect >/dev/full"
"$WATTLE" run --invoke add "$library" 1 2 2>"$TMP/err" >/dev/full
code=$?
checked "wattle run --invoke >/dev/full"
{ "$WATTLE" inspect "$library" 2>"$TMP/err"; echo $? >"$TMP/code"; } | :
code=$(cat "$TMP/code")
[ "$code" -eq 0 ] || checked "wattle inspect | :"
if [ -f "$PROGRAMS/hello.wasm" ]; then
  # A guest gets the errors that a native program would get, and goes on.
  for redirect in '>&-' '>/dev/full' '<&-' '2>&-' '>&- 2>&- <&-'; do
    eval "\"$WATTLE\" \"$PROGRAMS/hello.wasm\" >/dev/null $redirect"
    code=$?
    checks=$((checks + 1))
    [ $code -lt 126 ] || complain "hello.wasm $redirect ended with $code"
  done
fi

# Unwritable output.
run compile "$library" -o "$TMP/none/out"
expect_error 1 "none/out" "No such file"

pass_or_fail
