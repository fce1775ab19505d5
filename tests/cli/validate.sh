#!/usr/bin/env bash
# wattle validate and wat2wasm.
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

good=$(echo '(module $m (func $f (export "f") (result i32) (i32.const 1)))' | wat)
bad=$(echo '(module (func (result i32) (f32.const 1)))' | wat)
run validate "$good"
expect_code 0
expect_out "$good: valid"
run validate -q "$good"
expect_out ""
run validate "$good" "$bad" "$good"
expect_code 2
expect_out_has "$good: valid"
expect_err_has "wattle: error: $bad: " "function 0" "offset"
run_with "$good" validate -
expect_code 0
expect_out "standard input: valid"

run wat2wasm "$good" -o "$TMP/good.wasm"
expect_code 0
run validate "$TMP/good.wasm"
expect_code 0
run run --invoke f "$TMP/good.wasm"
expect_out 1
run inspect "$TMP/good.wasm"
expect_out_has 'custom "name"'
run wat2wasm "$good"
expect_code 0
[ -f "${good%.wat}.wasm" ] || complain "no default output"
run wat2wasm "$TMP/good.wasm"
expect_error 1 "not a text module"
run_with "$good" wat2wasm - -o "$TMP/from-stdin.wasm"
expect_code 0
cmp -s "$TMP/good.wasm" "$TMP/from-stdin.wasm" || complain "the outputs differ"

pass_or_fail
