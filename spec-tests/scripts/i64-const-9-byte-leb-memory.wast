;; A constant of ten bytes, the ninth of which reads as f64.const, before the only load of the function: r14 has to be there for it.
(module
  (memory 1) (data (i32.const 16) "\2a\00\00\00")
  (func (export "f") (param i32) (result i32)
    (drop (i64.const 0xC4FFFFFFFFFFFFFE))
    (i32.load (local.get 0))
    nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop))
(assert_return (invoke "f" (i32.const 16)) (i32.const 42))
