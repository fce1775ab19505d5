#!/usr/bin/env bash
# wattle inspect: summary, text, pseudo-code, native code.
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

module=$(wat <<'W'
(module $shapes
  (import "env" "log" (func $log (param i32)))
  (import "env" "limit" (global i32))
  (memory (export "memory") 1 4)
  (table 2 funcref)
  (func $area (export "area") (param $w i32) (param $h i32) (result i32)
    (if (i32.lt_s (local.get $w) (i32.const 0)) (then (unreachable)))
    (i32.mul (local.get $w) (local.get $h)))
  (func $quiet))
W
)
run inspect "$module"
expect_code 0
expect_err ""
expect_out_has "module shapes" Sections type import function table memory export code "Imports: 2" \
  "env.log func (i32) -> ()" "env.limit global i32" "Exports: 2" "area func (i32, i32) -> (i32)" "memory" "Functions: 2"

run inspect --wat "$module"
expect_code 0
expect_out_has '(module' 'i32.mul' '(export "area"'
"$WATTLE" inspect --wat "$module" >"$TMP/again.wat"
run inspect --decompile "$module"
expect_code 0
expect_out_has 'export function area' 'return w * h'

run inspect --asm-of area "$module"
expect_code 0
expect_out_has "function 1 area (i32, i32) -> (i32)" "i32.mul" "imul" "unreachable"
run inspect --asm "$module"
expect_code 0
expect_out_has "function 1" "function 2"
run inspect --asm-of 2 "$module"
expect_code 0
run inspect --asm-of nobody "$module"
expect_error 3 "nobody"
run inspect --wat --decompile "$module"
expect_error 1

# What the installed wabt does not know is said, not crashed on.
new=$(echo '(module (type (struct (field i32))) (func (result (ref null 0)) (struct.new 0 (i32.const 1))))' | wat)
run inspect --wat "$new"
expect_error 2 "wabt"
run inspect "$new"
expect_code 0

pass_or_fail
