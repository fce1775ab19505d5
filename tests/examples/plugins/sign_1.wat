;; A plugin that makes the text longer. Its first version says "!".
(module $sign
  (import "host" "memory" (memory 1))
  (func (export "apply") (param $at i32) (param $length i32) (result i32)
    (i32.store8 (i32.add (local.get $at) (local.get $length)) (i32.const 33))
    (i32.add (local.get $length) (i32.const 1))))
