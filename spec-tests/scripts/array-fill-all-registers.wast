;; array.fill while hot locals have every pin and its operands every temporary: the charge for fuel finds room all the same.
(module
  (type $a (array (mut i32)))
  (type $s (struct (field (ref $a))))
  (global $o (ref $s) (struct.new $s (array.new $a (i32.const 1) (i32.const 40))))
  (func (export "f") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (array.fill $a
      (struct.get $s 0 (global.get $o))
      (i32.add (local.get 0) (i32.const 1))
      (i32.add (i32.mul (local.get 1) (local.get 4)) (i32.mul (local.get 5) (local.get 6)))
      (i32.add (i32.mul (local.get 2) (local.get 3)) (i32.mul (local.get 7) (local.get 7))))
    (i32.add (array.get $a (struct.get $s 0 (global.get $o)) (i32.const 2))
      (i32.add (array.get $a (struct.get $s 0 (global.get $o)) (i32.const 3))
        (array.get $a (struct.get $s 0 (global.get $o)) (i32.const 39))))))
(assert_return (invoke "f" (i32.const 2) (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 3)) (i32.const 5))
(assert_trap (invoke "f" (i32.const 2) (i32.const 1) (i32.const 2) (i32.const 30) (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 3)) "out of bounds array access")
