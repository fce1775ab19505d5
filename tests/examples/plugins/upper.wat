;; A plugin: changes the text in the host's memory in place and returns its new length.
(module $upper
  (import "host" "memory" (memory 1))

  ;; Also for other plugins.
  (func $letter (export "letter") (param $c i32) (result i32)
    (if (result i32) (i32.lt_u (i32.sub (local.get $c) (i32.const 97)) (i32.const 26))
      (then (i32.sub (local.get $c) (i32.const 32)))
      (else (local.get $c))))

  (func (export "apply") (param $at i32) (param $length i32) (result i32)
    (local $i i32)
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $i) (local.get $length)))
        (i32.store8 (i32.add (local.get $at) (local.get $i))
          (call $letter (i32.load8_u (i32.add (local.get $at) (local.get $i)))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (local.get $length)))
