;; On a polymorphic stack array.new_fixed has as many operands as it names.
(module
  (type $a (array i32))
  (func (export "f") (result (ref $a)) (unreachable) (array.new_fixed $a 0xffffffff)))
(assert_trap (invoke "f") "unreachable")
(assert_invalid
  (module (type $a (array i32))
    (func (result (ref $a)) (unreachable) (i64.const 0) (array.new_fixed $a 0xffffffff)))
  "type mismatch")
(assert_invalid
  (module (type $a (array i32)) (func (result (ref $a)) (i32.const 0) (array.new_fixed $a 2)))
  "type mismatch")
