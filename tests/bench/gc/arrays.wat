;; Arrays of 1 to 256 numbers: n are made, filled and added up; the last 1024 are kept.
(module
  (type $numbers (array (mut i32)))
  (type $ring (array (mut (ref null $numbers))))
  (func (export "run") (param $n i32) (result i64)
    (local $ring (ref $ring)) (local $a (ref null $numbers)) (local $sum i64) (local $i i32) (local $k i32) (local $length i32)
    (local.set $ring (array.new_default $ring (i32.const 1024)))
    (loop $make
      (local.set $length (i32.add (i32.const 1) (i32.and (i32.mul (local.get $i) (i32.const 97)) (i32.const 255))))
      (local.set $a (array.new $numbers (local.get $i) (local.get $length)))
      (local.set $k (i32.const 0))
      (loop $add
        (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_s (array.get $numbers (local.get $a) (local.get $k)))))
        (br_if $add (i32.lt_s (local.tee $k (i32.add (local.get $k) (i32.const 1))) (local.get $length))))
      (array.set $ring (local.get $ring) (i32.and (local.get $i) (i32.const 1023)) (local.get $a))
      (br_if $make (i32.lt_s (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (local.get $sum)))
