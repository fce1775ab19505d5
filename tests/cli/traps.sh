#!/usr/bin/env bash
# Traps: reason, backtrace with names and offsets, exit code 134, output before kept.
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"
: "${PROGRAMS:?}"
[ -f "$PROGRAMS/traps.wasm" ] || exit 77

traps_with() {
  run "$PROGRAMS/traps.wasm" "$1"
  expect_code 134
  expect_out "before $1"
  expect_err_has "wattle: error: " "trap: $2" "main" "_start"
}
traps_with unreachable unreachable
traps_with abort unreachable
traps_with divide "integer divide by zero"
traps_with overflow "integer overflow"
traps_with memory "out of bounds memory access"
traps_with signature "indirect call type mismatch"
traps_with element "undefined element"
expect_err_has "#0"
run "$PROGRAMS/traps.wasm" divide
expect_err_has "#0   divide" "+0x"
run run --bounds checked "$PROGRAMS/traps.wasm" memory
expect_code 134
expect_err_has "out of bounds memory access"

# A recursion without end, in small and large stacks; the wasm stack of wasi-libc may end first.
deep=$(wat <<'W'
(module (func $down (export "down") (param i32) (result i32) (i32.add (call $down (i32.add (local.get 0) (i32.const 1))) (i32.const 1))))
W
)
for size in 64KiB 1MiB 4MiB 512MiB; do
  run run --max-stack $size --invoke down "$deep" 0
  expect_code 134
  expect_err_has "call stack exhausted" "down" "more frames"
done

# An exception that nobody caught.
throws=$(echo '(module (tag $t (param i32)) (func $f (export "_start") (throw $t (i32.const 7))))' | wat)
run "$throws"
[ "$code" -eq 2 ] || { expect_code 134; expect_err_has "exception"; }

# A trap in a start function.
starts=$(echo '(module (func $boom unreachable) (start $boom) (func (export "_start")))' | wat)
run "$starts"
expect_code 134
expect_err_has "unreachable" "boom"

pass_or_fail
