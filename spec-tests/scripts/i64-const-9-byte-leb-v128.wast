;; A constant of ten bytes before the only vector instructions: operand slots are 16 bytes wide.
(module
  (func $clobber)
  (func (export "f") (result i64 i64)
    (i64.const 0xC4FFFFFFFFFFFFFE)
    (i64.const 11) (i64x2.splat) (i64.const 22) (i64x2.splat)
    (call $clobber)
    (i64.const 0xC4FFFFFFFFFFFFFE) (drop) (i64x2.add) (i64x2.extract_lane 0) nop
    nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop))
(assert_return (invoke "f") (i64.const 0xC4FFFFFFFFFFFFFE) (i64.const 33))
