;; A memarg offset of nine bytes: the local.get of the else arm is still seen.
(module
  (memory i64 1)
  (func (export "f") (param i32 i64) (result i64)
    (if (result i64) (local.get 0) (then (i64.load offset=0x44ffffffffffffff (i64.const 0))) (else (local.get 1)))
    nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop))
(assert_return (invoke "f" (i32.const 0) (i64.const 5)) (i64.const 5))
