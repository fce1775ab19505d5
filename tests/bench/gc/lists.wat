;; Short-lived lists: n times a list of 1000 nodes is made, added up, and dropped.
(module
  (type $node (struct (field $value i32) (field $next (ref null $node))))
  (func (export "run") (param $n i32) (result i64)
    (local $sum i64) (local $i i32) (local $list (ref null $node))
    (loop $round
      (local.set $list (ref.null $node))
      (local.set $i (i32.const 0))
      (loop $make
        (local.set $list (struct.new $node (i32.xor (local.get $i) (i32.and (local.get $n) (i32.const 255))) (local.get $list)))
        (br_if $make (i32.lt_s (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))
      (loop $add
        (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_s (struct.get $node $value (local.get $list)))))
        (local.set $list (struct.get $node $next (local.get $list)))
        (br_if $add (i32.eqz (ref.is_null (local.get $list)))))
      (br_if $round (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum)))
