;; Constants of nine and ten bytes before the only use of a parameter, and of a local that starts as zero.
(module
  (func (export "g") (param i32 i64) (result i64)
    (i64.const 0x2012345678901234)
    (local.get 1)
    i64.add
    nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop)
  (func (export "local-zero") (param i32) (result i64) (local i64)
    (i64.const 0x2012345678901234)
    (local.get 1)
    i64.add
    nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop))
(assert_return (invoke "g" (i32.const 16) (i64.const 1)) (i64.const 0x2012345678901235))
(assert_return (invoke "local-zero" (i32.const 16)) (i64.const 0x2012345678901234))
