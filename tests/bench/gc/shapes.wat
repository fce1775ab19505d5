;; Objects of several types behind one: n shapes are made in turn, kept for a while, and told apart by casts.
(module
  (rec
    (type $shape (sub (struct (field $id i32))))
    (type $square (sub $shape (struct (field $id i32) (field $side f64))))
    (type $box (sub $shape (struct (field $id i32) (field $width f64) (field $height f64)))))
  (type $ring (array (mut (ref null $shape))))
  (func $area (param $s (ref null $shape)) (result f64)
    (if (ref.test (ref $square) (local.get $s))
      (then (return (f64.mul (struct.get $square $side (ref.cast (ref $square) (local.get $s)))
                             (struct.get $square $side (ref.cast (ref $square) (local.get $s)))))))
    (if (ref.test (ref $box) (local.get $s))
      (then (return (f64.mul (struct.get $box $width (ref.cast (ref $box) (local.get $s)))
                             (struct.get $box $height (ref.cast (ref $box) (local.get $s)))))))
    (f64.const 0))
  (func (export "run") (param $n i32) (result i64)
    (local $ring (ref $ring)) (local $sum f64) (local $i i32) (local $s (ref null $shape))
    (local.set $ring (array.new_default $ring (i32.const 4096)))
    (loop $next
      (local.set $s
        (if (result (ref $shape)) (i32.and (local.get $i) (i32.const 1))
          (then (struct.new $square (local.get $i) (f64.const 3)))
          (else (struct.new $box (local.get $i) (f64.const 2) (f64.const 4)))))
      (array.set $ring (local.get $ring) (i32.and (local.get $i) (i32.const 4095)) (local.get $s))
      (local.set $sum (f64.add (local.get $sum)
        (call $area (array.get $ring (local.get $ring) (i32.and (i32.mul (local.get $i) (i32.const 31)) (i32.const 4095))))))
      (br_if $next (i32.lt_s (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (i64.trunc_f64_s (local.get $sum))))
