;; A plugin over another: the first letter of each word, as the plugin "upper" has it.
(module $title
  (import "host" "memory" (memory 1))
  (import "upper" "letter" (func $letter (param i32) (result i32)))

  (func (export "apply") (param $at i32) (param $length i32) (result i32)
    (local $end i32) (local $before i32)
    (local.set $end (i32.add (local.get $at) (local.get $length)))
    (local.set $before (i32.const 32))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $at) (local.get $end)))
        (if (i32.eq (local.get $before) (i32.const 32))
          (then (i32.store8 (local.get $at) (call $letter (i32.load8_u (local.get $at))))))
        (local.set $before (i32.load8_u (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (local.get $length)))
