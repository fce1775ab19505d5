;; Long-lived objects replaced in no order: n are made, each in the place of one among 200,000 that are kept.
(module
  (type $item (struct (field $id i32) (field $weight f64)))
  (type $kept (array (mut (ref null $item))))
  (func (export "run") (param $n i32) (result i64)
    (local $kept (ref $kept)) (local $seed i32) (local $place i32) (local $i i32) (local $sum i64) (local $old (ref null $item))
    (local.set $kept (array.new_default $kept (i32.const 200000)))
    (local.set $seed (i32.const 12345))
    (loop $next
      (local.set $seed (i32.xor (local.get $seed) (i32.shl (local.get $seed) (i32.const 13))))
      (local.set $seed (i32.xor (local.get $seed) (i32.shr_u (local.get $seed) (i32.const 17))))
      (local.set $seed (i32.xor (local.get $seed) (i32.shl (local.get $seed) (i32.const 5))))
      (local.set $place (i32.rem_u (local.get $seed) (i32.const 200000)))
      (if (i32.eqz (ref.is_null (local.tee $old (array.get $kept (local.get $kept) (local.get $place)))))
        (then (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_s (struct.get $item $id (local.get $old)))))))
      (array.set $kept (local.get $kept) (local.get $place) (struct.new $item (local.get $i) (f64.const 1)))
      (br_if $next (i32.lt_s (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (local.get $sum)))
