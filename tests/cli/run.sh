#!/usr/bin/env bash
# wattle run: arguments, environment, directories, exit codes, standard streams.
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
: "${PROGRAMS:?}"
args=$PROGRAMS/argsenv.wasm
[ -f "$args" ] || exit 77

# Plain file and `run` are the same; options after the file are the program's.
run "$args" --dir -O2 --help "[a,b]" "{}" --
expect_code 0
expect_out_has 'argc=7' 'argv[1]="--dir"' 'argv[2]="-O2"' 'argv[3]="--help"' 'argv[4]="[a,b]"' 'argv[5]="{}"' 'argv[6]="--"' 'envc=0'
run run -- "$args" x
expect_code 0
expect_out_has 'argv[1]="x"'

# The guest's exit code.
for wanted in 0 1 3 42 126 255; do
  run "$args" exit $wanted
  expect_code $wanted
done

# Environment: nothing by default; NAME passes on; the last of a name counts; values may hold "=".
export WATTLE_TEST_PASSED=on
run run --env WATTLE_TEST_PASSED --env A=b=c --env A=d=e --env EMPTY= --env WATTLE_TEST_UNSET "$args"
expect_code 0
expect_out_has 'envc=3' 'WATTLE_TEST_PASSED=on' 'A=d=e' 'EMPTY='

# The program's name.
cat >"$TMP/argv0.wat" <<'W'
(module
  (import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (drop (call $sizes (i32.const 0) (i32.const 4)))
    (drop (call $args_get (i32.const 16) (i32.const 64)))
    (i32.store (i32.const 8) (i32.const 64))
    (i32.store (i32.const 12) (i32.load (i32.const 4)))
    (drop (call $write (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0)))))
W
run "$TMP/argv0.wat"
expect_code 0
expect_out "argv0.wat"
run run --argv0 another "$TMP/argv0.wat" more
expect_code 0
expect_out "anothermore"

# From standard input: binary and text.
run_with "$TMP/argv0.wat" run --argv0 stdin -
expect_code 0
expect_out "stdin"
run_with "$PROGRAMS/hello.wasm" -
expect_code 0
expect_out_has "hello, world"

# Directories: only what is given, nothing outside, read-only when asked.
mkdir -p "$TMP/in/sub" "$TMP/out_dir"
echo secret >"$TMP/secret"
echo data >"$TMP/in/file"
ln -s ../secret "$TMP/in/link"
run run --dir "$TMP/in::/in" --dir "$TMP/out_dir::/out" "$PROGRAMS/fscopy.wasm" /in /out
expect_out_has "file 5 bytes" "link stat:" "escape refused"
run run --dir-ro "$TMP/in::/in" "$PROGRAMS/fscopy.wasm" /in /in
expect_out_has "Read-only file system"
[ ! -e "$TMP/in/renamed.txt" ] || complain "a read-only directory was changed"
run "$PROGRAMS/fscopy.wasm" "$TMP/in" "$TMP/out_dir"
expect_code 2
expect_err_has "opendir"
run run --dir "$TMP/nowhere" "$args"
expect_error 1 "nowhere"

# Limits.
run run --max-memory 64KiB "$PROGRAMS/hello.wasm"
expect_error 4 "memory"
run run --max-memory 16MiB --max-stack 1MiB --timeout 1h "$PROGRAMS/hello.wasm"
expect_code 0
for wrong in "--max-memory x" "--max-memory -1" "--timeout 5parsecs" "--timeout 0" "--max-stack 1" "-O9" "--bounds some" "--lazy --eager" \
  "--listen nowhere" "--missing maybe"; do
  # shellcheck disable=SC2086
  run run $wrong "$args"
  expect_error 1
done

pass_or_fail
