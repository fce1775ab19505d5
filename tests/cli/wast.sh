#!/usr/bin/env bash
# wattle wast: counts, failures with their lines, lists of expected failures.
. "$(dirname "${BASH_SOURCE[0]}")/../support/lib.sh"

cat >"$TMP/good.wast" <<'W'
(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "div") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func (export "nan") (result f32) (f32.div (f32.const 0) (f32.const 0))))
(assert_return (invoke "add" (i32.const 1) (i32.const 2)) (i32.const 3))
(assert_return (invoke "nan") (f32.const nan:canonical))
(assert_trap (invoke "div" (i32.const 1) (i32.const 0)) "integer divide by zero")
(assert_invalid (module (func (result i32) (i64.const 0))) "type mismatch")
(assert_malformed (module quote "(func (i32.cons 1))") "unknown operator")
(assert_unlinkable (module (import "spectest" "unknown" (func))) "unknown import")
(module (import "spectest" "print_i32" (func $p (param i32))) (func (export "p") (call $p (i32.const 1))))
(invoke "p")
W
run wast "$TMP/good.wast"
expect_code 0
expect_out_has "good.wast: 9 passed, 0 failed"

cat >"$TMP/bad.wast" <<'W'
(module (func (export "f") (result i32) (i32.const 1)))
(assert_return (invoke "f") (i32.const 2))
(assert_trap (invoke "f") "unreachable")
(assert_invalid (module) "type mismatch")
(assert_return (invoke "f") (i32.const 1))
(assert_return (invoke "g"))
W
run wast "$TMP/bad.wast"
expect_code 1
expect_out_has "2 passed, 4 failed" "bad.wast:2: assert_return f: expected i32 0x2, got i32 0x1" "bad.wast:3:" "bad.wast:4:" "bad.wast:6:"
echo '(module' >"$TMP/broken.wast"
run wast "$TMP/broken.wast"
expect_code 1
expect_out_has "does not parse"

# The list is exact.
echo "bad.wast  # known" >"$TMP/list"
run wast --expectations "$TMP/list" --root "$TMP" "$TMP/bad.wast" "$TMP/good.wast"
expect_code 0
expect_out_has "fails, as expected"
echo good.wast >"$TMP/list"
run wast --expectations "$TMP/list" --root "$TMP" "$TMP/good.wast"
expect_code 1
expect_out_has "listed among those expected to fail"
mkdir "$TMP/suite"
cp "$TMP/good.wast" "$TMP/suite/a.wast"
cp "$TMP/good.wast" "$TMP/suite/b.wast"
run wast -j2 -q "$TMP/suite"
expect_code 0
expect_out_has "all" "18"
run wast "$TMP/missing.wast"
expect_error 1 "missing.wast"

pass_or_fail
