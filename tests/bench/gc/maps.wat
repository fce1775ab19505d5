;; A hash map with chains that doubles its table: n pseudo-random keys are counted, then every other entry is removed and put in again.
(module
  (type $entry (struct (field $key i32) (field $value (mut i32)) (field $next (mut (ref null $entry)))))
  (type $table (array (mut (ref null $entry))))
  (type $map (struct (field $table (mut (ref $table))) (field $size (mut i32))))

  (func $slot (param $table (ref $table)) (param $key i32) (result i32)
    (i32.and (i32.mul (local.get $key) (i32.const 0x9e3779b1)) (i32.sub (array.len (local.get $table)) (i32.const 1))))

  (func $find (param $map (ref $map)) (param $key i32) (result (ref null $entry)) (local $e (ref null $entry))
    (local.set $e (array.get $table (struct.get $map $table (local.get $map))
      (call $slot (struct.get $map $table (local.get $map)) (local.get $key))))
    (loop $next
      (if (ref.is_null (local.get $e)) (then (return (ref.null $entry))))
      (if (i32.eq (struct.get $entry $key (local.get $e)) (local.get $key)) (then (return (local.get $e))))
      (local.set $e (struct.get $entry $next (local.get $e)))
      (br $next))
    (unreachable))

  (func $grow (param $map (ref $map))
    (local $old (ref $table)) (local $new (ref $table)) (local $i i32) (local $slot i32)
    (local $e (ref null $entry)) (local $next (ref null $entry))
    (local.set $old (struct.get $map $table (local.get $map)))
    (local.set $new (array.new_default $table (i32.mul (array.len (local.get $old)) (i32.const 2))))
    (loop $slots
      (local.set $e (array.get $table (local.get $old) (local.get $i)))
      (block $done
        (loop $chain
          (br_if $done (ref.is_null (local.get $e)))
          (local.set $next (struct.get $entry $next (local.get $e)))
          (local.set $slot (call $slot (local.get $new) (struct.get $entry $key (local.get $e))))
          (struct.set $entry $next (local.get $e) (array.get $table (local.get $new) (local.get $slot)))
          (array.set $table (local.get $new) (local.get $slot) (local.get $e))
          (local.set $e (local.get $next))
          (br $chain)))
      (br_if $slots (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (array.len (local.get $old)))))
    (struct.set $map $table (local.get $map) (local.get $new)))

  (func $count (param $map (ref $map)) (param $key i32)
    (local $e (ref null $entry)) (local $table (ref $table)) (local $slot i32)
    (if (i32.eqz (ref.is_null (local.tee $e (call $find (local.get $map) (local.get $key)))))
      (then
        (struct.set $entry $value (local.get $e) (i32.add (struct.get $entry $value (local.get $e)) (i32.const 1)))
        (return)))
    (if (i32.ge_u (struct.get $map $size (local.get $map)) (array.len (struct.get $map $table (local.get $map))))
      (then (call $grow (local.get $map))))
    (local.set $table (struct.get $map $table (local.get $map)))
    (local.set $slot (call $slot (local.get $table) (local.get $key)))
    (array.set $table (local.get $table) (local.get $slot)
      (struct.new $entry (local.get $key) (i32.const 1) (array.get $table (local.get $table) (local.get $slot))))
    (struct.set $map $size (local.get $map) (i32.add (struct.get $map $size (local.get $map)) (i32.const 1))))

  (func $remove (param $map (ref $map)) (param $key i32)
    (local $table (ref $table)) (local $slot i32) (local $e (ref null $entry)) (local $before (ref null $entry))
    (local.set $table (struct.get $map $table (local.get $map)))
    (local.set $slot (call $slot (local.get $table) (local.get $key)))
    (local.set $e (array.get $table (local.get $table) (local.get $slot)))
    (loop $next
      (if (ref.is_null (local.get $e)) (then (return)))
      (if (i32.ne (struct.get $entry $key (local.get $e)) (local.get $key))
        (then
          (local.set $before (local.get $e))
          (local.set $e (struct.get $entry $next (local.get $e)))
          (br $next))))
    (if (ref.is_null (local.get $before))
      (then (array.set $table (local.get $table) (local.get $slot) (struct.get $entry $next (local.get $e))))
      (else (struct.set $entry $next (local.get $before) (struct.get $entry $next (local.get $e)))))
    (struct.set $map $size (local.get $map) (i32.sub (struct.get $map $size (local.get $map)) (i32.const 1))))

  (func $key (param $i i32) (param $n i32) (result i32)
    (i32.rem_u (i32.mul (local.get $i) (i32.const 2654435)) (local.get $n)))

  (func (export "run") (param $n i32) (result i64)
    (local $map (ref $map)) (local $i i32) (local $sum i64)
    (local.set $map (struct.new $map (array.new_default $table (i32.const 16)) (i32.const 0)))
    (loop $put
      (call $count (local.get $map) (call $key (local.get $i) (local.get $n)))
      (br_if $put (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (local.set $i (i32.const 0))
    (loop $again
      (call $remove (local.get $map) (call $key (local.get $i) (local.get $n)))
      (call $count (local.get $map) (call $key (local.get $i) (local.get $n)))
      (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 2))) (local.get $n))))
    (local.set $i (i32.const 0))
    (loop $sum
      (local.set $sum (i64.add (local.get $sum) (i64.extend_i32_s
        (struct.get $entry $value (call $find (local.get $map) (call $key (local.get $i) (local.get $n)))))))
      (br_if $sum (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (i64.add (local.get $sum) (i64.extend_i32_s (struct.get $map $size (local.get $map))))))
