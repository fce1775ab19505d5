;; Binary trees: one of depth n lives all the time, beside many shallower ones that are made, counted and dropped.
(module
  (type $tree (struct (field $left (ref null $tree)) (field $right (ref null $tree))))
  (func $make (param $depth i32) (result (ref $tree))
    (if (result (ref $tree)) (i32.eqz (local.get $depth))
      (then (struct.new $tree (ref.null $tree) (ref.null $tree)))
      (else
        (local.set $depth (i32.sub (local.get $depth) (i32.const 1)))
        (struct.new $tree (call $make (local.get $depth)) (call $make (local.get $depth))))))
  (func $count (param $tree (ref null $tree)) (result i32)
    (if (result i32) (ref.is_null (struct.get $tree $left (local.get $tree)))
      (then (i32.const 1))
      (else
        (i32.add (i32.const 1)
          (i32.add (call $count (struct.get $tree $left (local.get $tree)))
                   (call $count (struct.get $tree $right (local.get $tree))))))))
  (func (export "run") (param $n i32) (result i64)
    (local $long (ref null $tree)) (local $sum i64) (local $depth i32) (local $times i32)
    (local.set $long (call $make (local.get $n)))
    (local.set $depth (i32.const 4))
    (loop $depths
      (local.set $times (i32.shl (i32.const 1) (i32.sub (i32.add (local.get $n) (i32.const 2)) (local.get $depth))))
      (loop $trees
        (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_s (call $count (call $make (local.get $depth))))))
        (br_if $trees (local.tee $times (i32.sub (local.get $times) (i32.const 1)))))
      (br_if $depths (i32.le_s (local.tee $depth (i32.add (local.get $depth) (i32.const 4))) (local.get $n))))
    (i64.add (local.get $sum) (i64.extend_i32_s (call $count (local.get $long))))))
