;; A constant of ten bytes before the only try_table: the prologue keeps a place for the handler table.
(module
  (tag $e)
  (func $throw (throw $e))
  (func (export "f") (result i32)
    (block
      (i64.const 0xC4FFFFFFFFFFFFFE)
      (try_table (catch_all 0) (call $throw))
      (drop))
    (i32.const 7)
    nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop))
(assert_return (invoke "f") (i32.const 7))
