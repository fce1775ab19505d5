#!/usr/bin/env bash
# wattle run --invoke: arguments and results of every type.
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

module=$(wat <<'W'
(module
  (func (export "i32") (param i32) (result i32) (local.get 0))
  (func (export "i64") (param i64) (result i64) (local.get 0))
  (func (export "f32") (param f32) (result f32) (local.get 0))
  (func (export "f64") (param f64) (result f64) (local.get 0))
  (func (export "v128") (param v128) (result v128) (local.get 0))
  (func (export "externref") (param externref) (result externref) (local.get 0))
  (func (export "funcref") (param funcref) (result funcref) (local.get 0))
  (func (export "swap") (param i32 f64) (result f64 i32) (local.get 1) (local.get 0))
  (func (export "none"))
  (func (export "trap") (unreachable)))
W
)
echoes() {
  run run --invoke "$1" "$module" "$2"
  expect_code 0
  expect_out "$3"
}
echoes i32 42 42
echoes i32 -1 -1
echoes i32 4294967295 -1
echoes i32 0x7fffffff 2147483647
echoes i32 -2147483648 -2147483648
echoes i64 -9223372036854775808 -9223372036854775808
echoes i64 0xffffffffffffffff -1
echoes f32 1.5 1.5
echoes f32 0x1.8p3 12
echoes f32 nan nan
echoes f32 -nan -nan
echoes f32 nan:0x1 nan:0x1
echoes f64 0.1 0.1
echoes f64 -inf -inf
echoes f64 -0 -0
echoes f64 1e308 1e+308
echoes f64 nan:0x123 nan:0x123
echoes v128 i32x4:1,2,3,0xffffffff i32x4:0x1,0x2,0x3,0xffffffff
echoes v128 i64x2:1,-1 i32x4:0x1,0x0,0xffffffff,0xffffffff
echoes v128 i8x16:1,0,0,0,2,0,0,0,3,0,0,0,4,0,0,-1 i32x4:0x1,0x2,0x3,0xff000004
echoes v128 i16x8:1,0,2,0,3,0,4,0 i32x4:0x1,0x2,0x3,0x4
echoes v128 f32x4:1,0,-0,1 i32x4:0x3f800000,0x0,0x80000000,0x3f800000
echoes v128 f64x2:1,0 i32x4:0x0,0x3ff00000,0x0,0x0
echoes externref hello hello
echoes externref null null
echoes funcref null null
run run --invoke swap "$module" 7 2.5
expect_code 0
expect_out $'2.5\n7'
run run --invoke none "$module"
expect_code 0
expect_out ""

# Wrong ones.
for pair in "i32 4294967296" "i32 x" "i32 1.0" "i32 -2147483649" "i64 18446744073709551616" "f32 1e" "f64 hello" "f64 nan:0x0" \
  "v128 i32x4:1,2,3" "v128 i32x4:1,2,3,4,5" "v128 7" "funcref f"; do
  # shellcheck disable=SC2086
  set -- $pair
  run run --invoke "$1" "$module" "$2"
  expect_error 1 "'$2' is no $1"
done
run run --invoke i32 "$module"
expect_error 1 "takes 1 argument"
run run --invoke swap "$module" 1
expect_error 1 "(i32, f64) -> (f64, i32)" "takes 2 arguments"
run run --invoke nothing "$module"
expect_error 3 'no exported function "nothing"' "it exports" "swap"
run run --invoke trap "$module"
expect_code 134
expect_err_has "wattle: error:" "trap: unreachable" "#0" "trap"

# A reactor is initialized first.
reactor=$(wat <<'W'
(module
  (global $g (mut i32) (i32.const 0))
  (func (export "_initialize") (global.set $g (i32.const 5)))
  (func (export "get") (result i32) (global.get $g)))
W
)
run run --invoke get "$reactor"
expect_code 0
expect_out 5

# Preloaded modules, also ones that need each other.
base=$(wat <<'W'
(module (func (export "base") (result i32) (i32.const 40)) (memory (export "memory") 1))
W
)
middle=$(wat <<'W'
(module (import "base" "base" (func $base (result i32)))
  (func (export "more") (result i32) (i32.add (call $base) (i32.const 2))))
W
)
user=$(wat <<'W'
(module (import "middle" "more" (func $more (result i32))) (import "base" "memory" (memory 1))
  (func (export "go") (result i32) (i32.store (i32.const 0) (call $more)) (i32.load (i32.const 0))))
W
)
run run --preload "base=$base" --preload "middle=$middle" --invoke go "$user"
expect_code 0
expect_out 42
run run --preload "middle=$middle" --invoke go "$user"
expect_error 3 "base.base" "func () -> (i32)"
run run --preload "base" --invoke go "$user"
expect_error 1 "not NAME=FILE"

pass_or_fail
